package contentline

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// Limits bound what is read. A zero stands for the value of the constant beside it.
type Limits struct {
	Octets int64 // of the whole text: MaxOctets
	Lines  int   // unfolded: MaxLines
	Line   int   // octets of one, unfolded: MaxLine
	Params int   // values of the parameters of one line: MaxParams
	Values int   // of the parameters of all lines: MaxValues
}

// The bounds that hold where Limits has a zero.
const (
	MaxOctets = 64 << 20
	MaxLines  = 200_000
	MaxLine   = 16 << 20
	MaxParams = 200
	MaxValues = 400_000 // each takes some twenty times the memory of its octets
)

func (l Limits) filled() Limits {
	if l.Octets == 0 {
		l.Octets = MaxOctets
	}
	if l.Lines == 0 {
		l.Lines = MaxLines
	}
	if l.Line == 0 {
		l.Line = MaxLine
	}
	if l.Params == 0 {
		l.Params = MaxParams
	}
	if l.Values == 0 {
		l.Values = MaxValues
	}
	return l
}

// Parse yields the content lines of a text. The first error ends it: an *Error, or that of
// r. A byte order mark before the first line is left out.
func Parse(r io.Reader, limits Limits) iter.Seq2[Line, error] {
	limits = limits.filled()
	return func(yield func(Line, error) bool) {
		u := unfolder{r: bufio.NewReaderSize(r, 4<<10), limits: limits}
		values := 0
		for n := 1; ; n++ {
			raw, number, err := u.next()
			if errors.Is(err, io.EOF) {
				return
			}
			var line Line
			if err == nil && n > limits.Lines {
				err = Errorf(number, "there are more than %d lines", limits.Lines)
			}
			if err == nil {
				line, err = parseLine(raw, number, limits.Params)
			}
			for _, p := range line.Params {
				values += len(p.Values)
			}
			if err == nil && values > limits.Values {
				err = Errorf(number, "there are more than %d values of parameters", limits.Values)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// unfolder joins the physical lines.
type unfolder struct {
	r      *bufio.Reader
	limits Limits
	number int // of the last physical line
	octets int64
	line   []byte // the space of the last one
}

// next returns the next line that is not empty, unfolded (RFC 5545 3.1), and the number
// of its first physical line. It is good until the next call.
func (u *unfolder) next() (line []byte, number int, err error) {
	for {
		u.line = u.line[:0]
		if err := u.physical(); err != nil {
			return nil, 0, err
		}
		number := u.number
		for {
			ahead, _ := u.r.Peek(1)
			if len(ahead) == 0 || ahead[0] != ' ' && ahead[0] != '\t' {
				break
			}
			u.r.Discard(1)
			u.octets++
			if err := u.physical(); err != nil && !errors.Is(err, io.EOF) {
				return nil, 0, err
			}
		}
		if number == 1 {
			u.line = bytes.TrimPrefix(u.line, []byte("\uFEFF"))
		}
		if len(u.line) > 0 {
			return u.line, number, nil
		}
	}
}

// physical adds a physical line, without its end. io.EOF: there is none.
func (u *unfolder) physical() error {
	begun, had := false, len(u.line)
	for {
		part, err := u.r.ReadSlice('\n')
		if len(part) > 0 && !begun {
			begun = true
			u.number++
		}
		u.line = append(u.line, part...)
		u.octets += int64(len(part))
		switch {
		case u.octets > u.limits.Octets:
			return Errorf(u.number, "the text has more than %d octets", u.limits.Octets)
		case len(u.line) > u.limits.Line+2:
			return Errorf(u.number, "a line has more than %d octets", u.limits.Line)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!begun || !errors.Is(err, io.EOF)):
			return err
		}
		end := bytes.TrimSuffix(bytes.TrimSuffix(u.line[had:], []byte("\n")), []byte("\r"))
		u.line = u.line[:had+len(end)]
		return nil
	}
}

// parseLine reads group, name, parameters and value.
func parseLine(raw []byte, number, maxParams int) (Line, error) {
	if !utf8.Valid(raw) {
		return Line{}, Errorf(number, "the line is not UTF-8")
	}
	for _, c := range raw {
		if c < ' ' && c != '\t' || c == 0x7f { // RFC 5545 3.1: CONTROL may stand nowhere
			return Line{}, Errorf(number, "the line has the control character 0x%02X", c)
		}
	}
	s := string(raw)
	n := nameLength(s)
	line := Line{Name: s[:n], Number: number}
	rest := s[n:]
	if rest != "" && rest[0] == '.' && n > 0 {
		m := nameLength(rest[1:])
		line.Group, line.Name, rest = line.Name, rest[1:1+m], rest[1+m:]
	}
	if line.Name == "" || rest == "" || rest[0] != ';' && rest[0] != ':' {
		return Line{}, Errorf(number, "there is no name of a property with a colon in %q", Clip(s))
	}
	line.Name = strings.ToUpper(line.Name)
	total := 0
	for rest[0] == ';' {
		var p Param
		var err error
		if p, rest, err = cutParam(rest[1:], number); err != nil {
			return Line{}, err
		}
		if total += len(p.Values); total > maxParams {
			return Line{}, Errorf(number, "the line has more than %d values of parameters", maxParams)
		}
		line.Params = append(line.Params, p)
	}
	line.Value = rest[1:]
	return line, nil
}

// nameLength returns the length of the name at the beginning (RFC 5545 3.1: iana-token,
// x-name). The underscore is not of RFC 5545, but of clients.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return i
		}
	}
	return len(s)
}

// cutParam takes a parameter off. What remains begins with a semicolon or a colon.
func cutParam(s string, number int) (p Param, rest string, err error) {
	n := nameLength(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return p, "", Errorf(number, "the parameter %q has no name with an equals sign", Clip(s))
	}
	p.Name, rest = strings.ToUpper(s[:n]), s[n:]
	for {
		rest = rest[1:]
		var v string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return p, "", Errorf(number, "the quotes of the parameter %s do not close", Clip(p.Name))
			}
			v, rest = rest[1:end+1], rest[end+2:]
		} else {
			end := strings.IndexAny(rest, ",;:")
			if end < 0 {
				return p, "", Errorf(number, "no colon ends the parameter %s", Clip(p.Name))
			}
			v, rest = rest[:end], rest[end:]
		}
		p.Values = append(p.Values, decodeCaret(v))
		switch {
		case rest == "":
			return p, "", Errorf(number, "no colon ends the parameter %s", Clip(p.Name))
		case rest[0] == ';' || rest[0] == ':':
			return p, rest, nil
		case rest[0] != ',':
			return p, "", Errorf(number, "the parameter %s goes on after its quotes", Clip(p.Name))
		}
	}
}

// decodeCaret reads what a parameter may hold only in other words (RFC 6868 3.2). A caret
// before anything else stands for itself.
func decodeCaret(s string) string {
	if strings.IndexByte(s, '^') < 0 {
		return s
	}
	return strings.NewReplacer("^^", "^", "^n", "\n", "^'", `"`).Replace(s)
}
