package trial

import (
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

// The calendar of a world takes the time that its events take.
func TestEvents(t *testing.T) {
	event := func(uid, more string) string {
		return "BEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260601T000000Z\r\n" + more + "END:VEVENT\r\n"
	}
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n" +
		event("daily", "DTSTART:20260601T080000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\n") +
		event("daily", "RECURRENCE-ID:20260615T080000Z\r\nDTSTART:20260615T083000Z\r\nDURATION:PT1H\r\nSTATUS:TENTATIVE\r\n") +
		event("floats", "DTSTART:20260615T120000\r\nDTEND:20260615T130000\r\n") +
		event("free", "DTSTART:20260615T140000Z\r\nDURATION:PT1H\r\nTRANSP:TRANSPARENT\r\n") + "END:VCALENDAR\r\n"
	w := NewWorld(time.FixedZone("CEST", 7200))
	var err error
	if w.Box.Events, err = ParseEvents("x.ics", []byte(text)); err != nil {
		t.Fatal(err)
	}
	w.Box.Floating = w.Location
	at := func(hour, minute int) time.Time { return time.Date(2026, 6, 15, hour, minute, 0, 0, time.UTC) }
	w.Box.Taken = []hook.Busy{{Start: at(9, 0), End: at(9, 15), Kind: hook.Unavailable}}
	for _, c := range []struct{ except, want string }{
		{"", "08:30-09:00 tentative, 09:00-09:15 unavailable, 09:15-09:30 tentative, 10:00-11:00 busy"},
		{"daily", "09:00-09:15 unavailable, 10:00-11:00 busy"},
	} {
		list, err := w.Box.Busy(at(0, 0), at(23, 0), c.except)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range list {
			got = append(got, b.Start.UTC().Format("15:04-")+b.End.UTC().Format("15:04 ")+string(b.Kind))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("but for %q: %q", c.except, got)
		}
	}
	if _, err := ParseEvents("x.ics", []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:never\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")); err == nil || !strings.Contains(err.Error(), "x.ics: line 3") {
		t.Errorf("no date: %v", err)
	}
}

// What is wrong with the calendar of a test is told.
func TestBusyErrors(t *testing.T) {
	for source, want := range map[string]string{
		`"now"`:             "busy must be a table",
		`{ "now" }`:         "busy is an array of tables",
		`{ { begin = 1 } }`: "busy: ends must be after starts",
		`{ { starts = 1, ends = 2, kind = "maybe" } }`: "busy: kind is busy, tentative or unavailable",
		`{ { starts = 1, ends = 2, what = 3 } }`:       `busy: there is no "what"`,
	} {
		wrong, err := runTests(t, sortScript, "function test_a() box{ busy = "+source+" } end")
		if err != nil || !strings.Contains(wrong["test_a"], want) {
			t.Errorf("%s: %q %v, want %q", source, wrong["test_a"], err, want)
		}
	}
}
