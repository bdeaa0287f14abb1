package contentline

import (
	"io"
	"strings"
	"unicode/utf8"
)

// folded is where a line is folded, in octets without its end (RFC 5545 3.1).
const folded = 75

// Write writes a line, folded and with CRLF.
func Write(w io.Writer, l Line) error {
	_, err := w.Write(Append(nil, l))
	return err
}

// Append appends a line as Write writes it. What no content line can hold is left out:
// control characters, and octets that are not UTF-8.
func Append(dst []byte, l Line) []byte {
	var b strings.Builder
	if l.Group != "" {
		b.WriteString(l.Group)
		b.WriteByte('.')
	}
	b.WriteString(l.Name)
	for _, p := range l.Params {
		b.WriteByte(';')
		b.WriteString(p.Name)
		for i, v := range p.Values {
			b.WriteByte("=,"[min(i, 1)])
			b.WriteString(encodeParam(v))
		}
		if len(p.Values) == 0 {
			b.WriteByte('=')
		}
	}
	b.WriteByte(':')
	b.WriteString(l.Value)
	return AppendFolded(dst, printable(b.String()))
}

// AppendFolded appends a whole line of UTF-8, folded with CRLF: never within a character.
func AppendFolded(dst []byte, line string) []byte {
	room := folded
	for len(line) > room {
		n := room
		for !utf8.RuneStart(line[n]) {
			n--
		}
		dst = append(append(dst, line[:n]...), "\r\n "...)
		line, room = line[n:], folded-1
	}
	return append(append(dst, line...), "\r\n"...)
}

// printable leaves out what may stand in no line.
func printable(s string) string {
	bad := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, bad) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// encodeParam writes the value of a parameter, in quotes where it needs them (RFC 5545
// 3.2), and in the words of RFC 6868 3.1.
func encodeParam(v string) string {
	if strings.ContainsAny(v, "\"\n^") {
		v = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", `"`, "^'").Replace(v)
	}
	if strings.ContainsAny(v, ",;:") || v == "" {
		return `"` + v + `"`
	}
	return v
}
