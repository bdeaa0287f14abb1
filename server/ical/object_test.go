package ical

import (
	"strings"
	"testing"
	"time"
)

func object(t *testing.T, text string) *Object {
	t.Helper()
	o, err := NewObject(calendar(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func event(lines ...string) string {
	return "BEGIN:VEVENT\nUID:1\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\n"
}

func todo(lines ...string) string {
	return "BEGIN:VTODO\nUID:1\n" + strings.Join(lines, "\n") + "\nEND:VTODO\n"
}

func utcTime(t *testing.T, s string) time.Time {
	t.Helper()
	if s == "" {
		return time.Time{}
	}
	at, err := time.Parse(timeForm, s+"000000"[:15-len(s)])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestInstances: from and to are in UTC, instances are told by their starts and ends in
// UTC, and the SUMMARY of what describes them. Floating times are in New York.
func TestInstances(t *testing.T) {
	const weekly, minute = "DTSTART;TZID=Europe/Berlin:20260105T100000\nDTEND;TZID=Europe/Berlin:20260105T110000\nRRULE:FREQ=WEEKLY\nSUMMARY:all", "DURATION:PT1M"
	tests := []struct{ name, text, from, to, want string }{
		{"one", event("DTSTART:20260101T100000Z", "DTEND:20260101T120000Z"), "20260101T", "20260102T", "0101T1000-0101T1200"},
		{"edges are out", event("DTSTART:20260101T100000Z", "DTEND:20260101T120000Z"), "20260101T12", "20260102T", ""},
		{"edges are out, before", event("DTSTART:20260101T100000Z", "DTEND:20260101T120000Z"), "20260101T", "20260101T10", ""},
		{"point on the first edge", event("DTSTART:20260101T100000Z"), "20260101T10", "20260101T11", "0101T1000-0101T1000"},
		{"across a change of the clock", event(weekly), "20260323T", "20260401T", "0323T0900-0323T1000all 0330T0800-0330T0900all"},
		{"own zone", berlinZone + event(strings.ReplaceAll(weekly, "Europe/Berlin", "Custom")), "20260323T", "20260401T", "0323T0900-0323T1000all 0330T0800-0330T0900all"},
		{"own zone wins", strings.Replace(strings.ReplaceAll(berlinZone, "Custom", "Europe/Berlin"), "+0200", "+0300", -1) + event(weekly), "20260330T", "20260401T", "0330T0700-0330T0800all"},
		{"Windows zone", event("DTSTART;TZID=W. Europe Standard Time:20260701T100000", minute), "", "", "0701T0800-0701T0801"},
		{"unknown zone floats", event("DTSTART;TZID=Nowhere:20260701T100000", minute), "", "", "0701T1400-0701T1401"},
		{"floating", event("DTSTART:20260701T100000", minute), "", "", "0701T1400-0701T1401"},
		{"all day", event("DTSTART;VALUE=DATE:20260701"), "", "", "0701T0400-0702T0400"},
		{"two days", event("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260703", "RRULE:FREQ=YEARLY"), "20270101T", "20280101T", "0701T0400-0703T0400"},
		{"a day by DURATION over a change", event("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"), "", "", "0328T1100-0329T1000"},
		{"a day by DTEND over a change", event("DTSTART;TZID=Europe/Berlin:20260321T120000", "DTEND;TZID=Europe/Berlin:20260322T120000", "RRULE:FREQ=WEEKLY;COUNT=2"), "20260328T", "", "0328T1100-0329T1100"},
		{"EXDATE", event(weekly, "EXDATE;TZID=Europe/Berlin:20260112T100000,20260119T100000", "EXDATE:20260126T090000Z", "EXDATE;VALUE=DATE:20260202"), "20260105T", "20260210T", "0105T0900-0105T1000all 0209T0900-0209T1000all"},
		{"EXRULE", event(weekly, "EXRULE:FREQ=WEEKLY;INTERVAL=2"), "20260106T", "20260122T", "0112T0900-0112T1000all"},
		{"RDATE", event("DTSTART:20260101T100000Z", minute, "RDATE:20260103T100000Z,20260102T100000Z,20260102T100000Z", "RDATE;VALUE=PERIOD:20260104T100000Z/PT2H,20260105T100000Z/20260105T103000Z"), "", "",
			"0101T1000-0101T1001 0102T1000-0102T1001 0103T1000-0103T1001 0104T1000-0104T1200 0105T1000-0105T1030"},
		{"two rules", event("DTSTART:20260101T100000Z", minute, "RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"), "", "", "0101T1000-0101T1001 0102T1000-0102T1001 0103T1000-0103T1001"},
		{"override", event(weekly) + event("RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000", "DTSTART:20260113T120000Z", minute, "SUMMARY:moved"), "20260110T", "20260120T", "0113T1200-0113T1201moved 0119T0900-0119T1000all"},
		{"override into the range", event(weekly) + event("RECURRENCE-ID:20270111T090000Z", "DTSTART:20260113T120000Z", minute, "SUMMARY:moved"), "20260113T", "20260114T", "0113T1200-0113T1201moved"},
		{"override out of the range", event(weekly) + event("RECURRENCE-ID:20260112T090000Z", "DTSTART:20270113T120000Z", minute), "20260110T", "20260114T", ""},
		{"override alone", event("RECURRENCE-ID:20270111T090000Z", "DTSTART:20260113T120000Z", minute), "", "", "0113T1200-0113T1201"},
		{"override of a day", event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=3") + event("RECURRENCE-ID;VALUE=DATE:20260102", "DTSTART;VALUE=DATE:20260110"), "", "", "0101T0500-0102T0500 0103T0500-0104T0500 0110T0500-0111T0500"},
		{"this and future", event(weekly) + event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260119T090000Z", "DTSTART;TZID=Europe/Berlin:20260120T120000", "DURATION:PT2H", "SUMMARY:new"),
			"20260110T", "20260128T", "0112T0900-0112T1000all 0120T1100-0120T1300new 0127T1100-0127T1300new"},
		{"this and future, and an override", event(weekly) + event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260119T090000Z", "DTSTART;TZID=Europe/Berlin:20260120T120000", minute, "SUMMARY:new") +
			event("RECURRENCE-ID:20260126T090000Z", "DTSTART:20260127T000000Z", minute, "SUMMARY:other"), "20260118T", "20260128T", "0120T1100-0120T1101new 0127T0000-0127T0001other"},
		{"the hour that is skipped", event("DTSTART;TZID=Europe/Berlin:20260329T013000", minute, "RRULE:FREQ=HOURLY;COUNT=3"), "", "", "0329T0030-0329T0031 0329T0130-0329T0131"},
		{"hours of a day", event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=HOURLY;COUNT=30"), "", "", "0101T0500-0102T0500 0102T0500-0103T0500"},
		{"UNTIL in UTC", event("DTSTART;TZID=America/New_York:20260101T200000", minute, "RRULE:FREQ=DAILY;UNTIL=20260103T010000Z"), "", "", "0102T0100-0102T0101 0103T0100-0103T0101"},
		{"UNTIL at midnight in UTC, of days", event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;UNTIL=20260102T000000Z"), "", "", "0101T0500-0102T0500 0102T0500-0103T0500"},
		{"task", todo("DTSTART:20260101T100000Z", "DUE:20260102T100000Z"), "20260102T", "20260103T", "0101T1000-0102T1000"},
		{"task, due", todo("DUE:20260102T100000Z"), "20260102T", "20260103T", "0102T1000-0102T1000"},
		{"task, due on the last edge", todo("DUE:20260102T100000Z"), "20260102T", "20260102T10", "0102T1000-0102T1000"},
		{"task, due on the first edge", todo("DUE:20260102T100000Z"), "20260102T10", "20260103T", ""},
		{"task without dates", todo("SUMMARY:x"), "", "", ""},
		{"recurring task", todo("DTSTART:20260101T100000Z", "DUE:20260101T110000Z", "RRULE:FREQ=DAILY"), "20260102T", "20260103T", "0102T1000-0102T1100"},
		{"journal", "BEGIN:VJOURNAL\nUID:1\nDTSTART;VALUE=DATE:20260101\nEND:VJOURNAL\n", "20260101T12", "20260102T", "0101T0500-0102T0500"},
	}
	newYork := LoadZone("America/New_York")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := object(t, tt.text)
			from, to := utcTime(t, tt.from), utcTime(t, tt.to)
			list, truncated, err := o.Instances(from, to, newYork, 0)
			var got []string
			for _, i := range list {
				got = append(got, i.Start.UTC().Format("0102T1504")+"-"+i.End.UTC().Format("0102T1504")+i.Component.Text("SUMMARY"))
				if allDay := strings.Contains(tt.text, "DTSTART;VALUE=DATE:"); i.AllDay != allDay {
					t.Errorf("all day: %v", i.AllDay)
				}
			}
			if strings.Join(got, " ") != tt.want || truncated || err != nil {
				t.Errorf("truncated %v, %v\ngot  %s\nwant %s", truncated, err, strings.Join(got, " "), tt.want)
			}
			checkSpan(t, o, list, newYork)
		})
	}
}

// checkSpan: what is found is within the span.
func checkSpan(t *testing.T, o *Object, list []Instance, floating *time.Location) {
	t.Helper()
	first, last, infinite := o.Span(floating)
	for _, i := range list {
		if i.Start.Before(first) || !infinite && i.End.After(last) {
			t.Errorf("%v to %v is not within %v to %v", i.Start, i.End, first, last)
		}
	}
}

func TestInstancesBounds(t *testing.T) {
	from, to := utcTime(t, "20260101T"), utcTime(t, "20260201T")
	o := object(t, event("DTSTART:19700101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"))
	list, truncated, err := o.Instances(from, to, nil, 100)
	if err != nil || !truncated || len(list) != 100 || !list[0].Start.Equal(from) || !list[99].Start.Equal(from.Add(99*time.Second)) {
		t.Errorf("%d instances, truncated %v, %v", len(list), truncated, err)
	}
	o = object(t, event("DTSTART:20260101T000000Z", "DURATION:PT1S", "RRULE:FREQ=DAILY", "RDATE:20260103T120000Z,20270101T120000Z"))
	if list, truncated, err = o.Instances(from, time.Time{}, nil, 5); err != nil || !truncated || len(list) != 5 || list[3].Start.Hour() != 12 {
		t.Errorf("%v, truncated %v, %v", list, truncated, err)
	}
	if list, truncated, _ = o.Instances(from, from.AddDate(0, 0, 2), nil, 2); truncated || len(list) != 2 {
		t.Errorf("%d instances, truncated %v", len(list), truncated)
	}
	o = object(t, event("DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY;COUNT=2000000000;BYHOUR=3"))
	if _, truncated, err = o.Instances(from, to, nil, 10); err != nil || !truncated {
		t.Errorf("truncated %v, %v", truncated, err)
	}
	o = object(t, event("DTSTART:19700101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY;COUNT=2000000000"))
	if list, truncated, err = o.Instances(from, to, nil, 10); err != nil || len(list) != 10 {
		t.Errorf("%d instances, truncated %v, %v", len(list), truncated, err)
	}
}

func TestSpan(t *testing.T) {
	tests := []struct{ name, text, first, last string }{
		{"one", event("DTSTART:20260101T100000Z", "DTEND:20260101T120000Z"), "20260101T10", "20260101T12"},
		{"infinite", event("DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY"), "20260101T10", "infinite"},
		{"until", event("DTSTART:20260101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20260103T100000Z"), "20260101T10", "20260103T11"},
		{"count", event("DTSTART:20260101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4"), "20260101T10", "20260104T11"},
		{"alarm", event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM"), "20260101T08", "20260101T10"},
		{"alarm at a time", event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:20251201T000000Z", "END:VALARM"), "20251201T", "20260101T10"},
		{"override", event("DTSTART:20260101T100000Z") + event("RECURRENCE-ID:20260101T100000Z", "DTSTART:20270101T100000Z"), "20260101T10", "20270101T10"},
		{"this and future", event("DTSTART:20260101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4") +
			event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z", "DTSTART:20260103T150000Z", "DURATION:PT2H"), "20260101T10", "20260104T20"}, // to 17:00, and room for DST
		{"task without dates", todo("SUMMARY:x"), "always", "infinite"},
		{"journal without dates", "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n", "always", "never"},
		{"free-busy", "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260101T100000Z/PT1H\nEND:VFREEBUSY\n", "20260101T10", "20260101T11"},
	}
	for _, tt := range tests {
		first, last, infinite := object(t, tt.text).Span(nil)
		if tt.first == "always" && !first.IsZero() || tt.first != "always" && !first.Equal(utcTime(t, tt.first)) {
			t.Errorf("%s: first %v", tt.name, first)
		}
		switch tt.last {
		case "infinite":
			if !infinite {
				t.Errorf("%s: not infinite", tt.name)
			}
		case "never":
			if infinite || !last.IsZero() {
				t.Errorf("%s: last %v %v", tt.name, last, infinite)
			}
		default:
			if infinite || !last.Equal(utcTime(t, tt.last)) {
				t.Errorf("%s: last %v %v", tt.name, last, infinite)
			}
		}
	}
}

func TestNewObjectErrors(t *testing.T) {
	for want, text := range map[string]string{
		"no event, task or journal":                      berlinZone,
		"line 6: DTSTART: \"x\" is no date or time":      event("DTSTART:x"),
		"line 6: RRULE: the rule has no FREQ":            event("RRULE:COUNT=1"),
		"line 6: RDATE: \"1\" is no date or time":        event("RDATE:1/2"),
		"line 6: DURATION: \"P\" is no duration":         event("DURATION:P"),
		"line 6: FREEBUSY: \"x\" is no period":           event("FREEBUSY:x"),
		"line 6: EXDATE: \"20260230\" is no date or tim": event("EXDATE:20260230"),
	} {
		if _, err := NewObject(calendar(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestLarge: an object with very many exceptions is answered, also by a filter that asks
// each of them.
func TestLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString(event("DTSTART:20000101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"))
	at := utcTime(t, "20000101T10")
	const exceptions = 8000
	for n := range exceptions {
		id := at.AddDate(0, 0, n).Format(timeForm)
		b.WriteString(event("RECURRENCE-ID:"+id+"Z", "DTSTART:"+id+"Z", "DURATION:PT2H", "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM"))
	}
	o := object(t, b.String())
	list, truncated, err := o.Instances(time.Time{}, at.AddDate(0, 0, exceptions+10), nil, 0)
	if err != nil || truncated || len(list) != exceptions+10 {
		t.Errorf("%d instances, %v, %v", len(list), truncated, err)
	}
	r := &TimeRange{From: utcTime(t, "20300101T"), To: utcTime(t, "20300102T")}
	if o.Match(in("VEVENT", func(f *CompFilter) { f.Range, f.Props = r, []PropFilter{{Name: "SUMMARY"}} }), nil) {
		t.Error("a SUMMARY is found")
	}
	if !o.Match(in("VEVENT", func(f *CompFilter) { f.Comps = []CompFilter{{Name: "VALARM", Range: r}} }), nil) {
		t.Error("not found, though there are too many alarms to tell")
	}
	if c, _, err := o.Expand(TimeRange{at, at.AddDate(0, 0, 100)}, nil, 0); err != nil || len(c.Children) != 100 {
		t.Errorf("%d components, %v", len(c.Children), err)
	}
	if c := o.LimitRecurrences(TimeRange{at, at.AddDate(0, 0, 100)}, nil); len(c.Children) != 101 {
		t.Errorf("%d components", len(c.Children))
	}
	many := strings.Repeat(event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260101T000000Z", "DTSTART:20260101T000000Z"), 101)
	if _, err := NewObject(calendar(t, many)); err == nil {
		t.Error("101 THISANDFUTURE are read")
	}
	dates := event("DTSTART:20000101T100000Z", "EXDATE:20000101"+strings.Repeat(",20000101", maxDates-1), "EXDATE:20000101")
	if _, err := NewObject(calendar(t, dates)); err == nil || !strings.Contains(err.Error(), "line 8: VEVENT has more than 20000 dates") {
		t.Errorf("many dates: %v", err)
	}
}

func BenchmarkObject(b *testing.B) {
	for name, zone := range map[string]string{"described": berlinZone, "known": ""} {
		b.Run(name, func(b *testing.B) {
			id := "Custom"
			if zone == "" {
				id = "Europe/Berlin"
			}
			text := []byte("BEGIN:VCALENDAR\nVERSION:2.0\n" + zone + event("DTSTART;TZID="+id+":20260105T100000", "DURATION:PT1M", "RRULE:FREQ=WEEKLY", "SUMMARY:x") + "END:VCALENDAR\n")
			for b.Loop() {
				c, err := ParseBytes(text)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Check(); err != nil {
					b.Fatal(err)
				}
				o, err := NewObject(c)
				if err != nil {
					b.Fatal(err)
				}
				o.Span(nil)
			}
		})
	}
}

func BenchmarkInstances(b *testing.B) {
	for name, rule := range map[string]string{"weekly": "FREQ=WEEKLY;BYDAY=MO,WE", "count": "FREQ=WEEKLY;COUNT=5000", "secondly": "FREQ=SECONDLY", "hostile": "FREQ=SECONDLY;COUNT=2000000000;BYHOUR=3"} {
		for _, zone := range []string{"Europe/Berlin", "Custom"} {
			b.Run(name+"/"+zone, func(b *testing.B) {
				start := "20000103T100000"
				if strings.Contains(rule, "SECONDLY") {
					start = "19700101T000000"
				}
				c, err := Parse(strings.NewReader("BEGIN:VCALENDAR\n" + berlinZone + event("DTSTART;TZID="+zone+":"+start, "DURATION:PT1M", "RRULE:"+rule) + "END:VCALENDAR\n"))
				if err != nil {
					b.Fatal(err)
				}
				o, err := NewObject(c)
				if err != nil {
					b.Fatal(err)
				}
				from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := o.Instances(from, from.AddDate(0, 1, 0), nil, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
