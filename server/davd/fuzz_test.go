package davd

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"facteur/server/auth"
	"facteur/server/davxml"
	"facteur/server/directory"
)

// FuzzPath: what is read of a path is written again as a path that reads the same.
func FuzzPath(f *testing.F) {
	f.Fuzz(func(t *testing.T, path string) {
		segments, err := parsePath(path)
		if err != nil {
			return
		}
		for _, s := range segments {
			if s == "" || s == "." || s == ".." || strings.IndexByte(s, 0) >= 0 {
				t.Fatalf("%q has the segment %q", path, s)
			}
		}
		written := href(true, segments...)
		if u, err := url.Parse(written); err != nil || u.EscapedPath() != written {
			t.Fatalf("%q is written as %q, which is no path", path, written)
		}
		again, err := parsePath(written)
		if err != nil || !slices.Equal(again, segments) {
			t.Fatalf("%q is %q, and then %q %v", path, segments, again, err)
		}
	})
}

// FuzzIf: each list that is read of a header If has conditions, and each condition one thing.
func FuzzIf(f *testing.F) {
	f.Fuzz(func(t *testing.T, header string) {
		lists, err := parseIf(header)
		if err == nil && len(lists) == 0 {
			t.Fatalf("%q has no lists", header)
		}
		for _, l := range lists {
			if len(l.conditions) == 0 {
				t.Fatalf("%q has an empty list", header)
			}
			for _, c := range l.conditions {
				if (c.token == "") == (c.etag == "") {
					t.Fatalf("%q has the condition %+v", header, c)
				}
			}
		}
	})
}

// FuzzTags: tags have quotes.
func FuzzTags(f *testing.F) {
	f.Fuzz(func(t *testing.T, header string) {
		tags, star, err := parseTags([]string{header}, true)
		if err != nil || star {
			return
		}
		for _, tag := range tags {
			if len(tag) < 2 || tag[0] != '"' || strings.Count(string(tag), `"`) != 2 {
				t.Fatalf("%q has the tag %q", header, tag)
			}
		}
	})
}

// FuzzBody: whatever body a method gets, the answer is XML as it should be, and nothing here
// fails.
func FuzzBody(f *testing.F) {
	s := newServer(f)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	d := testDirectory()
	h := New(Options{Homes: s.homes, Directory: func() *directory.Directory { return d }})
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		c := []struct{ method, path string }{
			{"PROPFIND", calendarPath}, {"PROPPATCH", calendarPath}, {"PROPPATCH", calendarPath + "a.ics"}, {"MKCOL", calendarPath}, {"PROPFIND", calendarPath + "a.ics"},
			{"MKCALENDAR", homePath + "inbox2~"},
		}[int(which)%6]
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
		r.Header.Set("Depth", "1")
		w := httptest.NewRecorder()
		h.Serve(w, r, auth.Credential{Account: alice})
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("%s of %q: %d %s", c.method, body, w.Code, w.Body)
		}
		if w.Code != http.StatusNoContent {
			if _, err := davxml.Parse(w.Body, davxml.Limits{Octets: 64 << 20}); err != nil {
				t.Fatalf("%s of %q: %v", c.method, body, err)
			}
		}
	})
}
