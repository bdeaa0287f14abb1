package message

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold appends to dst the form of src in which searches compare text (RFC 9051
// 6.4.4): without case (full Unicode case folding: "ß" is "ss"), compatibility
// characters as what they stand for (NFKC), characters that are never seen left
// out; diacritics stay. So STRASSE finds straße, and "fi" its ligature. Octets that
// are not UTF-8 stay as they are. Folding what is folded changes nothing.
//
// Most characters are folded each by itself, from a table. Those that may combine
// with others, or change into several, go through the full algorithms together
// with the one before them.
func Fold(dst, src []byte) []byte {
	dst = slices.Grow(dst, len(src))
	for len(src) > 0 {
		n := asciiLen(src)
		if n < len(src) && n > 0 {
			n-- // the last may take a mark
		}
		dst = appendLower(dst, src[:n])
		src = src[n:]
		for len(src) > 0 {
			if len(src) > 1 && src[0] < utf8.RuneSelf && src[1] < utf8.RuneSelf {
				break // ASCII again
			}
			f, size := simpleFold(src)
			if _, next := simpleFold(src[max(size, 1):]); size > 0 && (next > 0 || size == len(src)) {
				dst = append(dst, f[1:1+f[0]]...)
				src = src[size:]
				continue
			}
			n := complexLen(src)
			dst = foldComplex(dst, src[:n])
			src = src[n:]
		}
	}
	return dst
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// asciiLen returns how many octets of ASCII src begins with.
func asciiLen(src []byte) int {
	i := 0
	for ; i+8 <= len(src); i += 8 {
		if binary.LittleEndian.Uint64(src[i:])&highBits != 0 {
			break
		}
	}
	for i < len(src) && src[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// appendLower appends ASCII in lower case, eight octets at a time.
func appendLower(dst, src []byte) []byte {
	at := len(dst)
	dst = append(dst, src...)
	out := dst[at:]
	i := 0
	for ; i+8 <= len(out); i += 8 {
		v := binary.LittleEndian.Uint64(out[i:])
		upper := (v + (0x80-'A')*eachByte) &^ (v + (0x80-'Z'-1)*eachByte) & highBits
		binary.LittleEndian.PutUint64(out[i:], v|upper>>2)
	}
	for ; i < len(out); i++ {
		out[i] = lower(out[i])
	}
	return dst
}

// folded is the folded form of one character: its length, and its octets.
type folded [8]byte

// tableEnd is the end of the table of simpleFold: Latin, Greek, Cyrillic, Armenian.
const tableEnd = 0x590

// foldTable has the characters up to tableEnd that can be folded by themselves; the
// length is 0 for others.
var foldTable = sync.OnceValue(func() *[tableEnd]folded {
	t := new([tableEnd]folded)
	for r := rune(0); r < tableEnd; r++ {
		src := utf8.AppendRune(nil, r)
		if !norm.NFKC.Properties(src).BoundaryBefore() || invisible(r) {
			continue
		}
		out := foldComplex(nil, src)
		if len(out) >= len(t[r]) || len(out) == 0 || !norm.NFKC.Properties(out).BoundaryBefore() {
			continue
		}
		t[r][0] = byte(len(out))
		copy(t[r][1:], out)
	}
	return t
})

// simpleFold returns the folded form of the character that src begins with; size is
// 0 when it can't be folded by itself, or src is empty.
func simpleFold(src []byte) (f folded, size int) {
	if len(src) == 0 {
		return f, 0
	}
	r, size := rune(src[0]), 1
	if r >= utf8.RuneSelf {
		r, size = utf8.DecodeRune(src)
	}
	switch {
	case r < tableEnd:
		if f = foldTable()[r]; f[0] == 0 {
			return f, 0
		}
		return f, size
	case 0x3041 <= r && r <= 0x3096, 0x30a1 <= r && r <= 0x30fa, 0x4e00 <= r && r <= 0x9fff, 0xac00 <= r && r <= 0xd7a3:
		// Kana, Han and Hangul stay as they are.
		f[0] = byte(copy(f[1:], src[:size]))
		return f, size
	}
	return f, 0
}

// complexLen returns the length of the first character with all behind it that
// can't be folded by themselves.
func complexLen(src []byte) int {
	_, n := utf8.DecodeRune(src)
	for n < len(src) {
		if _, size := simpleFold(src[n:]); size > 0 {
			break
		}
		_, size := utf8.DecodeRune(src[n:])
		n += size
	}
	return n
}

// foldComplex folds text by the full algorithms.
func foldComplex(dst, src []byte) []byte {
	if utf8.Valid(src) {
		return append(dst, foldUTF8(dropInvisible(src))...)
	}
	for len(src) > 0 {
		n := validLen(src)
		dst = append(dst, foldUTF8(dropInvisible(src[:n]))...)
		if src = src[n:]; len(src) > 0 {
			n = 1 + invisibleLen(src[1:]) // without them, two such octets could become a character
			dst, src = append(dst, src[:n]...), src[n:]
		}
	}
	return dst
}

// validLen returns how many octets of UTF-8 src begins with.
func validLen(src []byte) int {
	n := 0
	for n < len(src) {
		r, size := utf8.DecodeRune(src[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// invisibleLen returns the length of the invisible characters that src begins with.
func invisibleLen(src []byte) int {
	n := 0
	for n < len(src) {
		r, size := utf8.DecodeRune(src[n:])
		if !invisible(r) {
			break
		}
		n += size
	}
	return n
}

// maxFoldSteps is more than any text needs.
const maxFoldSteps = 4

// foldUTF8 folds and normalizes until nothing changes: some characters need a
// second turn (Unicode D146).
func foldUTF8(src []byte) []byte {
	fold := cases.Fold()
	if norm.NFKC.IsNormal(src) && bytes.Equal(foldCherokee(fold.Bytes(src)), src) { // most scripts have no case
		return src
	}
	text := norm.NFKC.Bytes(src)
	for range maxFoldSteps {
		next := norm.NFKC.Bytes(foldCherokee(fold.Bytes(norm.NFD.Bytes(text))))
		if bytes.Equal(next, text) {
			break
		}
		text = next
	}
	return text
}

// foldCherokee folds the one script whose small letters fold to capital ones
// (Unicode CaseFolding.txt), which package cases leaves alone.
func foldCherokee(text []byte) []byte {
	if !bytes.Contains(text, []byte("\u13f8")[:2]) && !bytes.Contains(text, []byte("\uab70")[:2]) && !bytes.Contains(text, []byte("\uab80")[:2]) {
		return text
	}
	return bytes.Map(func(r rune) rune {
		switch {
		case 0x13f8 <= r && r <= 0x13fd:
			return r - 8
		case 0xab70 <= r && r <= 0xabbf:
			return r - 0xab70 + 0x13a0
		}
		return r
	}, text)
}

// dropInvisible returns src without the characters that nobody sees.
func dropInvisible(src []byte) []byte {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if !invisible(r) {
			i += size
			continue
		}
		out := bytes.Clone(src[:i])
		for _, r := range string(src[i:]) {
			if !invisible(r) {
				out = utf8.AppendRune(out, r)
			}
		}
		return out
	}
	return src
}
