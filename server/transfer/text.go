package transfer

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// line is a line of a text, with the number of the physical line where it begins.
type line struct {
	text   string
	number int
}

// plain returns a text without byte order mark; UTF-16 becomes UTF-8.
func plain(text []byte) []byte {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")):
		return text[3:]
	case bytes.HasPrefix(text, []byte("\xFE\xFF")):
		order = binary.BigEndian
	case !bytes.HasPrefix(text, []byte("\xFF\xFE")):
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i+1 < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}

// decode reads octets in a character set; of one that is not known or not named, UTF-8,
// or else Windows-1252.
func decode(octets, charset string) string {
	if charset != "" && !strings.EqualFold(charset, "utf-8") {
		if e, err := htmlindex.Get(charset); err == nil {
			if s, err := e.NewDecoder().String(octets); err == nil && utf8.ValidString(s) {
				return s
			}
		}
	}
	if utf8.ValidString(octets) {
		return octets
	}
	s, err := charmap.Windows1252.NewDecoder().String(octets)
	if err != nil { // it has a character for each octet
		return strings.ToValidUTF8(octets, "\uFFFD")
	}
	return s
}

// cleaned puts a space in the place of each control character.
func cleaned(s string) string {
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if !strings.ContainsFunc(s, control) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, s)
}

// physical cuts a text at its line ends: CRLF, LF, or CR alone where there is no LF at all.
func physical(text []byte) []line {
	end := byte('\n')
	if !bytes.Contains(text, []byte("\n")) {
		end = '\r'
	}
	lines := make([]line, 0, bytes.Count(text, []byte{end})+1)
	for n := 1; len(text) > 0; n++ {
		one, rest, _ := bytes.Cut(text, []byte{end})
		lines = append(lines, line{string(bytes.TrimSuffix(one, []byte("\r"))), n})
		text = rest
	}
	return lines
}

func folds(s string) bool { return s != "" && (s[0] == ' ' || s[0] == '\t') }

// unfolded joins physical lines (RFC 5545 3.1) and leaves out empty ones.
func unfolded(lines []line) []line {
	out := lines[:0:0]
	for i := 0; i < len(lines); {
		begin, parts := i, 1
		for i++; i < len(lines) && folds(lines[i].text); i++ {
			parts++
		}
		text := lines[begin].text
		if parts > 1 {
			var b strings.Builder
			b.WriteString(text)
			for _, l := range lines[begin+1 : i] {
				b.WriteString(l.text[1:])
			}
			text = b.String()
		}
		if text = cleaned(decode(text, "")); strings.TrimSpace(text) != "" {
			out = append(out, line{text, lines[begin].number})
		}
	}
	return out
}

// cut returns the name of a line in upper case, and what follows the name.
func cut(s string) (name, rest string) {
	n := strings.IndexAny(s, ":;")
	if n < 0 {
		return strings.ToUpper(strings.TrimSpace(s)), ""
	}
	return strings.ToUpper(strings.TrimSpace(s[:n])), s[n:]
}

// marks tells whether a line is BEGIN or END, and of what.
func marks(s string) (mark, of string) {
	if len(s) < 4 {
		return "", ""
	}
	name, rest := cut(s)
	if (name == "BEGIN" || name == "END") && strings.HasPrefix(rest, ":") {
		return name, strings.ToUpper(strings.TrimSpace(rest[1:]))
	}
	return "", ""
}

// joined makes a text of lines again, and tells which line each was.
func joined(lines []line) (text []byte, numbers []int) {
	for _, l := range lines {
		text = append(append(text, l.text...), "\r\n"...)
		numbers = append(numbers, l.number)
	}
	return text, numbers
}
