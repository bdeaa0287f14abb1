package davd

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/directory"
	"facteur/server/homes"
	"facteur/server/testkit"
)

// The people of the tests: alice and bob, and the shared mailbox office, which alice owns,
// bob is a member of and carol reads.
var (
	alice  = address.MustParse("alice@example.org")
	bob    = address.MustParse("bob@example.org")
	carol  = address.MustParse("carol@example.org")
	office = address.MustParse("office@example.org")
	dave   = address.MustParse("dave@example.net")
)

func testDirectory() *directory.Directory {
	target := func(a address.Address) []directory.Target { return []directory.Target{{Address: a}} }
	return directory.New(directory.Options{
		Hostname: "mail.example.org",
		Domains:  []directory.Domain{{Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com"}}, {Key: "example.net", Name: "example.net"}},
		Accounts: []directory.Account{
			{Key: "alice@example.org", Address: alice, Name: "Alice Dupont"}, {Key: "bob@example.org", Address: bob},
			{Key: "carol@example.org", Address: carol}, {Key: "dave@example.net", Address: dave},
			{Key: "room@example.net", Address: address.MustParse("room@example.net"), Room: true},
		},
		Aliases: []directory.Alias{{Key: "al@example.org", Address: address.MustParse("al@example.org"), To: target(alice)}},
		Shared: []directory.Shared{{Key: "office@example.org", Address: office, Name: "The office",
			Owners: target(alice), Members: target(bob), Readers: target(carol)}},
	})
}

// server is a Handler over real collections, behind HTTP.
type server struct {
	t     testing.TB
	store *collection.Store
	homes *homes.Homes
	url   string
	// handler is what answers, for tests that put something into its tables.
	handler *Handler
	// client keeps a connection for each of many goroutines.
	client *http.Client
	room   error // what Options.Room of the store says
	log    *testkit.Log
}

func newServer(t testing.TB, change ...func(*Options)) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, log: new(testkit.Log)}
	var err error
	s.store, err = collection.Open(collection.Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), Index: homes.Index, IndexVersion: homes.IndexVersion,
		Room:     func(address.Address, int64) error { return s.room },
		Defaults: homes.Defaults(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	derived, err := collection.Open(collection.Options{
		Dir: filepath.Join(dir, "derived"), Tmp: filepath.Join(dir, "tmp"), Index: homes.DerivedIndex, IndexVersion: homes.DerivedIndexVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { derived.Close() })
	d := testDirectory()
	current := func() *directory.Directory { return d }
	s.homes = homes.New(homes.Options{Store: s.store, Derived: derived, Directory: current})
	bodies, err := buffer.NewPool(buffer.Options{Dir: filepath.Join(dir, "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Homes: s.homes, Bodies: bodies, Directory: current, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		Now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }}
	for _, c := range change {
		c(&o)
	}
	h := New(o)
	s.handler = h
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := auth.Credential{Account: alice}
		if name, _, ok := r.BasicAuth(); ok {
			who.Account = address.MustParse(name)
		}
		h.Serve(w, r, who)
	}))
	web.Config.DisableGeneralOptionsHandler = true // as httpd does
	web.Start()
	t.Cleanup(web.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	s.url, s.client = web.URL, &http.Client{Transport: transport}
	return s
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// ask sends a request; each header is "Name: value", and "user: ADDRESS" is who asks.
func (s *server) ask(method, path, body string, headers ...string) *answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+"/", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.URL.Opaque = path
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "user" {
			req.SetBasicAuth(value, "x")
		} else {
			req.Header.Add(name, value)
		}
	}
	res, err := s.client.Transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{t: s.t, status: res.StatusCode, header: res.Header, body: string(b)}
}

// want fails unless the answer has a status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d\n%s", a.status, status, a.body)
	}
	return a
}

