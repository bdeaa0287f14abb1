package davd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"context"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/directory"
	"facteur/server/homes"
)

const (
	choirPath = "/dav/alice@example.org/choir/"
	xmlBody   = "Content-Type: text/xml; charset=utf-8"
)

type noNames struct{}

func (noNames) Addrs(context.Context, string) ([]netip.Addr, error) { return nil, nil }

// newSharing is a server whose homes have all that is made here, and a calendar choir of
// alice's. hosts are those that people may subscribe to.
func newSharing(t *testing.T, hosts ...string) *server {
	t.Helper()
	var all *homes.Homes
	s := newServer(t, func(o *Options) {
		o.Homes = openHomes(t, hosts...)
		all = o.Homes
	})
	s.homes = all
	s.ask("MKCALENDAR", choirPath, "").want(http.StatusCreated)
	s.ask("PUT", choirPath+"1.ics", event("1"), "Content-Type: text/calendar").want(http.StatusCreated)
	return s
}

// openHomes opens homes with all that is made here.
func openHomes(t *testing.T, hosts ...string) *homes.Homes {
	t.Helper()
	dir := t.TempDir()
	open := func(name string, index func(collection.Kind, []byte) (collection.Facts, error), defaults []collection.Default) *collection.Store {
		s, err := collection.Open(collection.Options{Dir: filepath.Join(dir, name), Tmp: filepath.Join(dir, "tmp"), Index: index, Defaults: defaults})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	d := testDirectory()
	all := homes.New(homes.Options{Store: open("domains", homes.Index, homes.Defaults()), Derived: open("derived", homes.DerivedIndex, nil),
		Directory: func() *directory.Directory { return d }, Resolver: noNames{}})
	all.Apply(homes.Settings{Hosts: hosts})
	return all
}

func shareBody(in string) string {
	return `<CS:share xmlns:CS="http://calendarserver.org/ns/" xmlns:D="DAV:">` + in + `</CS:share>`
}

func setOne(href, access string) string {
	return `<CS:set><D:href>` + href + `</D:href><CS:common-name>x</CS:common-name><CS:summary>Choir</CS:summary>` + access + `</CS:set>`
}

func (s *server) hrefs(path string, headers ...string) []string {
	s.t.Helper()
	_, order := s.ask("PROPFIND", path, propfindOf(davxml.D("resourcetype")), append(headers, "Depth: 1")...).responses()
	return order
}

// TestShareAsMacOSDoes is the sequence of macOS Calendar as caldav-sharing describes it; it
// was not recorded.
func TestShareAsMacOSDoes(t *testing.T) {
	s := newSharing(t)
	if dav := s.ask("OPTIONS", choirPath, "").header.Get("DAV"); !strings.Contains(dav, "calendarserver-sharing") || strings.Contains(dav, "calendarserver-subscribed") {
		t.Errorf("DAV: %s", dav)
	}
	if got := s.prop(choirPath, davxml.CS("allowed-sharing-modes")).text(); got != "can-be-shared can-be-published" {
		t.Errorf("modes %q", got)
	}
	if got := s.prop(choirPath, davxml.CS("invite")); got.status != 404 {
		t.Errorf("invite %d before anybody is", got.status)
	}
	s.ask("POST", choirPath, shareBody(setOne("mailto:bob@example.org", "<CS:read-write/>")+setOne("mailto:dave%40example.net", "<CS:read/>")), xmlBody).want(http.StatusOK)
	if got, want := s.prop(choirPath, davxml.CS("invite")).text(), "organizer(href(mailto:alice@example.org) common-name(Alice Dupont)) "+
		"user(href(mailto:bob@example.org) invite-accepted access(read-write)) user(href(mailto:dave@example.net) invite-accepted access(read))"; got != want {
		t.Errorf("invite %q, want %q", got, want)
	}
	if got := s.prop(choirPath, davxml.D("resourcetype")).text(); got != "collection calendar shared-owner" {
		t.Errorf("the owner's is %q", got)
	}
	const mountPath = "/dav/bob@example.org/alice@example.org~choir/"
	if got := s.hrefs("/dav/bob@example.org/", "user: bob@example.org"); !slices.Contains(got, mountPath) {
		t.Fatalf("bob sees %q", got)
	}
	for name, want := range map[davxml.Name]string{
		davxml.D("resourcetype"): "collection calendar shared", davxml.D("displayname"): "choir (Alice Dupont)", davxml.D("owner"): "href(/dav/principals/alice@example.org/)",
		davxml.CS("shared-url"): "href(/dav/alice@example.org/choir/)",
	} {
		if got := s.prop(mountPath, name, "user: bob@example.org").text(); got != want {
			t.Errorf("bob's %s is %q, want %q", name, got, want)
		}
	}
	s.ask("PUT", mountPath+"2.ics", event("2"), "user: bob@example.org", "Content-Type: text/calendar").want(http.StatusCreated)
	s.ask("GET", choirPath+"2.ics", "").want(http.StatusOK)
	const davePath = "/dav/dave@example.net/alice@example.org~choir/"
	s.ask("GET", davePath+"2.ics", "", "user: dave@example.net").want(http.StatusOK)
	s.ask("PUT", davePath+"3.ics", event("3"), "user: dave@example.net", "Content-Type: text/calendar").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("DELETE", davePath+"2.ics", "", "user: dave@example.net").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("GET", "/dav/alice@example.org/calendar/", "", "user: dave@example.net").want(http.StatusNotFound)

	// Neither shares it further, and each has a colour of his own.
	s.ask("POST", mountPath, shareBody(setOne("mailto:carol@example.org", "")), xmlBody, "user: bob@example.org").condition(http.StatusForbidden, davxml.D("need-privileges"))
	for _, c := range []struct{ path, user, color string }{{davePath, "dave@example.net", "#111111"}, {choirPath, "alice@example.org", "#222222"}} {
		s.ask("PROPPATCH", c.path, update(`<A:calendar-color>`+c.color+`</A:calendar-color>`, ""), "user: "+c.user).want(http.StatusMultiStatus)
	}
	for _, c := range []struct{ path, user, color string }{{davePath, "dave@example.net", "#111111"}, {choirPath, "alice@example.org", "#222222"}, {mountPath, "bob@example.org", "#222222"}} {
		if got := s.prop(c.path, davxml.A("calendar-color"), "user: "+c.user).text(); got != c.color {
			t.Errorf("the colour of %s is %s, want %s", c.path, got, c.color)
		}
	}

	// Dave does not want it, and bob may not any more.
	s.ask("DELETE", davePath, "", "user: dave@example.net").want(http.StatusNoContent)
	s.ask("GET", choirPath+"2.ics", "").want(http.StatusOK)
	if got := s.prop(choirPath, davxml.CS("invite")).text(); !strings.Contains(got, "invite-declined") {
		t.Errorf("invite %q", got)
	}
	s.ask("POST", choirPath, shareBody(`<CS:remove><D:href>/dav/principals/bob@example.org/</D:href></CS:remove>`), xmlBody).want(http.StatusOK)
	s.ask("GET", mountPath+"2.ics", "", "user: bob@example.org").want(http.StatusNotFound)
}

func TestShareRefused(t *testing.T) {
	s := newSharing(t)
	a := s.ask("POST", choirPath, shareBody(setOne("mailto:nobody@example.org", "")+setOne("mailto:bob@example.org", "")+setOne("tel:1", "")), xmlBody).want(http.StatusMultiStatus)
	var got []string
	for _, r := range a.xml().All(nResponse) {
		got = append(got, r.Child(nHref).Text+" "+strings.Fields(r.Child(nStatus).Text)[1])
	}
	if want := []string{"mailto:nobody@example.org 403", "mailto:bob@example.org 200", "tel:1 403"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range []struct {
		path, body, media string
		status            int
	}{
		{choirPath, shareBody(""), xmlBody, 400}, {choirPath, "<x/>", xmlBody, 400}, {choirPath, "", xmlBody, 400}, {choirPath, "<x", xmlBody, 400},
		{choirPath, "x", "Content-Type: text/plain", 415}, {homePath, shareBody(""), xmlBody, 405}, {"/dav/alice@example.org/~book/", shareBody(setOne("mailto:bob@example.org", "")), xmlBody, 403},
	} {
		s.ask("POST", c.path, c.body, c.media).want(c.status)
	}
}

func TestPublishedLink(t *testing.T) {
	s := newSharing(t)
	s.ask("PUT", choirPath+"2.ics", event("2", "DTSTART:20260510T080000Z", "CLASS:PRIVATE", "SUMMARY:Doctor"), "Content-Type: text/calendar").want(http.StatusCreated)
	s.ask("PUT", choirPath+"3.ics", event("3", "DTSTART:20260511T080000Z", "ORGANIZER:mailto:alice@example.org", "ATTENDEE:mailto:zoe@elsewhere.net",
		"BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT5M", "END:VALARM"), "Content-Type: text/calendar").want(http.StatusCreated)
	for i, class := range []string{" confidential ", "X-SECRET", "NONESUCH"} { // RFC 5545 3.8.1.3
		uid := fmt.Sprintf("class%d", i)
		s.ask("PUT", choirPath+uid+".ics", event(uid, "DTSTART:20260510T080000Z", "CLASS:"+class, "SUMMARY:Doctor"), "Content-Type: text/calendar").want(http.StatusCreated)
	}
	s.ask("POST", choirPath, `<publish-calendar xmlns="http://calendarserver.org/ns/"/>`, xmlBody).want(http.StatusAccepted)
	link := strings.TrimSuffix(strings.TrimPrefix(s.prop(choirPath, davxml.CS("publish-url")).text(), "href("), ")")
	path := strings.TrimPrefix(link, s.url)
	if !strings.HasPrefix(link, s.url+"/ics/") || !strings.HasSuffix(link, ".ics") {
		t.Fatalf("the link is %q", link)
	}
	handler := New(Options{Homes: s.homes, Directory: func() *directory.Directory { return testDirectory() }})
	get := func(method, path string, headers ...string) *answer {
		t.Helper()
		req := httptest.NewRequest(method, path, nil)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		handler.Published(w, req)
		return &answer{t, w.Code, w.Header(), w.Body.String()}
	}
	a := get("GET", path).want(200)
	if !strings.Contains(a.body, "UID:1\r\n") || !strings.Contains(a.body, "UID:3\r\n") || strings.Contains(a.body, "Doctor") || strings.Contains(a.body, "elsewhere") || strings.Contains(a.body, "VALARM") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/calendar") {
		t.Errorf("published:\n%s", a.body)
	}
	get("GET", path, "If-None-Match: "+a.header.Get("ETag")).want(304)
	if head := get("HEAD", path).want(200); head.body != "" || head.header.Get("ETag") != a.header.Get("ETag") {
		t.Errorf("HEAD: %q", head.body)
	}
	for _, p := range []string{"/ics/", "/ics/x", "/ics/x.ics", "/ics/.ics", strings.TrimSuffix(path, ".ics") + ".vcf", path + "/", strings.TrimSuffix(path, ".ics")} {
		get("GET", p).want(404)
	}
	for _, method := range []string{"PUT", "DELETE", "PROPFIND", "POST"} {
		get(method, path).want(405)
	}
	if got := s.prop("/dav/alice@example.org/choir/", davxml.CS("publish-url"), "user: alice@example.org"); got.status != 200 {
		t.Errorf("%d", got.status)
	}
	s.ask("POST", choirPath, shareBody(setOne("mailto:bob@example.org", "<CS:read-write/>")), xmlBody).want(200)
	if got := s.prop(choirPath, davxml.CS("publish-url"), "user: bob@example.org"); got.status != 404 {
		t.Errorf("bob sees the secret: %q", got.text())
	}
	s.ask("POST", choirPath, `<unpublish-calendar xmlns="http://calendarserver.org/ns/"/>`, xmlBody).want(200)
	get("GET", path).want(404)
}

func aclBody(in string) string { return `<D:acl xmlns:D="DAV:">` + in + `</D:acl>` }

func ace(principal, privilege string) string {
	return `<D:ace><D:principal><D:href>/dav/principals/` + principal + `/</D:href></D:principal><D:grant><D:privilege><D:` + privilege + `/></D:privilege></D:grant></D:ace>`
}

func TestACLMethod(t *testing.T) {
	s := newSharing(t)
	aces := func() (out []string) {
		for _, e := range s.prop(choirPath, davxml.D("acl")).All(davxml.D("ace")) {
			who := strings.TrimPrefix(e.Child(davxml.D("principal")).Child(nHref).Text, "/dav/principals/")
			if e.Child(davxml.D("protected")) != nil {
				who += " protected"
			}
			for _, p := range e.Child(davxml.D("grant")).Children {
				if p.Child(davxml.D("write-content")) != nil {
					who += " writes"
				}
			}
			out = append(out, who)
		}
		return out
	}
	is := func(want ...string) {
		t.Helper()
		if got := aces(); !slices.Equal(got, want) {
			t.Errorf("aces %q, want %q", got, want)
		}
	}
	const owner = "alice@example.org/ protected writes"
	is(owner)
	s.ask("ACL", choirPath, aclBody(ace("bob@example.org", "write")+ace("dave@example.net", "read")+ace("alice@example.org", "all"))).want(200)
	is(owner, "bob@example.org/ writes", "dave@example.net/")
	s.ask("ACL", choirPath, aclBody(ace("dave@example.net", "all"))).want(200)
	is(owner, "dave@example.net/ writes")
	for _, c := range []struct {
		body string
		name davxml.Name
	}{
		{strings.Replace(aclBody(ace("bob@example.org", "read")), "D:grant", "D:deny", 2), davxml.D("grant-only")},
		{aclBody(`<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>`), davxml.D("allowed-principal")},
		{aclBody(ace("nobody@example.org", "read")), davxml.D("recognized-principal")},
		{aclBody(ace("bob@example.org", "fly")), davxml.D("not-supported-privilege")},
		{aclBody(ace("bob@example.org", "read-acl")), davxml.D("not-supported-privilege")},
		{aclBody(ace("bob@example.org", "read") + ace("nobody@example.org", "read")), davxml.D("recognized-principal")},
	} {
		s.ask("ACL", choirPath, c.body).condition(http.StatusForbidden, c.name)
	}
	is(owner, "dave@example.net/ writes")
	s.ask("ACL", choirPath, aclBody(""), "user: dave@example.net").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("ACL", "/dav/alice@example.org/office@example.org~calendar/", aclBody("")).condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("ACL", "/dav/office@example.org/calendar/", aclBody(ace("dave@example.net", "read"))).want(200)
	if got := s.hrefs("/dav/dave@example.net/", "user: dave@example.net"); !slices.Contains(got, "/dav/dave@example.net/office@example.org~calendar/") {
		t.Errorf("dave sees %q", got)
	}
}

func TestSubscribeFromClient(t *testing.T) {
	s := newSharing(t, "127.0.0.1:1")
	if dav := s.ask("OPTIONS", homePath, "").header.Get("DAV"); !strings.Contains(dav, "calendarserver-subscribed") {
		t.Errorf("DAV: %s", dav)
	}
	body := func(url string) string {
		return `<D:mkcol xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop><D:resourcetype><D:collection/><CS:subscribed/></D:resourcetype>` +
			`<D:displayname>Holidays</D:displayname><A:calendar-color>#123456FF</A:calendar-color><CS:source><D:href>` + url + `</D:href></CS:source></D:prop></D:set></D:mkcol>`
	}
	s.ask("MKCOL", homePath+"no/", body("https://elsewhere.example/x.ics"), xmlBody).want(http.StatusForbidden)
	s.ask("MKCOL", homePath+"holidays/", body("http://127.0.0.1:1/x.ics"), xmlBody).want(http.StatusCreated)
	path := homePath + "holidays/"
	for name, want := range map[davxml.Name]string{
		davxml.D("resourcetype"): "collection calendar", davxml.D("displayname"): "Holidays", davxml.CS("source"): "href(http://127.0.0.1:1/x.ics)", davxml.A("calendar-color"): "#123456FF",
	} {
		if got := s.prop(path, name).text(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s.ask("PUT", path+"1.ics", event("1"), "Content-Type: text/calendar").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("PROPPATCH", path, update(`<CS:source xmlns:CS="http://calendarserver.org/ns/"><D:href>http://127.0.0.1:1/y.ics</D:href></CS:source>`, "")).want(http.StatusMultiStatus)
	if got := s.prop(path, davxml.CS("source")).text(); got != "href(http://127.0.0.1:1/x.ics)" {
		t.Errorf("the source is %q", got)
	}
	s.ask("DELETE", path, "").want(http.StatusNoContent)
	s.ask("PROPFIND", path, "", "Depth: 0").want(http.StatusNotFound)
}

// TestMadeByTheServer: the book of the domain can be read and not changed.
func TestMadeByTheServer(t *testing.T) {
	s := newSharing(t)
	const path = "/dav/bob@example.org/~book/"
	got := s.hrefs(path, "user: bob@example.org")
	if len(got) != 5 { // it, three people, the office
		t.Errorf("the book has %q", got)
	}
	s.ask("GET", got[1], "", "user: bob@example.org").want(200)
	s.ask("DELETE", got[1], "", "user: bob@example.org").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("DELETE", path, "", "user: bob@example.org").want(http.StatusForbidden)
	s.ask("PUT", path+"x.vcf", card("1", "x"), "user: bob@example.org", "Content-Type: text/vcard").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("MKCALENDAR", homePath+"a~b/", "").want(http.StatusForbidden)
}
