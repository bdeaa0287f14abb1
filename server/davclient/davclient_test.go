package davclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answers is a server that answers each request with the text for its method and path, and
// notes what it was asked.
type answers struct {
	texts map[string]string // "METHOD path": "STATUS body", or "STATUS >location"
	asked []string
	fail  int // so many requests are answered with 503 first
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	name, password, _ := r.BasicAuth()
	switch {
	case name != "alice" || password != "secret":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case a.fail > 0:
		a.fail--
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	text, ok := a.texts[r.Method+" "+r.URL.Path]
	if !ok || r.Method == "REPORT" && !strings.Contains(string(body), "multiget") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var status int
	fmt.Sscan(text, &status)
	_, text, _ = strings.Cut(text, " ")
	if to, ok := strings.CutPrefix(text, ">"); ok {
		w.Header().Set("Location", to)
		text = ""
	}
	w.Header().Set("ETag", `"one"`)
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// multistatus is an answer of responses: an href, and the XML of its properties.
func multistatus(responses ...string) string {
	var b strings.Builder
	b.WriteString(`207 <d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:r="urn:ietf:params:xml:ns:carddav" xmlns:s="http://calendarserver.org/ns/">`)
	for i := 0; i < len(responses); i += 2 {
		fmt.Fprintf(&b, `<d:response><d:href>%s</d:href><d:propstat><d:prop>%s</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`, responses[i], responses[i+1])
	}
	return b.String() + `</d:multistatus>`
}

func client(t *testing.T, a *answers, path string) (*Client, *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	var waits []time.Duration
	c, err := New(Options{URL: s.URL + path, Login: "alice", Password: "secret", Wait: func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c, &waits
}

func names(list []Collection) string {
	var out []string
	for _, c := range list {
		name := c.Name
		if c.AddressBook {
			name += " book"
		}
		if c.Shared {
			name += " shared"
		}
		if c.ReadOnly {
			name += " read-only"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

const (
	calendar  = `<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>`
	book      = `<d:resourcetype><d:collection/><r:addressbook/></d:resourcetype>`
	principal = `<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>`
	calHome   = `<c:calendar-home-set><d:href>/cal/</d:href></c:calendar-home-set>`
	bookHome  = `<r:addressbook-home-set><d:href>/book/</d:href></r:addressbook-home-set>`
	readonly  = `<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>`
)

func TestDiscover(t *testing.T) {
	home := multistatus("/cal/", "", "/cal/a/", calendar+"<d:displayname> A </d:displayname>", "/cal/b%20c", calendar+readonly,
		"/cal/inbox/", `<d:resourcetype><d:collection/><c:calendar/><c:schedule-inbox/></d:resourcetype>`,
		"/cal/s/", `<d:resourcetype><d:collection/><c:calendar/><s:shared/></d:resourcetype>`)
	books := multistatus("/book/", "", "/book/p/", book)
	tests := []struct {
		name, path, want string
		texts            map[string]string
		missed           bool
	}{
		{"well-known", "/", "a, b c read-only, s shared, p book", map[string]string{
			"PROPFIND /.well-known/caldav": "301 >/dav/", "PROPFIND /.well-known/carddav": "308 >/dav/", "PROPFIND /dav/": multistatus("/dav/", principal),
			"PROPFIND /p/": multistatus("/p/", calHome+bookHome), "PROPFIND /cal/": home, "PROPFIND /book/": books,
		}, false},
		{"two services", "", "a, b c read-only, s shared, p book", map[string]string{
			"PROPFIND /.well-known/caldav": "301 >/x/", "PROPFIND /.well-known/carddav": "301 >/y/", "PROPFIND /x/": multistatus("/x/", calHome),
			"PROPFIND /y/": multistatus("/y/", bookHome), "PROPFIND /cal/": home, "PROPFIND /book/": books,
		}, false},
		{"collection", "/cal/a/", "a", map[string]string{"PROPFIND /cal/a/": multistatus("/cal/a/", calendar)}, false},
		{"home", "/cal/", "a, b c read-only, s shared", map[string]string{"PROPFIND /cal/": home}, false},
		{"contacts fail", "/", "a, b c read-only, s shared", map[string]string{
			"PROPFIND /.well-known/caldav": "301 >/cal/", "PROPFIND /.well-known/carddav": "301 >https://other.example/", "PROPFIND /cal/": home,
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := client(t, &answers{texts: test.texts}, test.path)
			list, missed, err := c.Discover(t.Context())
			if got := names(list); err != nil || got != test.want || (missed != nil) != test.missed {
				t.Errorf("%q, %v, %v", got, missed, err)
			}
			if len(list) > 0 && test.path == "/" && (list[0].DisplayName != "A" || list[1].URL.Path != "/cal/b c/") {
				t.Errorf("%+v", list)
			}
		})
	}
}

func TestDiscoverNothing(t *testing.T) {
	for name, texts := range map[string]map[string]string{
		"no server":  {},
		"no DAV":     {"PROPFIND /": "200 <html/>"},
		"elsewhere":  {"PROPFIND /": "302 >http://other.example/"},
		"in circles": {"PROPFIND /": "302 >/"},
		"empty":      {"PROPFIND /": multistatus("/", "")},
	} {
		c, _ := client(t, &answers{texts: texts}, "/")
		if list, _, err := c.Discover(t.Context()); err == nil {
			t.Errorf("%s: %v", name, list)
		}
	}
}

func TestObjects(t *testing.T) {
	const data = "BEGIN:VCALENDAR&#13;\nX\nEND:VCALENDAR"
	a := &answers{texts: map[string]string{
		"PROPFIND /cal/": multistatus("/cal/", calendar, "/cal/a%20b.ics", `<d:getetag>"1"</d:getetag>`, "/cal/c.ics", `<d:getetag>"2"</d:getetag>`, "/cal/sub/", calendar),
		"REPORT /cal/":   multistatus("/cal/a%20b.ics", `<d:getetag>"1b"</d:getetag><c:calendar-data>`+data+`</c:calendar-data>`),
		"GET /cal/c.ics": "200 C",
	}}
	c, _ := client(t, a, "/cal/")
	at, _ := url.Parse(c.base.String())
	from := Collection{URL: at}
	list, err := c.List(t.Context(), from)
	if err != nil || len(list) != 2 || list[0].Path != "/cal/a%20b.ics" || list[1].ETag != `"2"` {
		t.Fatalf("%v %+v", err, list)
	}
	got, err := c.Get(t.Context(), from, append(list, Object{Path: "/cal/gone.ics"}))
	if err != nil || string(got[0].Data) != "BEGIN:VCALENDAR\r\nX\nEND:VCALENDAR" || got[0].ETag != `"1b"` || string(got[1].Data) != "C" || got[2].Data != nil {
		t.Errorf("%v %q", err, got)
	}
	delete(a.texts, "REPORT /cal/")
	a.texts["GET /cal/a b.ics"] = "200 A"
	got, err = c.Get(t.Context(), from, list)
	if err != nil || string(got[0].Data) != "A" || got[0].ETag != `"one"` {
		t.Errorf("without multiget: %v %q", err, got)
	}
	a.texts["GET /cal/c.ics"] = "403 "
	got, err = c.Get(t.Context(), from, list)
	if err != nil || string(got[0].Data) != "A" || got[1].Err == nil || got[1].Data != nil {
		t.Errorf("with one refused: %v %q", err, got)
	}
}

func TestTriesAgain(t *testing.T) {
	a := &answers{fail: 3, texts: map[string]string{"PROPFIND /cal/": multistatus("/cal/", calendar)}}
	c, waits := client(t, a, "/cal/")
	if _, _, err := c.Discover(t.Context()); err != nil || len(*waits) != 3 || (*waits)[0] != 7*time.Second {
		t.Errorf("%v after %v", err, *waits)
	}
	a.fail = tries
	var status *StatusError
	if _, _, err := c.Discover(t.Context()); !errors.As(err, &status) || status.Status != http.StatusServiceUnavailable {
		t.Errorf("the error is %v", err)
	}
	c.opt.Password = "wrong"
	if _, _, err := c.Discover(t.Context()); !errors.Is(err, ErrLogin) {
		t.Errorf("the error is %v", err)
	}
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]string{
		"dav.example.org":             "",
		"https://dav.example.org/x":   "",
		"http://127.0.0.1:5232":       "",
		"http://dav.example.org/":     "https://",
		"https://a:b@dav.example.org": "leave it out",
		"ftp://dav.example.org":       "no URL",
		"https://":                    "no URL",
	} {
		_, err := New(Options{URL: in})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
	c, err := New(Options{URL: "https://caldav.example.org/"})
	if err != nil {
		t.Fatal(err)
	}
	for href, want := range map[string]bool{
		"/x": true, "https://p42.example.org/x": true, "http://caldav.example.org/x": false, "https://example.com/": false,
		"https://caldav.example.org:8443/": true, "mailto:x@example.org": false, "http://[": false,
	} {
		if _, err := c.resolve(c.base, href); (err == nil) != want {
			t.Errorf("%s: %v", href, err)
		}
	}
}
