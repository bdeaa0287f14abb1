package davd

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
)

// TestHostilePaths: none leads anywhere it should not, and each has a clear answer.
func TestHostilePaths(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/dav/..", 400}, {"/dav/../etc/passwd", 400}, {"/dav/alice@example.org/%2e%2e/bob@example.org/", 400},
		{"/dav/alice@example.org/calendar/%2E%2E", 400}, {"/dav/alice@example.org/calendar/%00", 400}, {"/dav/alice@example.org/calendar/a.ics%00.txt", 400},
		{"/dav/alice@example.org/calendar/.", 400}, {"/dav/alice@example.org//calendar/", 404}, {"/dav//", 207}, {"/dav///", 404},
		{"/dav/alice@example.org%2Fcalendar/", 404}, {"/dav/alice@example.org/calendar%2Fa.ics", 404}, {"/dav/alice@example.org/calendar/..%2F..%2Fx", 404},
		{"/dav/alice@example.org/calendar/%FF%FE", 404}, {"/dav/%FF@example.org/", 404}, {"/dav/alice@example.org/%C0%AE%C0%AE/", 404},
		{"/davx/", 404}, {"/etc/passwd", 404}, {"/dav" + strings.Repeat("/x", 1000), 414}, {"/dav/alice@example.org/calendar/" + strings.Repeat("x", 5000), 404},
		{"/dav/alice@example.org/.facteur/", 404}, {"/dav/alice@example.org/calendar/.facteur-properties", 404}, {"/dav/alice@example.org/calendar/displayname", 404},
		{"/dav/@/", 404}, {"/dav/alice/", 404}, {"/dav/principals/x/", 404}, {"/dav/principals/alice@example.org/x", 404},
		{"/dav/ALICE@EXAMPLE.COM/calendar/a.ics", 207}, {"/dav/alice%40example.org/calendar/%61.ics", 207},
	} {
		if a := s.ask("PROPFIND", c.path, "", "Depth: 0"); a.status != c.status {
			t.Errorf("%s: %d, want %d\n%s", c.path, a.status, c.status, a.body)
		}
	}
	// An object may have any name; it is one file, and comes back under it.
	for _, name := range []string{"..%2F..%2Fx", "%FF%FE.ics", "%2F", "a%0Ab.ics", ".hidden.ics", "%25%32%66", "con%3A", "~", "'%22%3C%26"} {
		s.ask("PUT", calendarPath+name, event("u"+name)).want(201)
		if a := s.ask("GET", calendarPath+name, "").want(200); a.body != event("u"+name) {
			t.Errorf("%s: %s", name, a.body)
		}
		s.ask("PROPFIND", calendarPath, propfindOf(davxml.D("getetag")), "Depth: 1").xml()
		s.ask("DELETE", calendarPath+name, "").want(204)
	}
}

