package fts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// errDamaged is wrapped by every error about what a file holds.
var errDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// UIDs of a list are stored as gaps in a Rice code: of a gap less one, what is
// above k bits as that many 1 bits and a 0, then the k bits; bits are filled
// from the lowest. k follows from how many UIDs there are in which range, so it
// is not stored. A gap that would need maxUnary 1 bits or more is that many, and
// 32 bits.
const maxUnary = 20

// riceBits is k for n UIDs in (after, through]: close to log2(ln 2 * mean gap).
func riceBits(after, through uint32, n int) uint {
	mean := uint64(through-after) / uint64(max(n, 1))
	return uint(max(bits.Len64(mean*11/16), 1) - 1)
}

// bitWriter appends bits to octets.
type bitWriter struct {
	buf []byte
	acc uint64
	n   uint // bits in acc, below 32 between calls
}

// put appends the n lowest bits of v, which has no others; n is at most 32.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= v << w.n
	if w.n += n; w.n >= 32 {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

// end fills the last octet with zeros and returns all.
func (w *bitWriter) end() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.buf = append(w.buf, byte(w.acc))
		w.acc >>= 8
	}
	return w.buf
}

// appendUIDs appends the code of ascending UIDs in (after, through].
func appendUIDs(dst []byte, uids []uint32, after, through uint32) []byte {
	w := bitWriter{buf: dst}
	k := riceBits(after, through, len(uids))
	for _, uid := range uids {
		v := uint64(uid - after - 1)
		after = uid
		if q := uint(min(v>>k, maxUnary)); q < maxUnary {
			w.put(1<<q-1, q+1)
			w.put(v&(1<<k-1), k)
		} else {
			w.put(1<<maxUnary-1, maxUnary)
			w.put(v, 32)
		}
	}
	return w.end()
}

// riceReader reads a list of UIDs.
type riceReader struct {
	data    []byte
	acc     uint64
	n       uint // bits in acc
	k       uint
	left    int // UIDs to come
	last    uint32
	through uint32
}

func newRiceReader(data []byte, n int, after, through uint32) *riceReader {
	return &riceReader{data: data, k: riceBits(after, through, n), left: n, last: after, through: through}
}

// read fills buf as far as there are UIDs.
func (r *riceReader) read(buf []uint32) (int, error) {
	buf = buf[:min(len(buf), r.left)]
	last, k := uint64(r.last), r.k
	for i := range buf {
		r.fill()
		q := uint(bits.TrailingZeros64(^r.acc))
		used, v := q+1+k, uint64(q)<<k|r.acc>>(q+1)&(1<<k-1)
		if q >= maxUnary {
			used, v = maxUnary+32, r.acc>>maxUnary&(1<<32-1)
		}
		if used > r.n {
			return 0, damaged("a list ends early")
		}
		r.acc >>= used
		r.n -= used
		if last += v + 1; last > uint64(r.through) {
			return 0, damaged("UID %d above %d", last, r.through)
		}
		buf[i] = uint32(last)
	}
	r.last, r.left = uint32(last), r.left-len(buf)
	return len(buf), nil
}

// fill brings acc to at least 56 bits, when there are so many.
func (r *riceReader) fill() {
	if r.n >= 56 {
		return
	}
	if len(r.data) >= 8 {
		r.acc |= binary.LittleEndian.Uint64(r.data) << r.n
		r.data = r.data[(63-r.n)/8:]
		r.n |= 56
		return
	}
	for r.n < 56 && len(r.data) > 0 {
		r.acc |= uint64(r.data[0]) << r.n
		r.data = r.data[1:]
		r.n += 8
	}
}
