package ical

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"facteur/server/contentline"
)

// madeZone returns the zone of a VTIMEZONE that is made of a name, written and read again.
func madeZone(t *testing.T, id string, from time.Time) (*Zone, string) {
	t.Helper()
	made := VTimezone(id, from)
	if made == nil {
		t.Fatalf("%s is unknown", id)
	}
	c := &Calendar{Component{Name: "VCALENDAR", Children: []*Component{made}}}
	text := string(c.Append(nil))
	c, err := ParseBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	zones, err := c.Zones()
	if err != nil || zones.byID[id] == nil {
		t.Fatalf("%s: %v\n%s", id, err, text)
	}
	return zones.byID[id], text
}

// agree fails unless a zone and package time show the same around each change of the clocks and in
// the middle between, for some years.
func agree(t *testing.T, id string, z *Zone, text string, from, to time.Time) {
	t.Helper()
	l := LoadZone(id)
	at := from
	for at.Before(to) {
		_, next := zoneBounds(at.In(l))
		if next.IsZero() || next.After(to) {
			next = to
		}
		for _, unix := range []int64{at.Unix(), (at.Unix() + next.Unix()) / 2, next.Unix() - 1} {
			_, want := time.Unix(unix, 0).In(l).Zone()
			if got := z.offset(unix); got != int64(want) {
				t.Fatalf("%s at %v: %d seconds, want %d\n%s", id, time.Unix(unix, 0).UTC(), got, want, text)
			}
		}
		at = next
	}
}

// TestVTimezone: the VTIMEZONE that is made of a name says for 70 years, and far beyond, what
// package time says.
func TestVTimezone(t *testing.T) {
	for _, id := range []string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu",
		"Europe/Dublin", "America/Nuuk", "Asia/Gaza", "America/Asuncion", "Antarctica/Troll", "Europe/Moscow", "UTC", "Etc/GMT+5",
		"US/Eastern", "Asia/Calcutta", "W. Europe Standard Time", "/freeassociation.sourceforge.net/Europe/Brussels"} {
		z, text := madeZone(t, id, time.Time{})
		agree(t, id, z, text, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, year := range []int{2090, 2400} {
			agree(t, id, z, text, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+3, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		from := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		z, text = madeZone(t, id, from)
		agree(t, id, z, text, from, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	if VTimezone("Nowhere/City", time.Time{}) != nil {
		t.Error("there is a Nowhere/City")
	}
}

// TestVTimezoneText: rules are rules, so that clients need no list of dates.
func TestVTimezoneText(t *testing.T) {
	_, text := madeZone(t, "America/New_York", time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	want := "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:America/New_York\r\n" +
		"BEGIN:DAYLIGHT\r\nDTSTART:20260308T020000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nTZNAME:EDT\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\nEND:DAYLIGHT\r\n" +
		"BEGIN:STANDARD\r\nDTSTART:20261101T020000\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nTZNAME:EST\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\nEND:STANDARD\r\n" +
		"END:VTIMEZONE\r\nEND:VCALENDAR\r\n"
	if text != want {
		t.Errorf("got\n%s", text)
	}
	for id, wants := range map[string][]string{
		"Europe/Paris":        {"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n", ";UNTIL=19950924T010000Z"},
		"Europe/Dublin":       {"BEGIN:DAYLIGHT\r\nDTSTART:19810329T010000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nTZNAME:IST"},
		"Australia/Lord_Howe": {"TZOFFSETFROM:+1030\r\nTZOFFSETTO:+1100"},
		"America/Nuuk":        {"BYDAY=SA;BYMONTHDAY=24,25,26,27,28,29,30\r\n"},
		"Asia/Kathmandu":      {"TZOFFSETTO:+0545"},
		"UTC":                 {"TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000"},
	} {
		_, text := madeZone(t, id, time.Time{})
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", id, want, text)
			}
		}
	}
}

// TestStandard: what clients know by its name.
func TestStandard(t *testing.T) {
	for id, want := range map[string]bool{
		"Europe/Paris": true, "US/Eastern": true, "Asia/Calcutta": true, "UTC": true, "": false, "Custom": false,
		"Romance Standard Time": false, "/freeassociation.sourceforge.net/Europe/Paris": false,
	} {
		if Standard(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

// TestCalendarZones: zones are added where they are missing, and left out where their names say all.
func TestCalendarZones(t *testing.T) {
	event := func(zone string) string {
		return "BEGIN:VEVENT\nUID:" + zone + "\nDTSTART;TZID=" + zone + ":20260501T100000\nBEGIN:VALARM\nTRIGGER;TZID=Asia/Tokyo;VALUE=DATE-TIME:20260501T090000\nEND:VALARM\nEND:VEVENT\n"
	}
	c := calendar(t, berlinZone+event("Custom")+event("Europe/Paris")+event("Nowhere"))
	full, changed := c.WithZones()
	zones, err := full.Zones()
	if err != nil || !changed || !zones.Has("Custom") || !zones.Has("Europe/Paris") || !zones.Has("Asia/Tokyo") || zones.Has("Nowhere") {
		t.Errorf("%v, %v\n%s", changed, err, full.Append(nil))
	}
	if again, changed := full.WithZones(); changed || again != full {
		t.Error("zones are added twice")
	}
	if full, changed = full.WithoutZones(); !changed || string(full.Append(nil)) != string(c.Append(nil)) {
		t.Errorf("%v\n%s", changed, full.Append(nil))
	}
	if again, changed := c.WithoutZones(); changed || again != c {
		t.Error("a zone of an unknown name is left out")
	}
}

// TestManyZones: names of zones that nobody knows are looked for so often at most.
func TestManyZones(t *testing.T) {
	for n, want := range map[int]bool{maxZones - 1: true, maxZones: false} {
		event := &Component{Name: "VEVENT", Props: []Prop{{Name: "X-Z", Params: []contentline.Param{{Name: "TZID", Values: []string{"Europe/Paris"}}}}}}
		for i := range n {
			event.Props = append(event.Props, Prop{Name: "X-A", Params: []contentline.Param{{Name: "TZID", Values: []string{fmt.Sprintf("/a/b/c/%d", i)}}}})
		}
		c := &Calendar{Component: Component{Name: "VCALENDAR", Children: []*Component{event}}}
		if _, changed := c.WithZones(); changed != want {
			t.Errorf("beside %d unknown names: %v", n, changed)
		}
	}
	for id, known := range map[string]bool{
		"/" + strings.Repeat("a/", 50) + "America/Argentina/Ushuaia": true, strings.Repeat("a/", 50) + "Europe/Paris": false, "a/Europe/Paris": false,
	} {
		if got := LoadZone(id) != nil; got != known {
			t.Errorf("%s: %v", id, got)
		}
	}
}
