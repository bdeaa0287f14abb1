package davd

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
	"facteur/server/retention"
)

// attaching is a server with attachments.
type attaching struct {
	*server
	files *files.Store
	full  error // what their Room says
}

func newAttaching(t testing.TB, change ...func(*Options)) *attaching {
	t.Helper()
	s := &attaching{}
	var own *homes.Homes
	s.server = newServer(t, func(o *Options) {
		for _, c := range change {
			c(o)
		}
		own = o.Homes
		s.files, o.Attachments = openAttachments(t, o, func(address.Address, int64) error { return s.full })
		o.Scheduling = openScheduling(t, o)
	})
	s.homes = own
	return s
}

func openAttachments(t testing.TB, o *Options, room func(address.Address, int64) error) (*files.Store, *attachments.Store) {
	t.Helper()
	dir := t.TempDir()
	kept, err := files.Open(files.Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"), Folder: attachments.Folder, MaxSize: attachments.MaxSize, Room: room,
		Bins: retention.New(retention.Options{
			Dir: filepath.Join(dir, "domains"), Keep: func(address.Address) (time.Duration, int64) { return 1 << 60, 0 },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	return kept, attachments.New(attachments.Options{Files: kept, Homes: o.Homes, Directory: o.Directory, Now: o.Now})
}

const (
	eventPath = calendarPath + "64.ics"
	asText    = "Content-Type: text/plain; charset=utf-8"
	wholeBack = "Prefer: return=representation"
)

// add attaches a file, and returns the id and the path of it.
func (s *attaching) add(path, name, body string, headers ...string) (id, at string) {
	s.t.Helper()
	a := s.ask("POST", path+"?action=attachment-add", body, append(headers, asText, "Content-Disposition: attachment;filename="+name)...).want(http.StatusCreated)
	id = a.header.Get("Cal-Managed-ID")
	_, at, ok := strings.Cut(a.header.Get("Location"), "/dav/")
	if id == "" || !ok {
		s.t.Fatalf("%v", a.header)
	}
	return id, "/dav/" + at
}

func (s *attaching) object(path string, headers ...string) string {
	s.t.Helper()
	return unfolded(s.ask("GET", path, "", headers...).want(http.StatusOK).body)
}

func unfolded(s string) string { return strings.ReplaceAll(s, "\r\n ", "") }

// stored are the ids that a home has.
func (s *attaching) stored(owner address.Address) (ids []string) {
	s.t.Helper()
	tree, err := s.files.Tree(owner)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := tree.List(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list {
		ids = append(ids, i.Name)
	}
	return ids
}

// TestManagedAttachment is RFC 8607 3.4 to 3.6 and 3.10, with the requests of its examples.
func TestManagedAttachment(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("20010712T182145Z-123401@example.com", "DTSTART:20120714T170000Z", "DTEND:20120715T040000Z", "SUMMARY:One-off Meeting", "X-OWN:kept")).want(http.StatusCreated)
	const page = "<html><script>alert(1)</script>Agenda</html>"
	a := s.ask("POST", eventPath+"?action=attachment-add", page, `Content-Type: text/html; charset="utf-8"`, "Content-Disposition:  attachment;filename=agenda.html", wholeBack).want(http.StatusCreated)
	id := a.header.Get("Cal-Managed-ID")
	line := regexp.MustCompile(`\r\nATTACH;MANAGED-ID=` + id + `;FMTTYPE=text/html;SIZE=44;FILENAME=agenda\.html:https://[^/]+(/dav/alice@example\.org/\.attachments/` + id + `/agenda\.html)\r\n`).FindStringSubmatch(unfolded(a.body))
	if id == "" || line == nil || a.header.Get("Content-Location") != eventPath || a.header.Get("Content-Type") != "text/calendar; charset=utf-8; component=vevent" {
		t.Fatalf("%v\n%s", a.header, a.body)
	}
	if got := s.ask("GET", eventPath, "").want(http.StatusOK); got.body != a.body || got.header.Get("ETag") != a.header.Get("ETag") || !strings.Contains(got.body, "X-OWN:kept\r\n") {
		t.Errorf("%s\nnot the representation %s", got.body, a.body)
	}
	got := s.ask("GET", line[1], "").want(http.StatusOK)
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Disposition": "attachment; filename*=UTF-8''agenda.html", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; sandbox", "Content-Length": "44",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %s", name, got.header.Get(name))
		}
	}
	if got.body != page {
		t.Errorf("%q", got.body)
	}
	s.ask("GET", line[1], "", "If-None-Match: "+got.header.Get("ETag")).want(http.StatusNotModified)
	s.ask("HEAD", line[1], "").want(http.StatusOK)
	for _, method := range []string{"PUT", "DELETE", "PROPPATCH", "MOVE"} { // RFC 8607 3.8, 3.9
		if a := s.ask(method, line[1], "").want(http.StatusMethodNotAllowed); a.header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: Allow %s", method, a.header.Get("Allow"))
		}
	}

	// RFC 8607 3.5: the one that is updated is another one.
	u := s.ask("POST", eventPath+"?action=attachment-update&managed-id="+id, "later", asText, "Content-Disposition: attachment;filename=agenda.txt", wholeBack).want(http.StatusOK)
	next := u.header.Get("Cal-Managed-ID")
	if next == "" || next == id || strings.Contains(u.body, id) || !strings.Contains(unfolded(u.body), "ATTACH;MANAGED-ID="+next+";FMTTYPE=text/plain;SIZE=5;FILENAME=agenda.txt:") {
		t.Fatalf("%v\n%s", u.header, u.body)
	}
	s.ask("GET", line[1], "").want(http.StatusNotFound)
	if a := s.ask("POST", eventPath+"?action=attachment-update&managed-id="+next, "last", asText).want(http.StatusNoContent); a.header.Get("Cal-Managed-ID") == "" || a.body != "" {
		t.Errorf("%v", a.header)
	} else if next = a.header.Get("Cal-Managed-ID"); !strings.Contains(s.object(eventPath), "ATTACH;MANAGED-ID="+next+";FMTTYPE=text/plain;SIZE=4;FILENAME=agenda.txt:") { // its name stays
		t.Error(s.object(eventPath))
	} else {
		next = a.header.Get("Cal-Managed-ID")
	}

	// RFC 8607 3.6
	d := s.ask("POST", eventPath+"?action=attachment-remove&managed-id="+next, "", wholeBack).want(http.StatusOK)
	if strings.Contains(d.body, "ATTACH") || d.header.Get("Cal-Managed-ID") != "" {
		t.Errorf("%s", d.body)
	}
	if left := s.stored(alice); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	id, _ = s.add(eventPath, "a.txt", "a")
	s.ask("POST", eventPath+"?action=attachment-remove&managed-id="+id, "").want(http.StatusNoContent)
}

