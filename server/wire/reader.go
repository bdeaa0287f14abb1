package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// What may be wrong with a line or a text. After all but ErrEndless the reader
// stands behind it, and the connection can go on.
var (
	ErrLineTooLong = errors.New("the line is too long")
	ErrBareCR      = errors.New("a CR without LF")
	ErrBareLF      = errors.New("an LF without CR")
	ErrNUL         = errors.New("a NUL octet")
	ErrTooLarge    = errors.New("the text is too large")
	// ErrEndless: no end came within the bound. The connection is to be closed.
	ErrEndless = errors.New("no end in sight")
)

// maxSkip is how much of a line that is too long is read to find its end.
const maxSkip = 1 << 20

// Reader reads lines and texts.
type Reader struct {
	br  *bufio.Reader
	tap *Tap
}

// NewReader returns a Reader with a buffer of size octets, which is the length
// of the longest line that it can return. Reset gives it a source.
func NewReader(size int) *Reader {
	return &Reader{br: bufio.NewReaderSize(nil, size)}
}

// Reset makes r read from src, forgetting what it had buffered. tap may be nil.
func (r *Reader) Reset(src io.Reader, tap *Tap) {
	r.br.Reset(src)
	r.tap = tap
}

// Buffered returns the number of octets that were read ahead.
func (r *Reader) Buffered() int { return r.br.Buffered() }

// HasLine tells whether the next Line needs nothing more from the source.
func (r *Reader) HasLine() bool {
	b, _ := r.br.Peek(r.br.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// First returns the next octet without taking it.
func (r *Reader) First() (byte, error) {
	b, err := r.br.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Line reads a line of at most max octets, CRLF included, and returns it
// without the CRLF. It is valid until the next read. Its errors are those
// above and those of the source; io.EOF only where a line would begin.
func (r *Reader) Line(max int) ([]byte, error) { return r.line(max, false) }

// SecretLine is Line for a line that the trace must not show: a password.
func (r *Reader) SecretLine(max int) ([]byte, error) { return r.line(max, true) }

func (r *Reader) line(max int, secret bool) ([]byte, error) {
	line, err := r.br.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, r.skipLine(len(line))
	}
	if err != nil {
		if err == io.EOF && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if len(line) > max {
		return nil, ErrLineTooLong
	}
	n := len(line) - 2
	if n < 0 || line[n] != '\r' {
		return nil, ErrBareLF
	}
	line = line[:n]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, ErrBareCR
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return nil, ErrNUL
	}
	r.tap.received(line, secret)
	return line, nil
}

// skipLine reads to the end of a line of which n octets are read.
func (r *Reader) skipLine(n int) error {
	for n <= maxSkip {
		part, err := r.br.ReadSlice('\n')
		n += len(part)
		switch err {
		case nil:
			return ErrLineTooLong
		case bufio.ErrBufferFull:
		case io.EOF:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return ErrEndless
}

// Dot reads a text up to CRLF.CRLF, takes out the dots that were put in for
// the transport (RFC 5321 4.5.2) and writes it to t. What is wrong with the
// text is told by t.Finish; the error here means that the connection broke, or
// ErrEndless.
func (r *Reader) Dot(t *Text) error {
	need := 1
	for {
		b, err := r.br.Peek(need)
		if len(b) < need {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		b, _ = r.br.Peek(r.br.Buffered())
		n, end := t.scan(b, true)
		r.br.Discard(n)
		if end {
			r.tap.text(t.size)
			return nil
		}
		if t.endless() {
			return ErrEndless
		}
		need = 1
		if n < len(b) {
			need = len(endMark) // a dot at the start of a line: is it the end?
		}
	}
}

// Chunk writes the next n octets to t, as they are (RFC 3030 2). Its error is
// as that of Dot.
func (r *Reader) Chunk(t *Text, n int64) error {
	for n > 0 {
		if _, err := r.br.Peek(1); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		b, _ := r.br.Peek(int(min(n, int64(r.br.Buffered()))))
		t.scan(b, false)
		r.br.Discard(len(b))
		n -= int64(len(b))
		if t.endless() {
			return ErrEndless
		}
	}
	r.tap.text(t.size)
	return nil
}
