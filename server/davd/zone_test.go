package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
	"facteur/server/ical"
)

// at10 is an event at ten o'clock in a zone, of which it has no VTIMEZONE.
func at10(uid, zone string) string {
	return event(uid, "DTSTART;TZID="+zone+":20260601T100000", "DTEND;TZID="+zone+":20260601T110000", "SUMMARY:x")
}

// withZone puts a VTIMEZONE into an object.
func withZone(object, zone string) string {
	return strings.Replace(object, "BEGIN:VEVENT", "BEGIN:VTIMEZONE\r\nTZID:"+zone+"\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", 1)
}

// TestZonesLeftOut: what names a zone that the server knows needs no VTIMEZONE, and is when that zone says
// (RFC 7809 3.1.4).
func TestZonesLeftOut(t *testing.T) {
	s := newServer(t)
	for zone, start := range map[string]string{
		"Europe/Paris": "080000", "US/Eastern": "140000", "Asia/Calcutta": "043000", "W. Europe Standard Time": "080000",
		"/freeassociation.sourceforge.net/America/New_York": "140000",
	} {
		name := strings.NewReplacer("/", "-", " ", "-").Replace(zone) + ".ics"
		s.ask("PUT", calendarPath+name, at10(name, zone)).want(http.StatusCreated)
		found := s.report(calendarPath+name, calQuery("VEVENT", `<C:time-range start="20260601T`+start+`Z" end="20260601T`+start[:2]+`5900Z"/>`,
			`<C:calendar-data><C:expand start="20260601T000000Z" end="20260602T000000Z"/></C:calendar-data>`), "Depth: 0")
		all, _ := found.responses()
		if got := all[calendarPath+name][davxml.C("calendar-data")].text(); !strings.Contains(got, "DTSTART:20260601T"+start+"Z") {
			t.Errorf("%s: %s", zone, got)
		}
	}
	s.ask("PUT", calendarPath+"nowhere.ics", at10("nowhere", "Nowhere/City")).condition(http.StatusForbidden, davxml.C("valid-calendar-data"))
	s.ask("PUT", calendarPath+"custom.ics", withZone(at10("custom", "Custom"), "Custom")).want(http.StatusCreated)
}

// TestTimezonesHeader: CalDAV-Timezones says which time zones an answer has (RFC 7809 3.1.3), and
// each representation has an entity tag of its own, all of which stand for the object.
func TestTimezonesHeader(t *testing.T) {
	s := newServer(t)
	bare, full := at10("bare", "Europe/Paris"), withZone(at10("full", "Europe/Paris"), "Europe/Paris")
	custom, windows := withZone(at10("custom", "Custom"), "Custom"), at10("windows", "Romance Standard Time")
	for name, text := range map[string]string{"bare": bare, "full": full, "custom": custom, "windows": windows} {
		s.ask("PUT", calendarPath+name+".ics", text).want(http.StatusCreated)
	}
	for _, c := range []struct{ name, header, kept string }{
		{"bare", "", bare}, {"bare", "F", bare}, {"bare", "T", ""}, {"full", "", full}, {"full", "T", full}, {"full", "F", ""},
		{"custom", "T", custom}, {"custom", "F", custom}, {"windows", "F", windows}, {"windows", "T", ""}, {"bare", "x", bare},
	} {
		path := calendarPath + c.name + ".ics"
		got := s.ask("GET", path, "", "CalDAV-Timezones: "+c.header).want(http.StatusOK)
		tag, kept := got.header.Get("ETag"), s.prop(path, davxml.D("getetag")).text()
		if same := c.kept == got.body; same != (c.kept != "") || same != (tag == kept) || strings.HasPrefix(tag, "W/") {
			t.Errorf("%s with %q: %s, of %s\n%s", c.name, c.header, tag, kept, got.body)
		}
		if has := strings.Contains(got.body, "BEGIN:VTIMEZONE"); c.kept == "" && has != (c.header == "T") {
			t.Errorf("%s with %q:\n%s", c.name, c.header, got.body)
		}
		if !strings.Contains(got.header.Get("Vary"), "CalDAV-Timezones") {
			t.Errorf("Vary: %s", got.header.Get("Vary"))
		}
		many := s.report(calendarPath, `<C:calendar-multiget`+xmlns+`><D:prop><C:calendar-data/></D:prop><D:href>`+path+`</D:href></C:calendar-multiget>`, "CalDAV-Timezones: "+c.header)
		all, _ := many.responses()
		if data := all[path][davxml.C("calendar-data")].text(); data != got.body {
			t.Errorf("%s with %q in a multiget:\n%s", c.name, c.header, data)
		}
	}
	got := s.ask("GET", calendarPath+"windows.ics", "", "CalDAV-Timezones: T")
	if c, err := ical.ParseBytes([]byte(got.body)); err != nil || c.Children[0].Value("TZID") != "Romance Standard Time" {
		t.Errorf("%v\n%s", err, got.body)
	}
}

