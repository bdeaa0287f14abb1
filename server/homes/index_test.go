package homes

import (
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
)

func event(lines ...string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
}

func index(t *testing.T, kind collection.Kind, data []byte) collection.Facts {
	t.Helper()
	f, err := Index(kind, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestIndexSpan(t *testing.T) {
	utc := func(s string) time.Time {
		v, err := time.Parse("20060102T150405Z", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		name, first, last string
		lines             []string
	}{
		{"in UTC", "20260510T080000Z", "20260510T090000Z", []string{"DTSTART:20260510T080000Z", "DTEND:20260510T090000Z"}},
		{"floating", "20260509T180000Z", "20260510T210000Z", []string{"DTSTART:20260510T080000", "DTEND:20260510T090000"}},
		{"a day", "20260509T100000Z", "20260511T120000Z", []string{"DTSTART;VALUE=DATE:20260510"}},
	} {
		f := index(t, collection.Calendar, event(c.lines...))
		if f.First.After(utc(c.first)) || f.Last.Before(utc(c.last)) || f.Infinite || f.Kind != "VEVENT" || f.UID != "1" {
			t.Errorf("%s: %+v", c.name, f)
		}
		if f.First.Before(utc(c.first).Add(-time.Hour)) || f.Last.After(utc(c.last).Add(time.Hour)) {
			t.Errorf("%s: the span is too wide: %+v", c.name, f)
		}
	}
	if f := index(t, collection.Calendar, event("DTSTART:20260510T080000Z", "EXDATE:20260510T080000Z")); !f.First.IsZero() || !f.Last.IsZero() {
		t.Errorf("an event that is never: %+v", f)
	}
	if f := index(t, collection.Calendar, event("DTSTART:20260510T080000Z", "RRULE:FREQ=DAILY")); !f.Infinite || f.First.IsZero() {
		t.Errorf("infinite: %+v", f)
	}
}

func TestScheduleTag(t *testing.T) {
	tag := func(lines ...string) string {
		tag, _ := ScheduleTag(index(t, collection.Calendar, event(append(lines, "DTSTART:20260510T080000Z")...)))
		return tag
	}
	organizer := "ORGANIZER:mailto:a@example.org"
	first := tag(organizer, "ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:b@example.org")
	if first == "" || tag("SUMMARY:alone") != "" {
		t.Fatal("only what is organized has a tag")
	}
	if again := tag(organizer, "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=\"2.0\":mailto:b@example.org"); again != first {
		t.Error("an answer changes the tag")
	}
	if other := tag(organizer, "ATTENDEE:mailto:b@example.org", "LOCATION:here"); other == first {
		t.Error("another place leaves the tag")
	}
}

func TestIndexCard(t *testing.T) {
	card := func(lines ...string) []byte {
		return []byte("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Zoé Martin\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n")
	}
	f := index(t, collection.AddressBook, card("EMAIL:Zoe@Example.org", "NOTE:x"))
	want := []string{Term("FN", "ZOÉ martin"), "EMAIL=ZOE@EXAMPLE.ORG", "name=Zoé Martin"}
	if !slices.Equal(f.Props, want) {
		t.Errorf("%q", f.Props)
	}
	f = index(t, collection.AddressBook, card("EMAIL:"+strings.Repeat("x", 300)))
	if !slices.Contains(f.Props, MoreTerms) {
		t.Errorf("no word of what was left out: %q", f.Props)
	}
}

func TestIndexTerms(t *testing.T) {
	lines := []string{"DTSTART:20260510T080000Z", "SUMMARY:Lunch\\, at noon", "LOCATION:Café", "DESCRIPTION:x", "STATUS:confirmed"}
	want := []string{"SUMMARY=LUNCH, AT NOON", Term("LOCATION", "CAFÉ"), "STATUS=CONFIRMED"}
	if f := index(t, collection.Calendar, event(lines...)); !slices.Equal(f.Props, want) {
		t.Errorf("%q", f.Props)
	}
	if f, err := DerivedIndex(collection.Calendar, event(lines...)); err != nil || !slices.Equal(f.Props, want) {
		t.Errorf("derived: %q %v", f.Props, err)
	}
	if f := index(t, collection.Calendar, event("DTSTART:20260510T080000Z", "SUMMARY:"+strings.Repeat("x", 300), "STATUS:CONFIRMED")); !slices.Equal(f.Props, []string{"STATUS=CONFIRMED", MoreTerms}) {
		t.Errorf("a long one: %q", f.Props)
	}
	two := strings.Replace(string(event("DTSTART:20260510T080000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:a")), "END:VCALENDAR",
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260511T080000Z\r\nDTSTART:20260511T090000Z\r\nSUMMARY:b\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
	if f := index(t, collection.Calendar, []byte(two)); !slices.Equal(f.Props, []string{MoreTerms}) {
		t.Errorf("of two components: %q", f.Props)
	}
}

func TestIndexErrors(t *testing.T) {
	if _, err := Index(collection.Calendar, event("DTSTART:yesterday")); err == nil || !strings.Contains(err.Error(), "line 7") {
		t.Errorf("%v", err)
	}
	if _, err := Index(collection.AddressBook, []byte("BEGIN:VCARD\r\nEND:VCARD\r\n")); err == nil {
		t.Error("a card without anything")
	}
}
