package davd

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"facteur/server/davxml"
)

func TestPropfindDepths(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1"), "b c/é.ics": event("2")})
	for _, c := range []struct {
		path, depth string
		want        []string
	}{
		{"/", "0", []string{"/"}},
		{"/dav/", "1", []string{"/dav/", homePath, "/dav/principals/"}},
		{"/dav", "0", []string{"/dav/"}},
		{homePath, "1", []string{homePath, calendarPath, contactsPath, homePath + "office@example.org~calendar/",
			homePath + "office@example.org~contacts/", homePath + "office@example.org~tasks/", tasksPath, homePath + "~book/"}},
		{"/dav/alice%40example.org/calendar", "0", []string{calendarPath}},
		{calendarPath, "1", []string{calendarPath, calendarPath + "a.ics", calendarPath + "b%20c%2F%C3%A9.ics"}},
		{calendarPath + "b%20c%2f%C3%A9.ics", "1", []string{calendarPath + "b%20c%2F%C3%A9.ics"}},
		{calendarPath + "a.ics", "infinity", []string{calendarPath + "a.ics"}},
	} {
		_, order := s.ask("PROPFIND", c.path, propfindOf(davxml.D("resourcetype")), "Depth: "+c.depth).responses()
		slices.Sort(order[1:])
		if !slices.Equal(order, c.want) {
			t.Errorf("%s depth %s: %q", c.path, c.depth, order)
		}
	}
	s.ask("PROPFIND", homePath, "", "Depth: infinity").condition(http.StatusForbidden, davxml.D("propfind-finite-depth"))
	s.ask("PROPFIND", homePath, "", "Depth: 2").want(http.StatusBadRequest)
}

func TestPropfindObject(t *testing.T) {
	s := newServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	s.keep("contacts", map[string]string{"a.vcf": card("1", "Zoé")})
	for _, c := range []struct {
		path string
		name davxml.Name
		want string
	}{
		{calendarPath + "a.ics", davxml.D("resourcetype"), ""},
		{calendarPath + "a.ics", davxml.D("getcontenttype"), "text/calendar; charset=utf-8; component=vevent"},
		{calendarPath + "a.ics", davxml.D("getcontentlength"), "191"},
		{contactsPath + "a.vcf", davxml.D("getcontenttype"), "text/vcard; charset=utf-8"},
		{contactsPath, davxml.D("resourcetype"), "collection addressbook"},
		{calendarPath, davxml.D("resourcetype"), "collection calendar"},
		{calendarPath, davxml.D("displayname"), "Calendar"},
		{"/", davxml.D("current-user-principal"), "href(/dav/principals/alice@example.org/)"},
		{"/dav/principals/alice@example.org/", davxml.D("displayname"), "Alice Dupont"},
		{"/dav/principals/alice@example.org/", davxml.C("calendar-home-set"), "href(/dav/alice@example.org/)"},
		{"/dav/principals/alice@example.org/", davxml.CR("addressbook-home-set"), "href(/dav/alice@example.org/)"},
	} {
		if got := s.prop(c.path, c.name); got.status != 200 || got.text() != c.want {
			t.Errorf("%s %s: %d %q, want %q", c.path, c.name, got.status, got.text(), c.want)
		}
	}
}

// TestCutOff: a list that can't be finished is cut off, so that nobody takes it for whole.
func TestCutOff(t *testing.T) {
	s := newServer(t)
	h := s.handler
	h.segments["broken"] = segment{list: true, open: func(*request, *node, []string) (*node, error) { return nil, errBroken }}
	req, err := http.NewRequest("PROPFIND", s.url+homePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Depth", "1")
	res, err := s.client.Do(req)
	if err != nil {
		return // cut off before the first octet
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("it has an end: %s", b)
	}
	if !strings.Contains(s.log.String(), "no way") {
		t.Errorf("the log says %s", s.log)
	}
}

var errBroken = errors.New("no way")
