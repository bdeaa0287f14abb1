package message

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// maxParams bounds the parameters of one field.
const maxParams = 100

// param is a parameter of a MIME field, its value without quotes.
type param struct{ name, value []byte }

// parseParams reads a value with parameters (RFC 2045 5.1), leniently. Names are
// in lower case. Continued values are joined (RFC 2231 3), but not decoded: that is
// what BODYSTRUCTURE shows (RFC 2231 6).
func parseParams(v []byte, params []param) (value []byte, _ []param) {
	end := bytes.IndexAny(v, "; \t(")
	if end < 0 {
		return v, params
	}
	value, v = v[:end], v[end:]
	continued := false
	for len(params) < maxParams {
		v = skipComments(v, "; \t")
		if len(v) == 0 {
			break
		}
		end := bytes.IndexAny(v, "=;")
		if end < 0 {
			break
		}
		name := bytes.ToLower(bytes.TrimRight(v[:end], " \t"))
		if v[end] == ';' || len(name) == 0 {
			v = v[end+1:]
			continue
		}
		p := param{name: name}
		p.value, v = paramValue(bytes.TrimLeft(v[end+1:], " \t"), name)
		continued = continued || bytes.IndexByte(name, '*') >= 0
		params = append(params, p)
	}
	if continued {
		params = joinContinued(params)
	}
	return value, params
}

// skipComments skips comments and the octets in space.
func skipComments(v []byte, space string) []byte {
	for len(v) > 0 {
		switch {
		case strings.IndexByte(space, v[0]) >= 0:
			v = v[1:]
		case v[0] == '(':
			n := CommentLen(v)
			if n < 0 { // never closed
				return nil
			}
			v = v[n:]
		default:
			return v
		}
	}
	return v
}

// paramValue reads a token or a quoted-string. Many programs do not quote file
// names with spaces and parentheses.
func paramValue(v, name []byte) (value, rest []byte) {
	if len(v) > 0 && v[0] == '"' {
		return quotedValue(v[1:])
	}
	end := bytes.IndexByte(v, ';')
	if end < 0 {
		end = len(v)
	}
	value, rest = v[:end], v[end:]
	if !bytes.HasPrefix(name, []byte("name")) && !bytes.HasPrefix(name, []byte("filename")) {
		if i := bytes.IndexAny(value, " \t("); i >= 0 {
			value = value[:i]
		}
	}
	return bytes.TrimRight(value, " \t"), rest
}

// quotedValue reads a quoted-string behind its first quote. A backslash quotes
// only a quote or another, for some write paths of Windows.
func quotedValue(v []byte) (value, rest []byte) {
	plain := true
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"':
			if value = v[:i]; !plain {
				value = unquote(value)
			}
			return value, v[i+1:]
		case v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\'):
			plain = false
			i++
		}
	}
	if plain { // never closed
		return v, nil
	}
	return unquote(v), nil
}

func unquote(v []byte) []byte {
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\') {
			i++
		}
		out = append(out, v[i])
	}
	return out
}

// segment is a parameter's name that RFC 2231 splits: base*0, base*1*.
type segment struct {
	base     []byte
	number   int
	extended bool // percent-encoded, the first with charset and language
}

func segmentOf(name []byte) (s segment, ok bool) {
	base, rest, found := bytes.Cut(name, []byte("*"))
	if !found || len(base) == 0 {
		return s, false
	}
	rest, extended := bytes.CutSuffix(rest, []byte("*"))
	n, err := strconv.Atoi(string(rest))
	if err != nil || n < 0 || n >= maxParams || len(rest) > 1 && rest[0] == '0' {
		return s, false
	}
	return segment{base, n, extended}, true
}

// joinContinued joins continued values at the place of their first piece (RFC 2231
// 3). When one piece is extended so is the whole (RFC 2231 4.1), and those that are
// not are escaped.
func joinContinued(params []param) []param {
	out := make([]param, 0, len(params))
	for _, p := range params {
		s, ok := segmentOf(p.name)
		switch {
		case !ok:
			out = append(out, p)
		case s.number == 0 && find(out, string(s.base)) == nil && find(out, string(s.base)+"*") == nil:
			out = append(out, joinSegments(s.base, params))
		}
	}
	return out
}

func joinSegments(base []byte, params []param) param {
	var pieces []param
	extended := false
	for n := 0; ; n++ {
		piece, s, ok := findSegment(base, n, params)
		if !ok {
			break
		}
		extended = extended || s.extended
		pieces = append(pieces, param{value: piece.value, name: piece.name})
	}
	if !extended {
		var value []byte
		for _, p := range pieces {
			value = append(value, p.value...)
		}
		return param{bytes.Clone(base), value}
	}
	var value []byte
	for i, p := range pieces {
		switch s, _ := segmentOf(p.name); {
		case s.extended:
			value = append(value, p.value...)
		case i == 0:
			value = appendEscaped(append(value, "''"...), p.value)
		default:
			value = appendEscaped(value, p.value)
		}
	}
	return param{append(bytes.Clone(base), '*'), value}
}

func findSegment(base []byte, n int, params []param) (param, segment, bool) {
	for _, p := range params {
		if s, ok := segmentOf(p.name); ok && s.number == n && bytes.Equal(s.base, base) {
			return p, s, true
		}
	}
	return param{}, segment{}, false
}

// appendEscaped percent-encodes what is no attribute-char (RFC 2231 7).
func appendEscaped(dst, v []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range v {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("*'%()<>@,;:\\\"/[]?=", c) >= 0 {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// find returns the raw value of a parameter.
func find(params []param, name string) []byte {
	for _, p := range params {
		if string(p.name) == name {
			return p.value
		}
	}
	return nil
}

// decoded returns a parameter as text: RFC 2231 4, or encoded words, which many
// programs write there against RFC 2047 5.
func decoded(params []param, name string) string {
	if v := find(params, name+"*"); v != nil {
		charset, rest, ok := bytes.Cut(v, []byte("'"))
		_, text, ok2 := bytes.Cut(rest, []byte("'"))
		if ok && ok2 {
			return decodeExtended(string(charset), text)
		}
		return toUTF8(string(v))
	}
	return DecodeText(string(find(params, name)))
}

func decodeExtended(charset string, v []byte) string {
	raw := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			if hi, lo := unhex(v[i+1]), unhex(v[i+2]); hi >= 0 && lo >= 0 {
				raw = append(raw, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		raw = append(raw, v[i])
	}
	r, err := charsetReader(charset, bytes.NewReader(raw))
	if err != nil {
		return toUTF8(string(raw))
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return toUTF8(string(raw))
	}
	return toUTF8(string(text))
}

// unhex returns the value of a hexadecimal digit, -1 when it is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
