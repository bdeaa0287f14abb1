package message

import "bytes"

// The bounds of the fields in a Summary.
const (
	maxListedField  = 8 << 10
	maxListedFields = 32 << 10
)

// appendListed appends the listed fields of a header; ok is false when they are too
// long.
func appendListed(dst []byte, h *Header, kinds []fieldKind) (_ []byte, ok bool) {
	start := len(dst)
	for i, f := range h.fields {
		if kinds[i] == kindOther {
			continue
		}
		dst = appendField(dst, h.raw[f.start:f.end])
		if f.end-f.start > maxListedField || len(dst)-start > maxListedFields {
			return dst[:start], false
		}
	}
	return dst, true
}

// appendField appends a field, with a line end when it has none.
func appendField(dst, field []byte) []byte {
	dst = append(dst, field...)
	if len(field) > 0 && field[len(field)-1] != '\n' {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// AppendFields appends the fields of these names as HEADER.FIELDS does (RFC 9051
// 6.4.5.1): as they came, in their order, and the empty line. ok is false when s
// can't tell, because a name is not Listed or FieldsOmitted is set.
func (s *Summary) AppendFields(dst []byte, names []string) (_ []byte, ok bool) {
	if s.FieldsOmitted {
		return dst, false
	}
	for _, n := range names {
		if !Listed(n) {
			return dst, false
		}
	}
	for field := range splitFields(s.Fields) {
		if named(field, names) {
			dst = append(dst, field...)
		}
	}
	return append(dst, "\r\n"...), true
}

// Field returns the raw value of the first field of that name (folded as it came,
// with its line end), which must be Listed; ok is false when there is none.
func (s *Summary) Field(name string) (value []byte, ok bool) {
	names := [1]string{name}
	for field := range splitFields(s.Fields) {
		if named(field, names[:]) {
			return field[bytes.IndexByte(field, ':')+1:], true
		}
	}
	return nil, false
}

// splitFields splits a header into its fields, each with all of its lines.
func splitFields(header []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for rest := header; len(rest) > 0; {
			end := 0
			for {
				i := bytes.IndexByte(rest[end:], '\n')
				if i < 0 {
					end = len(rest)
					break
				}
				end += i + 1
				if end == len(rest) || !isWSP(rest[end]) { // RFC 5322 2.2.3
					break
				}
			}
			if !yield(rest[:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// named tells whether a field has one of these names.
func named(field []byte, names []string) bool {
next:
	for _, name := range names {
		if len(field) <= len(name) || name == "" {
			continue
		}
		for i := range len(name) {
			if a, b := field[i], name[i]; a != b && lower(a) != lower(b) {
				continue next
			}
		}
		rest := field[len(name):]
		if rest[0] == ':' {
			return true
		}
		if isWSP(rest[0]) { // RFC 5322 4.5 allows it before the colon
			if rest = bytes.TrimLeft(rest, " \t"); len(rest) > 0 && rest[0] == ':' {
				return true
			}
		}
	}
	return false
}
