package davd

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/davxml"
)

const alicePrincipal = "/dav/principals/alice@example.org/"

func TestPrincipals(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		path string
		name davxml.Name
		want string
	}{
		{alicePrincipal, davxml.D("resourcetype"), "collection principal"},
		{alicePrincipal, davxml.D("principal-URL"), "href(" + alicePrincipal + ")"},
		{alicePrincipal, davxml.D("group-membership"), ""},
		{alicePrincipal, davxml.C("calendar-user-address-set"), "href(mailto:alice@example.org) href(mailto:alice@example.com) href(mailto:al@example.org) href(mailto:al@example.com)"},
		{alicePrincipal, davxml.C("calendar-user-type"), "INDIVIDUAL"},
		{"/dav/principals/office@example.org/", davxml.C("calendar-user-type"), "GROUP"},
		{"/dav/principals/office@example.org/", davxml.D("displayname"), "The office"},
		{"/dav/principals/office@example.org/", davxml.D("group-member-set"), ""},
		{"/dav/principals/office@example.org/", davxml.C("calendar-home-set"), "href(/dav/office@example.org/)"},
		{"/dav/principals/bob@example.org/", davxml.D("displayname"), "bob@example.org"},
		{homePath, davxml.D("owner"), "href(" + alicePrincipal + ")"},
		{homePath + "office@example.org~calendar/", davxml.D("owner"), "href(/dav/principals/office@example.org/)"},
		{homePath, davxml.D("principal-collection-set"), "href(/dav/principals/)"},
		{"/dav/principals/", davxml.D("current-user-principal"), "href(" + alicePrincipal + ")"},
		{calendarPath, davxml.D("current-user-principal"), "href(" + alicePrincipal + ")"},
		{calendarPath, davxml.D("parent-set"), "parent(href(" + homePath + ") segment(calendar))"},
	} {
		if got := s.prop(c.path, c.name); got.status != 200 || got.text() != c.want {
			t.Errorf("%s %s: %d %q, want %q", c.path, c.name, got.status, got.text(), c.want)
		}
	}
	// Whose home one does not see has no home for oneself.
	if got := s.prop("/dav/principals/bob@example.org/", davxml.C("calendar-home-set")); got.status != 404 {
		t.Errorf("bob's home: %d %s", got.status, got.text())
	}
	if got := s.prop("/dav/principals/room@example.net/", davxml.C("calendar-user-type"), "user: dave@example.net"); got.text() != "ROOM" {
		t.Errorf("a room is %q", got.text())
	}
	// Other domains are none of one's business.
	s.ask("PROPFIND", "/dav/principals/dave@example.net/", "", "Depth: 0").want(404)
	s.ask("PROPFIND", "/dav/principals/nobody@example.org/", "", "Depth: 0").want(404)
	_, order := s.ask("PROPFIND", "/dav/principals/", propfindOf(davxml.D("displayname")), "Depth: 1").responses()
	slices.Sort(order)
	if want := []string{"/dav/principals/", alicePrincipal, "/dav/principals/bob@example.org/", "/dav/principals/carol@example.org/", "/dav/principals/office@example.org/"}; !slices.Equal(order, want) {
		t.Errorf("%q", order)
	}
}

// privilegesOf are the privileges of somebody, by name.
func (s *server) privilegesOf(who address.Address, path string) []string {
	s.t.Helper()
	got := s.prop(path, davxml.D("current-user-privilege-set"), "user: "+who.String())
	var names []string
	for _, p := range got.All(davxml.D("privilege")) {
		names = append(names, p.Children[0].Name.Local)
	}
	return names
}

// TestRights: what each role can do with a calendar of the shared mailbox, and is told it can.
func TestRights(t *testing.T) {
	s := newServer(t)
	path := "/dav/office@example.org/calendar/"
	put := func(who address.Address, name string) *answer {
		return s.ask("PUT", path+name, event(name), "user: "+who.String())
	}
	put(alice, "a.ics").want(201)
	put(bob, "b.ics").want(201)
	put(carol, "c.ics").condition(http.StatusForbidden, davxml.D("need-privileges"))
	put(dave, "d.ics").want(404)
	refused := s.ask("PUT", path+"a.ics", event("a.ics"), "user: carol@example.org").condition(403, davxml.D("need-privileges"))
	if r := refused.xml().Child(davxml.D("need-privileges")).Child(davxml.D("resource")); r == nil || short(r) != "href("+path+"a.ics) privilege(write-content)" {
		t.Error(refused.body)
	}
	s.ask("DELETE", path+"a.ics", "", "user: carol@example.org").condition(403, davxml.D("need-privileges"))
	s.ask("GET", path+"a.ics", "", "user: carol@example.org").want(200)
	s.ask("GET", path+"a.ics", "", "user: dave@example.net").want(404)
	s.ask("PROPFIND", calendarPath, "", "Depth: 0", "user: bob@example.org").want(404)
	s.ask("PROPFIND", "/dav/nobody@example.org/", "", "Depth: 0").want(404)
	for _, c := range []struct {
		who  address.Address
		has  []string
		not  []string
		path string
	}{
		{alice, []string{"all", "read", "write", "write-properties", "write-content", "bind", "unbind", "write-acl", "read-free-busy"}, nil, path},
		{bob, []string{"read", "write", "bind", "unbind", "write-properties"}, []string{"all", "write-acl"}, path},
		{carol, []string{"read", "read-free-busy", "read-acl", "read-current-user-privilege-set"}, []string{"write", "write-content", "bind", "unbind", "write-acl"}, path},
		{carol, []string{"read"}, []string{"write", "bind", "write-content"}, "/dav/carol@example.org/office@example.org~calendar/"},
		{bob, []string{"bind", "write-content"}, []string{"write-acl"}, "/dav/bob@example.org/office@example.org~calendar/"},
		{alice, []string{"bind", "unbind"}, []string{"write-content"}, homePath},
		{bob, []string{"read"}, []string{"bind", "unbind"}, "/dav/office@example.org/"},
	} {
		got := s.privilegesOf(c.who, c.path)
		for _, name := range c.has {
			if !slices.Contains(got, name) {
				t.Errorf("%s %s: no %s in %v", c.who, c.path, name, got)
			}
		}
		for _, name := range c.not {
			if slices.Contains(got, name) {
				t.Errorf("%s %s: %s in %v", c.who, c.path, name, got)
			}
		}
	}
}

