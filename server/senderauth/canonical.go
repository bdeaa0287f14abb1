package senderauth

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"strings"

	"facteur/server/envelope"
)

// canon is a canonicalization algorithm (RFC 6376 3.4).
type canon bool

const (
	simple  canon = false
	relaxed canon = true
)

// parseCanon reads c= (RFC 6376 3.5): the header's algorithm and the body's.
func parseCanon(s string) (header, body canon, ok bool) {
	h, b, both := strings.Cut(s, "/")
	if header, ok = canonOf(h); ok && both {
		body, ok = canonOf(b)
	}
	return header, body, ok
}

func canonOf(s string) (canon, bool) {
	switch s {
	case "relaxed":
		return relaxed, true
	case "simple":
		return simple, true
	}
	return simple, false
}

// appendField appends a header field, canonical, with its line end (RFC 6376 3.4.1,
// 3.4.2). A bare LF counts as a line end here and in the body: as CRLF it goes over the
// wire.
func appendField(dst []byte, c canon, field []byte) []byte {
	if c == simple {
		field = bytes.TrimSuffix(bytes.TrimSuffix(field, []byte("\n")), []byte("\r"))
		for i, b := range field {
			if b == '\n' && (i == 0 || field[i-1] != '\r') {
				dst = append(dst, '\r')
			}
			dst = append(dst, b)
		}
		return append(dst, "\r\n"...)
	}
	colon := bytes.IndexByte(field, ':')
	dst = append(dst, bytes.ToLower(bytes.TrimRight(field[:colon], " \t"))...)
	dst = append(dst, ':')
	start, space := len(dst), false
	for _, b := range field[colon+1:] {
		switch b {
		case '\r', '\n':
		case ' ', '\t':
			space = true
		default:
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			space = false
			dst = append(dst, b)
		}
	}
	return append(dst, "\r\n"...)
}

// bodySum is a hash over a canonical body, or over its beginning.
type bodySum struct {
	limit int64 // l=, -1 for all of it
	hash  hash.Hash
	sum   []byte // once all was read
	total int64  // octets of the canonical body
}

// bodyCanon makes a body canonical as it is written (RFC 6376 3.4.3, 3.4.4), and hands
// it to its sums.
type bodyCanon struct {
	canon canon
	sums  []*bodySum

	out   []byte
	total int64
	lines int  // line ends that are held back: they count only when text follows
	space bool // so is white space
	cr    bool // so is a CR
}

// blockSize is how much of a body is read at once.
const blockSize = 32 << 10

// Write takes some of the body.
func (b *bodyCanon) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		c := p[i]
		if b.cr {
			b.cr = false
			if c != '\n' {
				b.text([]byte{'\r'})
			}
		}
		switch {
		case c == '\n':
			b.lines++
			b.space = false
		case c == '\r':
			b.cr = true
		case b.canon == relaxed && (c == ' ' || c == '\t'):
			b.space = true
		default:
			n := i + 1
			for n < len(p) && p[n] != '\r' && p[n] != '\n' && (b.canon == simple || p[n] != ' ' && p[n] != '\t') {
				n++
			}
			b.text(p[i:n])
			i = n
			continue
		}
		i++
	}
	return len(p), nil
}

// text takes octets that stay as they are.
func (b *bodyCanon) text(p []byte) {
	for ; b.lines > 0; b.lines-- {
		b.emit([]byte("\r\n"))
	}
	if b.space {
		b.emit([]byte{' '})
		b.space = false
	}
	b.emit(p)
}

func (b *bodyCanon) emit(p []byte) {
	b.out = append(b.out, p...)
	b.total += int64(len(p))
	if len(b.out) >= blockSize {
		b.flush()
	}
}

func (b *bodyCanon) flush() {
	at := b.total - int64(len(b.out))
	for _, s := range b.sums {
		part := b.out
		if s.limit >= 0 {
			part = part[:max(min(s.limit-at, int64(len(part))), 0)]
		}
		s.hash.Write(part)
	}
	b.out = b.out[:0]
}

// finish ends the body.
func (b *bodyCanon) finish() {
	if b.cr {
		b.text([]byte{'\r'})
	}
	b.lines, b.space = 0, false
	if b.canon == simple || b.total > 0 { // RFC 6376 3.4.3: an empty body is CRLF
		b.emit([]byte("\r\n"))
	}
	b.flush()
	for _, s := range b.sums {
		s.sum, s.total = s.hash.Sum(nil), b.total
	}
}

// bodySums computes the hashes that are wanted of the body of a message, in one pass.
type bodySums [2]bodyCanon

// want returns the hash for a canonicalization and l=; it is filled in by read.
func (b *bodySums) want(c canon, limit int64) *bodySum {
	at := &b[0]
	if c == relaxed {
		at = &b[1]
	}
	at.canon = c
	for _, s := range at.sums {
		if s.limit == limit {
			return s
		}
	}
	s := &bodySum{limit: limit, hash: sha256.New()}
	at.sums = append(at.sums, s)
	return s
}

// read reads the body of m, which begins at start.
func (b *bodySums) read(m envelope.Body, start int64) error {
	var to []*bodyCanon
	for i := range b {
		if len(b[i].sums) > 0 {
			to = append(to, &b[i])
		}
	}
	if len(to) == 0 {
		return nil
	}
	block := make([]byte, min(blockSize, max(m.Size()-start, 0)))
	for at := start; at < m.Size(); {
		part := block[:min(int64(len(block)), m.Size()-at)]
		n, err := m.ReadAt(part, at)
		if n < len(part) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		for _, c := range to {
			c.Write(part) // never fails
		}
		at += int64(n)
	}
	for _, c := range to {
		c.finish()
	}
	return nil
}
