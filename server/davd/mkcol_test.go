package davd

import (
	"net/http"
	"testing"

	"facteur/server/davxml"
)

const (
	xmlType  = "Content-Type: application/xml; charset=utf-8"
	mkcolCal = `<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>` +
		`<D:displayname>Club</D:displayname><C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set></D:prop></D:set></D:mkcol>`
	mkcolBook = `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/><addressbook xmlns="urn:ietf:params:xml:ns:carddav"/></resourcetype>` +
		`<displayname>Friends</displayname></prop></set></mkcol>`
)

func TestMakeCollections(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ method, name, body, kind, components string }{
		{"MKCOL", "club", mkcolCal, "collection calendar", "comp=VEVENT comp=VTODO"},
		{"MKCOL", "friends", mkcolBook, "collection addressbook", ""},
		{"MKCALENDAR", "plain/", "", "collection calendar", "comp=VEVENT comp=VTODO comp=VJOURNAL comp=VFREEBUSY comp=VAVAILABILITY"},
		{"MKCALENDAR", "na%20me/", `<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>` +
			`<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set><C:calendar-free-busy-set><D:href/></C:calendar-free-busy-set></D:prop></D:set></C:mkcalendar>`,
			"collection calendar", "comp=VTODO"},
	} {
		s.ask(c.method, homePath+c.name, c.body, xmlType).want(201)
		if got := s.prop(homePath+c.name, davxml.D("resourcetype")); got.text() != c.kind {
			t.Errorf("%s: %q", c.name, got.text())
		}
		if got := s.prop(homePath+c.name, davxml.C("supported-calendar-component-set")); got.text() != c.components {
			t.Errorf("%s: %q", c.name, got.text())
		}
		if c.method == "MKCOL" {
			s.ask(c.method, homePath+c.name, c.body, xmlType).want(405)
		} else {
			s.ask(c.method, homePath+c.name, c.body, xmlType).condition(403, davxml.D("resource-must-be-null"))
		}
	}
	ids := make(map[string]bool)
	for _, name := range []string{"club", "friends", "calendar", "tasks"} {
		ids[s.prop(homePath+name, davxml.D("resource-id")).text()] = true
	}
	if len(ids) != 4 {
		t.Errorf("ids: %v", ids)
	}
}

func TestMakeCollectionRefused(t *testing.T) {
	s := newServer(t)
	s.ask("MKCOL", homePath+"x", "").condition(403, davxml.D("valid-resourcetype"))
	s.ask("MKCOL", homePath+"x", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/></resourcetype></prop></set></mkcol>`, xmlType).condition(403, davxml.D("valid-resourcetype"))
	s.ask("MKCOL", homePath+"x", "hello", "Content-Type: text/plain").want(http.StatusUnsupportedMediaType)
	s.ask("MKCOL", homePath+"x", "hello").want(http.StatusUnsupportedMediaType)
	s.ask("MKCOL", homePath+"x", "<a", xmlType).want(400)
	s.ask("MKCOL", homePath+"x/y", mkcolCal, xmlType).want(409)
	s.ask("MKCOL", homePath+"calendar/y", mkcolCal, xmlType).condition(403, davxml.C("calendar-collection-location-ok"))
	s.ask("MKCALENDAR", homePath+"office@example.org~x", "").want(403)
	for _, name := range []string{"inbox", "outbox", ".x"} {
		s.ask("MKCALENDAR", homePath+name, "").want(403)
	}
	// All properties or no collection (RFC 5689 3).
	bad := `<mkcol xmlns="DAV:"><set><prop><displayname>x</displayname><resourcetype><collection/><calendar xmlns="urn:ietf:params:xml:ns:caldav"/></resourcetype><getetag>y</getetag></prop></set></mkcol>`
	a := s.ask("MKCOL", homePath+"x", bad, xmlType).want(403)
	if e := a.xml(); e.Name != davxml.D("mkcol-response") || len(e.All(nPropstat)) != 2 {
		t.Error(a.body)
	}
	s.ask("PROPFIND", homePath+"x", "", "Depth: 0").want(404)
	// Who may not.
	s.ask("MKCALENDAR", "/dav/office@example.org/x", "", "user: bob@example.org").condition(403, davxml.D("need-privileges"))
	s.ask("MKCALENDAR", "/dav/bob@example.org/x", "").want(404)
	s.ask("MKCALENDAR", "/dav/office@example.org/x", "").want(201)
}
