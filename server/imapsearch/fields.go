package imapsearch

import (
	"bytes"
	"strings"

	"facteur/server/message"
)

// fieldsHold tells whether one of the raw header fields has the name and holds
// the text of f. An empty text is in each (RFC 9051 6.4.4, HEADER).
func (j *judge) fieldsHold(fields []byte, f *fieldTest) bool {
	for len(fields) > 0 {
		var value []byte
		value, fields = nextField(fields, f.name)
		if value != nil && j.valueHolds(value, f) {
			return true
		}
	}
	return false
}

// nextField returns the raw value of the next field of a name, nil when there is
// none, and what is behind it.
func nextField(fields []byte, name string) (value, rest []byte) {
	for len(fields) > 0 {
		end := fieldEnd(fields)
		field := fields[:end]
		fields = fields[end:]
		if len(field) > len(name) && field[0]|0x20 == name[0]|0x20 && named(field, name) {
			return field[bytes.IndexByte(field, ':')+1:], fields
		}
	}
	return nil, nil
}

// named tells whether a field has a name. There may be white space before the
// colon (RFC 5322 4.5).
func named(field []byte, name string) bool {
	if !equalField(name, field[:len(name)]) {
		return false
	}
	for _, c := range field[len(name):] {
		if c == ':' {
			return true
		}
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return false
}

// fieldEnd returns where the first field ends, its continuation lines included.
func fieldEnd(fields []byte) int {
	end := 0
	for {
		i := bytes.IndexByte(fields[end:], '\n')
		if i < 0 {
			return len(fields)
		}
		end += i + 1
		if end == len(fields) || fields[end] != ' ' && fields[end] != '\t' {
			return end
		}
	}
}

// valueHolds tells whether a raw value holds the text of f. What is plain ASCII
// in one line is compared as it stands.
func (j *judge) valueHolds(raw []byte, f *fieldTest) bool {
	if len(f.text) == 0 {
		return true
	}
	raw = bytes.TrimSpace(raw)
	if !plain(raw) {
		decoded := message.DecodeHeader(raw)
		j.fold = message.Fold(j.fold[:0], []byte(decoded))
		return bytes.Contains(j.fold, f.text)
	}
	if !f.ascii || len(raw) < len(f.text) {
		return false
	}
	j.fold = appendLower(j.fold[:0], raw)
	return bytes.Contains(j.fold, f.text)
}

// plain tells whether a raw value is what it looks like: one line of ASCII
// without encoded words (RFC 2047).
func plain(raw []byte) bool {
	var all byte
	for _, c := range raw {
		all |= c
		if c == '\n' || c == '\r' {
			return false
		}
	}
	return all < 0x80 && !bytes.Contains(raw, encodedWord)
}

var encodedWord = []byte("=?")

// appendLower appends ASCII as message.Fold does.
func appendLower(dst, src []byte) []byte {
	for _, c := range src {
		dst = append(dst, lower[c])
	}
	return dst
}

var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// equalField compares names of header fields.
func equalField(a string, b []byte) bool { return len(a) == len(b) && strings.EqualFold(a, string(b)) }