// TestManagedAnnounced is RFC 8607 3.2 and 6; nothing of it is there without a store.
func TestManagedAnnounced(t *testing.T) {
	s := newAttaching(t)
	if dav := s.ask("OPTIONS", homePath, "").want(http.StatusOK).header.Get("DAV"); !strings.Contains(dav, ", calendar-managed-attachments,") || strings.Contains(dav, "no-recurrence") {
		t.Errorf("DAV: %s", dav)
	}
	if p := s.prop(homePath, davxml.C("managed-attachments-server-URL")); p.status != http.StatusOK || p.text() != "" {
		t.Errorf("%d %s", p.status, p.text())
	}
	for name, want := range map[string]string{"max-attachment-size": "10485760", "max-attachments-per-resource": "20"} {
		if p := s.prop(calendarPath, davxml.C(name)); p.text() != want {
			t.Errorf("%s: %s", name, p.text())
		}
	}
	none := newServer(t)
	none.keep("calendar", map[string]string{"64.ics": event("1")})
	if dav := none.ask("OPTIONS", homePath, "").header.Get("DAV"); strings.Contains(dav, "managed") {
		t.Errorf("DAV: %s", dav)
	}
	none.ask("POST", eventPath+"?action=attachment-add", "x").want(http.StatusMethodNotAllowed)
	none.ask("GET", homePath+".attachments/aaaaaaaaaaaaaaaaaaaaaaaaaa/x", "").want(http.StatusNotFound)
}

