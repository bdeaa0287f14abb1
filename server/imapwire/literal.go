package imapwire

import (
	"bytes"
	"io"
	"strconv"
)

// LiteralReader reads a literal (RFC 9051 4.3) as it comes. It ends with io.EOF.
type LiteralReader struct {
	Size   int64
	Binary bool // literal8: it may hold NUL (RFC 3516 4.4)

	d     *Decoder
	left  int64
	sync  bool // the client waits until it is asked
	asked bool
}

// Synchronizing tells whether the client waits until the literal is asked for:
// then a refusal costs nothing.
func (l *LiteralReader) Synchronizing() bool { return l.sync }

// Left is the number of octets not read yet.
func (l *LiteralReader) Left() int64 { return l.left }

// Read is that of io.Reader. The first call asks the client for the octets.
func (l *LiteralReader) Read(p []byte) (int, error) {
	d := l.d
	if d.Broken() {
		return 0, d.err
	}
	if !l.ask() {
		return 0, d.err
	}
	if l.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := 0, error(nil)
	if d.end > d.start {
		n = copy(p, d.buf[d.start:d.end])
		d.start += n
	} else if n, err = d.src.Read(p); n == 0 && err != nil {
		d.broken(err)
		return 0, d.err
	}
	l.left -= int64(n)
	return n, nil
}

// ask asks the client for the octets, if it waits for that.
func (l *LiteralReader) ask() bool {
	if l.asked {
		return true
	}
	l.asked = true
	if l.sync && l.d.opt.Continue != nil {
		if err := l.d.opt.Continue("Go on"); err != nil {
			l.d.broken(err)
			return false
		}
	}
	return true
}

// skip reads the rest for nothing.
func (l *LiteralReader) skip() {
	d := l.d
	for l.left > 0 && l.ask() {
		if d.start == d.end {
			d.start, d.end = 0, 0
			if err := d.fill(); err != nil {
				d.broken(err)
				return
			}
		}
		n := min(int64(d.end-d.start), l.left)
		d.start += int(n)
		l.left -= n
	}
}

// announced reads the announcement of a literal at the end of the current line
// into d.lit: "{n}", "{n+}" or "~{n}".
func (d *Decoder) announced() bool {
	line := d.line
	if len(line) < 3 || line[len(line)-1] != '}' {
		return false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return false
	}
	digits := line[open+1 : len(line)-1]
	sync := true
	if n := len(digits); n > 0 && digits[n-1] == '+' {
		digits, sync = digits[:n-1], false
	}
	size, ok := number(digits, 1<<63-1)
	if !ok {
		return false
	}
	d.lit = LiteralReader{d: d, Size: int64(size), left: int64(size), sync: sync}
	if open > 0 && line[open-1] == '~' {
		d.lit.Binary = true
	}
	d.inLit = true
	return true
}

// Literal begins a literal, or a literal8, that is read as it comes. It must be
// read before the next token is; what is left of it then is skipped. nil after
// an error.
func (d *Decoder) Literal() *LiteralReader {
	c := d.Peek()
	if d.err != nil {
		return nil
	}
	at := d.pos
	if c == '~' {
		at++
	}
	if at >= len(d.line) || d.line[at] != '{' || bytes.IndexByte(d.line[at:], '}') != len(d.line)-at-1 || !d.announced() {
		d.Fail("A literal is missing")
		return nil
	}
	d.pos = len(d.line)
	return &d.lit
}

// literal reads a literal into memory.
func (d *Decoder) literal() string {
	l := d.Literal()
	if l == nil {
		return ""
	}
	if d.held += l.Size; l.Size > d.opt.MaxLiteral || d.held > d.opt.MaxLiteral {
		d.err = &SyntaxError{Code: "TOOBIG", Text: "The literal is larger than " + strconv.FormatInt(d.opt.MaxLiteral, 10) + " octets"}
		return ""
	}
	b := make([]byte, l.Size)
	if len(b) == 0 {
		l.ask()
	}
	if _, err := io.ReadFull(l, b); err != nil {
		return ""
	}
	if !l.Binary && bytes.IndexByte(b, 0) >= 0 {
		d.Fail("A literal must not hold a NUL") // RFC 9051 9, CHAR8
		return ""
	}
	return string(b)
}

// afterLiteral goes on behind a literal.
func (d *Decoder) afterLiteral() {
	d.lit.skip()
	if d.Broken() {
		return
	}
	d.inLit = false
	d.readLine()
}
