package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
)

// TestBusyAlone: who is granted read-free-busy alone (RFC 4791 6.1.1) sees when a calendar takes time, and nothing
// of what is in it.
func TestBusyAlone(t *testing.T) {
	s := newScheduling(t)
	const user = "user: bob@example.org"
	query := `<C:free-busy-query` + xmlns + `><C:time-range start="20260510T000000Z" end="20260511T000000Z"/></C:free-busy-query>`
	grant := func(privilege string) string {
		return `<D:acl` + xmlns + `><D:ace><D:principal><D:href>/dav/principals/bob@example.org/</D:href></D:principal><D:grant><D:privilege>` + privilege + `</D:privilege></D:grant></D:ace></D:acl>`
	}
	s.ask("PUT", calendarPath+"e.ics", event("e")).want(http.StatusCreated)
	s.ask("PROPPATCH", calendarPath, update("<x:dead>secret</x:dead><D:displayname>Therapy</D:displayname>", "")).want(http.StatusMultiStatus)
	s.report(calendarPath, query, user).want(http.StatusNotFound)
	s.ask("ACL", contactsPath, grant("<C:read-free-busy/>")).condition(http.StatusForbidden, davxml.D("not-supported-privilege"))
	s.ask("ACL", calendarPath, grant("<C:read-free-busy/>")).want(http.StatusOK)

	for _, path := range []string{calendarPath, homePath} {
		if a := s.report(path, query, user).want(http.StatusOK); !strings.Contains(a.body, "FBTYPE=BUSY:20260510T080000Z/20260510T090000Z") || strings.Contains(a.body, "Meeting") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	s.ask("GET", calendarPath+"e.ics", "", user).want(http.StatusNotFound)
	s.ask("PUT", calendarPath+"n.ics", event("n"), user).want(http.StatusNotFound)
	for _, method := range []string{"GET", "COPY"} {
		s.ask(method, calendarPath, "", user, "Destination: /dav/bob@example.org/x/").condition(http.StatusForbidden, davxml.D("need-privileges"))
	}
	s.ask("GET", calendarPath+"?export", "", user).condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("PROPPATCH", calendarPath, update("<x:dead>mine</x:dead>", ""), user).condition(http.StatusForbidden, davxml.D("need-privileges"))
	for _, body := range []string{syncBody("", ""), calQuery("VEVENT", "", "<C:calendar-data/>")} {
		s.report(calendarPath, body, user).condition(http.StatusForbidden, davxml.D("need-privileges"))
	}
	multiget := `<C:calendar-multiget` + xmlns + `><D:prop><C:calendar-data/></D:prop><D:href>` + calendarPath + `e.ics</D:href></C:calendar-multiget>`
	if got := s.report(homePath, multiget, user); strings.Contains(got.body, "Meeting") {
		t.Errorf("%s", got.body)
	}

	// Of the properties there are those that lead to the question.
	if got := strings.Join(s.privilegesOf(bob, calendarPath), " "); got != "read-free-busy read-current-user-privilege-set" {
		t.Errorf("privileges: %s", got)
	}
	for name, status := range map[davxml.Name]int{davxml.D("resourcetype"): 200, davxml.D("displayname"): 403, davxml.CS("getctag"): 403, dead: 403, davxml.D("getetag"): 403, davxml.D("acl"): 403} {
		if got := s.prop(calendarPath, name, user).status; got != status {
			t.Errorf("%s: %d, want %d", name.Local, got, status)
		}
	}
	if a := s.ask("PROPFIND", calendarPath, `<D:propfind`+xmlns+`><D:allprop/></D:propfind>`, "Depth: 1", user).want(http.StatusMultiStatus); strings.Contains(a.body, "secret") || strings.Contains(a.body, "Therapy") || strings.Contains(a.body, "e.ics") {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{homePath, "/dav/bob@example.org/"} { // programs could show nothing of it
		_, order := s.ask("PROPFIND", path, propfindOf(davxml.D("resourcetype")), "Depth: 1", user).responses()
		if listed := strings.Join(order, " "); strings.Contains(listed, "/dav/alice@example.org/calendar/") || strings.Contains(listed, "~calendar") && !strings.Contains(listed, "office@example.org~calendar") || strings.Contains(listed, "alice@example.org~") {
			t.Errorf("%s lists %s", path, listed)
		}
	}

	// The ACL tells of it, and one that is sent back keeps it; read has it in it.
	told := s.ask("PROPFIND", calendarPath, propfindOf(davxml.D("acl")), "Depth: 0")
	if !strings.Contains(told.body, "read-free-busy") || !strings.Contains(told.body, "principals/bob@example.org/") {
		t.Errorf("%s", told.body)
	}
	if invite := s.prop(calendarPath, davxml.CS("invite")); strings.Contains(invite.text(), "bob@example.org") {
		t.Errorf("Apple's programs are told of bob: %s", invite.text())
	}
	s.ask("ACL", calendarPath, grant("<D:read/>")).want(http.StatusOK)
	s.report(calendarPath, query, user).want(http.StatusOK)
	s.ask("GET", calendarPath+"e.ics", "", user).want(http.StatusOK)
	s.ask("ACL", calendarPath, `<D:acl`+xmlns+`/>`).want(http.StatusOK)
	s.report(calendarPath, query, user).want(http.StatusNotFound)
}
