package imapwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// SyntaxError is a command that can't be understood: a tagged BAD.
type SyntaxError struct {
	Code string // response code without brackets, or ""
	Text string // for the peer
}

// Error returns the text.
func (e *SyntaxError) Error() string { return e.Text }

// ErrEndless ends a connection that sends more than can be skipped.
var ErrEndless = errors.New("imapwire: no end of the command in sight")

// Options are the bounds of a Decoder.
type Options struct {
	// Continue writes the command continuation request "+ text" and flushes. It
	// is called before a synchronizing literal is read (RFC 9051 7.6).
	Continue func(text string) error
	// MaxLine bounds the octets of a command between its literals. 0: 64 KiB.
	MaxLine int
	// MaxLiteral bounds the literals of one command that are held in memory, in
	// octets. 0: 64 KiB. Literal, which streams, has no bound.
	MaxLiteral int64
	// MaxSkip bounds what Discard reads to find the end of a bad command, in
	// octets. 0: 1 MiB.
	MaxSkip int64
	// Buffers is where the read buffer comes from; nil: none are shared.
	Buffers *Buffers
}

const (
	defaultMaxLine    = 64 << 10
	defaultMaxLiteral = 64 << 10
	defaultMaxSkip    = 1 << 20

	// keptTail is what is kept of a line that is too long: room for a literal's
	// announcement.
	keptTail  = 32
	aheadSize = 64
)

// Decoder reads commands.
type Decoder struct {
	src io.Reader
	opt Options

	buf        []byte // nil when released
	start, end int    // what was read and lies behind the line
	scanned    int    // buf[start:scanned] holds no LF
	ahead      [aheadSize]byte

	line   []byte // of the command, from its start or from behind a literal, without CRLF
	pos    int
	inside bool // a command has begun and has not ended
	tag    string
	lit    LiteralReader
	inLit  bool // lit is not read to its end
	held   int64
	depth  int
	utf8   bool
	err    error
}

// NewDecoder returns a Decoder that reads from src.
func NewDecoder(src io.Reader, opt Options) *Decoder {
	if opt.MaxLine <= 0 {
		opt.MaxLine = defaultMaxLine
	}
	if opt.MaxLiteral <= 0 {
		opt.MaxLiteral = defaultMaxLiteral
	}
	if opt.MaxSkip <= 0 {
		opt.MaxSkip = defaultMaxSkip
	}
	return &Decoder{src: src, opt: opt}
}

// SetLimits changes the bounds of Options; 0 leaves one as it is.
func (d *Decoder) SetLimits(maxLine int, maxLiteral, maxSkip int64) {
	if maxLine > 0 {
		d.opt.MaxLine = maxLine
	}
	if maxLiteral > 0 {
		d.opt.MaxLiteral = maxLiteral
	}
	if maxSkip > 0 {
		d.opt.MaxSkip = maxSkip
	}
}

// SetUTF8 says whether mailbox names are UTF-8 (RFC 6855 3, RFC 9051 5.1): then
// "&" in them is an ampersand. Else they may be in modified UTF-7.
func (d *Decoder) SetUTF8(on bool) { d.utf8 = on }

// Reset makes the Decoder read from src. What was read ahead is forgotten
// (RFC 9051 6.2.1: nothing survives STARTTLS).
func (d *Decoder) Reset(src io.Reader) {
	d.src = src
	d.start, d.end, d.scanned = 0, 0, 0
	d.line, d.pos, d.inside, d.inLit, d.err = nil, 0, false, false, nil
}

// Unread returns what was read ahead, for whoever reads the connection next, and
// forgets it (RFC 4978: the first compressed octets may be here already).
func (d *Decoder) Unread() []byte {
	b := bytes.Clone(d.buf[d.start:d.end])
	d.start, d.end, d.scanned = 0, 0, 0
	return b
}

// Err is the first error since the command began: a *SyntaxError, or one of the
// connection, which stays.
func (d *Decoder) Err() error { return d.err }

// Fail notes a mistake of the command, unless there is one already.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = &SyntaxError{Text: fmt.Sprintf(format, args...)}
	}
}

// FailWith is Fail for an error of another kind: one that is answered with NO.
func (d *Decoder) FailWith(err error) {
	if d.err == nil {
		d.err = err
	}
}

// broken notes an error of the connection, over any other.
func (d *Decoder) broken(err error) {
	if err == io.EOF && (d.inside || d.end > d.start) {
		err = io.ErrUnexpectedEOF
	}
	d.err = &connError{err}
}

// connError marks what Discard can't mend.
type connError struct{ err error }

// Error is that of the cause.
func (e *connError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *connError) Unwrap() error { return e.err }

// Broken tells whether the error is one of the connection: nothing more can be
// read.
func (d *Decoder) Broken() bool {
	_, ok := d.err.(*connError)
	return ok
}

// Buffered tells whether input is here that nobody has read yet.
func (d *Decoder) Buffered() bool { return d.end > d.start }

