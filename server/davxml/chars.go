package davxml

import (
	"bytes"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"facteur/server/fault"
)

// firstRead is how much of a body is read at once, at first.
const firstRead = 8 << 10

// read reads all of a body, and makes UTF-8 of it. XML 4.3.3: UTF-8 and UTF-16
// have to be known.
func read(r io.Reader, most int64) (string, error) {
	var body bytes.Buffer
	first := int64(firstRead) // a body over a network comes in pieces: each Read costs
	if known, ok := r.(interface{ Size() int64 }); ok {
		first = min(known.Size(), most) + bytes.MinRead // so nothing is moved
	}
	body.Grow(int(first))
	if _, err := body.ReadFrom(io.LimitReader(r, most+1)); err != nil {
		return "", err
	}
	raw := body.Bytes()
	if int64(len(raw)) > most {
		return "", fault.Newf(fault.TooLarge, "the XML is larger than %d octets", most)
	}
	var text string
	var err error
	switch {
	case len(raw) >= 2 && raw[0] == 0xFE && raw[1] == 0xFF:
		text = fromUTF16(raw[2:], binary.BigEndian)
	case len(raw) >= 2 && raw[0] == 0xFF && raw[1] == 0xFE:
		text = fromUTF16(raw[2:], binary.LittleEndian)
	default:
		text = strings.TrimPrefix(string(raw), "\uFEFF")
		if text, err = recode(text); err != nil {
			return "", err
		}
	}
	if at := illegal(text); at >= 0 {
		line := 1 + strings.Count(text[:at], "\n")
		return "", &SyntaxError{Line: line, Text: "a character that XML does not have"}
	}
	return text, nil
}

func fromUTF16(raw []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units))
}

// recode makes UTF-8 of what the XML declaration says it is.
func recode(text string) (string, error) {
	if !strings.HasPrefix(text, "<?xml") {
		return text, nil
	}
	declaration, _, _ := strings.Cut(text, "?>")
	_, rest, ok := strings.Cut(declaration, "encoding")
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if !ok || rest == "" {
		return text, nil
	}
	name, _, _ := strings.Cut(rest[1:], rest[:1])
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return text, nil
	case "iso-8859-1", "latin1":
		runes := make([]rune, len(text))
		for i := range len(text) {
			runes[i] = rune(text[i])
		}
		return string(runes), nil
	}
	return "", &SyntaxError{Line: 1, Text: "the encoding " + strconv.Quote(clip(name)) + " is not known"}
}

// illegal returns where a text has what is no Char (XML 2.2), or -1.
func illegal(text string) int {
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < utf8.RuneSelf || c == '\n' || c == '\r' || c == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size <= 1 || !isChar(r) {
			return i
		}
		i += size
	}
	return -1
}

// isChar is the rule Char of XML 2.2.
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF ||
		r == '\t' || r == '\n' || r == '\r'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (p *parser) space() {
	for p.pos < len(p.text) && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

// name reads a Name (XML 2.3).
func (p *parser) name() (string, error) {
	rest := p.text[p.pos:]
	if !startsName(rest) {
		return "", p.errorf("a name is missing")
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !isNameChar(r) })
	if end < 0 {
		end = len(rest)
	}
	if end > maxName {
		return "", fault.Newf(fault.TooLarge, "a name in the XML is longer than %d octets", maxName)
	}
	p.pos += end
	return rest[:end], nil
}

func startsName(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isNameStart(r)
}

// isNameStart is NameStartChar of XML 2.3.
func isNameStart(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == ':'
	case r < 0x300:
		return r >= 0xC0 && r != 0xD7 && r != 0xF7
	}
	return r >= 0x370 && r <= 0x1FFF && r != 0x37E || r == 0x200C || r == 0x200D || r >= 0x2070 && r <= 0x218F ||
		r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF ||
		r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// isNameChar is NameChar of XML 2.3.
func isNameChar(r rune) bool {
	return isNameStart(r) || r >= '0' && r <= '9' || r == '-' || r == '.' ||
		r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// reservedTarget says whether a processing instruction would be an XML declaration
// (XML 2.6).
func reservedTarget(s string) bool {
	return len(s) >= 3 && strings.EqualFold(s[:3], "xml") && (len(s) == 3 || isSpace(s[3]) || s[3] == '?')
}

// newlines makes line feeds of all line ends (XML 2.11).
func newlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// decode resolves references (XML 4.1) and line ends; in an attribute, white
// space becomes spaces.
func (p *parser) decode(raw string, attribute bool) (string, error) {
	if !strings.ContainsAny(raw, "&\r") && !(attribute && strings.ContainsAny(raw, "\t\n")) {
		return raw, nil
	}
	raw = newlines(raw)
	if attribute {
		raw = strings.NewReplacer("\t", " ", "\n", " ").Replace(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for {
		before, rest, found := strings.Cut(raw, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, found := strings.Cut(rest, ";")
		r := reference(name)
		if !found || r < 0 {
			return "", p.errorf("the reference &%s; is not known", clip(name))
		}
		b.WriteRune(r)
		raw = rest
	}
}

// reference returns the character that a reference stands for, -1 when it is
// none.
func reference(name string) rune {
	switch name {
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok || len(digits) > 16 {
		return -1
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !isChar(rune(n)) {
		return -1
	}
	return rune(n)
}

// clip makes a part of the input fit for an error's text.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
