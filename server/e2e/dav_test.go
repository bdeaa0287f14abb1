package e2e

import (
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// request is what the verb dav sends, and how.
type request struct {
	method, path             string
	service, as, depth, file string
	props                    string // of a PROPFIND without a file
	out                      string // where the body goes
	status                   int
	raw                      bool
	fields                   []string
}

const davUsage = `usage: [!] dav METHOD PATH [-as USER[:PASSWORD]] [-depth N] [-h 'NAME: VALUE']... [-d FILE] [-prop NAME,...] [-service S] [-status N] [-raw] [-o FILE]`

// dav sends one request and prints the answer: the status, some of its fields, an empty
// line, and the body in a form that a case can match line by line. "! dav" wants a status
// of 400 or more.
func (w *world) dav(neg bool, args []string) {
	q, err := parseRequest(args)
	if err != nil {
		w.ts.Fatalf("%v\n%s", err, davUsage)
	}
	resp, body := w.ask(q)
	fmt.Fprintf(w.ts.Stdout(), "%d %s\n", resp.StatusCode, http.StatusText(resp.StatusCode))
	for _, name := range shownFields {
		for _, value := range resp.Header.Values(name) {
			fmt.Fprintf(w.ts.Stdout(), "%s: %s\n", name, value)
		}
	}
	if q.out != "" {
		w.ts.Check(os.WriteFile(w.ts.MkAbs(q.out), body, 0o600))
	}
	fmt.Fprintf(w.ts.Stdout(), "\n%s", w.legible(q, resp, body))
	switch {
	case q.status != 0 && resp.StatusCode != q.status:
		w.ts.Fatalf("the status is %d, and not %d", resp.StatusCode, q.status)
	case neg != (resp.StatusCode >= 400):
		w.ts.Fatalf("the status is %d", resp.StatusCode)
	}
}

// shownFields are the fields of an answer that are printed, as cases name them.
var shownFields = []string{
	"Allow", "CalDAV-Timezones", "Content-Disposition", "Content-Range", "Content-Type", "DAV", "ETag", "Location", "Lock-Token",
	"Cal-Managed-ID", "Preference-Applied", "Retry-After", "Schedule-Tag", "WWW-Authenticate",
}

func parseRequest(args []string) (q request, err error) {
	if len(args) < 2 {
		return q, fmt.Errorf("METHOD and PATH are missing")
	}
	q.method, q.path = args[0], args[1]
	f := flag.NewFlagSet("dav", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&q.as, "as", "", "")
	f.StringVar(&q.depth, "depth", "", "")
	f.StringVar(&q.file, "d", "", "")
	f.StringVar(&q.props, "prop", "", "")
	f.StringVar(&q.out, "o", "", "")
	f.StringVar(&q.service, "service", "https", "")
	f.IntVar(&q.status, "status", 0, "")
	f.BoolVar(&q.raw, "raw", false, "")
	f.Func("h", "", func(v string) error { q.fields = append(q.fields, v); return nil })
	if err := f.Parse(args[2:]); err != nil {
		return q, err
	}
	if f.NArg() > 0 {
		return q, fmt.Errorf("%q is too much", f.Arg(0))
	}
	return q, nil
}

// ask sends a request over the connections of the case, and reads the answer.
func (w *world) ask(q request) (*http.Response, []byte) {
	address := w.ts.Getenv(strings.ToUpper(q.service))
	if address == "" {
		w.ts.Fatalf("there is no service %s", q.service)
	}
	target, err := url.Parse(q.service + "://" + address + q.path)
	w.ts.Check(err)
	req := &http.Request{Method: q.method, URL: target, Host: address, Header: make(http.Header)}
	data, kind := w.davBody(q)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if data != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	}
	if q.depth != "" {
		req.Header.Set("Depth", q.depth)
	}
	if q.as != "" {
		req.SetBasicAuth(davLogin(q.as))
	}
	for _, field := range q.fields {
		name, value, _ := strings.Cut(field, ":")
		value = strings.TrimSpace(value)
		if strings.EqualFold(name, "Host") {
			req.Host = value
		} else if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
	}
	if w.web == nil {
		w.web = newWebClient()
	}
	resp, err := w.web.Do(req)
	w.ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.ts.Check(err)
	return resp, body
}

