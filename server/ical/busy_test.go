package ical

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// checkBusy: an event that is looked at for max instances takes all the time that its instances take.
func checkBusy(t *testing.T, o *Object, r TimeRange, max int) {
	t.Helper()
	busy, cost := o.Busy(BusyQuery{Range: r, Max: max})
	for i := range busy {
		if !busy[i].Start.Before(busy[i].End) || i > 0 && busy[i].Start.Before(busy[i-1].End) || busy[i].Start.Before(r.From) || busy[i].End.After(r.To) {
			t.Fatalf("%v in %v", busy[i], busy)
		}
	}
	if cost < 0 || cost > 2*max+2+len(o.entries)+maxDates {
		t.Fatalf("it costs %d", cost)
	}
	list, _, err := o.Instances(r.From, r.To, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, i := range list {
		if kind, takes := opaque(i.Component); takes && i.End.After(i.Start) && i.End.After(r.From) {
			for n < len(busy)-1 && !busy[n].End.After(i.Start) {
				n++
			}
			if at := later(i.Start, r.From); n >= len(busy) || busy[n].Start.After(at) || !busy[n].End.After(at) || busy[n].Type < kind {
				t.Fatalf("with %d instances, what begins at %v is not in %v", max, i.Start, busy)
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TestDenseBusy: what repeats too often to be told in full takes the time until it ends.
func TestDenseBusy(t *testing.T) {
	r := *rangeOf(t, "20260101T", "20270101T")
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"each second", []string{"DTSTART:20250101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"}, "20260101T000000/20270101T000000 1"},
		{"until", []string{"DTSTART:20260201T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;UNTIL=20260301T000000Z"}, "20260201T000000/20260301T000001 1"},
		{"so often", []string{"DTSTART:20260201T000000Z", "DURATION:PT1M", "RRULE:FREQ=MINUTELY;COUNT=20000"}, "20260201T000000/20260214T212000 1"},
		{"tentative", []string{"DTSTART:20260201T000000Z", "DURATION:PT1S", "STATUS:TENTATIVE", "RRULE:FREQ=SECONDLY"}, "20260201T000000/20270101T000000 0"},
		{"long", []string{"DTSTART:20200101T000000Z", "DURATION:P10D", "RRULE:FREQ=SECONDLY;UNTIL=20260401T000000Z"}, "20260101T000000/20260411T000000 1"},
		{"in a zone", []string{"DTSTART;TZID=Europe/Berlin:20260101T010000", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"}, "20260101T000000/20270101T000000 1"},
		{"transparent", []string{"DTSTART:20260201T000000Z", "DURATION:PT1S", "TRANSP:TRANSPARENT", "RRULE:FREQ=SECONDLY"}, ""},
		{"of no length", []string{"DTSTART:20260201T000000Z", "RRULE:FREQ=SECONDLY"}, ""},
		{"over before", []string{"DTSTART:20250101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;UNTIL=20251231T235950Z"}, ""},
	} {
		busy, _ := object(t, event(c.lines...)).Busy(BusyQuery{Range: r})
		got := ""
		for _, b := range busy {
			got += fmt.Sprintf("%s/%s %d", b.Start.Format(timeForm), b.End.Format(timeForm), b.Type)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestBusyNeverFree: however few instances are looked at, nobody is free when he is not.
func TestBusyNeverFree(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Log("seed", seed)
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for range 200 {
		rule := "RRULE:FREQ=" + pick("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY;BYDAY=MO,TU,FR;BYHOUR=1,3", "YEARLY;BYMONTH=3,10;BYHOUR=1,2,3;BYMINUTE=0,30") +
			pick("", ";INTERVAL=7", ";INTERVAL=1001") + pick("", ";UNTIL=20260401T120000Z", ";COUNT=3000")
		lines := []string{pick("DTSTART:20260301T013000Z", "DTSTART;TZID=Europe/Berlin:20260328T013000", "DTSTART:20251101T000000"), pick("DURATION:PT1S", "DURATION:PT1H", "DURATION:P3D"), rule}
		if random.IntN(3) == 0 {
			lines = append(lines, pick("EXRULE:FREQ=DAILY", "EXRULE:FREQ=HOURLY;INTERVAL=3", "RRULE:FREQ=HOURLY;INTERVAL=5", "RDATE;VALUE=PERIOD:20260329T000000Z/P1D"))
		}
		text := event(lines...)
		if random.IntN(2) == 0 {
			text += event("RECURRENCE-ID;RANGE=THISANDFUTURE:"+pick("20260329T003000Z", "20260310T013000Z", "20260302T000000"),
				"DTSTART:"+pick("20260329T003000Z", "20260304T000000", "20260401T013000Z"), pick("DURATION:PT2H", "DURATION:PT0S"), "STATUS:"+pick("CONFIRMED", "TENTATIVE"))
		}
		o := object(t, text)
		for _, max := range []int{1, 10, 400} {
			checkBusy(t, o, *rangeOf(t, "20260327T", "20260402T"), max)
		}
		if t.Failed() {
			t.Fatal(text)
		}
	}
}

// TestCoarsenBusy: the shortest times between are closed.
func TestCoarsenBusy(t *testing.T) {
	at := func(minute int) time.Time { return time.Unix(int64(60*minute), 0) }
	list := []BusyPeriod{{at(0), at(1), Busy}, {at(3), at(4), BusyTentative}, {at(5), at(6), BusyTentative}, {at(7), at(8), BusyUnavailable}, {at(20), at(21), Busy}}
	for most, want := range map[int]string{5: "0-1 3-4 5-6 7-8 20-21", 4: "0-1 3-6 7-8 20-21", 3: "0-1 3-8 20-21", 2: "0-8 20-21", 1: "0-21", 0: "0-21"} {
		got := ""
		for _, b := range CoarsenBusy(list, most) {
			got += fmt.Sprintf(" %d-%d", b.Start.Unix()/60, b.End.Unix()/60)
		}
		if got != " "+want {
			t.Errorf("%d: %s, want %s", most, got, want)
		}
	}
	if got := CoarsenBusy(list, 2); got[0].Type != BusyUnavailable {
		t.Errorf("%v", got)
	}
}

// TestDenseRule: a rule whose years have 31 million times is no more work than others.
func TestDenseRule(t *testing.T) {
	list := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(",%d", i)
		}
		return s[1:]
	}
	all := ";BYHOUR=" + list(24) + ";BYMINUTE=" + list(60) + ";BYSECOND=" + list(60)
	for _, rule := range []string{"YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU" + all, "MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU" + all, "WEEKLY" + all, "HOURLY" + all, "SECONDLY"} {
		o := object(t, event("DTSTART:20200229T000000Z", "DURATION:PT1S", "RRULE:FREQ="+rule))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		found, truncated, _ := o.Instances(utcTime(t, "20260701T"), utcTime(t, "20260708T"), nil, 100)
		runtime.ReadMemStats(&after)
		if len(found) != 100 || !truncated {
			t.Errorf("%.20s: %d %v", rule, len(found), truncated)
		}
		allocated := after.TotalAlloc - before.TotalAlloc
		if allocated > 1<<20 {
			t.Errorf("%.20s: %d octets", rule, allocated)
		}
		except := object(t, event("DTSTART:20200229T000000Z", "DURATION:PT1S", "RRULE:FREQ=DAILY", "EXRULE:FREQ="+rule))
		if _, truncated, _ := except.Instances(utcTime(t, "20260701T"), utcTime(t, "20270701T"), nil, 100); !truncated {
			t.Errorf("%.20s: all is known", rule)
		}
	}
}
