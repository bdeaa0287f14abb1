package message

import (
	"io"
	"sort"

	"golang.org/x/text/transform"
)

// decodedBlock is how much of an encoded body is decoded at a time.
const decodedBlock = 64 << 10

// decodedAt reads the decoded body of a part at any place: it knows where each block of
// the encoded one leads to, and holds one block. It is for one goroutine.
type decodedAt struct {
	raw   io.ReaderAt // the encoded body
	part  *Part
	size  int64 // of the decoded body
	marks []mark
	src   []byte
	block []byte // decoded, that of marks[held]
	held  int
}

// mark is a place in a body at which decoding can begin.
type mark struct {
	src, dst int64
	state    base64Decoder // when it is base64; quoted-printable has none
}

// newDecodedAt reads the body of p, in the message that r reads, once.
func newDecodedAt(p *Part, r io.ReaderAt) (*decodedAt, error) {
	d := &decodedAt{raw: io.NewSectionReader(r, p.Body, p.End-p.Body), part: p, held: -1}
	if !p.Encoded() {
		d.size = p.End - p.Body
		return d, nil
	}
	n := min(decodedBlock, p.End-p.Body)
	d.src, d.block = make([]byte, n), make([]byte, n+utf8Max)
	for m := (mark{}); m.src < p.End-p.Body; {
		d.marks = append(d.marks, m)
		next, err := d.decode(m)
		if err != nil {
			return nil, err
		}
		if next.src == m.src {
			break
		}
		d.held, d.size, m = len(d.marks)-1, next.dst, next
	}
	return d, nil
}

// decode decodes the block at m into d.block, and returns where the next begins.
func (d *decodedAt) decode(m mark) (next mark, err error) {
	src := d.src[:min(int64(cap(d.src)), d.part.End-d.part.Body-m.src)]
	if n, err := d.raw.ReadAt(src, m.src); n < len(src) {
		return m, shortRead(err)
	}
	t, _ := decoderOf(d.part.Encoding)
	b64, isBase64 := t.(*base64Decoder)
	if isBase64 {
		*b64 = m.state
	}
	d.block = d.block[:cap(d.block)]
	nDst, nSrc, err := t.Transform(d.block, src, m.src+int64(len(src)) == d.part.End-d.part.Body)
	if err != nil && err != transform.ErrShortSrc {
		return m, err
	}
	d.block = d.block[:nDst]
	next = mark{src: m.src + int64(nSrc), dst: m.dst + int64(nDst)}
	if isBase64 {
		next.state = *b64
	}
	return next, nil
}

// ReadAt is that of io.ReaderAt.
func (d *decodedAt) ReadAt(p []byte, off int64) (n int, err error) {
	if d.marks == nil {
		return d.raw.ReadAt(p, off)
	}
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= d.size {
			return n, io.EOF
		}
		i := sort.Search(len(d.marks), func(i int) bool { return d.marks[i].dst > at }) - 1
		if i != d.held {
			if _, err := d.decode(d.marks[i]); err != nil {
				d.held = -1
				return n, err
			}
			d.held = i
		}
		n += copy(p[n:], d.block[at-d.marks[i].dst:])
	}
	return n, nil
}
