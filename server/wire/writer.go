package wire

import (
	"bufio"
	"io"
)

// Writer writes lines. They are sent by Flush, or when the buffer is full.
type Writer struct {
	bw  *bufio.Writer
	tap *Tap
}

// NewWriter returns a Writer with a buffer of size octets. Reset gives it a
// destination.
func NewWriter(size int) *Writer {
	return &Writer{bw: bufio.NewWriterSize(nil, size)}
}

// Reset makes w write to dst, forgetting what it had buffered and the error
// that it had. tap may be nil.
func (w *Writer) Reset(dst io.Writer, tap *Tap) {
	w.bw.Reset(dst)
	w.tap = tap
}

// Line writes a line and CRLF. A CR, LF or NUL in it becomes a space: one line
// can't be made into two. An error is told again by Flush.
func (w *Writer) Line(line []byte) {
	for i, c := range line {
		if c == '\r' || c == '\n' || c == 0 {
			line[i] = ' '
		}
	}
	w.tap.sent(line)
	w.bw.Write(line)
	w.bw.WriteString("\r\n")
}

// Octets writes octets as they are: a piece of a text, in which the caller has
// seen to line ends and dots. Its error is the first since Reset, so that who
// sends a long text can stop.
func (w *Writer) Octets(b []byte) error {
	_, err := w.bw.Write(b)
	return err
}

// Buffered returns the number of octets that wait for Flush.
func (w *Writer) Buffered() int { return w.bw.Buffered() }

// Flush sends what is buffered. It returns the first error since Reset.
func (w *Writer) Flush() error { return w.bw.Flush() }
