package imapd

import (
	"errors"
	"io"
)

// inflater reads a DEFLATE stream (RFC 1951) as it comes. Unlike that of the
// standard library it gives each octet out as soon as it can be known, whatever
// way the client flushes (some do with an empty block of fixed codes, zlib's
// Z_PARTIAL_FLUSH); it goes on after a timeout; and its window is only as large
// as what has been received, to 32 KiB.
type inflater struct {
	src io.Reader

	in         []byte // input read ahead
	inAt, inTo int
	bits       uint64
	nbits      uint

	window []byte // a ring, of a power of two
	at     int    // where the next octet goes
	length int    // octets that are there, to maxWindow
	unread int    // octets before at that were not given out

	step     blockStep
	left     int // of a stored block
	lit, dst huffman
	table    tableReader
	err      error
}

const (
	minWindow = 1 << 10
	maxWindow = 32 << 10
	maxMatch  = 258
	zipInput  = 512 // buffer of compressed input
)

// blockStep is what comes next in the stream.
type blockStep uint8

const (
	blockHeader blockStep = iota
	storedHeader
	storedData
	tableHeader
	tableOrder
	tableLengths
	compressed
)

var (
	errDeflate = errors.New("the compressed stream is corrupt")
	errMore    = errors.New("more input is needed")
)

func newInflater(src io.Reader) *inflater {
	return &inflater{src: src, in: make([]byte, zipInput)}
}

// Read returns what is known of the stream. It waits only when that is nothing.
func (z *inflater) Read(p []byte) (int, error) {
	for {
		if z.unread > 0 || len(p) == 0 {
			return z.give(p), nil
		}
		if z.err != nil {
			return 0, z.err
		}
		err := z.advance()
		switch {
		case z.unread > 0:
			if err != errMore {
				z.err = err
			}
		case err == errMore:
			if err := z.fill(); err != nil {
				return 0, err
			}
		case err != nil:
			z.err = err
		}
	}
}

// give copies what was not given out yet.
func (z *inflater) give(p []byte) int {
	total := 0
	for z.unread > 0 && total < len(p) {
		from := (z.at - z.unread) & (len(z.window) - 1)
		n := copy(p[total:], z.window[from:min(from+z.unread, len(z.window))])
		total += n
		z.unread -= n
	}
	return total
}

