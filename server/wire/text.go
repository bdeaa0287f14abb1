package wire

import (
	"bytes"
	"io"
)

// Limits bound a Text. Zero means no bound.
type Limits struct {
	// Size is the most octets of a text (RFC 1870 3: line ends count, dots
	// put in for the transport don't). A longer one is ErrTooLarge.
	Size int64
	// Line is the most octets of a line, CRLF included. A longer one is
	// ErrLineTooLong.
	Line int
	// Abandon is the most octets that are read of a text that is refused
	// already, before the reader gives up with ErrEndless.
	Abandon int64
}

// Text checks the content of a message on its way to dst. Once something is
// wrong it writes nothing more, but goes on reading.
type Text struct {
	dst io.Writer
	lim Limits
	err error // the first thing that was wrong

	size  int64 // octets so far
	line  int   // octets so far of the line that has not ended
	start bool  // a line begins here
	cr    bool  // the last octet was a CR whose LF has yet to come
}

// endMark ends a text, where a line begins (RFC 5321 4.1.1.4).
const endMark = ".\r\n"

// NewText returns a Text that writes to dst.
func NewText(dst io.Writer, lim Limits) *Text {
	return &Text{dst: dst, lim: lim, start: true}
}

// Size returns the octets of the text so far, also when it is refused.
func (t *Text) Size() int64 { return t.size }

// Err returns the first thing that is wrong so far: an error of this package or one of dst.
func (t *Text) Err() error { return t.err }

// Finish ends the text and returns what Err does. A text whose last line has
// no CRLF, as BDAT allows (RFC 3030 3), gets one.
func (t *Text) Finish() error {
	if t.cr {
		t.fail(ErrBareCR)
	}
	if !t.start {
		t.put([]byte("\r\n"))
		t.start = true
	}
	return t.err
}

// scan takes the octets of b. With stuffed, a dot where a line begins is taken
// out, or is the end of the text: then end is true and n counts the end mark
// too. It leaves the last octets of b untaken when they may be an end mark cut
// short.
func (t *Text) scan(b []byte, stuffed bool) (n int, end bool) {
	from := 0 // where that begins which is checked but not written yet
	for n < len(b) {
		if stuffed && t.start && b[n] == '.' {
			if len(b)-n < len(endMark) {
				break
			}
			t.put(b[from:n])
			if string(b[n:n+len(endMark)]) == endMark {
				return n + len(endMark), true
			}
			n++
			from = n
			t.start = false
		}
		line := b[n:]
		if lf := bytes.IndexByte(line, '\n'); lf >= 0 {
			line = line[:lf+1]
		}
		t.check(line)
		n += len(line)
	}
	t.put(b[from:n])
	return n, false
}

// check looks at a line, or at a part of one: then it has no LF.
func (t *Text) check(line []byte) {
	last := len(line) - 1
	before := t.cr // a CR stood before line
	if before && line[0] != '\n' {
		t.fail(ErrBareCR)
	}
	t.start, t.cr = false, false
	end := len(line) // of what must have no CR
	switch {
	case line[last] == '\r':
		t.cr = true
		end = last
	case line[last] != '\n':
	case last > 0 && line[last-1] == '\r':
		t.start = true
		end = last - 1
	case last == 0 && before:
		t.start = true
	default:
		t.fail(ErrBareLF)
	}
	if bytes.IndexByte(line[:end], '\r') >= 0 {
		t.fail(ErrBareCR)
	}
	t.line += len(line)
	if t.lim.Line > 0 && t.line > t.lim.Line {
		t.fail(ErrLineTooLong)
	}
	if line[last] == '\n' {
		t.line = 0
	}
}

// put writes octets that are checked.
func (t *Text) put(b []byte) {
	t.size += int64(len(b))
	if t.lim.Size > 0 && t.size > t.lim.Size {
		t.fail(ErrTooLarge)
	}
	if t.err != nil || len(b) == 0 {
		return
	}
	if bytes.IndexByte(b, 0) >= 0 {
		t.fail(ErrNUL)
		return
	}
	if _, err := t.dst.Write(b); err != nil {
		t.fail(err)
	}
}

func (t *Text) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *Text) endless() bool {
	return t.err != nil && t.lim.Abandon > 0 && t.size > t.lim.Abandon
}
