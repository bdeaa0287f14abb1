package server

import (
	"strings"
	"unicode"
)

// shown returns a text that strangers may have a part in as one line for a terminal, which
// it can't command: what is not seen is a space.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
