package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// appendixOf reads the record at the end of a file with that content.
func appendixOf(t testing.TB, content []byte) ([]byte, error) {
	path := filepath.Join(t.TempDir(), "x.one")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return readAppendix(f)
}

func TestAppendix(t *testing.T) {
	for _, record := range []string{"", "{}\n", strings.Repeat("x", tailSize-footerSize), strings.Repeat("x", tailSize), strings.Repeat("x", 1<<20)} {
		for _, message := range []string{"", content, strings.Repeat(content, 1000), "facteur record 000000000001\n"} {
			got, err := appendixOf(t, append([]byte(message), appendix([]byte(record))...))
			if err != nil || string(got) != record {
				t.Errorf("message of %d, record of %d octets: %d, %v", len(message), len(record), len(got), err)
			}
		}
	}
	for _, bad := range []string{
		"", content, "{}\n", "facteur record 000000000001", "facteur record 000000000001\n", "xfacteur record 000000000002\n",
		"xfacteur record -00000000001\n", "xfacteur record 999999999999\n", "xfacteur record 00000000001 \n", "xfacteur record 0x0000000001\n",
		fmt.Sprintf("xfacteur record %012d\n", maxRecord+1),
	} {
		if got, err := appendixOf(t, []byte(bad)); !errors.Is(err, errNoRecord) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

// TestHostileRecords: what is too large, or of the future, is set aside and kills
// nothing.
func TestHostileRecords(t *testing.T) {
	many := `{"version":1,"id":"m1","recipients":[` + strings.Repeat(`{"address":"a@b.example"},`, maxRecipients) + `{"address":"a@b.example"}]}`
	for name, record := range map[string]string{
		"future":          `{"version":9,"id":"m1","recipients":[{"address":"a@b.example"}]}`,
		"too many":        many,
		"deep":            strings.Repeat(`{"session":`, 20_000),
		"huge number":     `{"version":1,"id":"m1","size":1e999,"recipients":[{"address":"a@b.example"}]}`,
		"negative size":   `{"version":1,"id":"m1","size":-1,"recipients":[{"address":"a@b.example"}]}`,
		"bad time":        `{"version":1,"id":"m1","not_before":"99999-01-01T00:00:00Z","recipients":[{"address":"a@b.example"}]}`,
		"cut":             `{"version":1,"id":"m1","recipients":[{"address":"a@b`,
		"not even JSON":   "\x00\x01",
		"path in the id":  `{"version":1,"id":"../../m1","recipients":[{"address":"a@b.example"}]}`,
		"empty recipient": `{"version":1,"id":"m1","recipients":[{}]}`,
	} {
		w := newWorld(t)
		queue := filepath.Join(w.dir, "queue")
		if err := os.MkdirAll(queue, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string][]byte{
			"m1.env": []byte(record), "m1.one": []byte(content), "m2.one": append([]byte(content), appendix([]byte(record))...),
		} {
			if err := os.WriteFile(filepath.Join(queue, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.start()
		if n := w.Len(); n != 0 {
			t.Errorf("%s: %d entries", name, n)
		}
		w.stop()
		for _, file := range []string{"m1.bad", "m1.one", "m2.bad"} {
			if _, err := os.Stat(filepath.Join(queue, file)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzAppendix(f *testing.F) {
	f.Add(append([]byte(content), appendix([]byte("{}\n"))...))
	f.Add([]byte("xfacteur record 000000000002\n"))
	f.Add([]byte("facteur record -00000000001\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := appendixOf(t, b)
		if err == nil && !bytes.HasSuffix(b, appendix(bytes.Clone(got))) {
			t.Fatalf("%q read from %q", got, b)
		}
	})
}