func TestACL(t *testing.T) {
	s := newServer(t)
	got := s.prop("/dav/office@example.org/calendar/", davxml.D("acl"), "user: carol@example.org")
	var who []string
	for _, ace := range got.All(davxml.D("ace")) {
		if ace.Child(davxml.D("protected")) == nil || ace.Child(davxml.D("grant")) == nil {
			t.Error(short(ace))
		}
		who = append(who, short(ace.Child(davxml.D("principal"))))
	}
	if want := []string{"href(" + alicePrincipal + ")", "href(/dav/principals/bob@example.org/)", "href(/dav/principals/carol@example.org/)"}; !slices.Equal(who, want) {
		t.Errorf("%q", who)
	}
	set := s.prop(calendarPath, davxml.D("supported-privilege-set")).text()
	for _, part := range []string{"privilege(all)", "privilege(write) description(Change it and what is in it) supported-privilege(privilege(write-properties)"} {
		if !strings.Contains(set, part) {
			t.Errorf("no %s in %s", part, set)
		}
	}
}

// TestPersonalColor: who only reads a calendar gives it a colour for himself.
func TestPersonalColor(t *testing.T) {
	s := newServer(t)
	mounted := "/dav/carol@example.org/office@example.org~calendar/"
	s.ask("PROPPATCH", mounted, update("<A:calendar-color>#112233</A:calendar-color>", ""), "user: carol@example.org").want(207)
	if got := s.prop(mounted, davxml.A("calendar-color"), "user: carol@example.org"); got.text() != "#112233" {
		t.Errorf("%q", got.text())
	}
	if got := s.prop("/dav/office@example.org/calendar/", davxml.A("calendar-color")); got.status != 404 {
		t.Errorf("alice sees %q", got.text())
	}
}

// TestAllow: what is offered is what the viewer can do.
func TestAllow(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	for _, c := range []struct {
		path, user string
		has, not   []string
	}{
		{calendarPath, "alice@example.org", []string{"PUT", "DELETE", "PROPFIND", "PROPPATCH", "GET", "OPTIONS", "ACL", "POST"}, []string{"MKCALENDAR"}},
		{homePath, "alice@example.org", []string{"MKCALENDAR", "MKCOL", "PROPFIND"}, []string{"PUT", "DELETE"}},
		{"/dav/office@example.org/calendar/", "carol@example.org", []string{"PROPFIND", "GET", "PROPPATCH"}, []string{"PUT", "DELETE", "ACL", "POST"}},
		{"/dav/office@example.org/", "carol@example.org", []string{"PROPFIND"}, []string{"MKCALENDAR", "MKCOL"}},
		{calendarPath + "a.ics", "alice@example.org", []string{"PUT", "GET", "DELETE"}, []string{"MKCALENDAR"}},
		{"/", "alice@example.org", []string{"OPTIONS", "PROPFIND"}, []string{"PUT"}},
		{"*", "alice@example.org", []string{"OPTIONS"}, []string{"PUT"}},
		{calendarPath + "none.ics", "alice@example.org", []string{"OPTIONS", "PUT"}, []string{"GET", "DELETE", "MKCALENDAR"}},
		{homePath + "none/", "alice@example.org", []string{"OPTIONS", "MKCALENDAR", "MKCOL"}, []string{"PUT", "PROPFIND"}},
		{"/dav/office@example.org/calendar/none.ics", "carol@example.org", []string{"OPTIONS"}, []string{"PUT"}},
		{"/dav/office@example.org/none/", "carol@example.org", []string{"OPTIONS"}, []string{"MKCALENDAR"}},
	} {
		a := s.ask("OPTIONS", c.path, "", "user: "+c.user).want(200)
		allow := strings.Split(a.header.Get("Allow"), ", ")
		for _, name := range c.has {
			if !slices.Contains(allow, name) {
				t.Errorf("%s for %s: no %s in %v", c.path, c.user, name, allow)
			}
		}
		for _, name := range c.not {
			if slices.Contains(allow, name) {
				t.Errorf("%s for %s: %s in %v", c.path, c.user, name, allow)
			}
		}
		if dav := a.header.Get("DAV"); !strings.HasPrefix(dav, "1, 3, extended-mkcol, ") || !strings.Contains(dav, "access-control") {
			t.Errorf("DAV: %s", dav)
		}
	}
}
