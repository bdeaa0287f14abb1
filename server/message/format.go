package message

import (
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"
)

// RFC 5322 2.1.1: a line should have at most 78 octets and must have at most 998,
// without the line end.
const (
	softLine = 78
	hardLine = 998
)

// maxValue bounds a value that FormatField takes.
const maxValue = 64 << 10

// FormatField returns a header field with its line end, folded where it is long
// (RFC 5322 2.2.3). What is not ASCII in the value is written as encoded words
// (RFC 2047), which is right for unstructured fields only. It refuses a name that
// is none, and control characters in the value.
func FormatField(name, value string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(value) > maxValue {
		return nil, fmt.Errorf("the value of the header field %s is longer than %d octets", name, maxValue)
	}
	for i := range len(value) {
		if c := value[i]; isControl(c) && c != '\t' {
			return nil, fmt.Errorf("the value of the header field %s holds the control character %#02x", name, c)
		}
	}
	words := splitWords(encodeWords(strings.Trim(value, " \t")))
	return fold(name, words), nil
}

// checkName checks a field name (RFC 5322 3.6.8).
func checkName(name string) error {
	if name == "" {
		return errors.New("the name of a header field is empty")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("%q is not the name of a header field", name)
		}
	}
	if len(name) > softLine-2 {
		return fmt.Errorf("the name of the header field %.20s... is longer than %d octets", name, softLine-2)
	}
	return nil
}

// splitWords cuts a value into words, each with the white space in front of it;
// of very long white space one space is left.
func splitWords(v string) []string {
	var words []string
	for v != "" {
		space := len(v) - len(strings.TrimLeft(v, " \t"))
		end := len(v)
		if i := strings.IndexAny(v[space:], " \t"); i >= 0 {
			end = space + i
		}
		if space > softLine/2 {
			words = append(words, " "+v[space:end])
		} else {
			words = append(words, v[:end])
		}
		v = v[end:]
	}
	return words
}

// fold writes a field whose lines are at most softLine long where words allow it.
func fold(name string, words []string) []byte {
	out := append([]byte(name), ": "...)
	line := len(out)
	for i, w := range words {
		if i > 0 && line+len(w) > softLine {
			out = append(out, "\r\n"...)
			line = 0
		}
		out = append(out, w...)
		line += len(w)
	}
	return append(out, "\r\n"...)
}

// encodeWords writes as encoded words what is not ASCII, and what could not be
// folded to lines of the permitted length. Neighbours are encoded together, for
// white space between encoded words is not shown (RFC 2047 6.2).
func encodeWords(v string) string {
	if plain(v) {
		return v
	}
	words := splitWords(v)
	var b strings.Builder
	for i := 0; i < len(words); i++ {
		if plain(words[i]) {
			b.WriteString(words[i])
			continue
		}
		run := words[i]
		for i+1 < len(words) && !plain(words[i+1]) {
			i++
			run += words[i]
		}
		text := strings.TrimLeft(run, " \t")
		b.WriteString(run[:len(run)-len(text)])
		b.WriteString(encodeRun(text))
	}
	return b.String()
}

// plain tells whether the words of v can stand as they are.
func plain(v string) bool {
	length := 0
	for i := range len(v) {
		if isWSP(v[i]) {
			length = 0
			continue
		}
		if length++; v[i] >= utf8.RuneSelf || length > hardLine-softLine {
			return false
		}
	}
	return true
}

// encodeRun encodes text, which package mime would leave alone were it ASCII.
func encodeRun(text string) string {
	encoder := mime.QEncoding
	if nonASCII(text) > len(text)/2 {
		encoder = mime.BEncoding
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if encoded := encoder.Encode("utf-8", text); encoded != text {
		return encoded
	}
	var b strings.Builder
	const step = 40
	for i := 0; i < len(text); i += step {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("=?utf-8?q?")
		for _, c := range []byte(text[i:min(i+step, len(text))]) {
			if lower(c) >= 'a' && lower(c) <= 'z' || c >= '0' && c <= '9' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "=%02X", c)
			}
		}
		b.WriteString("?=")
	}
	return b.String()
}

func nonASCII(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			n++
		}
	}
	return n
}
