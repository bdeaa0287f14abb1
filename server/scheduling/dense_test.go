package scheduling

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/ical"
)

// TestDenseEvent: who has something each second is busy, for people, rooms and scripts; it is no error.
func TestDenseEvent(t *testing.T) {
	w := newWorld(t)
	w.put("bob", "d.ics", meeting("d", "", "DTSTART:20260601T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;UNTIL=20260710T120000Z"))
	w.put("bob", "e.ics", meeting("e", "", "DTSTART:20260710T130000Z", "DURATION:PT1H"))
	same(t, "bob", w.busyBob(), ";FBTYPE=BUSY:20260710T000000Z/20260710T120001Z ;FBTYPE=BUSY:20260710T130000Z/20260710T140000Z")
	list, err := w.Busy(addr("bob@example.org"), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC), "")
	if err != nil || len(list) != 2 {
		t.Errorf("a script is told %v, %v", list, err)
	}

	if _, _, err := w.own("room").Put("d.ics", []byte(meeting("d", "", "DTSTART:20260601T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;INTERVAL=2;UNTIL=20260710T120000Z")), collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	w.put("alice", "m.ics", meeting("m", "alice@example.org", "room@example.org"))
	same(t, "while it is taken", partStatOf(w.event("alice", "m"), "room"), "DECLINED")
	w.put("alice", "n.ics", meeting("n", "alice@example.org", "room@example.org", "DTSTART:20260710T130000Z", "DURATION:PT1H"))
	same(t, "later", partStatOf(w.event("alice", "n"), "room"), "ACCEPTED")
	w.settle()
	same(t, "tasks left", w.tasks(), 0)
}

// TestManyDenseEvents: of many, too, it takes little to tell that somebody is busy, and all that is
// taken is told.
func TestManyDenseEvents(t *testing.T) {
	w := newWorld(t)
	put := func(uid string, more ...string) {
		t.Helper()
		if _, _, err := w.own("bob").Put(uid+".ics", []byte(meeting(uid, "", more...)), collection.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		put(fmt.Sprint("d", i), fmt.Sprintf("DTSTART:20260801T%02d%02d00Z", i%24, i%60), "DURATION:PT1S", "STATUS:"+[]string{"TENTATIVE", "CONFIRMED"}[i%2],
			fmt.Sprintf("RRULE:FREQ=SECONDLY;INTERVAL=%d", 30+i))
	}
	put("e", "DTSTART:20260710T100000Z", "DURATION:PT1H")
	put("w", "DTSTART:20260601T120000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;UNTIL=20260731T120000Z")
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
	}
	within := ical.TimeRange{From: at(7, 1, 0), To: at(7, 1, 0).Add(maxBusy)}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	list, err := w.Scheduler.busy(addr("bob@example.org"), BusyQuestion{Range: within})
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if err != nil || len(list) == 0 || len(list) > maxPeriods {
		t.Fatal(len(list), err)
	}
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%d periods, %v, %d MiB", len(list), took, allocated)
	if allocated > 150 {
		t.Errorf("%d MiB", allocated)
	}
	busy := func(at time.Time) bool {
		for _, b := range list {
			if !b.Start.After(at) && b.End.After(at) {
				return true
			}
		}
		return false
	}
	for what, at := range map[string]time.Time{"the meeting": at(7, 10, 10), "each week": at(7, 13, 12), "a dense one": at(12, 24, 12), "the end": within.To.Add(-time.Second)} {
		if !busy(at) {
			t.Errorf("%s: bob seems free at %v", what, at)
		}
	}
	if busy(at(7, 10, 9)) || busy(at(7, 31, 23)) {
		t.Error("bob is busy before it begins")
	}
}

// TestDenseAvailability: of hours that repeat too often to be told in full, those later are not free.
func TestDenseAvailability(t *testing.T) {
	c, err := ical.ParseBytes([]byte(strings.Join([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VAVAILABILITY", "UID:a", "DTSTAMP:20260101T000000Z",
		"BEGIN:AVAILABLE", "UID:b", "DTSTAMP:20260101T000000Z", "DTSTART:20260101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY", "END:AVAILABLE",
		"END:VAVAILABILITY", "END:VCALENDAR", ""}, "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	hours, err := readAvailability(c, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	r := ical.TimeRange{From: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}
	closed := ical.MergeBusy(outside(hours, r))
	if len(closed) != 1 || !closed[0].End.Equal(r.To) || !closed[0].Start.After(r.From) || closed[0].Start.After(r.From.Add(maxPeriods*time.Second)) {
		t.Errorf("%v", closed)
	}
}
