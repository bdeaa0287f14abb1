package scheduling

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"facteur/server/ical"
	"facteur/server/safefile"
)

// FuzzAvailability: whatever a client calls its availability is refused, or answers within
// bounds when it can't be met.
func FuzzAvailability(f *testing.F) {
	f.Add("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VAVAILABILITY\r\nUID:a\r\nPRIORITY:2\r\nDTSTART:20260101T000000Z\r\nDURATION:P9D\r\n" +
		"BEGIN:AVAILABLE\r\nUID:b\r\nDTSTART:20260101T090000\r\nDTEND:20260101T170000\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n")
	f.Add("BEGIN:VCALENDAR\r\nBEGIN:VAVAILABILITY\r\nDTSTART;TZID=x:1\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n")
	r := ical.TimeRange{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckAvailability(text) != nil {
			return
		}
		c, err := ical.ParseBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all, err := readAvailability(c, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range outside(all, r) {
			if b.Start.Before(r.From) || b.End.After(r.To) || !b.Start.Before(b.End) {
				t.Errorf("%v to %v", b.Start, b.End)
			}
		}
	})
}

// FuzzTask: a file of the journal that is damaged is refused, or has what its sends name.
func FuzzTask(f *testing.F) {
	f.Add([]byte(`{"Made":"2026-07-01T08:00:00Z","Box":{"Local":"a","Domain":"example.org"},"Messages":["QQ=="],"Sends":[{"To":{"URI":"mailto:b@example.org"},"Message":0}]}`))
	f.Add([]byte(`{"Sends":[{"Message":7}]}`))
	f.Add([]byte(`{"Messages":["QQ=="],"Bases":[""],"Sends":[{"Message":0,"Base":1}]}`))
	j, err := openJournal(safefile.OS, f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(j.dir, "x"+taskSuffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := j.read("x")
		if err != nil {
			return
		}
		for _, to := range got.Sends {
			if _, err := got.message(to.Message); err == nil && got.read[to.Message] == nil {
				t.Error("a message is missing")
			}
			if len(got.Bases) > 0 && to.Base >= len(got.Bases) {
				t.Error("what was before is missing")
			}
		}
	})
}