func TestHostileBodies(t *testing.T) {
	s := newServer(t)
	var bomb strings.Builder
	bomb.WriteString(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">`)
	bomb.WriteString(`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><D:propfind xmlns:D="DAV:"><D:prop>&b;</D:prop></D:propfind>`)
	deep := strings.Repeat("<D:prop>", 1000) + strings.Repeat("</D:prop>", 1000)
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"a bomb", bomb.String(), 403},
		{"an external entity", `<!DOCTYPE x SYSTEM "file:///etc/passwd"><D:propfind xmlns:D="DAV:"/>`, 403},
		{"1,000 levels", `<D:propfind xmlns:D="DAV:">` + deep + `</D:propfind>`, 413},
		{"many elements", `<D:propfind xmlns:D="DAV:"><D:prop>` + strings.Repeat("<D:x/>", 10000) + `</D:prop></D:propfind>`, 413},
		{"many properties", `<D:propfind xmlns:D="DAV:"><D:prop>` + strings.Repeat("<D:x/>", 1000) + `</D:prop></D:propfind>`, 400},
		{"a large one", `<D:propfind xmlns:D="DAV:"><!--` + strings.Repeat("x", 2<<20) + `--></D:propfind>`, 413},
		{"no XML", "hello", 400}, {"cut off", `<D:propfind xmlns:D="DAV:"><D:prop>`, 400}, {"not UTF-8", "<D:propfind xmlns:D=\"DAV:\">\xff</D:propfind>", 400},
		{"an unknown prefix", "<D:propfind/>", 400}, {"another root", `<D:foo xmlns:D="DAV:"/>`, 400}, {"nothing asked", `<D:propfind xmlns:D="DAV:"/>`, 400},
		{"two at once", `<D:propfind xmlns:D="DAV:"><D:prop/><D:allprop/></D:propfind>`, 400},
	} {
		a := s.ask("PROPFIND", calendarPath, c.body, "Depth: 0")
		if a.status != c.status {
			t.Errorf("%s: %d, want %d\n%.300s", c.name, a.status, c.status, a.body)
		}
		if a.xml().Name != davxml.D("error") {
			t.Errorf("%s: %.300s", c.name, a.body)
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	long := strings.Repeat("9", 10000)
	s.ask("PROPFIND", calendarPath, "", "Depth: "+long).want(400)
	s.ask("PROPFIND", calendarPath, "", "Depth: -1").want(400)
	s.ask("PUT", calendarPath+"a.ics", event("1"), "If-Match: "+long).want(400)
	s.ask("PUT", calendarPath+"a.ics", event("1"), "If-None-Match: "+strings.Repeat(`"x",`, 500)).want(400)
	s.ask("PUT", calendarPath+"a.ics", event("1"), "If: ("+strings.Repeat("<x>", 1000)+")").want(400)
	s.ask("PUT", calendarPath+"a.ics", event("1"), "Content-Type: "+long).want(403)
	s.ask("BREW", calendarPath, "").want(405)
	s.ask(strings.Repeat("X", 5000), calendarPath, "").want(405)
	// A body that is announced as too large is not read at all.
	req, err := http.NewRequest("PUT", s.url+calendarPath+"b.ics", io.LimitReader(endless{}, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 40
	req.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: 1 << 40}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("status %d", res.StatusCode)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestPropfindForms: the forms of propfind (RFC 4918 9.1), and what a client would rather not have.
func TestPropfindForms(t *testing.T) {
	s := newServer(t)
	s.ask("PROPPATCH", calendarPath, update("<x:dead>1</x:dead>", "")).want(207)
	unknown := davxml.Name{Space: "urn:x", Local: "unknown"}
	all, _ := s.ask("PROPFIND", calendarPath, "", "Depth: 0").responses()
	if p := all[calendarPath]; p[dead].text() != "1" || p[davxml.D("resourcetype")].status != 200 || p[davxml.D("acl")].Element != nil || p[davxml.C("calendar-description")].Element != nil {
		t.Errorf("allprop: %v", p)
	}
	all, _ = s.ask("PROPFIND", calendarPath, `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:sync-token/><D:resourcetype/></D:include></D:propfind>`, "Depth: 0").responses()
	if p := all[calendarPath]; p[davxml.D("sync-token")].status != 200 || p[dead].text() != "1" || p[davxml.D("resourcetype")].status != 200 {
		t.Errorf("include: %v", p)
	}
	all, _ = s.ask("PROPFIND", calendarPath, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, "Depth: 0").responses()
	if p := all[calendarPath]; p[dead].Element == nil || p[dead].text() != "" || p[davxml.D("acl")].Element == nil || p[davxml.C("calendar-description")].Element != nil {
		t.Errorf("propname: %v", p)
	}
	body := propfindOf(davxml.D("displayname"), unknown)
	all, _ = s.ask("PROPFIND", calendarPath, body, "Depth: 0").responses()
	if p := all[calendarPath]; p[unknown].status != 404 || p[davxml.D("displayname")].status != 200 {
		t.Errorf("%v", p)
	}
	for _, header := range []string{"Prefer: return=minimal", "Brief: t", "Prefer: respond-async, return=minimal; foo=1"} {
		a := s.ask("PROPFIND", calendarPath, body, "Depth: 0", header)
		all, _ = a.responses()
		if p := all[calendarPath]; p[unknown].Element != nil || p[davxml.D("displayname")].status != 200 || a.header.Get("Preference-Applied") != "return=minimal" {
			t.Errorf("%s: %v", header, p)
		}
	}
	without := s.ask("PROPFIND", homePath, body, "Depth: 1", "Prefer: depth-noroot, return=minimal")
	_, order := without.responses()
	if len(order) == 0 || order[0] == homePath {
		t.Errorf("with the root: %q", order)
	}
	if got := strings.Join(without.header.Values("Preference-Applied"), ", "); got != "depth-noroot, return=minimal" {
		t.Errorf("it is told that %q was done", got)
	}
	if a := s.ask("PROPFIND", homePath, body, "Depth: 0", "Prefer: depth-noroot").want(207); a.header.Get("Preference-Applied") != "" {
		t.Errorf("at Depth 0: %v", a.header)
	}
	s.ask("PROPFIND", homePath, `<D:propfind xmlns:D="DAV:"><D:prop/></D:propfind>`, "Depth: 1").xml()
	if a := s.ask("PROPFIND", "/dav/alice@example.org", body, "Depth: 0").want(207); a.header.Get("Content-Location") != homePath {
		t.Errorf("Content-Location: %q", a.header.Get("Content-Location"))
	}
}
