package imapsearch

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// collate returns the form of s in which i;unicode-casemap compares octets
// (RFC 5051 2): in title case, decomposed. SORT and THREAD order strings by it
// (RFC 5256 7, I18NLEVEL=1).
func collate(s string) string {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf {
		i++
	}
	if i == len(s) {
		return strings.ToUpper(s)
	}
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}
