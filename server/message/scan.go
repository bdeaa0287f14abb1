package message

import (
	"bytes"
	"hash"
	"io"
	"sync"
)

// What a message may hold. Containers that are deeper are served as one opaque
// part, parts beyond the limit are not numbered.
const (
	maxNesting  = 50
	maxEntities = 1000
	maxBoundary = 1000    // octets; RFC 2046 5.1.1 allows 70
	maxWire     = 1 << 20 // octets of wire forms of one message; parts beyond get the shortest form
)

// windowSize is how much of a message is held at a time, when no header is longer.
const windowSize = 32 << 10

// windows are buffers not in use.
var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// scanner reads a message once, front to back, through a window. Delimiters are
// looked for from the innermost multipart outwards, so one that was never closed
// ends with the one around it (RFC 2046 5.1.2).
type scanner struct {
	r          io.ReaderAt
	size       int64
	block      *[windowSize]byte // the window when it has not grown
	buf        []byte            // the window: octets [base, base+len(buf)) of the message
	base, pos  int64             // pos is what is read next
	lines      int64             // line ends before pos
	boundaries []string          // of the multiparts that we are in
	bare       bool              // no wire forms are made
	entities   int
	wire       int       // octets of wire forms made
	hash       hash.Hash // of all that was read, nil when it is not wanted
	summary    *summarizer
	fields     []field     // of the header being read
	kinds      []fieldKind // of fields
	scratch    []byte
	names      []byte // of mailboxes
	err        error
}

func newScanner(r io.ReaderAt, size int64) *scanner {
	s := &scanner{r: r, size: size, block: windows.Get().(*[windowSize]byte)}
	s.buf = s.block[:0]
	return s
}

// release gives the window back.
func (s *scanner) release() {
	windows.Put(s.block)
	s.block, s.buf = nil, nil
}

// delimiter is what ended a body: a delimiter line, or the end of the message.
type delimiter struct {
	level   int // index into boundaries, -1 at the end of the message
	closing bool
	end     int64 // of the body before it; the line end belongs to the delimiter (RFC 2046 5.1.1)
	lines   int64 // line ends before end
}

// notBefore gives the line end behind which a part begins to that part, when the
// delimiter stands there already: an empty header, or an empty body.
func (d *delimiter) notBefore(start, lines int64) {
	if d.end < start {
		d.end, d.lines = start, lines
	}
}

// rest returns what is in the window and not yet read.
func (s *scanner) rest() []byte { return s.buf[s.pos-s.base:] }

// fill reads on. What is before keep may go from the window, but for the two
// octets before it. It returns false at the end and after an error.
func (s *scanner) fill(keep int64) bool {
	from := s.base + int64(len(s.buf))
	if from >= s.size || s.err != nil {
		return false
	}
	if len(s.buf) == cap(s.buf) {
		if drop := keep - 2 - s.base; drop > 0 {
			s.buf = s.buf[:copy(s.buf, s.buf[drop:])]
			s.base += drop
		}
	}
	if free := cap(s.buf) - len(s.buf); free < cap(s.buf)/4 && int64(free) < s.size-from {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	}
	old := len(s.buf)
	want := min(int64(cap(s.buf)-old), s.size-from)
	n, err := s.r.ReadAt(s.buf[old:old+int(want)], from)
	if int64(n) < want && (err == nil || err == io.EOF) {
		err = io.ErrUnexpectedEOF // shorter than its size
	}
	if int64(n) < want {
		s.err = err
	}
	s.buf = s.buf[:old+n]
	if s.hash != nil {
		s.hash.Write(s.buf[old:])
	}
	return n > 0
}

// advance goes over n octets of the window.
func (s *scanner) advance(n int) {
	w := s.rest()[:n]
	s.lines += int64(bytes.Count(w, newline))
	s.pos += int64(n)
}

var (
	newline    = []byte("\n")
	dashedLine = []byte("\n--")
)

// line returns the next line with its line end, as far as it is within limit
// octets, and keeps the window from keep on.
func (s *scanner) line(keep int64, limit int) []byte {
	for seen := 0; ; {
		w := s.rest()
		if i := bytes.IndexByte(w[seen:], '\n'); i >= 0 {
			return w[:seen+i+1]
		}
		if len(w) >= limit {
			return w[:limit]
		}
		seen = len(w)
		if !s.fill(keep) {
			return s.rest()
		}
	}
}

