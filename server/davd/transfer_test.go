package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
)

// tree returns the hrefs below files/, as PROPFIND with Depth infinity tells them.
func (s *server) tree() string {
	s.t.Helper()
	_, order := s.ask("PROPFIND", filesPath, propfindOf(davxml.D("resourcetype")), "Depth: infinity").responses()
	for i := range order {
		order[i] = strings.TrimPrefix(order[i], filesPath)
	}
	return strings.Join(order[1:], " ")
}

func TestPlainFiles(t *testing.T) {
	s := newPlainServer(t)
	if s.tree() != "" {
		t.Errorf("a new home has %q", s.tree())
	}
	tag := s.ask("PUT", filesPath+"a%20%C3%A9.txt", "one").want(http.StatusCreated).header.Get("ETag")
	if got := s.ask("GET", filesPath+"a%20%C3%A9.txt", "", "If-None-Match: \"other\"").want(http.StatusOK); got.body != "one" || got.header.Get("ETag") != tag || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q %v", got.body, got.header)
	}
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", "a%20%C3%A9.txt", []string{"If-None-Match: " + tag}, http.StatusNotModified},
		{"GET", "a%20%C3%A9.txt", []string{"Range: bytes=1-1"}, http.StatusPartialContent},
		{"HEAD", "a%20%C3%A9.txt", nil, http.StatusOK},
		{"PUT", "a%20%C3%A9.txt", []string{"If-None-Match: *"}, http.StatusPreconditionFailed},
		{"PUT", "a%20%C3%A9.txt", []string{`If-Match: "other"`}, http.StatusPreconditionFailed},
		{"PUT", "a%20%C3%A9.txt", []string{"Content-Range: bytes 0-1/2"}, http.StatusBadRequest},
		{"PUT", "b", []string{"If-Match: *"}, http.StatusPreconditionFailed},
		{"PUT", "no/b", nil, http.StatusConflict},
		{"PUT", "a%20%C3%A9.txt/b", nil, http.StatusConflict},
		{"GET", "no/b", nil, http.StatusNotFound},
		{"GET", "no", nil, http.StatusNotFound},
		{"DELETE", "no", nil, http.StatusNotFound},
		{"MKCOL", "d/", nil, http.StatusCreated},
		{"MKCOL", "d/", nil, http.StatusMethodNotAllowed},
		{"MKCOL", "no/d/", nil, http.StatusConflict},
		{"MKCOL", "a%20%C3%A9.txt", nil, http.StatusMethodNotAllowed},
		{"PUT", "d", nil, http.StatusMethodNotAllowed},
		{"GET", "d/", nil, http.StatusOK},
		{"PUT", "d/%2e%2e", nil, http.StatusBadRequest},
		{"PUT", "d/..%2fx", nil, http.StatusCreated},
		{"DELETE", "d/", []string{"Depth: 0"}, http.StatusBadRequest},
		{"DELETE", "", nil, http.StatusForbidden},
		{"MKCALENDAR", "cal/", nil, http.StatusForbidden},
		{"REPORT", "d/", nil, http.StatusBadRequest},
	} {
		if got := s.ask(c.method, filesPath+c.path, "", c.headers...); got.status != c.status && (c.method != "REPORT" && c.method != "MKCALENDAR" || got.status < 400 || got.status >= 500) {
			t.Errorf("%s %s %v: %d, want %d\n%s", c.method, c.path, c.headers, got.status, c.status, got.body)
		}
	}
	if got := s.tree(); got != "a%20%C3%A9.txt d/ d/..%2Fx" {
		t.Errorf("there is %q", got)
	}
	s.ask("MKCOL", filesPath+"e/", "text", "Content-Type: text/plain").want(http.StatusUnsupportedMediaType)
	s.ask("MKCOL", filesPath+"e/", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/></resourcetype><displayname>E</displayname></prop></set></mkcol>`).want(http.StatusCreated)
	if got := s.prop(filesPath+"e/", davxml.D("displayname")); got.text() != "E" {
		t.Errorf("a folder is called %q", got.text())
	}
	s.ask("MKCOL", filesPath+"f/", `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/><x xmlns="urn:x"/></resourcetype></prop></set></mkcol>`).condition(http.StatusForbidden, davxml.D("valid-resourcetype"))
	s.ask("MKCOL", filesPath+"f/", `<mkcol xmlns="DAV:"><set><prop><getetag>1</getetag></prop></set></mkcol>`).want(http.StatusForbidden)
	s.ask("DELETE", filesPath+"e/", "").want(http.StatusNoContent)
	s.ask("PUT", filesPath+"z", "x", "Content-Encoding: gzip").want(http.StatusUnsupportedMediaType)
	s.ask("PUT", filesPath+"a%20%C3%A9.txt", "x", "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT").want(http.StatusPreconditionFailed)
	s.ask("MKCOL", homePath+"files/", "").want(http.StatusMethodNotAllowed)
	s.ask("DELETE", filesPath+"d/", "").want(http.StatusNoContent)
	if got := s.tree(); got != "a%20%C3%A9.txt" {
		t.Errorf("there is %q", got)
	}
	if got := s.ask("OPTIONS", filesPath, "").header.Get("DAV"); !strings.HasPrefix(got, "1, 2, 3") {
		t.Errorf("DAV: %s", got)
	}
	if got := s.ask("OPTIONS", calendarPath, "").header.Get("DAV"); !strings.HasPrefix(got, "1, 3") {
		t.Errorf("DAV of a calendar: %s", got)
	}
}

// Files of others are seen by those who see their home, and changed by those who may.
func TestPlainRights(t *testing.T) {
	s := newPlainServer(t)
	const shared = "/dav/office@example.org/files/"
	s.ask("PUT", shared+"a", "one", "user: bob@example.org").want(http.StatusCreated)
	s.ask("GET", shared+"a", "", "user: carol@example.org").want(http.StatusOK)
	for _, c := range []struct{ method, path string }{
		{"PUT", "a"}, {"PUT", "b"}, {"DELETE", "a"}, {"MKCOL", "d"}, {"LOCK", "a"}, {"LOCK", "b"}, {"PROPPATCH", "a"},
	} {
		s.ask(c.method, shared+c.path, "", "user: carol@example.org").condition(http.StatusForbidden, davxml.D("need-privileges"))
	}
	s.ask("MOVE", shared+"a", "", "user: carol@example.org", "Destination: "+shared+"b").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("COPY", shared+"a", "", "user: carol@example.org", "Destination: "+shared+"b").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("COPY", shared+"a", "", "user: carol@example.org", "Destination: /dav/carol@example.org/files/mine").want(http.StatusCreated)
	s.ask("GET", shared+"a", "", "user: dave@example.net").want(http.StatusNotFound)
	s.ask("GET", filesPath, "", "user: bob@example.org").want(http.StatusNotFound)
	s.ask("COPY", shared+"a", "", "user: bob@example.org", "Destination: "+filesPath+"a").want(http.StatusConflict)
}

func TestTransferFiles(t *testing.T) {
	s := newPlainServer(t)
	for _, p := range []string{"d/", "d/e/"} {
		s.ask("MKCOL", filesPath+p, "").want(http.StatusCreated)
	}
	s.ask("PUT", filesPath+"a", "a").want(http.StatusCreated)
	s.ask("PUT", filesPath+"d/e/b", "b").want(http.StatusCreated)
	for _, c := range []struct {
		method, from, to string
		headers          []string
		status           int
	}{
		{"COPY", "a", "", nil, http.StatusForbidden},
		{"COPY", "a", "a", nil, http.StatusForbidden},
		{"COPY", "a", "no/a", nil, http.StatusConflict},
		{"COPY", "a", "d", []string{"Overwrite: F"}, http.StatusPreconditionFailed},
		{"COPY", "a", "b", []string{"Overwrite: perhaps"}, http.StatusBadRequest},
		{"COPY", "a", "b", []string{`If-Match: "other"`}, http.StatusPreconditionFailed},
		{"COPY", "d", "c", []string{"Depth: 1"}, http.StatusBadRequest},
		{"MOVE", "d", "c", []string{"Depth: 0"}, http.StatusBadRequest},
		{"COPY", "d", "d/e/d", nil, http.StatusForbidden},
		{"MOVE", "d/e", "d", nil, http.StatusForbidden},
		{"MOVE", "no", "c", nil, http.StatusNotFound},
		{"COPY", "d", "c", nil, http.StatusCreated},
		{"COPY", "d", "shallow", []string{"Depth: 0"}, http.StatusCreated},
		{"MOVE", "c", "shallow", nil, http.StatusNoContent},
		{"MOVE", "a", "z", nil, http.StatusCreated},
	} {
		if got := s.ask(c.method, filesPath+c.from, "", append(c.headers, "Destination: "+filesPath+c.to)...); got.status != c.status {
			t.Errorf("%s %s to %s: %d, want %d\n%s", c.method, c.from, c.to, got.status, c.status, got.body)
		}
	}
	if got := s.tree(); got != "d/ d/e/ d/e/b shallow/ shallow/e/ shallow/e/b z" {
		t.Errorf("there is %q", got)
	}
	s.ask("COPY", filesPath+"z", "").want(http.StatusBadRequest)
	s.ask("COPY", filesPath+"z", "", "Destination: http://elsewhere.example/dav/x").want(http.StatusBadGateway)
	s.ask("COPY", filesPath+"z", "", "Destination: /elsewhere").want(http.StatusForbidden)
	s.ask("COPY", filesPath+"z", "", "Destination: "+s.url+filesPath+"y").want(http.StatusCreated)
}

func TestTransferObjects(t *testing.T) {
	s := newPlainServer(t)
	s.keep("calendar", map[string]string{"a.ics": event("1"), "b.ics": event("2"),
		"invited.ics": event("3", "DTSTART:20260510T080000Z", "ORGANIZER:mailto:alice@example.org", "ATTENDEE:mailto:bob@example.org")})
	s.keep("contacts", map[string]string{"a.vcf": card("1", "Zoé")})
	s.ask("MKCALENDAR", homePath+"work/", "").want(http.StatusCreated)
	const work, office = homePath + "work/", "/dav/office@example.org/calendar/"
	for _, c := range []struct {
		method, from, to string
		headers          []string
		status           int
		condition        davxml.Name
	}{
		{"COPY", calendarPath + "a.ics", calendarPath + "c.ics", nil, http.StatusConflict, davxml.C("no-uid-conflict")},
		{"COPY", calendarPath + "a.ics", tasksPath + "a.ics", nil, http.StatusForbidden, davxml.C("supported-calendar-component")},
		{"COPY", calendarPath + "a.ics", contactsPath + "a.vcf", nil, http.StatusForbidden, davxml.Name{}},
		{"COPY", calendarPath + "a.ics", filesPath + "a.ics", nil, http.StatusForbidden, davxml.Name{}},
		{"COPY", calendarPath + "a.ics", work + "b/a.ics", nil, http.StatusConflict, davxml.Name{}},
		{"COPY", calendarPath + "a.ics", homePath + "no/a.ics", nil, http.StatusConflict, davxml.Name{}},
		{"COPY", calendarPath + "invited.ics", work + "a.ics", nil, http.StatusForbidden, davxml.C("unique-scheduling-object-resource")},
		{"COPY", calendarPath + "a.ics", work + "a.ics", nil, http.StatusCreated, davxml.Name{}},
		{"COPY", calendarPath + "a.ics", work + "a.ics", nil, http.StatusNoContent, davxml.Name{}},
		{"COPY", calendarPath + "a.ics", work + "a.ics", []string{"Overwrite: F"}, http.StatusPreconditionFailed, davxml.Name{}},
		{"MOVE", calendarPath + "a.ics", work + "a.ics", []string{"Overwrite: F"}, http.StatusPreconditionFailed, davxml.Name{}},
		{"MOVE", calendarPath + "a.ics", work + "a.ics", []string{`If-Match: "other"`}, http.StatusPreconditionFailed, davxml.Name{}},
		{"MOVE", calendarPath + "a.ics", work + "a.ics", nil, http.StatusNoContent, davxml.Name{}},
		{"MOVE", calendarPath + "b.ics", work + "c.ics", nil, http.StatusCreated, davxml.Name{}},
		{"MOVE", work + "c.ics", office + "c.ics", nil, http.StatusCreated, davxml.Name{}},
		{"MOVE", contactsPath + "a.vcf", contactsPath + "z.vcf", nil, http.StatusCreated, davxml.Name{}},
		{"COPY", calendarPath, homePath + "copy", nil, http.StatusForbidden, davxml.Name{}},
		{"MOVE", work, filesPath + "work", nil, http.StatusForbidden, davxml.Name{}},
		{"MOVE", work, office, nil, http.StatusForbidden, davxml.Name{}},
		{"MOVE", work, homePath + "play/", nil, http.StatusCreated, davxml.Name{}},
		{"MOVE", homePath + "play/", calendarPath, []string{"Overwrite: F"}, http.StatusPreconditionFailed, davxml.Name{}},
		{"MOVE", homePath, homePath + "x/", nil, http.StatusMethodNotAllowed, davxml.Name{}},
	} {
		got := s.ask(c.method, c.from, "", append(c.headers, "Destination: "+c.to)...)
		if got.status != c.status {
			t.Errorf("%s %s to %s: %d, want %d\n%s", c.method, c.from, c.to, got.status, c.status, got.body)
		} else if c.condition.Local != "" {
			got.condition(c.status, c.condition)
		}
	}
	s.ask("GET", homePath+"play/a.ics", "").want(http.StatusOK)
	s.ask("GET", office+"c.ics", "").want(http.StatusOK)
	s.ask("GET", calendarPath+"a.ics", "").want(http.StatusNotFound)
}

// TestTransferRefused: a COPY or MOVE that fails leaves the meeting in whose place it would have
// been, and nobody is told that it is off (RFC 4918 9.8.5).
func TestTransferRefused(t *testing.T) {
	const me, bobs, user = "/dav/alice@example.org/", "/dav/bob@example.org/", "user: bob@example.org"
	for _, c := range []struct {
		name, method, from string
		others             []string // that have the UID
	}{
		{"a copy in one calendar", "COPY", "calendar/x.ics", nil},
		{"a copy to a calendar that has it", "COPY", "second/x.ics", []string{"calendar/y.ics"}},
		{"a move to a calendar that has it", "MOVE", "second/x.ics", []string{"calendar/y.ics"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScheduling(t)
			s.ask("PUT", me+"calendar/m.ics", invite).want(http.StatusCreated)
			s.ask("MKCALENDAR", me+"second/", "").want(http.StatusCreated)
			for _, path := range append(c.others, c.from) {
				s.ask("PUT", me+path, event("x")).want(http.StatusCreated)
			}
			s.ask(c.method, me+c.from, "", "Destination: "+me+"calendar/m.ics").condition(http.StatusConflict, davxml.C("no-uid-conflict"))
			s.ask("GET", me+c.from, "").want(http.StatusOK)
			s.ask("GET", me+"calendar/m.ics", "").want(http.StatusOK)
			for _, path := range s.objects(bobs+"inbox/", "bob@example.org") {
				if body := s.ask("GET", path, "", user).want(http.StatusOK).body; strings.Contains(body, "METHOD:CANCEL") {
					t.Errorf("bob is told that it is off: %s", body)
				}
			}
		})
	}
}
