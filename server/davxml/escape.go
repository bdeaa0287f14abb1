package davxml

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// appendEscaped writes text. A carriage return is written as a reference, for a
// reader makes a line feed of it otherwise (XML 2.11), and a calendar has its lines
// end in CRLF. It looks at eight octets at a time.
func appendEscaped[T string | []byte](dst []byte, s T, attribute bool) []byte {
	i := 0
	for len(s)-i >= 8 {
		p := s[i : i+8]
		v := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
			uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
		n := len(dst)
		if cap(dst)-n < 16 {
			dst = slices.Grow(dst, len(s)-i+16)
		}
		dst = dst[:n+8]
		binary.LittleEndian.PutUint64(dst[n:], v)
		found := special(v)
		if found == 0 {
			i += 8
			continue
		}
		k := bits.TrailingZeros64(found) / 8
		i += k
		dst = dst[:n+k]
		if s[i] == '\r' {
			dst = append(dst, '&', '#', '1', '3', ';')
			if i++; i < len(s) && s[i] == '\n' && !attribute {
				dst = append(dst, '\n')
				i++
			}
			continue
		}
		dst, i = appendOne(dst, s, i, attribute)
	}
	for i < len(s) {
		dst, i = appendOne(dst, s, i, attribute)
	}
	return dst
}

// special returns which of eight octets do not stand for themselves in character data or in
// attributes: the highest bit of each that is not ASCII, below 0x20, or one of <>"&. It is
// exact for the lowest of them; those above it may be set by borrowing.
func special(v uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	angle, mark := (v|ones*2)^ones*'>', (v|ones*4)^ones*'&' // an octet is 0: it is < or >, " or &
	return (v | (v-ones*0x20)&^v | (angle-ones)&^angle | (mark-ones)&^mark) & highs
}

// appendOne writes the character at i, and returns where the next one is.
func appendOne[T string | []byte](dst []byte, s T, i int, attribute bool) ([]byte, int) {
	c := s[i]
	switch {
	case c == '&':
		return append(dst, "&amp;"...), i + 1
	case c == '<':
		return append(dst, "&lt;"...), i + 1
	case c == '>':
		return append(dst, "&gt;"...), i + 1
	case c == '\r':
		return append(dst, "&#13;"...), i + 1
	case c == '"' && attribute:
		return append(dst, "&quot;"...), i + 1
	case c == '\n' && attribute:
		return append(dst, "&#10;"...), i + 1
	case c == '\t' && attribute:
		return append(dst, "&#9;"...), i + 1
	case c >= 0x20 && c < utf8.RuneSelf, c == '\n', c == '\t':
		return append(dst, c), i + 1
	}
	instead, size := unusual(s[i:])
	if instead != "" {
		return append(dst, instead...), i + size
	}
	return append(dst, s[i:i+size]...), i + size
}

// unusual looks at what is not ASCII, or a control character: U+FFFD instead of
// what is no Char.
func unusual[T string | []byte](s T) (instead string, size int) {
	var head [utf8.UTFMax]byte
	n := copy(head[:], s)
	r, size := utf8.DecodeRune(head[:n])
	if r == utf8.RuneError && size == 1 || !isChar(r) {
		return "\uFFFD", size
	}
	return "", size
}