// maxDelimiter bounds a delimiter line with the white space behind it.
const maxDelimiter = 4096

// delimiter reads a delimiter line, when one begins at pos.
func (s *scanner) delimiter(keep int64) (d delimiter, ok bool) {
	if len(s.boundaries) == 0 {
		return d, false
	}
	if w := s.rest(); len(w) < 2 || w[0] == '-' && w[1] == '-' {
		line := s.line(keep, maxDelimiter)
		d.level, d.closing = s.match(line)
		if d.level < 0 || len(line) == 0 {
			return d, false
		}
		d.end, d.lines = s.beforeLineEnd()
		s.advance(len(line))
		if line[len(line)-1] != '\n' { // the white space goes on
			s.toLineEnd()
		}
		return d, true
	}
	return d, false
}

// match tells which boundary a line is.
func (s *scanner) match(line []byte) (level int, closing bool) {
	text, ok := bytes.CutPrefix(line, dashedLine[1:])
	if !ok {
		return -1, false
	}
	text = bytes.TrimRight(text, " \t\r\n")
	for i := len(s.boundaries) - 1; i >= 0; i-- {
		b := s.boundaries[i]
		if len(text) < len(b) || string(text[:len(b)]) != b {
			continue
		}
		if rest := text[len(b):]; len(rest) == 0 || string(rest) == "--" {
			return i, len(rest) > 0
		}
	}
	return -1, false
}

// beforeLineEnd returns pos, and the number of line ends before it, without the
// line end that it stands behind.
func (s *scanner) beforeLineEnd() (end, lines int64) {
	i := s.pos - s.base
	switch {
	case i >= 2 && s.buf[i-1] == '\n' && s.buf[i-2] == '\r':
		return s.pos - 2, s.lines - 1
	case i >= 1 && s.buf[i-1] == '\n':
		return s.pos - 1, s.lines - 1
	}
	return s.pos, s.lines
}

// toLineEnd goes behind the end of the line.
func (s *scanner) toLineEnd() {
	for {
		w := s.rest()
		if i := bytes.IndexByte(w, '\n'); i >= 0 {
			s.advance(i + 1)
			return
		}
		s.advance(len(w))
		if !s.fill(s.pos) {
			return
		}
	}
}

// skip reads on to the next delimiter. pos is at the beginning of a line.
func (s *scanner) skip() delimiter {
	for {
		if d, ok := s.delimiter(s.pos); ok {
			return d
		}
		if !s.toDashes() {
			return delimiter{level: -1, end: s.pos, lines: s.lines}
		}
	}
}

// toDashes goes to the next line that begins with two hyphens; false: to the end.
func (s *scanner) toDashes() bool {
	for {
		w := s.rest()
		i := -1
		if len(s.boundaries) > 0 {
			i = bytes.Index(w, dashedLine)
		}
		if i >= 0 {
			s.body(i + 1)
			return true
		}
		if n := len(w) - 2; n > 0 {
			s.body(n) // a delimiter may begin in the last two octets
		}
		if !s.fill(s.pos) {
			s.body(len(s.rest()))
			return false
		}
	}
}

// body goes over n octets of a body.
func (s *scanner) body(n int) {
	if s.summary != nil {
		s.summary.capture(s.rest()[:n])
	}
	s.advance(n)
}

// header reads a header with the empty line behind it; body tells whether that is
// there. Else d is what ended it. raw is nil when it is over MaxHeader; it is valid
// until the scanner reads on.
func (s *scanner) header() (raw []byte, d delimiter, body bool) {
	start, keep := s.pos, s.pos
	for whole := true; ; { // whole: pos is at the beginning of a line
		if whole {
			if d, ok := s.delimiter(keep); ok {
				return s.since(start, d.end), d, false
			}
		}
		line := s.line(keep, windowSize/4)
		if len(line) == 0 {
			return s.since(start, s.pos), delimiter{level: -1, end: s.pos, lines: s.lines}, false
		}
		s.advance(len(line))
		if whole && lineEnd(line) == len(line) {
			return s.since(start, s.pos), d, true
		}
		whole = line[len(line)-1] == '\n'
		if s.pos-start > MaxHeader {
			keep = s.pos
		}
	}
}

// since returns the header [start, end) when the window still has it.
func (s *scanner) since(start, end int64) []byte {
	if end <= start || end-start > MaxHeader || start < s.base {
		return nil
	}
	return s.buf[start-s.base : end-s.base]
}
