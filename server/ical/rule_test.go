package ical

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestRuleExamples has the examples of RFC 5545 3.8.5.3 and others; each lists the first
// instances as dates, or times.
func TestRuleExamples(t *testing.T) {
	const start = "19970902T090000"
	tests := []struct{ name, start, rule, want string }{
		{"daily", start, "FREQ=DAILY;COUNT=3", "0902 0903 0904"},
		{"every other day", start, "FREQ=DAILY;INTERVAL=2", "0902 0904 0906 0908"},
		{"days of January", "19980101T090000", "FREQ=YEARLY;UNTIL=19980103T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "0101 0102 0103"},
		{"weekly, WKST", "19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "0805 0810 0819 0824"},
		{"weekly, WKST another", "19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "0805 0817 0819 0831"},
		{"first Friday", "19970905T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "0905 1003 1107"},
		{"first and last Sunday", "19970907T090000", "FREQ=MONTHLY;INTERVAL=2;COUNT=5;BYDAY=1SU,-1SU", "0907 0928 1102 1130 0104"},
		{"third to the last day", "19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3", "0928 1029 1128 1229"},
		{"the 31st", "19970131T090000", "FREQ=MONTHLY", "0131 0331 0531 0731"},
		{"day of the year", "19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=5;BYYEARDAY=1,100,200", "0101 0410 0719 0101 0409"},
		{"20th Monday", "19970519T090000", "FREQ=YEARLY;BYDAY=20MO", "0519 0518 0517"},
		{"week 20", "19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "0512 0511 0517"},
		{"week 20 on the day of DTSTART", "19970512T090000", "FREQ=YEARLY;BYWEEKNO=20", "0512 0511 0517"},
		{"Friday 13", start, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "0902 0213 0313 1113"},
		{"Saturday after Sunday", "19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "0913 1011 1108"},
		{"election day", "19961105T090000", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1105 1107 1102"},
		{"third of three days", "19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "0904 1007 1106"},
		{"second to the last weekday", "19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "0929 1030 1127"},
		{"February 29", "20240229T000000", "FREQ=YEARLY", "0229 0229 0229"},
		{"number and plain day", "20260105T000000", "FREQ=MONTHLY;BYDAY=2TU,MO", "0105 0112 0113 0119 0126 0202"},
		{"DTSTART out of step", "20260101T000000", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "0101 0105 0112"},
		{"hours", "19970902T090000", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "0902T09 0902T12 0902T15"},
		{"minutes", "19970902T230000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", "0902T23 0903T0030 0903T02 0903T0330"},
		{"no such day", "19970902T090000", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "0902"},
		{"UNTIL before DTSTART", start, "FREQ=DAILY;UNTIL=19970901T000000", ""},
		{"UNTIL is a date", start, "FREQ=DAILY;UNTIL=19970903", "0902 0903"},
		{"RSCALE", start, "RSCALE=GREGORIAN;FREQ=DAILY;SKIP=OMIT;COUNT=2;", "0902 0903"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRule(tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			v, err := parseValue(tt.start, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tt.want)
			var got []string
			w := work{left: maxWork}
			for wall := range r.walls(v.wall, v.wall, r.untilWall(nil), &w) {
				text := wallTime(wall).Format("0102T1504")
				if len(got) < len(want) {
					text = text[:len(want[len(got)])]
				}
				got = append(got, text)
				if len(got) == len(want) && r.Count == 0 && r.Until == nil {
					break
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestParseRule(t *testing.T) {
	for _, s := range []string{
		"FREQ=DAILY", "FREQ=YEARLY;UNTIL=20300101T000000Z;INTERVAL=2;BYSECOND=1,59;BYMINUTE=0;BYHOUR=3;BYDAY=2MO,-1SU;BYMONTHDAY=-31,1;BYYEARDAY=-366;BYWEEKNO=53;BYMONTH=1,12;BYSETPOS=-1;WKST=SU",
		"FREQ=WEEKLY;COUNT=10",
	} {
		r, err := ParseRule(strings.ToLower(s))
		if err != nil || r.String() != s {
			t.Errorf("%s: got %v, %v", s, r, err)
		}
	}
	if r, err := ParseRule("FREQ=MINUTELY;BYSECOND=60"); err != nil || r.BySecond[0] != 59 {
		t.Errorf("a leap second: %v, %v", r, err)
	}
	for _, s := range []string{
		"", "COUNT=1", "FREQ=DAYLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=-1", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=1;UNTIL=20200101",
		"FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYMONTHDAY=0", "FREQ=DAILY;BYMONTHDAY=32", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;BYDAY=0MO",
		"FREQ=DAILY;BYDAY=54MO", "FREQ=DAILY;UNTIL=x", "FREQ=DAILY;X=1", "FREQ=DAILY;WKST=1MO", "FREQ=DAILY;COUNT", "RSCALE=HEBREW;FREQ=DAILY",
		"RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", "FREQ=DAILY;BYMONTH=5L", "FREQ=DAILY;BYDAY=" + strings.Repeat("MO,", 4000),
		"FREQ=DAILY;INTERVAL=99999999999999999999",
	} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%.80s: got %v", s, r)
		}
	}
}

// TestAll: clocks that skip and repeat an hour (RFC 5545 3.3.5).
func TestAll(t *testing.T) {
	berlin := LoadZone("Europe/Berlin")
	r, err := ParseRule("FREQ=DAILY")
	if err != nil {
		t.Fatal(err)
	}
	check := func(start time.Time, want ...string) {
		t.Helper()
		for at := range r.All(start, start) {
			if at.UTC().Format("0102T1504") != want[0] {
				t.Errorf("got %v, want %v", at.UTC(), want[0])
			}
			if want = want[1:]; len(want) == 0 {
				return
			}
		}
	}
	check(time.Date(2026, 3, 28, 2, 30, 0, 0, berlin), "0328T0130", "0329T0130", "0330T0030")
	check(time.Date(2026, 10, 24, 2, 30, 0, 0, berlin), "1024T0030", "1025T0030", "1026T0130")
}

// TestWork: what would take for ever ends soon.
func TestWork(t *testing.T) {
	for _, s := range []string{
		"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;INTERVAL=86400;BYHOUR=3", "FREQ=MINUTELY;INTERVAL=60;BYMINUTE=30",
		"FREQ=SECONDLY;BYSETPOS=5", "FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=100;BYDAY=MO", "FREQ=SECONDLY;INTERVAL=2147483647;BYSETPOS=2",
		"FREQ=YEARLY;INTERVAL=2147483647", "FREQ=MONTHLY;INTERVAL=2147483647", "FREQ=DAILY;INTERVAL=2147483647", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=SECONDLY;COUNT=2147483647;BYHOUR=3", "FREQ=WEEKLY;INTERVAL=2147483647;BYDAY=MO;BYSETPOS=7",
	} {
		r, err := ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		w := work{left: maxWork}
		n := 0
		for range r.walls(3600, int64(dayNumber(3000, 1, 1))*daySeconds, math.MaxInt64, &w) {
			if n++; n > maxWork {
				t.Fatalf("%s: more than %d instances", s, n)
			}
		}
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add("FREQ=YEARLY;BYWEEKNO=-1,53;BYDAY=MO,-2TU;BYSETPOS=-1;WKST=SU", int64(1e9))
	f.Add("FREQ=SECONDLY;INTERVAL=7;BYHOUR=1,2;COUNT=100", int64(-1e10))
	f.Add("FREQ=MONTHLY;UNTIL=20300101T000000Z;BYMONTHDAY=-31", int64(0))
	f.Fuzz(func(t *testing.T, s string, start int64) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		again, err := ParseRule(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q is read again as %v, %v", r, again, err)
		}
		start = max(min(start, endOfTime()-1), -endOfTime()/5)
		last, n := int64(math.MinInt64), 0
		w := work{left: 5000}
		for wall := range r.walls(start, start, r.untilWall(nil), &w) {
			if wall <= last || wall < start {
				t.Fatalf("%s: %d after %d", r, wall, last)
			}
			if last = wall; n == 200 {
				break
			}
			n++
		}
	})
}

func BenchmarkRule(b *testing.B) {
	for _, s := range []string{"FREQ=WEEKLY", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=SECONDLY;BYHOUR=3;BYMINUTE=7;BYSECOND=1"} {
		b.Run(s, func(b *testing.B) {
			r, err := ParseRule(s)
			if err != nil {
				b.Fatal(err)
			}
			from := int64(dayNumber(2026, 1, 1)) * daySeconds
			for b.Loop() {
				w := work{left: maxWork}
				for range r.walls(3600, from, from+31*daySeconds, &w) {
				}
			}
		})
	}
}
