package davd

import (
	"strings"
	"testing"

	"facteur/server/davxml"
)

// update makes a body of PROPPATCH; set and remove are what stands in DAV:prop.
func update(set, remove string) string {
	return `<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="http://apple.com/ns/ical/" xmlns:x="urn:x">` +
		`<D:set><D:prop>` + set + `</D:prop></D:set><D:remove><D:prop>` + remove + `</D:prop></D:remove></D:propertyupdate>`
}

var dead = davxml.Name{Space: "urn:x", Local: "dead"}

func TestProppatch(t *testing.T) {
	s := newServer(t)
	all, _ := s.ask("PROPPATCH", calendarPath, update(`<D:displayname>  Our
		plans </D:displayname><A:calendar-color symbolic-color="red">#ff2968fF</A:calendar-color><A:calendar-order>7</A:calendar-order>`+
		`<C:calendar-description>What &lt;we&gt; do</C:calendar-description><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>`+
		`<C:calendar-timezone-id>Europe/Brussels</C:calendar-timezone-id><x:dead a="1"><x:in>ü</x:in></x:dead>`, "")).responses()
	for name, f := range all[calendarPath] {
		if f.status != 200 {
			t.Errorf("%s: %d", name, f.status)
		}
	}
	for _, c := range []struct {
		name davxml.Name
		want string
	}{
		{davxml.D("displayname"), "Our plans"}, {davxml.A("calendar-color"), "#ff2968fF"}, {davxml.A("calendar-order"), "7"},
		{davxml.C("calendar-description"), "What <we> do"}, {davxml.C("schedule-calendar-transp"), "transparent"},
		{davxml.C("calendar-timezone-id"), "Europe/Brussels"}, {dead, "in(ü)"},
	} {
		if got := s.prop(calendarPath, c.name); got.status != 200 || got.text() != c.want {
			t.Errorf("%s: %d %q, want %q", c.name, got.status, got.text(), c.want)
		}
	}
	h, _ := s.homes.Open(alice, alice)
	c, _ := h.Open("calendar")
	if p, err := c.Props(); err != nil || p.Color != "#FF2968" || p.DisplayName != "Our plans" {
		t.Errorf("vdir has %+v %v", p, err)
	}
	s.ask("PROPPATCH", calendarPath, update("", `<x:dead/><A:calendar-color/>`)).want(207)
	if got := s.prop(calendarPath, dead); got.status != 404 {
		t.Errorf("it was removed: %d", got.status)
	}
	if a := s.ask("PROPPATCH", calendarPath, update("<x:dead/>", ""), "Prefer: return=minimal").want(204); a.body != "" {
		t.Error(a.body)
	}
	if got := s.prop(calendarPath, dead); got.status != 200 || got.text() != "" {
		t.Errorf("an empty value: %+v", got)
	}
}

// TestProppatchAtomic: when one can't be changed, none is (RFC 4918 9.2).
func TestProppatchAtomic(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	for _, c := range []struct{ path, bad string }{
		{calendarPath, "<D:getetag>x</D:getetag>"}, {calendarPath, "<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>"},
		{calendarPath, "<C:supported-calendar-component-set/>"}, {calendarPath, "<C:calendar-timezone>BEGIN:VCALENDAR</C:calendar-timezone>"},
		{calendarPath, "<A:calendar-color>" + strings.Repeat("x", 100) + "</A:calendar-color>"}, {calendarPath + "a.ics", "<D:getcontentlength/>"},
	} {
		all, _ := s.ask("PROPPATCH", c.path, update("<x:dead>1</x:dead>"+c.bad, "")).responses()
		for name, f := range all[c.path] {
			if want := map[bool]int{true: 424, false: 403}[name == dead]; f.status != want {
				t.Errorf("%s: %s is %d, want %d", c.bad, name, f.status, want)
			}
		}
		if len(all[c.path]) != 2 {
			t.Errorf("%s: %d properties", c.bad, len(all[c.path]))
		}
		if got := s.prop(c.path, dead); got.status != 404 {
			t.Errorf("%s: half of it was done", c.bad)
		}
	}
	s.ask("PROPPATCH", calendarPath+"a.ics", update("<x:dead>1</x:dead>", "")).want(207)
	if got := s.prop(calendarPath+"a.ics", dead); got.text() != "1" {
		t.Errorf("of an object: %+v", got)
	}
	for _, path := range []string{"/dav/", homePath, "/dav/principals/alice@example.org/"} {
		if all, _ := s.ask("PROPPATCH", path, update("<x:dead>1</x:dead>", "")).responses(); all[path][dead].status != 403 {
			t.Errorf("%s: %v", path, all)
		}
	}
	s.ask("PROPPATCH", "/dav/office@example.org/contacts/x.vcf", update("<x:dead/>", ""), "user: carol@example.org").want(404)
	s.ask("PROPPATCH", "/dav/carol@example.org/~book/", update("<D:displayname>People</D:displayname>", ""), "user: carol@example.org").want(207)
	s.ask("PROPPATCH", calendarPath, "").want(400)
	s.ask("PROPPATCH", calendarPath, `<D:propertyupdate xmlns:D="DAV:"/>`).want(400)
	s.ask("PROPPATCH", calendarPath+"b.ics", update("<x:dead/>", "")).want(404)
	s.ask("PROPPATCH", calendarPath, update("<x:dead>"+strings.Repeat("x", 300<<10)+"</x:dead>", "")).want(413)
}

// TestColor: what vdir programs write counts, and what a client gave is told as it was.
func TestColor(t *testing.T) {
	for given, want := range map[string]string{
		"#abc": "#AABBCC", "#112233": "#112233", "#a1b2c3d4": "#A1B2C3", "red": "", "": "", "#12345": "", "#+12345": "", "112233": "",
	} {
		if got := plainColor(given); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
	s := newServer(t)
	s.ask("PROPPATCH", calendarPath, update("<A:calendar-color>#11223344</A:calendar-color>", "")).want(207)
	h, _ := s.homes.Open(alice, alice)
	c, _ := h.Open("calendar")
	p, _ := c.Props()
	if p.Color = "#FFFFFF"; colorOf(&p) != "#FFFFFF" {
		t.Error("another program's colour does not count")
	}
}

const zone = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n" +
	"TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"

func TestTimezone(t *testing.T) {
	s := newServer(t)
	s.ask("PROPPATCH", calendarPath, update("<C:calendar-timezone><![CDATA["+zone+"]]></C:calendar-timezone>", "")).want(207)
	if got := s.prop(calendarPath, davxml.C("calendar-timezone-id")); got.text() != "Europe/Paris" {
		t.Errorf("the name of it: %q", got.text())
	}
	if got := s.prop(calendarPath, davxml.C("calendar-timezone")); !strings.Contains(got.text(), "TZOFFSETTO") {
		t.Errorf("%q", got.text())
	}
	s.ask("PROPPATCH", calendarPath, update("", "<C:calendar-timezone-id/>")).want(207)
	if got := s.prop(calendarPath, davxml.C("calendar-timezone")); got.status != 404 {
		t.Error("one without the other")
	}
}