// newWebClient returns a client that takes any certificate and follows nothing.
func newWebClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
			DisableCompression: true, MaxIdleConnsPerHost: 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Minute, // the case ends sooner
	}
}

// davLogin splits USER:PASSWORD. A user without a domain is of example.org, and the
// password that is left out is "demo".
func davLogin(as string) (name, password string) {
	name, password, ok := strings.Cut(as, ":")
	if !ok {
		password = "demo"
	}
	if !strings.Contains(name, "@") && !strings.HasPrefix(name, "example") {
		name += "@example.org"
	}
	return name, password
}

// davBody is what a request sends. Lines of calendars and cards end with CRLF.
func (w *world) davBody(q request) (data []byte, kind string) {
	if q.file == "" {
		if q.props == "" {
			return nil, ""
		}
		return []byte(propfindOf(q.props)), `application/xml; charset="utf-8"`
	}
	text := w.ts.ReadFile(q.file)
	if !bytes.ContainsRune([]byte(text), 0) {
		text = w.expandText(text)
	}
	switch start := strings.ToUpper(strings.TrimSpace(text)); {
	case strings.HasPrefix(start, "BEGIN:VCALENDAR"):
		return []byte(crlf(text)), "text/calendar; charset=utf-8"
	case strings.HasPrefix(start, "BEGIN:VCARD"):
		return []byte(crlf(text)), "text/vcard; charset=utf-8"
	case strings.HasPrefix(start, "<"):
		return []byte(text), `application/xml; charset="utf-8"`
	}
	return []byte(text), "text/plain; charset=utf-8"
}

// propfindOf is the body of a PROPFIND for properties: "D:getetag,C:calendar-data"; "allprop"
// and "propname" are what they say.
func propfindOf(names string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><D:propfind`)
	for uri, prefix := range prefixes {
		fmt.Fprintf(&b, " xmlns:%s=%q", prefix, uri)
	}
	if names == "allprop" || names == "propname" {
		fmt.Fprintf(&b, "><D:%s/></D:propfind>", names)
		return b.String()
	}
	b.WriteString("><D:prop>")
	for name := range strings.SplitSeq(names, ",") {
		fmt.Fprintf(&b, "<%s/>", name)
	}
	b.WriteString("</D:prop></D:propfind>")
	return b.String()
}

// legible is the body of an answer as it is printed.
func (w *world) legible(q request, resp *http.Response, body []byte) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if !q.raw && (kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml")) && len(body) > 0 {
		root, err := readXML(bytes.NewReader(body))
		if err != nil {
			w.ts.Fatalf("the body is no XML: %v\n%s", err, body)
		}
		return root.legible()
	}
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func TestLegibleXML(t *testing.T) {
	const text = `<?xml version="1.0"?>
<x:multistatus xmlns:x="DAV:" xmlns="urn:ietf:params:xml:ns:caldav">
 <x:response><x:href>/a%20b/</x:href>
  <x:propstat><x:prop><x:resourcetype><x:collection/><calendar/></x:resourcetype><x:displayname>A
 &amp; B</x:displayname></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
  <x:propstat><x:prop><x:getetag/><y:odd xmlns:y="urn:y" y:n="1" m="2">z</y:odd></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>
 </x:response>
 <x:response><x:href>/gone</x:href><x:status>HTTP/1.1 404 Not Found</x:status><x:error><x:lock-token-submitted/></x:error></x:response>
 <x:sync-token>urn:1</x:sync-token>
</x:multistatus>`
	const want = `/a%20b/ 200 D:resourcetype <D:collection/><C:calendar/>
/a%20b/ 200 D:displayname A\n & B
/a%20b/ 404 D:getetag
/a%20b/ 404 {urn:y}odd z
/gone 404 <D:error><D:lock-token-submitted/></D:error>
sync-token urn:1
`
	root, err := readXML(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := root.legible(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	root, err = readXML(strings.NewReader(`<error xmlns="DAV:"><need-privileges><resource a="b"><href>/x</href></resource></need-privileges></error>`))
	if err != nil {
		t.Fatal(err)
	}
	const tree = `<D:error>
  <D:need-privileges>
    <D:resource a="b">
      <D:href>/x</D:href>
    </D:resource>
  </D:need-privileges>
</D:error>
`
	if got := root.legible(); got != tree {
		t.Errorf("got\n%swant\n%s", got, tree)
	}
}