// HasLine tells whether a whole line is here.
func (d *Decoder) HasLine() bool {
	return bytes.IndexByte(d.buf[d.start:d.end], '\n') >= 0
}

// Release gives the buffer back, if nothing is in it. Wait and reading take one
// again.
func (d *Decoder) Release() {
	if d.buf == nil || d.end > d.start || d.inside {
		return
	}
	d.opt.Buffers.freeRead(d.buf)
	d.buf, d.line, d.pos = nil, nil, 0
	d.start, d.end, d.scanned = 0, 0, 0
}

// Wait returns when input is there, or with the error of the connection, which
// does not stick: after a timeout it may be called again. While it waits there
// is no buffer.
func (d *Decoder) Wait() error {
	if d.Buffered() {
		return nil
	}
	if d.Broken() {
		return d.err
	}
	d.Release()
	n, err := d.src.Read(d.ahead[:])
	if n == 0 {
		return err
	}
	d.buf = d.opt.Buffers.read()
	d.end = copy(d.buf, d.ahead[:n])
	return nil
}

// fill reads more behind what is there.
func (d *Decoder) fill() error {
	if d.buf == nil {
		d.buf = d.opt.Buffers.read()
	}
	if d.start > 0 && (d.start == d.end || d.end == len(d.buf)) {
		d.scanned -= d.start
		d.end = copy(d.buf, d.buf[d.start:d.end])
		d.start = 0
	}
	if d.end == len(d.buf) {
		bigger := make([]byte, 2*len(d.buf))
		copy(bigger, d.buf[:d.end])
		d.opt.Buffers.freeRead(d.buf)
		d.buf = bigger
	}
	for range 100 {
		n, err := d.src.Read(d.buf[d.end:])
		d.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// readLine makes the next line the current one. A bad one is a SyntaxError; it
// is the current line all the same, for the literal that it may announce.
func (d *Decoder) readLine() {
	d.line, d.pos = nil, 0
	d.scanned = d.start
	long := int64(0)
	for {
		if i := bytes.IndexByte(d.buf[d.scanned:d.end], '\n'); i >= 0 {
			d.takeLine(d.scanned + i)
			break
		}
		d.scanned = d.end
		if n := d.end - d.start; n > d.opt.MaxLine {
			if d.tag == "" {
				d.tag = tagOf(d.buf[d.start:d.end])
			}
			long += int64(n - keptTail)
			d.start = d.end - keptTail
			d.err = &SyntaxError{Code: "TOOBIG", Text: "The line is too long"}
		}
		if long > d.opt.MaxSkip {
			d.broken(ErrEndless)
			return
		}
		if err := d.fill(); err != nil {
			d.broken(err)
			return
		}
	}
	if long > 0 || len(d.line) > d.opt.MaxLine {
		d.err = &SyntaxError{Code: "TOOBIG", Text: "The line is too long"}
	}
}

// takeLine takes the line that ends with the LF at i.
func (d *Decoder) takeLine(i int) {
	line := d.buf[d.start:i]
	d.start = i + 1
	d.line = line
	n := len(line) - 1
	if n < 0 || line[n] != '\r' {
		d.Fail("A line ends with CRLF, not with LF")
		return
	}
	d.line = line[:n]
	// Some clients end commands with a space. Behind "{3}" it says that this is
	// no literal.
	if text := bytes.TrimRight(d.line, " "); len(text) == 0 || text[len(text)-1] != '}' {
		d.line = text
	}
	if bytes.IndexByte(d.line, '\r') >= 0 {
		d.Fail("A line must not hold a bare CR")
	} else if bytes.IndexByte(d.line, 0) >= 0 {
		d.Fail("A line must not hold a NUL")
	}
}

// Line reads a line that is no command: the answer to a continuation request
// (RFC 9051 6.2.2, 6.3.13). It is valid until the next read.
func (d *Decoder) Line() []byte {
	if d.err != nil {
		return nil
	}
	d.readLine()
	if d.err != nil {
		return nil
	}
	return d.line
}

// Discard goes to the end of the command, so that the next may begin, and
// forgets its mistake. Its error is one of the connection.
func (d *Decoder) Discard() error {
	skipped := int64(0)
	for d.inside && !d.Broken() {
		if !d.inLit && !d.announced() {
			break
		}
		if !d.lit.asked && d.lit.sync {
			break // the client waits for our word, and gets our refusal
		}
		if d.lit.left > d.opt.MaxSkip-skipped {
			d.broken(ErrEndless)
			break
		}
		skipped += d.lit.left
		d.lit.skip()
		if !d.Broken() {
			d.inLit = false
			d.readLine()
		}
	}
	if d.Broken() {
		return d.err
	}
	d.finish()
	return nil
}

// finish ends the command.
func (d *Decoder) finish() {
	d.inside, d.inLit, d.err = false, false, nil
	d.line, d.pos = nil, 0
}
