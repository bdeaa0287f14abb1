package maildir

import "math/bits"

// Flags is the set of flags in a file name: those of Maildir and the keywords
// a to z.
type Flags uint32

// The flags of Maildir, in the order of their letters.
const (
	Draft   Flags = 1 << iota // D
	Flagged                   // F
	Passed                    // P: resent, forwarded or bounced
	Replied                   // R
	Seen                      // S
	Trashed                   // T
)

// letters are those of the flags, by bit.
const letters = "DFPRSTabcdefghijklmnopqrstuvwxyz"

// NumKeywords is the number of keywords that names can hold.
const NumKeywords = 26

// Keyword returns the flag of keyword i, from 0 for the letter a.
func Keyword(i int) Flags { return 1 << (6 + i) }

// Keywords calls f with the number of each keyword in the set.
func (f Flags) Keywords(yield func(i int) bool) {
	for k := uint32(f >> 6); k != 0; k &= k - 1 {
		if !yield(bits.TrailingZeros32(k)) {
			return
		}
	}
}

// append adds the letters of f to b, in the order that Maildir asks for.
func (f Flags) append(b []byte) []byte {
	for k := uint32(f); k != 0; k &= k - 1 {
		b = append(b, letters[bits.TrailingZeros32(k)])
	}
	return b
}

// String returns the letters.
func (f Flags) String() string { return string(f.append(nil)) }

// flagOf returns the flag of a letter, 0 for one that is none.
func flagOf(c byte) Flags {
	switch {
	case c >= 'a' && c <= 'z':
		return Keyword(int(c - 'a'))
	case c == 'D':
		return Draft
	case c == 'F':
		return Flagged
	case c == 'P':
		return Passed
	case c == 'R':
		return Replied
	case c == 'S':
		return Seen
	case c == 'T':
		return Trashed
	}
	return 0
}
