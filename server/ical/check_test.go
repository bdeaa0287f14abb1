package ical

import (
	"errors"
	"strings"
	"testing"

	"facteur/server/contentline"
)

func TestCheck(t *testing.T) {
	for name, text := range map[string]string{
		"event":           event("DTSTART:20260101T100000Z"),
		"all that is due": berlinZone + event("DTSTART;TZID=Custom:20260101T100000", "DTEND;TZID=Europe/Paris:20260101T110000", "RRULE:FREQ=DAILY", "EXDATE;TZID=Custom:20260102T100000", "X-OWN:x", "ATTACH:http://x"),
		"override":        event("DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY") + event("RECURRENCE-ID:20260102T100000Z", "DTSTART:20260102T110000Z"),
		"override alone":  event("RECURRENCE-ID:20260102T100000Z", "DTSTART:20260102T110000Z"),
		"task":            todo("SUMMARY:x"),
		"alarm":           event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "TRIGGER:-PT15M", "REPEAT:2", "DURATION:PT5M", "ACTION:DISPLAY", "END:VALARM"),
		"journal":         "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL\n",
		"availability":    "BEGIN:VAVAILABILITY\nUID:1\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20260101T100000Z\nEND:AVAILABLE\nEND:VAVAILABILITY\n",
		"own component":   "BEGIN:X-A\nEND:X-A\n" + event("DTSTART:20260101T100000Z"),
	} {
		if err := calendar(t, text).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckErrors(t *testing.T) {
	ok := event("DTSTART:20260101T100000Z")
	tests := []struct {
		text, want string
		cause      error
	}{
		{"METHOD:REQUEST\n" + ok, "line 4: METHOD may not be in an object that is kept", ErrResource},
		{berlinZone, "line 1: the calendar has no component but time zones", ErrResource},
		{ok + todo("X-A:b"), "line 8: VTODO stands beside the VEVENT of line 4", ErrResource},
		{ok + strings.Replace(ok, "UID:1", "UID:2", 1), "line 8: VEVENT has another UID than that of line 4", ErrResource},
		{ok + ok, "line 8: the VEVENT is for the same instances as that of line 4", ErrResource},
		{strings.Replace(ok, "UID:1", "UID:", 1), "line 4: VEVENT has no UID", ErrResource},
		{"BEGIN:VTHING\nEND:VTHING\n", "line 4: a calendar keeps no VTHING", ErrKind},
		{event("SUMMARY:x"), "line 4: VEVENT has no DTSTART", nil},
		{event("DTSTART:20260101T100000Z", "DTSTART:20260101T100000Z"), "line 7: DTSTART stands twice in VEVENT, first in line 6", nil},
		{event("DTSTART:20260101T100000Z", "DTEND:20260101T090000Z"), "line 7: DTEND is before DTSTART", nil},
		{event("DTSTART:20260101T100000Z", "DTEND;VALUE=DATE:20260102"), "line 7: of DTSTART and DTEND one is a date, the other a time", nil},
		{event("DTSTART:20260101T100000Z", "DTEND:x"), "line 7: DTEND: \"x\" is no date or time", nil},
		{event("DTSTART:20260101T100000Z", "DTEND:20260101T110000Z", "DURATION:PT1H"), "line 8: VEVENT has DTEND and DURATION", nil},
		{event("DTSTART:20260101T100000Z", "DURATION:-PT1H"), "line 7: \"-PT1H\" is no length of time", nil},
		{event("DTSTART;TZID=Nowhere:20260101T100000"), "line 6: DTSTART: there is no VTIMEZONE \"Nowhere\", and no zone is known by that name", nil},
		{event("DTSTART:20260101T100000Z", "RRULE:RSCALE=HEBREW;FREQ=YEARLY"), "line 7: RRULE: only RSCALE=GREGORIAN without SKIP is known", ErrRScale},
		{event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "END:VALARM"), "line 7: VALARM has no TRIGGER", nil},
		{event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "TRIGGER:x", "END:VALARM"), "line 8: TRIGGER: \"x\" is no date or time", nil},
		{event("DTSTART:20260101T100000Z", "BEGIN:VALARM", "TRIGGER:PT1H", "REPEAT:x", "END:VALARM"), "line 9: REPEAT: it is no number", nil},
		{todo("RRULE:FREQ=DAILY"), "line 6: VTODO has a rule, but no DTSTART", nil},
		{berlinZone + berlinZone + ok, "line 19: there are two VTIMEZONE \"Custom\"", nil},
		{"BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\n" + ok, "line 4: VTIMEZONE has neither STANDARD nor DAYLIGHT", nil},
		{"BEGIN:VTIMEZONE\nEND:VTIMEZONE\n" + ok, "line 4: VTIMEZONE has no TZID", nil},
	}
	for _, tt := range tests {
		err := calendar(t, tt.text).Check()
		var e *contentline.Error
		if !errors.As(err, &e) || e.Error() != tt.want || tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("got %v\nwant %s", err, tt.want)
		}
	}
	c, err := Parse(strings.NewReader("BEGIN:VCALENDAR\nVERSION:1.0\n" + ok + "END:VCALENDAR\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err == nil || err.Error() != "line 2: VCALENDAR needs VERSION:2.0" {
		t.Errorf("got %v", err)
	}
}

// TestCheckMade: a calendar that was made here has no numbers of lines.
func TestCheckMade(t *testing.T) {
	made := &Component{Name: "VEVENT", Props: []Prop{
		{Name: "UID", Value: "1"}, {Name: "DTSTART", Value: "20260401T100000Z"}, {Name: "RRULE", Value: "FREQ=DAILY"}, {Name: "DTEND", Value: "20260401T110000Z"},
	}}
	c := &Calendar{Component{Name: "VCALENDAR", Props: []Prop{{Name: "VERSION", Value: "2.0"}}, Children: []*Component{made}}}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	made.Props = append(made.Props, Prop{Name: "DURATION", Value: "PT1H"})
	if err := c.Check(); err == nil {
		t.Error("DTEND and DURATION")
	}
}
