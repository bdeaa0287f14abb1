package statedb

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filled makes a database of some pages, closed.
func filled(t testing.TB, path string) {
	t.Helper()
	db := open(t, path)
	for i := range 3000 {
		db.Later(insert(i))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamaged opens files that are wrong: they are kept beside the new one.
func TestDamaged(t *testing.T) {
	sound := filepath.Join(t.TempDir(), "state.db")
	filled(t, sound)
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		aside  bool
		rows   int
	}{
		{"as it was", func(b []byte) []byte { return b }, false, 3000},
		{"empty", func([]byte) []byte { return nil }, false, 0},
		{"text", func([]byte) []byte { return []byte("Dear sir or madam, this is no database at all.\n") }, true, 0},
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }, true, 0},
		{"zeros in the middle", func(b []byte) []byte { clear(b[len(b)/2 : len(b)/2+8192]); return b }, true, 0},
		{"zeros in front", func(b []byte) []byte { clear(b[:100]); return b }, true, 0},
		{"wrong schema", func(b []byte) []byte {
			return bytes.Replace(b, []byte("CREATE TABLE numbers"), []byte("CREATE NUMBER tables"), 1)
		}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			raw, err := os.ReadFile(sound)
			if err != nil {
				t.Fatal(err)
			}
			raw = c.change(raw)
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			db, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate("test", table); err != nil {
				t.Fatal(err)
			}
			if n := len(rows(t, db)); n != c.rows {
				t.Errorf("%d rows", n)
			}
			kept, _ := filepath.Glob(path + ".damaged-*")
			if told := strings.Contains(log.String(), "statedb.damaged"); told != c.aside || len(kept) > 0 != c.aside {
				t.Errorf("set aside: %q, %s", kept, log.String())
			}
			if len(kept) > 0 {
				if got, _ := os.ReadFile(kept[0]); !bytes.Equal(got, raw) {
					t.Error("what was set aside has changed")
				}
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "state.db")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(dir, nil); err == nil {
		db.Close()
		t.Error("a directory was opened")
	}
	if db, err := Open(filepath.Join(t.TempDir(), "missing", "state.db"), nil); err == nil {
		db.Close()
		t.Error("a file in a missing directory was opened")
	}
}

// TestCutLog cuts the log of changes at many places, as a power cut would: the
// rows that are left are the first ones, and nothing is set aside.
func TestCutLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	db := open(t, path)
	for i := range 20 {
		if err := db.Write(t.Context(), insert(i)); err != nil {
			t.Fatal(err)
		}
	}
	main, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for cut := 0; cut <= len(wal); cut += 1009 {
		path := filepath.Join(dir, fmt.Sprint(cut), "state.db")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, main, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+"-wal", append(slices.Clone(wal[:cut]), 1, 2, 3), 0o600); err != nil {
			t.Fatal(err)
		}
		list := rows(t, open(t, path))
		for i, n := range list {
			if i != n {
				t.Fatalf("cut at %d of %d: rows %v", cut, len(wal), list)
			}
		}
		if len(list) < most {
			t.Errorf("cut at %d: %d rows, %d before", cut, len(list), most)
		}
		most = len(list)
		if kept, _ := filepath.Glob(path + ".damaged-*"); len(kept) > 0 {
			t.Fatalf("cut at %d: set aside", cut)
		}
	}
	if most < 19 {
		t.Errorf("%d rows at most", most)
	}
}
