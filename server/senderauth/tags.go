package senderauth

import (
	"errors"
	"strings"
)

// tag is one tag of a tag-list (RFC 6376 3.2).
type tag struct {
	name  string
	value string // without the white space around it
	start int    // of the value in the list, white space included
	end   int
}

// tagList is a tag-list, in its order; no name stands in it twice.
type tagList []tag

// maxTags bounds a tag-list; the longest that is known has 17.
const maxTags = 50

var errTags = errors.New("malformed list of tags")

// parseTags reads a tag-list, folded or not. Names have case.
func parseTags(s string) (tagList, error) {
	var list tagList
	for at := 0; at < len(s); {
		end := len(s)
		if i := strings.IndexByte(s[at:], ';'); i >= 0 {
			end = at + i
		}
		name, _, found := strings.Cut(s[at:end], "=")
		switch {
		case !found && strings.Trim(s[at:end], fws) == "":
			if end < len(s) && strings.Trim(s[end+1:], fws) != "" {
				return nil, errTags // an empty tag between others
			}
			return list, nil
		case !found || len(list) == maxTags:
			return nil, errTags
		}
		t := tag{name: strings.Trim(name, fws), start: at + len(name) + 1, end: end}
		t.value = strings.Trim(s[t.start:end], fws)
		if _, again := list.get(t.name); again || !validTagName(t.name) || !validTagValue(t.value) {
			return nil, errTags
		}
		list = append(list, t)
		at = end + 1
	}
	return list, nil
}

// fws is what folding white space is made of (RFC 6376 2.8).
const fws = " \t\r\n"

func validTagName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '_') {
			return false
		}
	}
	return s != ""
}

// validTagValue allows octets over 127, which internationalized names have (RFC 8616).
func validTagValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && strings.IndexByte(fws, c) < 0 || c == 0x7f {
			return false
		}
	}
	return true
}

// get returns the value of a tag.
func (l tagList) get(name string) (string, bool) {
	t, ok := l.find(name)
	return t.value, ok
}

func (l tagList) find(name string) (tag, bool) {
	for _, t := range l {
		if t.name == name {
			return t, true
		}
	}
	return tag{}, false
}

// compact returns a value without any white space.
func compact(s string) string {
	if !strings.ContainsAny(s, fws) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(fws, r) {
			return -1
		}
		return r
	}, s)
}

// splitList splits a value at colons (h=, q=, s=, t=), in lower case.
func splitList(s string) []string {
	parts := strings.Split(strings.ToLower(s), ":")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], fws)
	}
	return parts
}

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
