package contentline

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// TextMatch is the condition text-match (RFC 4791 9.7.5, RFC 6352 10.5.4).
type TextMatch struct {
	Collation Collation
	Text      string
	Negate    bool
	Match     MatchType // CalDAV has Contains only
}

// Collation is how text is compared (RFC 4790).
type Collation int

// The collations, by their names in requests. The zero value is the one that RFC 4791 7.5.1
// has where none is named; RFC 6352 8.3.1 has UnicodeCasemap there.
const (
	ASCIICasemap   Collation = iota // i;ascii-casemap
	Octet                           // i;octet
	UnicodeCasemap                  // i;unicode-casemap (RFC 5051)
)

// Collations are their names, in the order of the constants.
func Collations() []string {
	return []string{"i;ascii-casemap", "i;octet", "i;unicode-casemap"}
}

// ParseCollation reads the name of a collation. An error is one to answer with the
// precondition supported-collation.
func ParseCollation(name string) (Collation, error) {
	if i := slices.Index(Collations(), name); i >= 0 {
		return Collation(i), nil
	}
	return 0, fmt.Errorf("there is no collation %q", Clip(name))
}

// MatchType is where the text has to stand (RFC 6352 10.5.4).
type MatchType int

// The types of RFC 6352.
const (
	Contains MatchType = iota
	Equals
	StartsWith
	EndsWith
)

// Matches says whether a value is matched.
func (m TextMatch) Matches(value string) bool {
	value, text := m.Collation.fold(value), m.Collation.fold(m.Text)
	var found bool
	switch m.Match {
	case Equals:
		found = value == text
	case StartsWith:
		found = strings.HasPrefix(value, text)
	case EndsWith:
		found = strings.HasSuffix(value, text)
	default:
		found = strings.Contains(value, text)
	}
	return found != m.Negate
}

// fold makes texts that a collation finds equal the same.
func (c Collation) fold(s string) string {
	if c == Octet {
		return s
	}
	folded := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b >= utf8.RuneSelf && c == UnicodeCasemap:
			r, size := utf8.DecodeRuneInString(s[i:])
			folded = utf8.AppendRune(folded, unicode.ToTitle(r))
			i += size - 1
		case b >= 'a' && b <= 'z':
			folded = append(folded, b-'a'+'A')
		default:
			folded = append(folded, b)
		}
	}
	if c == UnicodeCasemap { // RFC 5051 2: title case, then decomposed
		return norm.NFKD.String(string(folded))
	}
	return string(folded) // RFC 4790 9.2.1
}

// ParamFilter is the condition param-filter (RFC 4791 9.7.3, RFC 6352 10.5.2).
type ParamFilter struct {
	Name       string // in upper case
	NotDefined bool
	Text       *TextMatch // nil: that the parameter is there is enough
}

// Matches says whether a line meets the condition. A negated text is met by a line that
// has the parameter, when none of its values has the text.
func (f ParamFilter) Matches(l Line) bool {
	var values []string
	defined := false
	for _, p := range l.Params {
		if p.Name == f.Name {
			defined = true
			values = append(values, p.Values...)
		}
	}
	if f.NotDefined || !defined {
		return defined != f.NotDefined
	}
	return f.Text == nil || f.Text.Any(values)
}

// Any says whether one of some values is matched, or for a negated condition, whether none
// has the text.
func (m TextMatch) Any(values []string) bool {
	plain := m
	plain.Negate = false
	return slices.ContainsFunc(values, plain.Matches) != m.Negate
}
