package schedule

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
)

// request is as RFC 5546 4.2.1 has it, with what servers of today add.
const request = `BEGIN:VCALENDAR
PRODID:-//Example/ExampleCalendarClient//EN
METHOD:REQUEST
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Ann, of Example":mailto:a@example.com
ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN=Ann:mailto:a@example.com
ATTENDEE;RSVP=TRUE;CUTYPE=INDIVIDUAL;CN=Bob B.:MAILTO:Bob@Example.org
ATTENDEE;RSVP=TRUE;CUTYPE=ROOM:urn:uuid:1
DTSTAMP:19970611T190000Z
DTSTART;TZID=W. Europe Standard Time:%s
%s
SUMMARY:Plan\, and lunch\; a lo
 ng name
LOCATION:Room 7
UID:calsrv.example.com-873970198738777@example.com
SEQUENCE:2
STATUS:CONFIRMED
BEGIN:VALARM
TRIGGER:-PT15M
UID:alarm
END:VALARM
END:VEVENT
END:VCALENDAR
`

func invitation(start, rest string) string {
	return strings.ReplaceAll(fmt.Sprintf(request, start, rest), "\n", "\r\n")
}

func TestRead(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		start, end string // in Berlin
		more       func(*Invitation) bool
	}{
		{"summer by VTIMEZONE", invitation("20260701T100000", "DTEND;TZID=W. Europe Standard Time:20260701T113000"),
			"2026-07-01 10:00", "2026-07-01 11:30", nil},
		{"winter by VTIMEZONE", invitation("20261201T100000", "DURATION:PT1H30M"), "2026-12-01 10:00", "2026-12-01 11:30", nil},
		{"the hour before the change", invitation("20261025T015900", "X-A:b"), "2026-10-25 01:59", "2026-10-25 01:59", nil},
		{"the day of the change", invitation("20260329T120000", "X-A:b"), "2026-03-29 12:00", "2026-03-29 12:00", nil},
		{"named zone", strings.ReplaceAll(invitation("20260701T100000", "RRULE:FREQ=DAILY"), "W. Europe Standard Time", "America/New_York"),
			"2026-07-01 16:00", "2026-07-01 16:00", func(in *Invitation) bool { return in.Recurring }},
		{"UTC", strings.Replace(invitation("20260701T100000Z", "DTEND:20260701T110000Z"), ";TZID=W. Europe Standard Time", "", 1),
			"2026-07-01 12:00", "2026-07-01 13:00", nil},
		{"no zone", strings.Replace(invitation("20260701T100000", "DURATION:P1D"), ";TZID=W. Europe Standard Time", "", 1),
			"2026-07-01 10:00", "2026-07-02 10:00", nil},
		{"a day", strings.Replace(invitation("20260701", "X-A:b"), ";TZID=W. Europe Standard Time", ";VALUE=DATE", 1),
			"2026-07-01 00:00", "2026-07-02 00:00", func(in *Invitation) bool { return in.AllDay }},
		{"one occurrence", invitation("20260701T100000", "RECURRENCE-ID;TZID=W. Europe Standard Time:20260701T090000"),
			"2026-07-01 10:00", "2026-07-01 10:00", func(in *Invitation) bool { return strings.HasPrefix(in.RecurrenceID, "RECURRENCE-ID;TZID=") }},
		{"bare line feeds", strings.ReplaceAll(invitation("20260701T100000", "X-A:b"), "\r\n", "\n"), "2026-07-01 10:00", "2026-07-01 10:00", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := Read(c.text, berlin)
			if err != nil {
				t.Fatal(err)
			}
			const layout = "2006-01-02 15:04"
			if s, e := in.Start.In(berlin).Format(layout), in.End.In(berlin).Format(layout); s != c.start || e != c.end {
				t.Errorf("from %s to %s", s, e)
			}
			if in.Method != "REQUEST" || in.UID != "calsrv.example.com-873970198738777@example.com" || in.Sequence != 2 ||
				in.Organizer != "a@example.com" || fmt.Sprint(in.Attendees) != "[a@example.com Bob@example.org]" ||
				in.Summary != "Plan, and lunch; a long name" || in.Location != "Room 7" {
				t.Errorf("%+v", in.Invitation)
			}
			if c.more != nil && !c.more(in) {
				t.Errorf("%+v", in)
			}
		})
	}
}

// TestReadMaster: of several components that of all occurrences counts.
func TestReadMaster(t *testing.T) {
	text := "BEGIN:VCALENDAR\nMETHOD:request\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260701T090000Z\nSUMMARY:one\nEND:VEVENT\n" +
		"BEGIN:VEVENT\nUID:1\nSUMMARY:all\nEND:VEVENT\nEND:VCALENDAR\n"
	in, err := Read(text, time.UTC)
	if err != nil || in.Summary != "all" || in.RecurrenceID != "" || in.Method != "REQUEST" {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestReadNone(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"no calendar":    "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
		"no method":      "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\n",
		"no event":       "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VTODO\nUID:1\nEND:VTODO\nEND:VCALENDAR\n",
		"no UID":         "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n",
		"too deep":       "BEGIN:VCALENDAR\nMETHOD:REQUEST\n" + strings.Repeat("BEGIN:X\n", 9) + "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
		"too large":      "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\n" + strings.Repeat("X:y\n", MaxSize/4),
		"crossed":        "BEGIN:VCALENDAR\nEND:VEVENT\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
		"a UID too long": "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:" + strings.Repeat("1", maxOriginal+1) + "\nEND:VEVENT\nEND:VCALENDAR\n",
	} {
		if in, err := Read(text, time.UTC); !errors.Is(err, ErrNone) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

// FuzzRead: what is read can be answered, and the answer is read back as what it says.
func FuzzRead(f *testing.F) {
	f.Add(invitation("20260701T100000", "DURATION:PT1H30M"), "see you")
	f.Add("BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nATTENDEE;CN=\"a\":mailto:b@c\nORGANIZER:mailto:d@e\nEND:VEVENT\nEND:VCALENDAR\n", "a\r\nb;c,d\\")
	f.Fuzz(func(t *testing.T, text, comment string) {
		in, err := Read(text, time.UTC)
		if err != nil {
			return
		}
		if len(in.attendees) == 0 || in.From.IsZero() {
			return
		}
		who, ok := in.Invited([]address.Address{in.attendees[len(in.attendees)-1].address})
		if !ok {
			t.Fatal("an attendee is not invited")
		}
		_, body := in.Reply(Answer{Accept: true, Comment: comment, From: who, ID: "1", Now: time.Unix(0, 0)})
		back, err := Read(objectOf(t, body), time.UTC)
		if err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if back.Method != "REPLY" || back.UID != in.UID || back.Sequence != in.Sequence || len(back.attendees) != 1 ||
			back.attendees[0].address.Key() != who.Key() || back.From != in.From {
			t.Fatalf("%+v of %+v", back, in)
		}
	})
}