// TestManagedRefused is RFC 8607 3.11, and what nobody should send.
func TestManagedRefused(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	s.ask("PUT", calendarPath+"65.ics", event("2")).want(http.StatusCreated)
	id, at := s.add(eventPath, "a.txt", "a")
	other, _ := s.add(calendarPath+"65.ics", "b.txt", "b")
	big := strings.Repeat("x", attachments.MaxSize+1)
	for name, c := range map[string]struct {
		query, body string
		headers     []string
		want        davxml.Name
	}{
		"no action":            {query: "", want: davxml.C("valid-action")},
		"an unknown action":    {query: "action=attachment-eat", want: davxml.C("valid-action")},
		"two actions":          {query: "action=attachment-add&action=attachment-remove", want: davxml.C("valid-action")},
		"a broken query":       {query: "action=attachment-add;%zz", want: davxml.C("valid-action")},
		"an id for an add":     {query: "action=attachment-add&managed-id=" + id, want: davxml.C("valid-managed-id")},
		"an update of none":    {query: "action=attachment-update", want: davxml.C("valid-managed-id")},
		"a removal of none":    {query: "action=attachment-remove", want: davxml.C("valid-managed-id")},
		"a made-up id":         {query: "action=attachment-remove&managed-id=aaaaaaaaaaaaaaaaaaaaaaaaaa", want: davxml.C("valid-managed-id")},
		"that of another":      {query: "action=attachment-remove&managed-id=" + other, want: davxml.C("valid-managed-id")},
		"a path":               {query: "action=attachment-update&managed-id=../../" + id, want: davxml.C("valid-managed-id")},
		"two ids":              {query: "action=attachment-remove&managed-id=" + id + "&managed-id=" + other, want: davxml.C("valid-managed-id")},
		"instances of update":  {query: "action=attachment-update&rid=M&managed-id=" + id, want: davxml.C("valid-rid")},
		"an instance of none":  {query: "action=attachment-add&rid=20200101T000000Z", want: davxml.C("valid-rid")},
		"no instance":          {query: "action=attachment-add&rid=", want: davxml.C("valid-rid")},
		"a word for instances": {query: "action=attachment-remove&rid=all&managed-id=" + id, want: davxml.C("valid-rid")},
		"very many instances":  {query: "action=attachment-add&rid=" + strings.Repeat("M,", 500) + "M", want: davxml.C("valid-rid")},
		"too large":            {query: "action=attachment-add", body: big, want: davxml.C("max-attachment-size")},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.ask("POST", eventPath+"?"+c.query, c.body, c.headers...)
			a.t = t
			a.condition(http.StatusForbidden, c.want)
		})
	}
	s.ask("POST", eventPath+"?action=attachment-add", "x", "Content-Encoding: gzip").want(http.StatusUnsupportedMediaType)
	s.ask("POST", eventPath+"?action=attachment-add", "x", "Content-Range: bytes 0-0/2").want(http.StatusBadRequest)
	s.ask("POST", eventPath+"?action=attachment-add", "x", `If-Match: "other"`).want(http.StatusPreconditionFailed)
	s.ask("POST", calendarPath+"none.ics?action=attachment-add", "x").want(http.StatusNotFound)
	s.ask("POST", contactsPath+"?action=attachment-add", "x").want(http.StatusUnsupportedMediaType)
	s.ask("POST", eventPath+"?action=attachment-add", "x", asText, "user: dave@example.net").want(http.StatusNotFound)
	for _, path := range []string{"", id, id + "/a.txt/x", "../calendar/64.ics", "%2e%2e/x", strings.ToUpper(id) + "/a.txt", id[:25] + "%00/a.txt"} {
		if a := s.ask("GET", homePath+".attachments/"+path, ""); a.status != http.StatusNotFound && a.status != http.StatusBadRequest && path != id {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	s.ask("GET", at, "", "user: dave@example.net").want(http.StatusNotFound)
	s.ask("PUT", at, "x", "user: dave@example.net").want(http.StatusNotFound)

	// Nothing of what was refused is kept.
	if left := s.stored(alice); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	for range attachments.MaxPerObject - 1 {
		s.add(eventPath, "more.txt", "more")
	}
	s.ask("POST", eventPath+"?action=attachment-add", "x", asText).condition(http.StatusForbidden, davxml.C("max-attachments-per-resource"))
	s.full = fault.New(fault.OverQuota, "")
	s.ask("POST", calendarPath+"65.ics?action=attachment-add", "x", asText).condition(http.StatusInsufficientStorage, davxml.D("quota-not-exceeded"))
}

// TestManagedNames: what a client calls a file is no path and tells a browser nothing.
func TestManagedNames(t *testing.T) {
	s := newAttaching(t)
	s.ask("PUT", eventPath, event("1")).want(http.StatusCreated)
	for given, want := range map[string]string{
		`attachment;filename="../../etc/passwd"`:                     "passwd",
		`attachment;filename="C:\\Users\\x\\plan.pdf"`:               "plan.pdf",
		`attachment;filename=".hidden"`:                              "hidden",
		`attachment;filename*=UTF-8''%C3%A9t%C3%A9%20a.txt`:          "été a.txt",
		`attachment;filename*=UTF-8''a%0D%0AX-Evil%3A%201`:           "aX-Evil 1",
		`attachment;filename*=UTF-8''photo%E2%80%AEgnp.exe`:          "photognp.exe",
		`attachment;filename="` + strings.Repeat("x", 5000):          "attachment",
		`attachment;filename="` + strings.Repeat("y", 999) + `.pdf"`: strings.Repeat("y", 176) + ".pdf",
		"": "attachment", "attachment": "attachment", "filename=only.txt": "only.txt",
	} {
		a := s.ask("POST", eventPath+"?action=attachment-add", "x", "Content-Type: "+strings.Repeat("a", 300)+"/b", "Content-Disposition: "+given, wholeBack).want(http.StatusCreated)
		id := a.header.Get("Cal-Managed-ID")
		if !strings.Contains(unfolded(a.body), "MANAGED-ID="+id+";SIZE=1;FILENAME="+want+":https:") && !strings.Contains(unfolded(a.body), "MANAGED-ID="+id+`;SIZE=1;FILENAME="`+want+`":https:`) {
			t.Errorf("%s: want %s in %s", given, want, unfolded(a.body))
		}
		_, at, _ := strings.Cut(a.header.Get("Location"), "/dav/")
		if got := s.ask("GET", "/dav/"+at, "").want(http.StatusOK); got.header.Get("Content-Type") != "application/octet-stream" || got.header.Get("X-Evil") != "" {
			t.Errorf("%v", got.header)
		}
		s.ask("POST", eventPath+"?action=attachment-remove&managed-id="+id, "").want(http.StatusNoContent)
	}
}
