// Package buffer holds messages while they arrive: in memory at first, in a
// file when one message or all of them together grow too large.
//
// The file is never synced and has no name: it is gone with its Buffer, or
// with the process. Nothing here is durable; that is safefile's work.
//
// A Buffer is written by one goroutine. After that it is an envelope.Body,
// which several may read at once, until Close gives the memory back. The Pool
// counts with atomics; there are no locks.
package buffer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Options of a Pool.
type Options struct {
	PerMessage int64  // octets of one message in memory, default 256 KiB
	Total      int64  // octets of all messages in memory, default 64 MiB
	Dir        string // where the others go; it is made when missing
}

// Pool is where Buffers get their memory.
type Pool struct {
	o      Options
	blocks sync.Pool
	inUse  atomic.Int64
}

// blockSize is the unit of memory: most messages need one or a few.
const blockSize = 16 << 10

type block [blockSize]byte

// NewPool returns a Pool.
func NewPool(o Options) (*Pool, error) {
	if o.PerMessage == 0 {
		o.PerMessage = 256 << 10
	}
	if o.Total == 0 {
		o.Total = 64 << 20
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for large messages: %w", err)
	}
	return &Pool{o: o, blocks: sync.Pool{New: func() any { return new(block) }}}, nil
}

// InUse returns the octets of memory that Buffers hold.
func (p *Pool) InUse() int64 { return p.inUse.Load() }

// New returns an empty Buffer. It must be closed.
func (p *Pool) New() *Buffer { return &Buffer{pool: p} }

// take returns a block, or nil when the memory for all messages is used up.
func (p *Pool) take() *block {
	if p.inUse.Add(blockSize) > p.o.Total {
		p.inUse.Add(-blockSize)
		return nil
	}
	return p.blocks.Get().(*block)
}

func (p *Pool) give(blocks []*block) {
	for _, b := range blocks {
		p.blocks.Put(b)
	}
	p.inUse.Add(-int64(len(blocks)) * blockSize)
}

// Buffer is one message: an io.Writer first, then an envelope.Body.
type Buffer struct {
	pool   *Pool
	blocks []*block
	few    [4]*block // blocks starts here
	file   *os.File  // holds all of it, when not nil
	size   int64
	closed bool
}

// Size returns the octets written.
func (b *Buffer) Size() int64 { return b.size }

// Spilled tells whether the message is in a file.
func (b *Buffer) Spilled() bool { return b.file != nil }

// Write adds octets. Its errors are those of the file.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.closed {
		return 0, os.ErrClosed
	}
	if b.file == nil && !b.fits(len(p)) {
		if err := b.spill(); err != nil {
			return 0, err
		}
	}
	if b.file != nil {
		n, err := b.file.Write(p)
		b.size += int64(n)
		return n, err
	}
	for rest := p; len(rest) > 0; {
		n := copy(b.blocks[b.size/blockSize][b.size%blockSize:], rest)
		rest = rest[n:]
		b.size += int64(n)
	}
	return len(p), nil
}

// fits makes room for n more octets in memory.
func (b *Buffer) fits(n int) bool {
	need := b.size + int64(n)
	if need > b.pool.o.PerMessage {
		return false
	}
	if b.blocks == nil {
		b.blocks = b.few[:0]
	}
	for int64(len(b.blocks))*blockSize < need {
		bl := b.pool.take()
		if bl == nil {
			return false
		}
		b.blocks = append(b.blocks, bl)
	}
	return true
}

// spill moves what is in memory to a file.
func (b *Buffer) spill() error {
	f, err := os.CreateTemp(b.pool.o.Dir, "message-*")
	if err != nil {
		return err
	}
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := b.WriteTo(f); err != nil {
		return errors.Join(err, f.Close())
	}
	b.file = f
	b.release()
	return nil
}

func (b *Buffer) release() {
	b.pool.give(b.blocks)
	b.blocks = nil
	b.few = [4]*block{}
}

// ReadAt is that of io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	if b.closed {
		return 0, os.ErrClosed
	}
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, errors.New("buffer: negative offset")
	}
	n := 0
	for n < len(p) && off < b.size {
		part := b.part(off)
		c := copy(p[n:], part)
		n += c
		off += int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// part returns what is in memory from off on, to the end of its block.
func (b *Buffer) part(off int64) []byte {
	bl := b.blocks[off/blockSize]
	end := min(blockSize, b.size-off+off%blockSize)
	return bl[off%blockSize : end]
}

// WriteTo writes the whole message to w. Unlike that of other types it always
// starts at the beginning, and may be called again.
func (b *Buffer) WriteTo(w io.Writer) (int64, error) {
	if b.closed {
		return 0, os.ErrClosed
	}
	if b.file != nil {
		return io.Copy(w, io.NewSectionReader(b.file, 0, b.size))
	}
	var n int64
	for n < b.size {
		c, err := w.Write(b.part(n))
		n += int64(c)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close gives memory and file back. It may be called more than once.
func (b *Buffer) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if b.file != nil {
		return b.file.Close()
	}
	b.release()
	return nil
}
