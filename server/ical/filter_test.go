package ical

import (
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/contentline"
)

func rangeOf(t *testing.T, from, to string) *TimeRange {
	t.Helper()
	return &TimeRange{utcTime(t, from), utcTime(t, to)}
}

// in is the filter for a component.
func in(name string, more func(*CompFilter)) CompFilter {
	f := CompFilter{Name: name}
	if more != nil {
		more(&f)
	}
	return CompFilter{Name: "VCALENDAR", Comps: []CompFilter{f}}
}

func TestMatch(t *testing.T) {
	weekly := event("DTSTART;TZID=Europe/Berlin:20260105T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "SUMMARY:Weekly caf\u00e9", "CATEGORIES:A,B", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:a@b.c",
		"X-AT:20260107T000000Z", "BEGIN:VALARM", "TRIGGER:-P1DT1H", "END:VALARM") +
		event("RECURRENCE-ID:20260112T090000Z", "DTSTART:20260113T090000Z", "DURATION:PT1H", "SUMMARY:Moved")
	alarm := func(from, to string) CompFilter {
		return in("VEVENT", func(f *CompFilter) { f.Comps = []CompFilter{{Name: "VALARM", Range: rangeOf(t, from, to)}} })
	}
	text := func(name, s string, more ...func(*PropFilter)) CompFilter {
		return in("VEVENT", func(f *CompFilter) {
			p := PropFilter{Name: name, Text: &contentline.TextMatch{Text: s}}
			for _, m := range more {
				m(&p)
			}
			f.Props = []PropFilter{p}
		})
	}
	ranged := func(from, to string) CompFilter {
		return in("VEVENT", func(f *CompFilter) { f.Range = rangeOf(t, from, to) })
	}
	both := text("SUMMARY", "weekly")
	both.Comps[0].Range = rangeOf(t, "20260113T", "20260114T")
	tests := []struct {
		name, text string
		f          CompFilter
		want       bool
	}{
		{"kind", weekly, in("VEVENT", nil), true},
		{"other kind", weekly, in("VTODO", nil), false},
		{"no such kind", weekly, in("VTODO", func(f *CompFilter) { f.NotDefined = true }), true},
		{"not the calendar", weekly, CompFilter{Name: "VEVENT"}, false},
		{"far instance", weekly, ranged("20300107T0830", "20300107T0930"), true},
		{"between instances", weekly, ranged("20300108T", "20300109T"), false},
		{"open end", weekly, ranged("20300108T", ""), true},
		{"before all", weekly, ranged("", "20260105T"), false},
		{"replaced instance", weekly, ranged("20260112T", "20260113T"), false},
		{"override", weekly, ranged("20260113T", "20260114T"), true},
		{"the text is of another component than the time", weekly, both, false},
		{"text", weekly, text("SUMMARY", "WEEKLY"), true},
		{"text of an override", weekly, text("SUMMARY", "moved"), true},
		{"no text", weekly, text("SUMMARY", "monthly"), false},
		{"unicode", weekly, text("SUMMARY", "CAF\u00c9", func(p *PropFilter) { p.Text.Collation = contentline.UnicodeCasemap }), true},
		{"negated", weekly, text("SUMMARY", "e", func(p *PropFilter) { p.Text.Negate = true }), false},
		{"no property", weekly, text("LOCATION", ""), false},
		{"not defined", weekly, text("LOCATION", "", func(p *PropFilter) { p.NotDefined = true }), true},
		{"parameter", weekly, text("ATTENDEE", "mailto:a@b.c", func(p *PropFilter) {
			p.Params = []contentline.ParamFilter{{Name: "PARTSTAT", Text: &contentline.TextMatch{Text: "needs-action"}}}
		}), true},
		{"other parameter", weekly, text("ATTENDEE", "", func(p *PropFilter) { p.Params = []contentline.ParamFilter{{Name: "ROLE"}} }), false},
		{"time of a property", weekly, text("X-AT", "", func(p *PropFilter) { p.Text, p.Range = nil, rangeOf(t, "20260107T", "20260108T") }), true},
		{"other time of a property", weekly, text("X-AT", "", func(p *PropFilter) { p.Text, p.Range = nil, rangeOf(t, "20260108T", "") }), false},
		{"alarm", weekly, alarm("20260118T08", "20260118T09"), true},
		{"no alarm", weekly, alarm("20260118T09", "20260118T23"), false},
		{"no VALARM", event("DTSTART:20260101T000000Z"), in("VEVENT", func(f *CompFilter) { f.Comps = []CompFilter{{Name: "VALARM", NotDefined: true}} }), true},
		{"a VALARM", weekly, in("VEVENT", func(f *CompFilter) { f.Comps = []CompFilter{{Name: "VALARM", NotDefined: true}} }), true}, // the override has none
		{"repeated alarm at the end", event("DTSTART:20260101T000000Z", "DTEND:20260101T120000Z", "BEGIN:VALARM", "TRIGGER;RELATED=END:PT0S", "REPEAT:2", "DURATION:PT1H", "END:VALARM"), alarm("20260101T14", "20260101T15"), true},
		{"alarm at a time", event("DTSTART:20260101T000000Z", "BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:20250101T000000Z", "END:VALARM"), alarm("20250101T", "20250102T"), true},
		{"too many to tell", event("DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY"), ranged("20260101T", "20270101T"), true},
	}
	for _, tt := range tests {
		if got := object(t, tt.text).Match(tt.f, nil); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

// TestMatchUndated has the rows of RFC 4791 9.9 for components without DTSTART and DUE.
func TestMatchUndated(t *testing.T) {
	tests := []struct {
		text string
		want string // of the days from 1 to 4, those that find it
	}{
		{todo("COMPLETED:20260103T120000Z", "CREATED:20260102T120000Z"), "23"},
		{todo("COMPLETED:20260103T120000Z"), "3"},
		{todo("CREATED:20260102T120000Z"), "234"},
		{todo("SUMMARY:x"), "1234"},
		{"BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n", ""},
		{"BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260102T000000Z/PT1H,20260104T000000Z/20260105T000000Z\nEND:VFREEBUSY\n", "24"},
		{"BEGIN:VAVAILABILITY\nUID:1\nEND:VAVAILABILITY\n", "1234"},
	}
	for _, tt := range tests {
		o := object(t, tt.text)
		got := ""
		for day := 1; day <= 4; day++ {
			from := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
			if o.Match(in(o.Kind, func(f *CompFilter) { f.Range = &TimeRange{from, from.AddDate(0, 0, 1)} }), nil) {
				got += string(rune('0' + day))
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

// body is a calendar without its frame.
func body(c *Calendar) string {
	s := strings.ReplaceAll(string(c.Append(nil)), "\r\n", "\n")
	s = strings.TrimPrefix(s, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n")
	return strings.TrimSuffix(s, "END:VCALENDAR\n")
}

func TestExpand(t *testing.T) {
	text := berlinZone + event("DTSTART;TZID=Custom:20260323T100000", "DTEND;TZID=Custom:20260323T110000", "RRULE:FREQ=WEEKLY", "EXDATE;TZID=Custom:20260413T100000", "SUMMARY:all") +
		event("RECURRENCE-ID;TZID=Custom:20260406T100000", "DTSTART;TZID=Custom:20260407T100000", "DURATION:PT2H", "SUMMARY:moved")
	c, truncated, err := object(t, text).Expand(*rangeOf(t, "20260325T", "20260420T"), nil, 0)
	want := event("DTSTART:20260330T080000Z", "DTEND:20260330T090000Z", "SUMMARY:all", "RECURRENCE-ID:20260330T080000Z") +
		event("DTSTART:20260407T080000Z", "DURATION:PT2H", "SUMMARY:moved", "RECURRENCE-ID:20260406T080000Z")
	if err != nil || truncated || body(c) != want {
		t.Errorf("%v, %v\n%s\nwant\n%s", truncated, err, body(c), want)
	}
	c, _, _ = object(t, event("DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20260102", "RRULE:FREQ=DAILY")).Expand(*rangeOf(t, "20260103T", "20260104T"), nil, 0)
	if want := event("DTSTART;VALUE=DATE:20260103", "DTEND;VALUE=DATE:20260104", "RECURRENCE-ID;VALUE=DATE:20260103"); body(c) != want {
		t.Errorf("a day: got\n%s\nwant\n%s", body(c), want)
	}
	for _, tt := range []struct{ name, event, want string }{
		{"a period of its own", event("DTSTART:20260103T100000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20260105T100000Z/PT3H"),
			event("DTSTART:20260103T100000Z", "DURATION:PT1H", "RECURRENCE-ID:20260103T100000Z") +
				event("DTSTART:20260105T100000Z", "RECURRENCE-ID:20260105T100000Z", "DTEND:20260105T130000Z")},
		{"a period beside a point", event("DTSTART:20260103T100000Z", "RDATE;VALUE=PERIOD:20260105T100000Z/20260105T110000Z"),
			event("DTSTART:20260103T100000Z", "RECURRENCE-ID:20260103T100000Z") +
				event("DTSTART:20260105T100000Z", "RECURRENCE-ID:20260105T100000Z", "DTEND:20260105T110000Z")},
		{"a day of 23 hours", event("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"), event("DTSTART:20260328T110000Z", "DTEND:20260329T100000Z")},
		{"a day of 24 hours", event("DTSTART;TZID=Europe/Berlin:20260320T120000", "DURATION:P1D"), event("DTSTART:20260320T110000Z", "DURATION:P1D")},
		{"two dates", event("DTSTART;VALUE=DATE:20260328", "DURATION:P2D"), event("DTSTART;VALUE=DATE:20260328", "DURATION:P2D")},
		{"a floating day", event("DTSTART:20260328T120000", "DURATION:P1D"), event("DTSTART:20260328T120000", "DURATION:P1D")},
		{"a task", todo("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"), todo("DTSTART:20260328T110000Z", "DUE:20260329T100000Z")},
	} {
		c, _, err := object(t, tt.event).Expand(*rangeOf(t, "20260101T", "20260501T"), nil, 0)
		if err != nil || body(c) != tt.want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, body(c), tt.want)
		}
	}
	c, _, _ = object(t, todo("DUE;TZID=Europe/Berlin:20260103T100000")).Expand(*rangeOf(t, "20260103T", "20260104T"), nil, 0)
	if want := todo("DUE:20260103T090000Z"); body(c) != want {
		t.Errorf("a task: got\n%s\nwant\n%s", body(c), want)
	}
	c, _, _ = object(t, todo("SUMMARY:x")).Expand(*rangeOf(t, "20260103T", "20260104T"), nil, 0)
	if want := todo("SUMMARY:x"); body(c) != want {
		t.Errorf("a task without dates: got\n%s\nwant\n%s", body(c), want)
	}
}

func TestLimitRecurrences(t *testing.T) {
	master := event("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
	moved := event("RECURRENCE-ID:20260112T100000Z", "DTSTART:20260220T100000Z", "DURATION:PT1H")
	other := event("RECURRENCE-ID:20260309T100000Z", "DTSTART:20260310T100000Z", "DURATION:PT1H")
	future := event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260119T100000Z", "DTSTART:20260120T100000Z", "DURATION:PT1H")
	o := object(t, master+moved+other+future)
	for _, tt := range []struct{ from, to, want string }{
		{"20260112T", "20260113T", master + moved}, {"20260220T", "20260221T", master + moved + future},
		{"20260310T", "20260311T", master + other + future}, {"20260105T", "20260106T", master},
	} {
		if got := body(o.LimitRecurrences(*rangeOf(t, tt.from, tt.to), nil)); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.from, got, tt.want)
		}
	}
}

func TestSelect(t *testing.T) {
	c := calendar(t, berlinZone+event("DTSTART:20260101T100000Z", "SUMMARY:x", "DESCRIPTION:long", "BEGIN:VALARM", "TRIGGER:PT1H", "END:VALARM"))
	got := c.Select(Selection{
		Name: "VCALENDAR", Props: []SelectedProp{{Name: "VERSION"}},
		Comps: []Selection{{Name: "VEVENT", Props: []SelectedProp{{Name: "SUMMARY"}, {Name: "DESCRIPTION", NoValue: true}}, AllComps: true}},
	})
	want := "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nSUMMARY:x\nDESCRIPTION:\nBEGIN:VALARM\nTRIGGER:PT1H\nEND:VALARM\nEND:VEVENT\n"
	if body(got) != want {
		t.Errorf("got\n%s\nwant\n%s", body(got), want)
	}
	if all := c.Select(Selection{AllProps: true, AllComps: true}); body(all) != body(c) {
		t.Errorf("all: got\n%s", body(all))
	}
}

func TestBusy(t *testing.T) {
	r := *rangeOf(t, "20260101T", "20260105T")
	var list []BusyPeriod
	for _, text := range []string{
		event("DTSTART:20251231T230000Z", "DTEND:20260101T010000Z"),
		event("DTSTART:20260102T100000Z", "DTEND:20260102T120000Z"),
		event("DTSTART:20260102T113000Z", "DTEND:20260102T130000Z"),
		event("DTSTART:20260102T090000Z", "DTEND:20260102T140000Z", "STATUS:TENTATIVE"),
		event("DTSTART:20260103T000000Z", "DTEND:20260104T000000Z", "TRANSP:TRANSPARENT"),
		event("DTSTART:20260103T000000Z", "DTEND:20260104T000000Z", "STATUS:CANCELLED"),
		event("DTSTART:20260103T000000Z"),
		todo("DTSTART:20260103T000000Z", "DUE:20260104T000000Z"),
		"BEGIN:VFREEBUSY\nUID:1\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260104T000000Z/PT1H,20270104T000000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20260103T000000Z/PT1H\nEND:VFREEBUSY\n",
	} {
		own, _ := object(t, text).Busy(BusyQuery{Range: r})
		list = append(list, own...)
	}
	slices.Reverse(list)
	got := string(FreeBusy(r, list, "-//t//EN", "u", utcTime(t, "20260101T")).Append(nil))
	want := strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//EN
BEGIN:VFREEBUSY
UID:u
DTSTAMP:20260101T000000Z
DTSTART:20260101T000000Z
DTEND:20260105T000000Z
FREEBUSY;FBTYPE=BUSY:20260101T000000Z/20260101T010000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260102T090000Z/20260102T100000Z
FREEBUSY;FBTYPE=BUSY:20260102T100000Z/20260102T130000Z
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260102T130000Z/20260102T140000Z
FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260104T000000Z/20260104T010000Z
END:VFREEBUSY
END:VCALENDAR
`, "\n", "\r\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLimitFreeBusy(t *testing.T) {
	o := object(t, "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260101T000000Z/PT1H,20260102T000000Z/PT1H\nFREEBUSY:20260103T000000Z/20260103T010000Z\nEND:VFREEBUSY\n")
	if got, want := body(o.LimitFreeBusy(*rangeOf(t, "20260102T", "20260103T"), nil)), "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260102T000000Z/PT1H\nEND:VFREEBUSY\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
