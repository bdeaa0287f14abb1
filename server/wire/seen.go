package wire

import (
	"strings"
	"unicode"
)

// Seen returns a text that strangers may have a part in as one that neither ends a line
// nor commands a terminal: what is not seen becomes a space, but for what is in keep.
func Seen(text, keep string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(keep, r) {
			return r
		}
		return ' '
	}, text)
}
