package ical

import (
	"strings"
	"testing"
	"time"

	"facteur/server/contentline"
)

const berlinZone = `BEGIN:VTIMEZONE
TZID:Custom
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
`

// calendar wraps components.
func calendar(t *testing.T, text string) *Calendar {
	t.Helper()
	c, err := Parse(strings.NewReader("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n" + text + "END:VCALENDAR\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOwnZone: a VTIMEZONE that says what Europe/Berlin does has the same times, also in
// the hours about its changes.
func TestOwnZone(t *testing.T) {
	zones, err := calendar(t, berlinZone).Zones()
	if err != nil {
		t.Fatal(err)
	}
	own, known := zones.byID["Custom"], &Zone{location: LoadZone("Europe/Berlin")}
	for _, day := range []string{"1999-03-28", "1999-10-31", "2026-01-01", "2026-03-29", "2026-10-25", "2026-12-31", "2036-10-26"} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		for wall := at.Unix() - 7200; wall < at.Unix()+8*3600; wall += 900 {
			if a, b := own.unix(wall), known.unix(wall); a != b {
				t.Errorf("%s: %v and %v", wallTime(wall), wallTime(a), wallTime(b))
			}
			if a, b := own.offset(wall), known.offset(wall); a != b {
				t.Errorf("%s: offsets %d and %d", wallTime(wall), a, b)
			}
		}
	}
	if got := own.offset(0); got != 3600 {
		t.Errorf("before the first change: %d", got)
	}
}

func TestZoneForms(t *testing.T) {
	part := func(kind, start, from, to, more string) string {
		return "BEGIN:" + kind + "\nDTSTART:" + start + "\nTZOFFSETFROM:" + from + "\nTZOFFSETTO:" + to + "\n" + more + "END:" + kind + "\n"
	}
	tests := []struct{ name, parts, at, want string }{
		{"no changes", part("STANDARD", "16010101T000000", "+0530", "+0530", ""), "20260101T120000", "20260101T063000"},
		{"seconds", part("STANDARD", "16010101T000000", "-053730", "-053730", ""), "20260101T120000", "20260101T173730"},
		{"RDATE", part("STANDARD", "20200101T000000", "+0000", "+0100", "RDATE:20250101T000000\n") + part("DAYLIGHT", "20240101T000000", "+0100", "+0200", ""), "20260101T120000", "20260101T110000"},
		{"UNTIL has passed", part("STANDARD", "20001029T030000", "+0200", "+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20101031T010000Z\n") +
			part("DAYLIGHT", "20000326T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20110327T010000Z\n"), "20260101T120000", "20260101T100000"},
		{"COUNT", part("STANDARD", "20001029T030000", "+0200", "+0100", "RRULE:FREQ=YEARLY;COUNT=3\n"), "20260101T120000", "20260101T110000"},
		{"every second", part("STANDARD", "19700101T000000", "+0000", "+0100", "RRULE:FREQ=SECONDLY\n"), "20260101T120000", "20260101T110000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			zones, err := calendar(t, "BEGIN:VTIMEZONE\nTZID:Z\n"+tt.parts+"END:VTIMEZONE\n").Zones()
			if err != nil {
				t.Fatal(err)
			}
			v, err := ParseValue(Prop{Value: tt.at, Params: []contentline.Param{{Name: "TZID", Values: []string{"Z"}}}}, zones)
			if err != nil || v.Time(nil).Format(timeForm) != tt.want {
				t.Errorf("got %v, %v, want %s", v.Time(nil), err, tt.want)
			}
		})
	}
	for _, bad := range []string{
		"", part("STANDARD", "x", "+0000", "+0000", ""), part("STANDARD", "20260101T000000", "+0000", "1", ""), "BEGIN:STANDARD\nEND:STANDARD\n",
		part("STANDARD", "20260101T000000", "+0000", "+0000", "RRULE:x\n"),
	} {
		if _, err := calendar(t, "BEGIN:VTIMEZONE\nTZID:Z\n"+bad+"END:VTIMEZONE\n").Zones(); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	// Where the name is known, the broken description does no harm.
	if _, err := calendar(t, "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n").Zones(); err != nil {
		t.Error(err)
	}
}

func TestLoadZone(t *testing.T) {
	for id, want := range map[string]string{
		"Europe/Brussels": "Europe/Brussels", "/freeassociation.sourceforge.net/Europe/Brussels": "Europe/Brussels",
		"/softwarestudio.org/Olson_20011030_5/America/Indiana/Knox": "America/Indiana/Knox", "W. Europe Standard Time": "Europe/Berlin",
		"romance standard time": "Europe/Paris", `"Europe/Paris"`: "Europe/Paris", "UTC": "UTC", "Etc/UTC": "UTC",
	} {
		if l := LoadZone(id); l == nil || l.String() != want {
			t.Errorf("%s: got %v", id, l)
		}
	}
	for _, id := range []string{"", "/", "Local", "../etc/passwd", "/../../etc/passwd", "Nowhere/City", "Custom", strings.Repeat("/a", 100)} {
		if l := LoadZone(id); l != nil {
			t.Errorf("%s: got %v", id, l)
		}
	}
	for windows, iana := range windowsZones() {
		if load(iana) == nil {
			t.Errorf("%s: there is no %s", windows, iana)
		}
	}
	if n := len(windowsZones()); n < 130 {
		t.Errorf("%d Windows zones", n)
	}
}

// TestZoneWork: a zone made to cost much costs little.
func TestZoneWork(t *testing.T) {
	part := "BEGIN:STANDARD\nDTSTART:00010101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\nEND:STANDARD\n"
	zones, err := calendar(t, "BEGIN:VTIMEZONE\nTZID:Z\n"+strings.Repeat(part, 100)+"END:VTIMEZONE\n").Zones()
	if err != nil {
		t.Fatal(err)
	}
	z := zones.byID["Z"]
	for year := 1; year < 9999; year++ {
		z.offset(int64(dayNumber(year, 1, 1)) * daySeconds)
	}
	if left := z.own.work.left; left > 0 || left < -observanceSpent {
		t.Errorf("%d of the work is left", left)
	}
}

// TestLocation: a VTIMEZONE as package time has it says the same as by itself.
func TestLocation(t *testing.T) {
	for _, zone := range []string{berlinZone, "BEGIN:VTIMEZONE\nTZID:Custom\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0337\nTZOFFSETTO:-0337\nEND:STANDARD\nEND:VTIMEZONE\n"} {
		c, err := Parse(strings.NewReader("BEGIN:VCALENDAR\n" + zone + "END:VCALENDAR\n"))
		if err != nil {
			t.Fatal(err)
		}
		zones, err := c.Zones()
		if err != nil {
			t.Fatal(err)
		}
		l := zones.Location("Custom")
		if l == nil || zones.Location("Other") != nil {
			t.Fatalf("%v", l)
		}
		for at := time.Date(1996, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2040; at = at.Add(7 * time.Hour) {
			if _, got := at.In(l).Zone(); int64(got) != zones.byID["Custom"].offset(at.Unix()) {
				t.Fatalf("%v: %d seconds, want %d", at, got, zones.byID["Custom"].offset(at.Unix()))
			}
		}
	}
	begin := time.Now()
	odd, err := Parse(strings.NewReader("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Odd\n" + strings.Repeat("BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\n"+
		"RRULE:FREQ=SECONDLY\nEND:STANDARD\n", 200) + "END:VTIMEZONE\nEND:VCALENDAR\n"))
	if err != nil {
		t.Fatal(err)
	}
	zones, err := odd.Zones()
	if err != nil || zones.Location("Odd") == nil {
		t.Errorf("%v", err)
	}
	t.Logf("an odd one takes %v", time.Since(begin))
	var many []change
	for i := range int64(300) {
		many = append(many, change{i * 1e6, i})
	}
	if zoneFile(0, many) != nil {
		t.Error("there are more offsets than fit")
	}
}
