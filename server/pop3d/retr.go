package pop3d

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"facteur/server/fault"
	"facteur/server/wire"
)

// cmdRetr is RFC 1939 5.
func (s *session) cmdRetr(args string) {
	if i, ok := s.message(args); ok {
		s.retrieve("RETR", i, everything)
	}
}

// cmdTop is RFC 1939 7.
func (s *session) cmdTop(args string) {
	which, lines, _ := strings.Cut(args, " ")
	n, ok := number(lines)
	if !ok {
		s.mistake("Syntax: TOP message lines")
		return
	}
	if i, ok := s.message(which); ok {
		s.retrieve("TOP", i, n)
	}
}

// everything is a number of lines that no message has.
const everything = math.MaxInt64

// retrieve sends a message: its header, the empty line, and so many lines of
// its body.
func (s *session) retrieve(verb string, i int, lines int64) {
	content, err := s.drop.box.Open(s.drop.box.At(i).UID)
	if fault.Is(err, fault.NotFound) {
		s.err("", "message "+strconv.Itoa(i+1)+" is gone: it was removed meanwhile")
		return
	}
	if err != nil {
		s.refuse(verb, err)
		return
	}
	defer content.Close()
	if lines == everything {
		s.ok(strconv.FormatInt(content.Size(), 10) + " octets")
	} else {
		s.ok("top of message follows")
	}
	chunk := s.srv.chunks.Get().(*[chunkSize]byte)
	defer s.srv.chunks.Put(chunk)
	t := newTransfer(s.W, lines)
	if err := t.copy(content, chunk[:]); err != nil {
		// There is no way to take +OK back; the text must not look whole.
		s.Log.Info("pop3d.cut-off", "account", s.Info.Account.String(), "uid", s.drop.box.At(i).UID, "error", err)
		s.Done = true
		s.Cut()
	}
}

// transfer is a message on its way out, as the lines of a multi-line reply (RFC
// 1939 3). Nothing is held: what has no line with a dot in front goes out as
// it is.
type transfer struct {
	w     *wire.Writer
	left  int64 // lines of the body that may still be sent
	start bool  // a line begins here
	ended bool  // what was sent ends with CRLF
	last  byte  // of what was sent
	body  bool  // the empty line has gone by
	line  bool  // there is something in the line of the header
}

func newTransfer(w *wire.Writer, lines int64) *transfer {
	return &transfer{w: w, left: lines, start: true, ended: true}
}

// copy sends a message, by way of buf, as far as it is wanted, and the end mark.
func (t *transfer) copy(r io.ReaderAt, buf []byte) error {
	for off := int64(0); !t.enough(); {
		n, err := r.ReadAt(buf, off)
		off += int64(n)
		if err := t.put(t.wanted(buf[:n])); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if !t.ended { // also behind a bare LF: the end mark is a line of its own
		if err := t.w.Octets([]byte("\r\n")); err != nil {
			return err
		}
	}
	return t.w.Octets([]byte(".\r\n"))
}

// enough tells whether all that is wanted was sent.
func (t *transfer) enough() bool { return t.body && t.left == 0 }

// wanted returns what of b belongs to the header and the lines that are wanted.
func (t *transfer) wanted(b []byte) []byte {
	if t.left == everything {
		return b
	}
	n := 0
	for n < len(b) && !t.enough() {
		line := b[n:]
		lf := bytes.IndexByte(line, '\n')
		if lf >= 0 {
			line = line[:lf+1]
		}
		n += len(line)
		switch {
		case t.body && lf >= 0:
			t.left--
		case t.body:
		default:
			t.line = t.line || len(bytes.TrimRight(line, "\r\n")) > 0
			if lf >= 0 {
				t.body, t.line = !t.line, false
			}
		}
	}
	return b[:n]
}

// lineDot is where a dot must be put in. Content has no LF but in CRLF, unless a
// client appended it as binary (RFC 3516); those who take a bare LF for the end of
// a line must not see the end mark behind it either.
var (
	lineDot = []byte("\n.")
	dot     = lineDot[1:]
)

// put sends what is wanted, with a dot before each line that begins with one.
func (t *transfer) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if t.start && b[0] == '.' {
		if err := t.w.Octets(dot); err != nil {
			return err
		}
	}
	n := len(b)
	before := t.last
	if n > 1 {
		before = b[n-2]
	}
	t.last = b[n-1]
	t.start = t.last == '\n'
	t.ended = t.start && before == '\r'
	for {
		i := bytes.Index(b, lineDot)
		if i < 0 {
			return t.w.Octets(b)
		}
		t.w.Octets(b[:i+1]) // an error is told again
		t.w.Octets(dot)
		b = b[i+1:]
	}
}