func (z *inflater) fill() error {
	n, err := z.src.Read(z.in)
	z.inAt, z.inTo = 0, n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// need makes n bits available, at most 48.
func (z *inflater) need(n uint) bool {
	for z.nbits < n {
		if z.inAt == z.inTo {
			return false
		}
		z.bits |= uint64(z.in[z.inAt]) << z.nbits
		z.inAt++
		z.nbits += 8
	}
	return true
}

func (z *inflater) take(n uint) int {
	v := int(z.bits & (1<<n - 1))
	z.bits >>= n
	z.nbits -= n
	return v
}

// full tells that the window has no room for another match before somebody
// reads.
func (z *inflater) full() bool { return z.unread > maxWindow-maxMatch }

// advance reads on until input is missing, the window is full, or the stream is
// wrong.
func (z *inflater) advance() error {
	for !z.full() {
		var err error
		switch z.step {
		case blockHeader:
			err = z.blockHeader()
		case storedHeader:
			err = z.storedHeader()
		case storedData:
			err = z.storedData()
		case tableHeader, tableOrder, tableLengths:
			err = z.readTables()
		case compressed:
			err = z.symbol()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blockHeader reads BFINAL and BTYPE (RFC 1951 3.2.3). A client that says which
// block is its last can send nothing more.
func (z *inflater) blockHeader() error {
	if z.left < 0 {
		return io.EOF
	}
	if !z.need(3) {
		return errMore
	}
	final := z.take(1) == 1
	switch z.take(2) {
	case 0:
		z.step = storedHeader
	case 1:
		z.fixed()
		z.step = compressed
	case 2:
		z.step = tableHeader
	default:
		return errDeflate
	}
	if final {
		z.table.final = true
	}
	return nil
}

// endBlock goes on behind a block.
func (z *inflater) endBlock() {
	z.step = blockHeader
	if z.table.final {
		z.left = -1
	}
}

// storedHeader reads LEN and NLEN (RFC 1951 3.2.4).
func (z *inflater) storedHeader() error {
	skip := z.nbits & 7
	if !z.need(skip + 32) {
		return errMore
	}
	z.take(skip)
	n := z.take(16)
	if z.take(16) != n^0xffff {
		return errDeflate
	}
	z.left = n
	z.step = storedData
	return nil
}

func (z *inflater) storedData() error {
	if z.left == 0 {
		z.endBlock()
		return nil
	}
	if !z.need(8) {
		return errMore
	}
	z.put(byte(z.take(8)))
	z.left--
	return nil
}

// put adds an octet to the window.
func (z *inflater) put(c byte) {
	if z.length == len(z.window) && len(z.window) < maxWindow {
		z.grow()
	}
	z.window[z.at] = c
	z.at = (z.at + 1) & (len(z.window) - 1)
	z.length = min(z.length+1, maxWindow)
	z.unread++
}

// grow doubles the window, which is full.
func (z *inflater) grow() {
	bigger := make([]byte, max(minWindow, 2*len(z.window)))
	n := copy(bigger, z.window[z.at:])
	copy(bigger[n:], z.window[:z.at])
	z.at = z.length
	z.window = bigger
}

// The bases and extra bits of lengths and distances (RFC 1951 3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// symbol reads a literal, a match or the end of the block. Bits are taken when
// all of it is there.
func (z *inflater) symbol() error {
	sym, used, err := z.lit.decode(z, 0)
	switch {
	case err != nil:
		return err
	case sym < 256:
		z.take(used)
		z.put(byte(sym))
		return nil
	case sym == 256:
		z.take(used)
		z.endBlock()
		return nil
	case sym > 285:
		return errDeflate
	}
	return z.match(sym-257, used)
}

// match copies what is in the window; at is the number of bits before its
// extra ones.
func (z *inflater) match(sym int, at uint) error {
	length, at, ok := z.extra(lengthBase[sym], lengthExtra[sym], at)
	if !ok {
		return errMore
	}
	sym, used, err := z.dst.decode(z, at)
	if err != nil {
		return err
	}
	if sym > 29 {
		return errDeflate
	}
	dist, at, ok := z.extra(distBase[sym], distExtra[sym], at+used)
	if !ok {
		return errMore
	}
	if dist > z.length {
		return errDeflate
	}
	z.take(at)
	for range length {
		z.put(z.window[(z.at-dist)&(len(z.window)-1)])
	}
	return nil
}

// extra adds n bits to a base, without taking them.
func (z *inflater) extra(base uint16, n uint8, at uint) (v int, next uint, ok bool) {
	next = at + uint(n)
	if !z.need(next) {
		return 0, 0, false
	}
	return int(base) + int(z.bits>>at)&(1<<n-1), next, true
}

// huffman is a canonical code (RFC 1951 3.2.2).
type huffman struct {
	count  [16]uint16  // codes of each length
	symbol [288]uint16 // in the order of their codes
}

// build makes the code of those lengths. Too many codes are an error; too few
// are one when they are met.
func (h *huffman) build(lengths []uint8) error {
	h.count = [16]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	left := 1
	var next [17]uint16
	for n := 1; n < 16; n++ {
		if left = left<<1 - int(h.count[n]); left < 0 {
			return errDeflate
		}
		next[n+1] = next[n] + h.count[n]
	}
	for sym, n := range lengths {
		if n > 0 {
			h.symbol[next[n]] = uint16(sym)
			next[n]++
		}
	}
	return nil
}

// decode reads a symbol that begins at a bit, without taking it.
func (h *huffman) decode(z *inflater, at uint) (sym int, used uint, err error) {
	code, first, index := 0, 0, 0
	for n := uint(1); n < 16; n++ {
		if !z.need(at + n) {
			return 0, 0, errMore
		}
		code |= int(z.bits>>(at+n-1)) & 1
		count := int(h.count[n])
		if code-count < first {
			return int(h.symbol[index+code-first]), n, nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, 0, errDeflate
}

// fixed sets the codes of RFC 1951 3.2.6.
func (z *inflater) fixed() {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	var dists [30]uint8
	for i := range dists {
		dists[i] = 5
	}
	_, _ = z.lit.build(lengths[:]), z.dst.build(dists[:]) // they are what they should be
}

// tableReader is the state of reading dynamic codes (RFC 1951 3.2.7).
type tableReader struct {
	final             bool // the block is the last
	nlit, ndist, nlen int
	done              int
	lengths           [288 + 32]uint8
}

// order is that of the lengths of the code that the lengths are in.
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (z *inflater) readTables() error {
	t := &z.table
	switch z.step {
	case tableHeader:
		if !z.need(14) {
			return errMore
		}
		t.nlit, t.ndist, t.nlen = z.take(5)+257, z.take(5)+1, z.take(4)+4
		if t.nlit > 286 || t.ndist > 30 {
			return errDeflate
		}
		t.lengths = [288 + 32]uint8{}
		t.done, z.step = 0, tableOrder
	case tableOrder:
		if t.done == t.nlen {
			if err := z.lit.build(t.lengths[:19]); err != nil {
				return err
			}
			t.lengths = [288 + 32]uint8{}
			t.done, z.step = 0, tableLengths
			return nil
		}
		if !z.need(3) {
			return errMore
		}
		t.lengths[order[t.done]] = uint8(z.take(3))
		t.done++
	case tableLengths:
		if t.done < t.nlit+t.ndist {
			return z.tableLength()
		}
		if t.lengths[256] == 0 {
			return errDeflate // the block could not end
		}
		if err := z.lit.build(t.lengths[:t.nlit]); err != nil {
			return err
		}
		z.step = compressed
		return z.dst.build(t.lengths[t.nlit : t.nlit+t.ndist])
	}
	return nil
}

// tableLength reads one length, or one that is repeated.
func (z *inflater) tableLength() error {
	t := &z.table
	sym, used, err := z.lit.decode(z, 0)
	if err != nil {
		return err
	}
	if sym < 16 {
		z.take(used)
		t.lengths[t.done] = uint8(sym)
		t.done++
		return nil
	}
	extra := [3]uint{2, 3, 7}[sym-16]
	if !z.need(used + extra) {
		return errMore
	}
	z.take(used)
	n := z.take(extra) + [3]int{3, 3, 11}[sym-16]
	last := uint8(0)
	if sym == 16 {
		if t.done == 0 {
			return errDeflate
		}
		last = t.lengths[t.done-1]
	}
	if t.done+n > t.nlit+t.ndist {
		return errDeflate
	}
	for range n {
		t.lengths[t.done] = last
		t.done++
	}
	return nil
}