// condition fails unless the answer is an error with a condition.
func (a *answer) condition(status int, name davxml.Name) *answer {
	a.t.Helper()
	a.want(status)
	if e := a.xml(); e.Name != davxml.D("error") || e.Child(name) == nil {
		a.t.Fatalf("no %s in\n%s", name, a.body)
	}
	return a
}

func (a *answer) xml() *davxml.Element {
	a.t.Helper()
	e, err := davxml.Parse(strings.NewReader(a.body), davxml.Limits{Octets: 64 << 20, Elements: 1 << 20})
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.body)
	}
	return e
}

// found is a property in an answer.
type found struct {
	status int
	*davxml.Element
}

// text is a short form of a value: its text, or what is in it, nested in parentheses.
func (f found) text() string {
	if f.Element == nil {
		return ""
	}
	return short(f.Element)
}

func short(e *davxml.Element) string {
	if len(e.Children) == 0 {
		return e.Text
	}
	var parts []string
	for _, c := range e.Children {
		if in := short(c); in != "" {
			parts = append(parts, c.Name.Local+"("+in+")")
		} else if name := c.Attr("name"); name != "" {
			parts = append(parts, c.Name.Local+"="+name)
		} else {
			parts = append(parts, c.Name.Local)
		}
	}
	return strings.Join(parts, " ")
}

// responses reads a multistatus: the properties by href and name.
func (a *answer) responses() (byHref map[string]map[davxml.Name]found, order []string) {
	a.t.Helper()
	a.want(http.StatusMultiStatus)
	byHref = make(map[string]map[davxml.Name]found)
	for _, r := range a.xml().All(nResponse) {
		href := r.Child(nHref).Text
		props := make(map[davxml.Name]found)
		for _, stat := range r.All(nPropstat) {
			code, err := strconv.Atoi(strings.Fields(stat.Child(nStatus).Text)[1])
			if err != nil {
				a.t.Fatal(err)
			}
			for _, p := range stat.Child(nProp).Children {
				props[p.Name] = found{code, p}
			}
		}
		if byHref[href] != nil {
			a.t.Errorf("%s is there twice", href)
		}
		byHref[href] = props
		order = append(order, href)
	}
	return byHref, order
}

// prop asks for one property of one node.
func (s *server) prop(path string, name davxml.Name, headers ...string) found {
	s.t.Helper()
	a := s.ask("PROPFIND", path, propfindOf(name), append(headers, "Depth: 0")...)
	all, order := a.responses()
	if len(order) != 1 {
		s.t.Fatalf("%d responses\n%s", len(order), a.body)
	}
	return all[order[0]][name]
}

func propfindOf(names ...davxml.Name) string {
	var b strings.Builder
	w := davxml.NewWriter(&b)
	w.Begin(davxml.D("propfind"))
	w.Begin(davxml.D("prop"))
	for _, n := range names {
		w.Empty(n)
	}
	w.End()
	w.End()
	w.Flush()
	return b.String()
}

// event returns an event; lines come after its UID.
func event(uid string, lines ...string) string {
	if len(lines) == 0 {
		lines = []string{"DTSTART:20260510T080000Z", "DTEND:20260510T090000Z", "SUMMARY:Meeting"}
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\n" +
		strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func card(uid, name string) string {
	return fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:;;;;\r\nEND:VCARD\r\n", uid, name)
}

const (
	calendarPath = "/dav/alice@example.org/calendar/"
	tasksPath    = "/dav/alice@example.org/tasks/"
	contactsPath = "/dav/alice@example.org/contacts/"
	homePath     = "/dav/alice@example.org/"
)

// keep puts objects straight into a collection of alice's.
func (s *server) keep(name string, objects map[string]string) {
	s.t.Helper()
	h, err := s.homes.Open(alice, alice)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := h.Open(name)
	if err != nil {
		s.t.Fatal(err)
	}
	for href, data := range objects {
		if _, _, err := c.Put(href, []byte(data), collection.Condition{}); err != nil {
			s.t.Fatal(err)
		}
	}
}
