package relay

import (
	"bytes"
	"io"
)

// dotWriter writes the content of a message for DATA (RFC 5321 4.5.2): a dot that
// begins a line is doubled. A message has CRLF line ends throughout; should a bare
// CR or LF have come into it, it is made CRLF, for some servers would take "." after
// one for the end (SMTP smuggling).
type dotWriter struct {
	w     io.Writer
	buf   []byte // not written yet
	state lineState
}

// lineState is where in a line the writer is.
type lineState uint8

const (
	lineBegin lineState = iota
	lineMiddle
	lineCR // a CR was written
)

// add takes content.
func (d *dotWriter) add(p []byte) {
	for len(p) > 0 {
		p = d.next(p)
	}
}

// flush writes what was taken, in one write.
func (d *dotWriter) flush() error {
	_, err := d.w.Write(d.buf)
	d.buf = d.buf[:0]
	return err
}

// next takes octets up to the next line end, or that, and returns what is left.
func (d *dotWriter) next(p []byte) []byte {
	switch {
	case d.state == lineCR:
		d.buf = append(d.buf, '\n')
		d.state = lineBegin
		return bytes.TrimPrefix(p, []byte{'\n'})
	case p[0] == '\n':
		d.buf = append(d.buf, "\r\n"...)
		d.state = lineBegin
		return p[1:]
	case p[0] == '\r':
		d.buf = append(d.buf, '\r')
		d.state = lineCR
		return p[1:]
	case d.state == lineBegin && p[0] == '.':
		d.buf = append(d.buf, '.')
	}
	n := bytes.IndexByte(p, '\n')
	if n < 0 {
		n = len(p)
	}
	if cr := bytes.IndexByte(p[:n], '\r'); cr >= 0 {
		n = cr
	}
	d.buf = append(d.buf, p[:n]...)
	d.state = lineMiddle
	return p[n:]
}

// end ends the content.
func (d *dotWriter) end() {
	switch d.state {
	case lineMiddle:
		d.buf = append(d.buf, "\r\n"...)
	case lineCR:
		d.buf = append(d.buf, '\n')
	}
	d.buf = append(d.buf, ".\r\n"...)
	d.state = lineBegin
}
