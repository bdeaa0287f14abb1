// Package transfer reads what people export from other programs: calendars (RFC 5545),
// address books (vCard 4.0, 3.0 and 2.1) and tables of contacts (CSV of Outlook, Google, Zimbra and
// Thunderbird, in English and French). It makes of them objects as collections keep them,
// each with one UID (RFC 4791 4.1, RFC 6352 5.1), and writes whole collections as one file.
//
// What can't be read becomes a Problem, which names the line; all else is read
// nevertheless. A text that is neither UTF-8 nor marked as UTF-16 is taken for Windows-1252,
// where every octet means something. Control characters, which no content line may have,
// become spaces.
//
// An object without a UID gets one that is made of its content, so that the same object
// read twice has the same UID.
//
// Nothing here has state, and nothing reads files: texts are in memory.
package transfer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"facteur/server/contentline"
)

// MaxOctets bounds a text.
const MaxOctets = 256 << 20

// maxObject bounds an object, as collections do, and maxLine one line of it: pictures and
// attachments stand in lines.
const (
	maxObject = 16 << 20
	maxLine   = maxObject
)

// maxProblems bounds the list for one text. What is beyond is counted in the last one.
const maxProblems = 1000

// Card is the Kind of an object that is a vCard.
const Card = "VCARD"

// Object is one calendar object or vCard.
type Object struct {
	Kind string // the component: VEVENT, VTODO, VJOURNAL ...; or Card
	UID  string
	Data []byte
	Line int // where it begins in the text
}

// Problem is something that was not read, or not as it stands.
type Problem struct {
	Line int // from 1; 0: none in particular
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// Info is what a text tells of the calendar as a whole.
type Info struct{ Name, Color string }

// problems gathers what is wrong.
type problems struct {
	list []Problem
	more int
}

func (p *problems) add(line int, format string, args ...any) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, Problem{line, fmt.Sprintf(format, args...)})
}

// sorted returns the problems by line.
func (p *problems) sorted() []Problem {
	slices.SortStableFunc(p.list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if p.more > 0 {
		p.list = append(p.list, Problem{Text: fmt.Sprintf("%d more problems are not listed", p.more)})
	}
	return p.list
}

// failed adds an error of a parser for what begins in a line. at is the line of the text
// for one of the parser's; nil: they are the same.
func (p *problems) failed(err error, at func(line int) int, begin int, what string) {
	line, text := begin, err.Error()
	var e *contentline.Error
	if errors.As(err, &e) {
		text = e.Text
		if at != nil {
			e = contentline.Errorf(at(e.Line), "%s", e.Text)
		}
		if e.Line > 0 {
			line = e.Line
		}
	}
	if line != begin {
		what = fmt.Sprintf("%s of line %d", what, begin)
	}
	p.add(line, "the %s is left out: %s", what, text)
}

// places returns the line of the text for one of a part of it, 0 when there is none.
func places(numbers []int) func(line int) int {
	return func(line int) int {
		if line < 1 || line > len(numbers) {
			return 0
		}
		return numbers[line-1]
	}
}

// derivedUID makes a UID of a content.
func derivedUID(content []byte) string {
	sum := sha256.Sum256(content)
	return "content-" + hex.EncodeToString(sum[:16])
}
