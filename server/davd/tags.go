package davd

import (
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
