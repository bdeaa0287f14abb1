package statedb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
)

const table = "CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"

func open(t testing.TB, path string) *DB {
	t.Helper()
	db := reopen(t, path)
	if err := db.Migrate("test", table); err != nil {
		t.Fatal(err)
	}
	return db
}

// reopen is open for tables that are there.
func reopen(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func insert(n int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO numbers VALUES (?, ?)", n, fmt.Sprint("row ", n))
		return err
	}
}

// rows returns the numbers that a reader sees.
func rows(t testing.TB, db *DB) (list []int) {
	t.Helper()
	err := db.Read(context.Background(), func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT n FROM numbers ORDER BY n")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				return err
			}
			list = append(list, n)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "strange name?#%41.db")
	db := open(t, path)
	if err := db.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1)); err == nil {
		t.Error("the same row twice")
	}
	sentinel := errors.New("my own")
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		if err := insert(2)(tx); err != nil {
			return err
		}
		return sentinel
	})
	if err != sentinel {
		t.Error(err)
	}
	then := 0
	for _, n := range []int{1, 5} { // the first is there already
		db.WriteThen(t.Context(), insert(n), func() { then += n })
	}
	if then != 5 {
		t.Errorf("told of %d", then)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Write(gone, insert(3)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := db.Read(t.Context(), insert(4)); err == nil || code(err) != codeReadOnly {
		t.Errorf("a reader writes: %v", err)
	}
	if got := fmt.Sprint(rows(t, db)); got != "[1 5]" {
		t.Error(got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(5)); err != ErrClosed {
		t.Error(err)
	}
	db.Later(insert(6))
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(rows(t, open(t, path))); got != "[1 5]" {
		t.Error(got)
	}
	files, _ := os.ReadDir(filepath.Dir(path))
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestBatch has many write at once, a third of them in vain: each gets its own
// answer, and only the others' rows are there.
func TestBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := db.Write(t.Context(), func(tx *sql.Tx) error {
				if err := insert(i)(tx); err != nil || i%3 > 0 {
					return err
				}
				return fmt.Errorf("no %d", i)
			})
			if want := i%3 > 0; (err == nil) != want || err != nil && err.Error() != fmt.Sprint("no ", i) {
				t.Errorf("%d: %v", i, err)
			}
		})
		wg.Go(func() { db.Later(insert(1000 + i)) })
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	list := rows(t, open(t, path))
	if len(list) != 500 {
		t.Fatalf("%d rows", len(list))
	}
	for _, n := range list {
		if n < 1000 && n%3 == 0 {
			t.Errorf("row %d was undone", n)
		}
	}
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	const more = "ALTER TABLE numbers ADD COLUMN more TEXT; CREATE INDEX by_text ON numbers (text)"
	for _, c := range []struct {
		owner string
		steps []string
		ok    bool
	}{
		{"test", []string{table}, true}, // again: nothing to do
		{"test", []string{table, "CREATE TABLE x (y); nonsense"}, false},
		{"test", []string{table, more}, true},
		{"test", []string{table, more}, true},
		{"test", []string{table}, false}, // an older program
		{"other", []string{"CREATE TABLE x (y)"}, true},
	} {
		if err := db.Migrate(c.owner, c.steps...); (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.owner, c.steps, err)
		}
	}
	db.Close()
	if err := reopen(t, path).Migrate("test", table, more); err != nil {
		t.Error(err)
	}
}

// TestLater writes behind: within a second, in order, and all of it at the end.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.db")
		db := open(t, path)
		for i := range 2500 {
			db.Later(insert(i))
		}
		db.Later(insert(7)) // fails, alone
		synctest.Wait()
		if n := len(rows(t, db)); n != 0 {
			t.Errorf("%d rows at once", n)
		}
		time.Sleep(behind)
		synctest.Wait()
		if n := len(rows(t, db)); n != 2500 {
			t.Errorf("%d rows after a second", n)
		}
		db.Later(insert(9000))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = reopen(t, path)
		if n := len(rows(t, db)); n != 2501 {
			t.Errorf("%d rows after closing", n)
		}
		db.Close()
	})
}

// TestFullDisk limits the number of pages: those who wait are told, what is
// pending waits for room, up to its bound.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		db, err := Open(filepath.Join(t.TempDir(), "state.db"), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate("test", table); err != nil {
			t.Fatal(err)
		}
		pages := func(n int) {
			if _, err := db.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
				t.Fatal(err)
			}
		}
		pages(1)
		big := func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO numbers VALUES (1, ?)", strings.Repeat("x", 1<<16))
			return err
		}
		err = db.Write(t.Context(), big)
		if !fault.Is(err, fault.Unavailable) || fault.As(err).Code != 452 || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%v", err)
		}
		db.room = 1000
		db.Later(big)
		for i := range db.room + 9 {
			db.Later(insert(2 + i))
		}
		time.Sleep(2 * again)
		synctest.Wait()
		if n := len(rows(t, db)); n != 0 {
			t.Errorf("%d rows on a full disk", n)
		}
		pages(1 << 20)
		time.Sleep(again)
		synctest.Wait()
		if n := len(rows(t, db)); n != db.room {
			t.Errorf("%d rows when there is room again", n)
		}
		if !strings.Contains(log.String(), "statedb.dropped writes=10") {
			t.Error(log.String())
		}
	})
}
