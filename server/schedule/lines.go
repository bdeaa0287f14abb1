package schedule

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// The bounds of what is read.
const (
	MaxSize     = 1 << 20 // octets of a calendar object
	maxLine     = 64 << 10
	maxLines    = 20_000
	maxParams   = 30
	maxDepth    = 8
	maxAttendee = 1000
	maxZones    = 20
	maxZoneLine = 200 // lines of a VTIMEZONE
)

// property is a content line (RFC 5545 3.1).
type property struct {
	name   string // in upper case
	params []param
	value  string // as it stands
	line   string // all of it, unfolded
}

// param is a parameter with its first value: the ones that are read here have one.
type param struct{ name, value string }

// param returns the value of a parameter, "" when it is absent.
func (p property) param(name string) string {
	for _, q := range p.params {
		if q.name == name {
			return q.value
		}
	}
	return ""
}

// lines yields the content lines of an object, unfolded (RFC 5545 3.1). Bare line feeds
// count as line ends. What is longer than the bounds is left out.
func lines(text string) iter.Seq[property] {
	return func(yield func(property) bool) {
		n := 0
		for line := range unfolded(text) {
			if n++; n > maxLines {
				return
			}
			if p, ok := parseLine(line); ok && !yield(p) {
				return
			}
		}
	}
}

// unfolded yields the lines: a line that begins with white space goes on with the one
// before.
func unfolded(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var b strings.Builder
		begun, tooLong := false, false
		end := func() bool {
			ok := true
			if begun && !tooLong && b.Len() > 0 {
				ok = yield(b.String())
			}
			b.Reset()
			begun, tooLong = true, false
			return ok
		}
		for raw := range strings.Lines(text) {
			raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
			if raw == "" || raw[0] != ' ' && raw[0] != '\t' {
				if !end() {
					return
				}
			} else {
				raw = raw[1:]
			}
			if tooLong = tooLong || b.Len()+len(raw) > maxLine; !tooLong {
				b.WriteString(raw)
			}
		}
		end()
	}
}

// parseLine reads name, parameters and value. false: it is none of RFC 5545, or has
// octets that may not be in one.
func parseLine(line string) (p property, ok bool) {
	if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return p, false
	}
	p.line = line
	n := strings.IndexAny(line, ";:")
	if n <= 0 {
		return p, false
	}
	p.name = strings.ToUpper(line[:n])
	rest := line[n:]
	for rest != "" && rest[0] == ';' {
		name, tail, found := strings.Cut(rest[1:], "=")
		if !found || len(p.params) == maxParams {
			return p, false
		}
		var value string
		if value, rest, ok = cutValues(tail); !ok {
			return p, false
		}
		p.params = append(p.params, param{strings.ToUpper(name), decodeCaret(value)})
	}
	if rest == "" || rest[0] != ':' {
		return p, false
	}
	p.value = rest[1:]
	return p, true
}

// cutValues takes the values of a parameter off, and returns the first.
func cutValues(s string) (first, rest string, ok bool) {
	for n := 0; ; n++ {
		var v string
		if strings.HasPrefix(s, `"`) {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return "", "", false
			}
			v, s = s[1:end+1], s[end+2:]
		} else {
			end := strings.IndexAny(s, ",;:")
			if end < 0 {
				return "", "", false
			}
			v, s = s[:end], s[end:]
		}
		if n == 0 {
			first = v
		}
		if !strings.HasPrefix(s, ",") {
			return first, s, true
		}
		s = s[1:]
	}
}

// decodeCaret reads what a parameter may hold only in other words (RFC 6868 3.2).
func decodeCaret(s string) string {
	return strings.NewReplacer("^^", "^", "^n", " ", "^'", "'").Replace(s)
}

// decodeText reads a value of type TEXT (RFC 5545 3.3.11).
func decodeText(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\;`, ";", `\,`, ",", `\n`, "\n", `\N`, "\n").Replace(s)
}

// encodeText writes a value of type TEXT.
func encodeText(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "?"))
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(s)
}
