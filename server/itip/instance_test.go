package itip

import (
	"strings"
	"testing"

	"facteur/server/ical"
)

// TestInstance: an exception that is there, one that is made, and none for what does not occur.
func TestInstance(t *testing.T) {
	const exception = "END:VEVENT\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Brussels:20260408T120000\nDTSTART;TZID=Europe/Brussels:20260408T140000\n"
	weekly := event(t, "DTSTART;TZID=Europe/Brussels:20260401T120000\nDTEND;TZID=Europe/Brussels:20260401T133000\nRRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;TZID=Europe/Brussels:20260422T120000\n"+exception)
	days := event(t, "DTSTART;VALUE=DATE:20260401\nRRULE:FREQ=DAILY;COUNT=3\n")
	once := event(t, "DTSTART:20260401T120000Z\n")
	for id, want := range map[string]string{
		"20260408T120000": "exception", "20260408T100000Z": "exception", "20260408T140000": "",
		"20260415T120000": "DTSTART;TZID=Europe/Brussels:20260415T120000 DTEND;TZID=Europe/Brussels:20260415T133000", "20260415T100000Z": "DTSTART;TZID=Europe/Brussels:20260415T120000 DTEND;TZID=Europe/Brussels:20260415T133000",
		"20260401T120000": "DTSTART;TZID=Europe/Brussels:20260401T120000 DTEND;TZID=Europe/Brussels:20260401T133000",
		"20260422T120000": "", "20260506T120000": "", "20260415T120001": "", "20260415": "", "M": "", "": "", "20260415T120000;X": "", "99999999T999999Z": "",
	} {
		checkInstance(t, id, want, weekly)
	}
	for id, want := range map[string]string{"20260402": "DTSTART;VALUE=DATE:20260402", "20260404": "", "20260402T000000Z": ""} {
		checkInstance(t, id, want, days)
	}
	checkInstance(t, "20260401T120000Z", "", once)
}

func checkInstance(t *testing.T, id, want string, c *ical.Calendar) {
	t.Helper()
	part, made := Instance(c, id)
	got := ""
	if part != nil && !made {
		got = "exception"
	} else if part != nil {
		var lines []string
		for l := range strings.SplitSeq(string(part.Append(nil)), "\r\n") {
			if strings.HasPrefix(l, "DTSTART") || strings.HasPrefix(l, "DTEND") {
				lines = append(lines, l)
			}
		}
		if _, ok := part.Prop("RRULE"); ok || part.Value("RECURRENCE-ID") == "" {
			t.Errorf("%s: %s", id, part.Append(nil))
		}
		got = strings.Join(lines, " ")
	}
	if got != want {
		t.Errorf("%s: %q, want %q", id, got, want)
	}
}
