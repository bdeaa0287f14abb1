// Package imapwire reads and writes the tokens of IMAP (RFC 9051 9, RFC 3501 9):
// atoms, strings, literals with and without synchronization (RFC 7888), binary
// literals (RFC 3516), numbers, sets, dates, flags and mailbox names. It knows no
// commands and no responses.
//
// A Decoder has one line in memory, and reads on only when its caller comes to
// the end of it: at a literal, or at the next command. The first mistake sticks:
// from then on all tokens are empty, and Err tells what it was. Discard leads to
// the start of the next command, literals that come unasked included.
//
// Line ends are strict: a bare CR or LF and a NUL make the command bad. Every
// line and literal is bounded by Options.
//
// A Decoder and an Encoder are for one goroutine each.
package imapwire

import "sync"

// The sizes of buffers, in octets.
const (
	readBuffer  = 4 << 10
	flushAt     = 60 << 10
	directAt    = 256 << 10 // literals from this size on don't go through the buffer
	writeBuffer = flushAt + 4<<10
)

// Buffers keeps buffers that nobody uses at the moment. A nil *Buffers works and
// keeps none.
type Buffers struct {
	in, out sync.Pool // *[]byte
}

// NewBuffers returns a pool of buffers for all connections of a server.
func NewBuffers() *Buffers { return new(Buffers) }

func take(p *sync.Pool, size int) []byte {
	if b, ok := p.Get().(*[]byte); ok {
		return (*b)[:size]
	}
	return make([]byte, size)
}

func (b *Buffers) read() []byte {
	if b == nil {
		return make([]byte, readBuffer)
	}
	return take(&b.in, readBuffer)
}

func (b *Buffers) freeRead(buf []byte) {
	if b != nil && cap(buf) == readBuffer {
		b.in.Put(&buf)
	}
}

func (b *Buffers) write() []byte {
	if b == nil {
		return make([]byte, 0, 1<<10)
	}
	return take(&b.out, writeBuffer)[:0]
}

func (b *Buffers) freeWrite(buf []byte) {
	if b != nil && cap(buf) == writeBuffer {
		b.out.Put(&buf)
	}
}
