package imapwire

import (
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"facteur/server/utf7"
)

// ErrShortLiteral ends a connection: less came than a literal has announced, and
// the client would take what follows for the rest of it.
var ErrShortLiteral = errors.New("imapwire: a literal ended early")

// Encoder writes responses. Its methods append to a buffer, which goes out at
// 32 KiB and with Flush. After an error of the writer nothing more is written.
type Encoder struct {
	w       io.Writer
	buffers *Buffers
	buf     []byte
	utf8    bool
	err     error
}

// NewEncoder returns an Encoder that writes to w. A w that is an io.ReaderFrom
// gets large literals from their reader directly.
func NewEncoder(w io.Writer, buffers *Buffers) *Encoder {
	return &Encoder{w: w, buffers: buffers}
}

// Reset makes the Encoder write to w. What is not flushed goes there too.
func (e *Encoder) Reset(w io.Writer) { e.w = w }

// SetUTF8 says whether strings and mailbox names may go out in UTF-8 (RFC 6855,
// RFC 9051).
func (e *Encoder) SetUTF8(on bool) { e.utf8 = on }

// UTF8 is what SetUTF8 set.
func (e *Encoder) UTF8() bool { return e.utf8 }

// Err is the first error of the writer.
func (e *Encoder) Err() error { return e.err }

// Buffered is how many octets wait for Flush.
func (e *Encoder) Buffered() int { return len(e.buf) }

// Flush writes what is buffered.
func (e *Encoder) Flush() error {
	if len(e.buf) > 0 && e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
	return e.err
}

// Release flushes, and gives the buffer back.
func (e *Encoder) Release() error {
	err := e.Flush()
	if e.buf != nil {
		e.buffers.freeWrite(e.buf)
		e.buf = nil
	}
	return err
}

// room returns the buffer to append to.
func (e *Encoder) room() []byte {
	if e.buf == nil {
		e.buf = e.buffers.write()
	}
	return e.buf
}

// grown takes the buffer back.
func (e *Encoder) grown(b []byte) *Encoder {
	e.buf = b
	if len(b) >= flushAt {
		_ = e.Flush() // Err has it
	}
	return e
}

// Raw writes s as it is.
func (e *Encoder) Raw(s string) *Encoder { return e.grown(append(e.room(), s...)) }

// Bytes writes b as it is.
func (e *Encoder) Bytes(b []byte) *Encoder { return e.grown(append(e.room(), b...)) }

// Byte writes one octet.
func (e *Encoder) Byte(c byte) *Encoder { return e.grown(append(e.room(), c)) }

// SP writes a space.
func (e *Encoder) SP() *Encoder { return e.Byte(' ') }

// CRLF ends a response.
func (e *Encoder) CRLF() *Encoder { return e.Raw("\r\n") }

// Append writes what f appends to the buffer. f must not keep it.
func (e *Encoder) Append(f func(dst []byte) []byte) *Encoder { return e.grown(f(e.room())) }

// Number writes a number.
func (e *Encoder) Number(n uint64) *Encoder {
	return e.grown(strconv.AppendUint(e.room(), n, 10))
}

// NumSet writes a set.
func (e *Encoder) NumSet(s NumSet) *Encoder { return e.grown(s.Append(e.room())) }

// DateTime writes a date-time.
func (e *Encoder) DateTime(t time.Time) *Encoder { return e.grown(AppendDateTime(e.room(), t)) }

// Atom writes an atom. The caller knows that it is one.
func (e *Encoder) Atom(s string) *Encoder { return e.Raw(s) }

// Quoted writes a quoted string. The caller knows that s has no CR, LF and NUL.
func (e *Encoder) Quoted(s string) *Encoder { return e.grown(AppendQuoted(e.room(), s)) }

// AppendQuoted appends s as a quoted string.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// maxQuoted is the length from which on a literal is shorter to read.
const maxQuoted = 1 << 10

// String writes s quoted, or as a literal when it has to be one: line ends, and
// what is not ASCII unless SetUTF8 is on. s has no NUL.
func (e *Encoder) String(s string) *Encoder {
	return e.grown(AppendString(e.room(), s, e.utf8))
}

// AppendString appends s as Encoder.String writes it.
func AppendString(dst []byte, s string, utf8OK bool) []byte {
	if len(s) <= maxQuoted && quotable(s, utf8OK) {
		return AppendQuoted(dst, s)
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, "}\r\n"...)
	return append(dst, s...)
}

func quotable(s string, utf8OK bool) bool {
	high := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n' || c == 0:
			return false
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	return !high || utf8OK && utf8.ValidString(s)
}

// NString writes s, or NIL when ok is false.
func (e *Encoder) NString(s string, ok bool) *Encoder {
	if !ok {
		return e.Raw("NIL")
	}
	return e.String(s)
}

// AString writes s as an atom where it is one, else as String does.
func (e *Encoder) AString(s string) *Encoder {
	if s == "" || len(s) > maxQuoted {
		return e.String(s)
	}
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&astringChar == 0 {
			return e.String(s)
		}
	}
	if len(s) == 3 && equalFold([]byte(s), "NIL") {
		return e.Quoted(s)
	}
	return e.Raw(s)
}

// Mailbox writes a mailbox name: in modified UTF-7 unless SetUTF8 is on.
func (e *Encoder) Mailbox(name string) *Encoder {
	if !e.utf8 {
		name = utf7.Encode(name)
	}
	return e.AString(name)
}

// Literal writes size octets of r as a literal. When r ends before, the Encoder
// has ErrShortLiteral: the connection is to be closed.
func (e *Encoder) Literal(size int64, r io.Reader) *Encoder { return e.literal("{", size, r) }

// Literal8 is Literal for octets that may hold NUL (RFC 3516 4.4).
func (e *Encoder) Literal8(size int64, r io.Reader) *Encoder { return e.literal("~{", size, r) }

func (e *Encoder) literal(open string, size int64, r io.Reader) *Encoder {
	e.Raw(open).Number(uint64(size)).Raw("}\r\n")
	return e.Copy(size, r)
}

// Copy writes size octets of r as they are. What is large goes from r to the
// writer directly, when that can do so; anything else goes through the buffer,
// which is always filled, so that many small messages make few writes.
func (e *Encoder) Copy(size int64, r io.Reader) *Encoder {
	if to, ok := e.w.(io.ReaderFrom); ok && size >= directAt {
		if e.Flush() == nil {
			e.copyFrom(to, size, r)
		}
		return e
	}
	for e.err == nil {
		b := e.room()
		if len(b) == cap(b) && size > 0 {
			_ = e.Flush() // Err has it
			continue
		}
		piece := min(size, int64(cap(b)-len(b)))
		n, err := io.ReadFull(r, b[len(b):len(b)+int(piece)])
		size -= int64(n)
		e.grown(b[:len(b)+n])
		if err != nil && piece > 0 {
			e.short(err)
		}
		if size == 0 {
			break
		}
	}
	return e
}

func (e *Encoder) copyFrom(to io.ReaderFrom, size int64, r io.Reader) {
	n, err := to.ReadFrom(io.LimitReader(r, size))
	if err != nil {
		e.err = err
	} else if n < size {
		e.err = ErrShortLiteral
	}
}

// short notes that a reader ended before its size.
func (e *Encoder) short(err error) {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = ErrShortLiteral
	}
	_ = e.Flush() // Err has it
	if e.err == nil {
		e.err = err
	}
}