// TestTimezonesTags: a condition with the tag of any representation is about the object.
func TestTimezonesTags(t *testing.T) {
	s := newServer(t)
	path, text := calendarPath+"e.ics", at10("e", "Europe/Paris")
	kept := s.ask("PUT", path, text).want(http.StatusCreated).header.Get("ETag")
	got := s.ask("GET", path, "", "CalDAV-Timezones: T")
	full := got.header.Get("ETag")
	s.ask("GET", path, "", "CalDAV-Timezones: T", "If-None-Match: "+full).want(http.StatusNotModified)
	s.ask("GET", path, "", "CalDAV-Timezones: T", "If-None-Match: "+kept).want(http.StatusOK)
	s.ask("GET", path, "", "If-None-Match: "+full).want(http.StatusOK)
	if part := s.ask("GET", path, "", "CalDAV-Timezones: T", "Range: bytes=10-19", "If-Range: "+full).want(http.StatusPartialContent); part.body != got.body[10:20] {
		t.Errorf("a part: %q", part.body)
	}
	s.ask("GET", path, "", "CalDAV-Timezones: T", "Range: bytes=10-19", "If-Range: "+kept).want(http.StatusOK)
	if head := s.ask("HEAD", path, "", "CalDAV-Timezones: T"); head.header.Get("Content-Length") != got.header.Get("Content-Length") || head.header.Get("ETag") != full {
		t.Errorf("HEAD: %v", head.header)
	}
	s.ask("PUT", path, strings.Replace(text, "SUMMARY:x", "SUMMARY:y", 1), "If-Match: "+full).want(http.StatusNoContent)
	s.ask("PUT", path, text, "If-Match: "+full).want(http.StatusPreconditionFailed)
	s.ask("DELETE", path, "", `If: (["`+strings.Trim(full, `"`)+`"])`).want(http.StatusPreconditionFailed)
	newer := s.ask("GET", path, "", "CalDAV-Timezones: T").header.Get("ETag")
	prefer := s.ask("PUT", path, text, "If-Match: "+newer, "Prefer: return=representation", "CalDAV-Timezones: T").want(http.StatusOK)
	if prefer.body != got.body || prefer.header.Get("ETag") != full {
		t.Errorf("what is put, with zones: %s\n%s", prefer.header.Get("ETag"), prefer.body)
	}
	s.ask("DELETE", path, "", `If: ([`+full+`])`).want(http.StatusNoContent)
}

// TestExportZones: a file is for all programs, and so has the zones that it names.
func TestExportZones(t *testing.T) {
	s := newServer(t)
	s.ask("PUT", calendarPath+"a.ics", at10("a", "Europe/Paris")).want(http.StatusCreated)
	s.ask("PUT", calendarPath+"b.ics", at10("b", "Europe/Paris")).want(http.StatusCreated)
	whole := s.ask("GET", calendarPath+"?export", "").want(http.StatusOK)
	if strings.Count(whole.body, "BEGIN:VTIMEZONE") != 1 {
		t.Errorf("%s", whole.body)
	}
	named := s.ask("GET", calendarPath+"?export", "", "CalDAV-Timezones: F").want(http.StatusOK)
	if strings.Contains(named.body, "VTIMEZONE") || named.header.Get("ETag") == whole.header.Get("ETag") {
		t.Errorf("%s\n%s", named.header.Get("ETag"), named.body)
	}
}

// TestZoneByName: a zone that is set by its name has a VTIMEZONE, one that is set by its VTIMEZONE a
// name (RFC 7809 3.1.5), and what a viewer sets of his own hides both.
func TestZoneByName(t *testing.T) {
	s := newServer(t)
	id, text := davxml.C("calendar-timezone-id"), davxml.C("calendar-timezone")
	set := func(path, user, props string) {
		t.Helper()
		s.ask("PROPPATCH", path, update(props, ""), "user: "+user).want(http.StatusMultiStatus)
	}
	s.ask("MKCALENDAR", "/dav/alice@example.org/new/", `<C:mkcalendar`+xmlns+`><D:set><D:prop><C:calendar-timezone-id>America/New_York</C:calendar-timezone-id></D:prop></D:set></C:mkcalendar>`).want(http.StatusCreated)
	if got := s.prop("/dav/alice@example.org/new/", text).text(); !strings.Contains(got, "TZID:America/New_York\r\n") || !strings.Contains(got, "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\n") {
		t.Errorf("by its name: %q", got)
	}
	refused := s.ask("PROPPATCH", calendarPath, update("<C:calendar-timezone-id>Mars/Olympus</C:calendar-timezone-id>", ""))
	if !strings.Contains(refused.body, "valid-timezone") {
		t.Errorf("%s", refused.body)
	}
	custom := strings.ReplaceAll(zone, "Europe/Paris", "Custom")
	set(calendarPath, "alice@example.org", "<C:calendar-timezone><![CDATA["+custom+"]]></C:calendar-timezone>")
	if got := s.prop(calendarPath, id).text(); got != "Custom" {
		t.Errorf("of a VTIMEZONE: %q", got)
	}
	set("/dav/office@example.org/calendar/", "alice@example.org", "<C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id>")
	mounted := "/dav/bob@example.org/office@example.org~calendar/"
	set(mounted, "bob@example.org", "<C:calendar-timezone><![CDATA["+custom+"]]></C:calendar-timezone>")
	own := func(name davxml.Name) string { return s.prop(mounted, name, "user: bob@example.org").text() }
	if own(id) != "Custom" || !strings.Contains(own(text), "TZID:Custom") {
		t.Errorf("bob's: %q", own(id))
	}
	set(mounted, "bob@example.org", "<C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id>")
	if own(id) != "Asia/Tokyo" || !strings.Contains(own(text), "TZID:Asia/Tokyo") {
		t.Errorf("bob's, by its name: %q\n%s", own(id), own(text))
	}
}
