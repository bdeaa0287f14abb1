// Package contentline reads and writes the lines of which iCalendar and vCard are made:
// RFC 5545 3.1, RFC 6350 3.2 and 3.3 (folding, groups), RFC 6868 (carets in parameters).
//
// It knows no property: a value stays as it stands, and Text, Split and their like decode
// values of type TEXT. Every input is bounded, and each error names the physical line
// where what is wrong begins. Bare line feeds count as line ends, empty lines as nothing.
// What both formats share of queries (text-match and param-filter, RFC 4791 9.7 and
// RFC 6352 10.5) is in match.go.
//
// Nothing here has state.
package contentline

import (
	"fmt"
	"slices"
	"strings"
)

// Line is one content line, unfolded.
type Line struct {
	Group  string // of a vCard, as it stands; "": none
	Name   string // in upper case
	Params []Param
	Value  string // as it stands
	Number int    // of the first physical line, from 1; 0: the line was made here
}

// Param is a parameter.
type Param struct {
	Name   string   // in upper case
	Values []string // decoded, without quotes
}

// Param returns the first value of a parameter; "" when it is absent. The name is in
// upper case.
func (l Line) Param(name string) string {
	for _, p := range l.Params {
		if p.Name == name && len(p.Values) > 0 {
			return p.Values[0]
		}
	}
	return ""
}

// Without returns the line without some parameters. The names are in upper case.
func (l Line) Without(names ...string) Line {
	var kept []Param
	for _, p := range l.Params {
		if !slices.Contains(names, p.Name) {
			kept = append(kept, p)
		}
	}
	l.Params = kept
	return l
}

// Error says what is wrong with a text, and where.
type Error struct {
	Line int // of the text, from 1; 0: no single line has it
	Text string
	Err  error // its cause; nil: the text says all
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

// Errorf makes an Error.
func Errorf(line int, format string, args ...any) *Error {
	return &Error{Line: line, Text: fmt.Sprintf(format, args...)}
}

// Clip makes a part of the input fit for an error's text: short, and without controls.
func Clip(s string) string {
	const most = 60
	cut := len(s) > most
	if cut {
		s = s[:most]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut {
		s += "..."
	}
	return s
}
