package davd

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strings"

	"facteur/server/collection"
)

// maxTags bounds the entity tags of a header.
const maxTags = 100

// condition reads If-Match and If-None-Match (RFC 9110 13.1.1, 13.1.2). A weak tag matches
// nothing in the first and what it looks like in the second.
func condition(h http.Header) (c collection.Condition, err error) {
	if c.Match, c.Exists, err = parseTags(h.Values("If-Match"), false); err != nil {
		return c, err
	}
	if c.Match != nil && len(c.Match) == 0 {
		c.Match = []collection.ETag{""} // nothing has it
	}
	c.NoneMatch, c.Absent, err = parseTags(h.Values("If-None-Match"), true)
	for _, tags := range [][]collection.ETag{c.Match, c.NoneMatch} {
		for i, tag := range tags {
			tags[i] = collection.ETag(keptTag(string(tag)))
		}
	}
	return c, err
}

// parseTags reads a list of entity tags, or "*".
func parseTags(values []string, weak bool) (tags []collection.ETag, star bool, err error) {
	if len(values) == 0 {
		return nil, false, nil
	}
	rest := strings.Trim(strings.Join(values, ","), ", \t")
	if rest == "*" {
		return nil, true, nil
	}
	tags = []collection.ETag{}
	for n := 0; rest != ""; n++ {
		isWeak := strings.HasPrefix(rest, "W/")
		rest = strings.TrimPrefix(rest, "W/")
		end := -1
		if strings.HasPrefix(rest, `"`) {
			end = strings.IndexByte(rest[1:], '"')
		}
		if end < 0 || n == maxTags {
			return nil, false, badRequest("A header does not have entity tags as it should")
		}
		if !isWeak || weak {
			tags = append(tags, collection.ETag(rest[:end+2]))
		}
		rest = strings.TrimLeft(rest[end+2:], ", \t")
	}
	return tags, false, nil
}

// holds tells whether a condition holds for something with a tag; there: it is there.
func holds(c collection.Condition, tag collection.ETag, there bool) bool {
	switch {
	case c.Match != nil && !(there && slices.Contains(c.Match, tag)), c.Exists && !there:
		return false
	case c.Absent && there, there && slices.Contains(c.NoneMatch, tag):
		return false
	}
	return true
}

// checkTags looks at If-Match and If-None-Match of all methods that change something but PUT,
// which does it by itself (RFC 9110 13.2.1): those that only tell of properties have no
// representation of which they could speak.
func (r *request) checkTags(n *node) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions, "PROPFIND", "REPORT":
		return nil
	}
	cond, err := condition(r.Header)
	if err != nil {
		return err
	}
	tag := "none"
	if !n.absent && (cond.Match != nil || cond.NoneMatch != nil) {
		tag = cmp.Or(r.etag(n), tag)
	}
	if !holds(cond, collection.ETag(tag), !n.absent) {
		return collection.ErrCondition
	}
	return nil
}

// checkBody refuses a body that would be passed over (RFC 4918 8.4).
func (r *request) checkBody() error {
	switch r.Method {
	case http.MethodDelete, "COPY", "MOVE", "UNLOCK":
	default:
		return nil
	}
	var b [1]byte
	if n, _ := io.ReadFull(r.Body, b[:]); n > 0 {
		return &failure{status: http.StatusUnsupportedMediaType, text: "There is no body to a " + r.Method}
	}
	return nil
}

// checkEncoding refuses a body that is compressed: none is taken (RFC 9110 12.5.3, 15.5.16).
func (r *request) checkEncoding() error {
	if c := r.Header.Get("Content-Encoding"); c != "" && !strings.EqualFold(c, "identity") {
		r.w.Header().Set("Accept-Encoding", "identity")
		return &failure{status: http.StatusUnsupportedMediaType, text: "The body is encoded"}
	}
	return nil
}
