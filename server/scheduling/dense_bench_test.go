package scheduling

import (
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/ical"
)

// BenchmarkDenseEvent: what it takes to tell of a year in which something happens every other second.
func BenchmarkDenseEvent(b *testing.B) {
	w := newWorld(b)
	if _, _, err := w.own("bob").Put("d.ics", []byte(meeting("d", "", "DTSTART:20260601T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;INTERVAL=2")), collection.Condition{}); err != nil {
		b.Fatal(err)
	}
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if list, err := w.Scheduler.busy(addr("bob@example.org"), BusyQuestion{Range: ical.TimeRange{From: from, To: from.Add(maxBusy)}}); err != nil || len(list) == 0 {
			b.Fatal(err)
		}
	}
}
