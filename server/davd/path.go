package davd

import (
	"net/http"
	"net/url"
	"strings"
)

// root is where all paths begin.
const root = "/dav/"

// maxSegments bounds the depth of a path.
const maxSegments = 128

// parsePath returns the decoded segments of a path below root, none for root itself, for "/" and for
// the "*" of OPTIONS, which asks about the server (RFC 9110 9.3.7). A slash that is encoded is part of
// its segment.
func parsePath(escaped string) ([]string, error) {
	if escaped == "/" || escaped == "" || escaped == "*" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(escaped+"/", root)
	if !ok {
		return nil, errNotFound
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), "/")
	if rest == "" {
		return nil, nil
	}
	if strings.Count(rest, "/") >= maxSegments {
		return nil, &failure{status: http.StatusRequestURITooLong, text: "The path is too deep"}
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		switch {
		case err != nil:
			return nil, &failure{status: http.StatusBadRequest, text: "The path is not percent-encoded as it should be"}
		case name == "." || name == ".." || strings.IndexByte(name, 0) >= 0:
			return nil, &failure{status: http.StatusBadRequest, text: "No path here has such a segment"}
		case name == "":
			return nil, errNotFound
		}
		segments[i] = name
	}
	return segments, nil
}

// parseHref reads an href of a body or a header: a URI of this server, or a path (RFC 4918
// 8.3), in any encoding. One of another server is 502 (RFC 4918 9.8.5).
func (r *request) parseHref(href string) ([]string, error) {
	href = strings.TrimSpace(href)
	path := href
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") {
		u, err := url.Parse(href)
		if err != nil || u.Host == "" && !strings.HasPrefix(u.Path, "/") {
			return nil, &failure{status: http.StatusBadRequest, text: "An href is neither a URI nor a path"}
		}
		if u.Host != "" && !strings.EqualFold(u.Hostname(), hostname(r.Host)) {
			return nil, &failure{status: http.StatusBadGateway, text: "An href is of another server"}
		}
		path = u.EscapedPath()
	} else if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return parsePath(path)
}

func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// href returns the path of some segments, each percent-encoded; folder adds a slash.
func href(folder bool, segments ...string) string {
	b := append(make([]byte, 0, 64), root...)
	for i, s := range segments {
		if i > 0 {
			b = append(b, '/')
		}
		b = appendSegment(b, s)
	}
	if folder && len(segments) > 0 {
		b = append(b, '/')
	}
	return string(b)
}

// appendSegment percent-encodes all but what is unreserved (RFC 3986 2.3), and "@": so do most
// clients, of which some compare hrefs as they stand.
func appendSegment(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// isPlain says whether a segment needs no encoding.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == '@'
}
