package contentline

import (
	"slices"
	"strings"
)

// Raw is a text of content lines before it is parsed, which costs much more than to look for
// a word in it.
type Raw struct {
	octets []byte
	joined []byte // octets, unfolded and without backslashes
	folded [UnicodeCasemap + 1]string
}

// Reset has it be another text. octets may not change while it is used.
func (r *Raw) Reset(octets []byte) { *r = Raw{octets: octets, joined: r.joined[:0]} }

// MayMatch says whether a value in the text may be matched, as it stands or decoded by Text.
// False: certainly none is.
//
// But for line feeds, Text only takes backslashes away. So what has neither and is in a value
// is in the text that has neither; and to fold all changes nothing in a value, for what
// stands before and behind one is no mark that could change places.
func (r *Raw) MayMatch(m TextMatch) bool {
	if m.Negate {
		return true
	}
	pieces := strings.FieldsFunc(m.Collation.fold(m.Text), func(c rune) bool { return c == '\\' || c == '\n' || c == '\r' })
	all := r.in(m.Collation)
	return !slices.ContainsFunc(pieces, func(piece string) bool { return !strings.Contains(all, piece) })
}

// in returns the text as a collation folds it.
func (r *Raw) in(c Collation) string {
	if len(r.joined) == 0 {
		r.joined = appendJoined(r.joined, r.octets)
	}
	if r.folded[c] == "" {
		r.folded[c] = c.fold(string(r.joined))
	}
	return r.folded[c]
}

// appendJoined unfolds lines as package contentline reads them, and drops backslashes.
func appendJoined(dst, octets []byte) []byte {
	for i := 0; i < len(octets); i++ {
		c := octets[i]
		switch {
		case c == '\\':
		case c == '\n' && i+1 < len(octets) && (octets[i+1] == ' ' || octets[i+1] == '\t'):
			if n := len(dst); n > 0 && dst[n-1] == '\r' {
				dst = dst[:n-1]
			}
			i++
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
