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
	read  int64 // octets of the message so far
	buf   []byte
	state lineState
}

// lineState is where in a line the writer is.
type lineState uint8

const (
	lineBegin lineState = iota
	lineMiddle
	lineCR // a CR was written
)

// Write sends p on, in one write.
func (d *dotWriter) Write(p []byte) (int, error) {
	d.buf = d.buf[:0]
	for rest := p; len(rest) > 0; {
		rest = d.next(rest)
	}
	if _, err := d.w.Write(d.buf); err != nil {
		return 0, err
	}
	d.read += int64(len(p))
	return len(p), nil
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

// close ends the content.
func (d *dotWriter) close() error {
	end := ".\r\n"
	switch d.state {
	case lineMiddle:
		end = "\r\n.\r\n"
	case lineCR:
		end = "\n.\r\n"
	}
	_, err := io.WriteString(d.w, end)
	return err
}
