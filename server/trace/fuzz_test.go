package trace

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzBackwards reads the lines of a file from its end: they are those that reading
// from the front has.
func FuzzBackwards(f *testing.F) {
	f.Add([]byte("a\nb\n"), 3)
	f.Add([]byte("\n\nlong line\nend"), 1<<17)
	f.Fuzz(func(t *testing.T, raw []byte, times int) {
		if times < 1 || times > 1<<18 || len(raw)*times > 4<<20 {
			return
		}
		raw = bytes.Repeat(raw, times)
		var want [][]byte
		for _, line := range bytes.Split(raw, []byte("\n")) {
			if len(line) > maxLine {
				return
			}
			if len(line) > 0 {
				want = append(want, line)
			}
		}
		n := len(want)
		_, err := backwards(context.Background(), bytes.NewReader(raw), int64(len(raw)), func(line []byte) (bool, error) {
			if n--; n < 0 || !bytes.Equal(line, want[n]) {
				t.Fatalf("line %d: %.80q", n, line)
			}
			return true, nil
		})
		if err != nil || n != 0 {
			t.Errorf("%v, %d lines are missing", err, n)
		}
	})
}

// FuzzDecode reads a damaged line, and prints what is in it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"m1","at":"2026-03-01T00:00:00Z","kind":"in","session":"s1","client":{"ip":"192.0.2.1"},"to":["a@b"]}`))
	f.Add([]byte(`{"id":"m1","at":"2026-03-01T00:00:00Z","kind":"scripts","scripts":[{"name":"x","lines":[{"do":"y"}]}]}`))
	f.Add([]byte(`{"id":"m1","at":"20`))
	f.Fuzz(func(t *testing.T, line []byte) {
		id, _ := idOf(line), sessionOf(line)
		e, ok := decode(line)
		if !ok {
			return
		}
		if bytes.HasPrefix(line, []byte(`{"id":"`)) && e.ID != "" && !strings.ContainsRune(id, '\\') && utf8.Valid(line) &&
			bytes.Count(bytes.ToLower(line), []byte(`"id"`)) == 1 && e.ID != id {
			t.Errorf("id %q, found as %q", e.ID, id)
		}
		s := Story{ID: e.ID, Events: []Event{e}}
		if err := s.Print(&strings.Builder{}, time.UTC); err != nil {
			t.Fatal(err)
		}
		s.Summary(time.UTC)
	})
}
