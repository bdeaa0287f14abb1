package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oldServer is a CalDAV server with one calendar at /cal/, which takes the login no more
// when so many objects were fetched.
type oldServer struct {
	objects, fetched, until int
}

func (s *oldServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if s.fetched >= s.until {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusMultiStatus)
	fmt.Fprint(w, `<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">`)
	respond := func(href, props string) {
		fmt.Fprintf(w, `<d:response><d:href>%s</d:href><d:propstat><d:prop>%s</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`, href, props)
	}
	if r.Method == "PROPFIND" {
		respond("/cal/", `<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>`)
	}
	for i := range s.objects {
		href := fmt.Sprintf("/cal/%d.ics", i)
		switch {
		case r.Method == "REPORT" && strings.Contains(string(body), ">"+href+"<"):
			s.fetched++
			respond(href, fmt.Sprintf("<d:getetag>\"1\"</d:getetag><c:calendar-data>BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:PUBLISH\nBEGIN:VEVENT\nUID:u%d\nDTSTART:20260101T100000Z\nEND:VEVENT\nEND:VCALENDAR\n</c:calendar-data>", i))
		case r.Method == "PROPFIND" && r.Header.Get("Depth") == "1":
			respond(href, `<d:getetag>"1"</d:getetag>`)
		}
	}
	fmt.Fprint(w, `</d:multistatus>`)
}

// importInto runs an import into alice's account, without a server.
func importInto(t *testing.T, dir string, o ImportOptions) (string, error) {
	t.Helper()
	var out strings.Builder
	o.Config, o.Account = filepath.Join(dir, "mail.toml"), "alice@example.org"
	in, err := os.Open(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	err = Import(t.Context(), in, &out, o)
	return out.String(), err
}

func importDir(t *testing.T, account string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"mail.toml": "hostname = \"mail.example.org\"\npostmaster = \"alice@example.org\"\n[listen]\nlmtp = \"127.0.0.1:0\"\n[domains.\"example.org\"]\n[accounts.\"alice@example.org\"]\n" +
			"password = \"$2b$04$abcdefghijklmnopqrstuukpT6/rAWFFcbBfEblfGqmNEecvFUNVy\"\n" + account,
		"password": "secret\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPullGoesOn has a pull stop half way: the next one fetches the rest only.
func TestPullGoesOn(t *testing.T) {
	old := &oldServer{objects: 330, until: 210}
	web := httptest.NewServer(old)
	defer web.Close()
	dir := importDir(t, "")
	from := ImportOptions{From: web.URL + "/cal/", Login: "zoe"}

	out, err := importInto(t, dir, from)
	if err == nil || !strings.Contains(err.Error(), "does not take this login") || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("the error is %v", err)
	}
	if out != "alice@example.org: 250 new in cal\n" {
		t.Errorf("first: %q", out)
	}
	old.fetched, old.until = 0, 1000
	if out, err = importInto(t, dir, from); err != nil || out != "alice@example.org: 80 new in cal, 250 there already\n" {
		t.Errorf("second: %q, %v", out, err)
	}
	if old.fetched != 80 {
		t.Errorf("%d objects were fetched, and not 80", old.fetched)
	}

	// What is noted is a cache: without it all is fetched, and nothing doubled.
	notes, err := filepath.Glob(filepath.Join(dir, "data/domains/example.org/alice/index/pulled.*"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("%v, %v", notes, err)
	}
	if err := os.WriteFile(notes[0], []byte("{\"remote\":\"/cal/0.ics\",\"tag\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err = importInto(t, dir, from); err != nil || out != "alice@example.org: 330 there already\n" {
		t.Errorf("third: %q, %v", out, err)
	}
}

// TestPullOthers has another server that can't list one of its calendars, as Radicale does when one
// object in it is broken: the others are pulled, and that one is told.
func TestPullOthers(t *testing.T) {
	old := &oldServer{objects: 3, until: 1000}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/</d:href></d:response>`)
			for _, name := range []string{"bad", "cal"} {
				fmt.Fprintf(w, `<d:response><d:href>/%s/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/><c:calendar/></d:resourcetype></d:prop>`+
					`<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`, name)
			}
			fmt.Fprint(w, `</d:multistatus>`)
		case r.URL.Path == "/cal/":
			old.ServeHTTP(w, r)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer web.Close()
	out, err := importInto(t, importDir(t, ""), ImportOptions{From: web.URL, Login: "zoe"})
	if err == nil || err.Error() != "1 problem: see above" {
		t.Errorf("the error is %v", err)
	}
	if !strings.Contains(out, web.URL+"/bad/: not all of bad can be read there, the answer to PROPFIND was 403 Forbidden\n") || !strings.Contains(out, "3 new in cal\n") {
		t.Errorf("it says %q", out)
	}
}

// TestImportWithoutRoom has an import stop where the quota ends, and go on when there is room.
func TestImportWithoutRoom(t *testing.T) {
	dir := importDir(t, "quota = \"20 KiB\"\n")
	var events strings.Builder
	events.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for i := range 300 {
		fmt.Fprintf(&events, "BEGIN:VEVENT\nUID:u%d\nDTSTART:20260101T100000Z\nDESCRIPTION:%s\nEND:VEVENT\n", i, strings.Repeat("x", 100))
	}
	events.WriteString("END:VCALENDAR\n")
	file := filepath.Join(dir, "events.ics")
	if err := os.WriteFile(file, []byte(events.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := importInto(t, dir, ImportOptions{Files: []string{file}})
	if err == nil || !strings.Contains(err.Error(), "quota would be exceeded") || !strings.Contains(err.Error(), "events.ics:3") {
		t.Fatalf("the error is %v", err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "mail.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mail.toml"), []byte(strings.Replace(string(config), "20 KiB", "20 MiB", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := importInto(t, dir, ImportOptions{Files: []string{file}})
	if err != nil || !strings.Contains(out, " new in calendar, ") || !strings.Contains(out, " there already") {
		t.Errorf("with room: %q, %v", out, err)
	}
}
