package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong with the file.
type Problem struct {
	File string
	Line int // from 1; 0 when the file could not be read at all
	Col  int // from 1, in characters
	Text string
	Hint string // what to do about it
}

// String returns `mail.toml:12:3: text (hint)`.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
	if p.Line == 0 {
		s = p.File + ": " + p.Text
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Errors is all that is wrong with a file, in the order of the file.
type Errors struct {
	Problems []Problem
	// Unread is the files that it names and that can't be read: once they can
	// be, it may have no problem any more.
	Unread []string
}

// Error returns one problem a line.
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many problems are told; a file that is something else
// altogether may have thousands.
const maxProblems = 200

// report collects problems by their place in the file.
type report struct {
	file     string
	text     []byte
	lines    []int // offset of each line's first octet
	problems []found
	skipped  int
	unread   []string
}

type found struct {
	offset int
	text   string
	hint   string
}

func newReport(file string, text []byte) *report {
	r := &report{file: file, text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	return r
}

// full tells that further problems are only counted, so that nobody needs to
// search for a hint.
func (r *report) full() bool { return len(r.problems) >= maxProblems }

func (r *report) add(offset int, text, hint string) {
	if r.full() {
		r.skipped++
		return
	}
	f := found{offset, text, hint}
	if !slices.Contains(r.problems, f) {
		r.problems = append(r.problems, f)
	}
}

// err returns the problems as an *Errors, nil when there are none.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool { return r.problems[i].offset < r.problems[j].offset })
	e := &Errors{Unread: r.unread}
	for _, f := range r.problems {
		line, col := r.position(f.offset)
		e.Problems = append(e.Problems, Problem{r.file, line, col, f.text, f.hint})
	}
	if r.skipped > 0 {
		last := e.Problems[len(e.Problems)-1]
		e.Problems = append(e.Problems, Problem{last.File, last.Line, last.Col, fmt.Sprintf("and %d more problems", r.skipped), "put these right first"})
	}
	return e
}

// position returns the line and the column of an offset. It lies within the
// file, or just behind its last character.
func (r *report) position(offset int) (line, col int) {
	offset = max(0, min(offset, len(r.text)))
	line = sort.SearchInts(r.lines, offset+1)
	start := r.lines[line-1]
	return line, utf8.RuneCount(r.text[start:offset]) + 1
}

// line returns the line with the offset, without its end.
func (r *report) line(offset int) string {
	n, _ := r.position(offset)
	end := len(r.text)
	if n < len(r.lines) {
		end = r.lines[n] - 1
	}
	return strings.TrimSuffix(string(r.text[r.lines[n-1]:end]), "\r")
}
