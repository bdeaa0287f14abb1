package message

import "strconv"

// maxQuoted bounds a quoted string; what is longer is a literal.
const maxQuoted = 1024

// appendString appends s as an IMAP string (RFC 9051 4.3): quoted, or a literal
// when it has control characters or octets over 127, which serves IMAP4rev1 and
// rev2 alike. NUL is left out, for no IMAP string can hold it.
func appendString(dst, s []byte) []byte {
	if len(s) > maxQuoted {
		return appendLiteral(dst, s)
	}
	start := len(dst)
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == 0:
			continue
		case c >= 0x7f || c < ' ' && c != '\t':
			return appendLiteral(dst[:start], s)
		case c == '"' || c == '\\':
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func appendLiteral(dst, s []byte) []byte {
	size := len(s)
	for _, c := range s {
		if c == 0 {
			size--
		}
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, "}\r\n"...)
	if size == len(s) {
		return append(dst, s...)
	}
	for _, c := range s {
		if c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendNString is appendString, with NIL for what is absent.
func appendNString(dst, s []byte) []byte {
	if s == nil {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}
