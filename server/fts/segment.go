package fts

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sort"
)

// A segment file is groups of keys, a directory and a trailer.
//
//	group      count of keys, for each key: distance to the key before it, number
//	           of UIDs, octets of its list (all varints); the lists; CRC-32C
//	directory  for each group 8 octets, big-endian: first key, offset in 38 bits
//	trailer    trailerLen octets, little-endian, with a CRC-32C of the directory
//	           and one of itself
//
// The lists are in the code of rice.go. The whole group is the unit of reading,
// with its own CRC: a wrong list is never taken for a right one.
const (
	magic      = "facteur fts 1\x00\r\n"
	trailerLen = 16 + 8 + 4 + 4 + 4 + 8 + 8 + 4 + 4
	offsetBits = 38
	maxOffset  = 1<<offsetBits - 1
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errTooLong = errors.New("fts: a segment is too long")
)

func dirEntry(key uint32, off int64) uint64 { return uint64(key)<<offsetBits | uint64(off) }

// segment is one file; it covers the UIDs in (after, through].
type segment struct {
	path           string
	seq            uint64 // number in the name
	after, through uint32
	messages       uint32
	size           int64
}

// open opens the file for reading. The error wraps errDamaged when the file is
// gone or not what it was; another one says nothing about the file.
func (s *segment) open() (*reader, *os.File, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, damaged("%v", err)
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := newReader(f, s.size)
	if err == nil && (r.after != s.after || r.through != s.through || r.messages != s.messages) {
		err = damaged("another file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return r, f, nil
}

// trailer is the end of a segment file.
type trailer struct {
	tag                      uint64
	after, through, messages uint32
	dirOff, dirLen           int64
	dirSum                   uint32
}

func (t *trailer) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint64(dst, t.tag)
	dst = binary.LittleEndian.AppendUint32(dst, t.after)
	dst = binary.LittleEndian.AppendUint32(dst, t.through)
	dst = binary.LittleEndian.AppendUint32(dst, t.messages)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.dirOff))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.dirLen))
	dst = binary.LittleEndian.AppendUint32(dst, t.dirSum)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// parseTrailer reads the trailer of a file of so many octets.
func parseTrailer(p []byte, size int64) (trailer, error) {
	le := binary.LittleEndian
	if len(p) != trailerLen || string(p[:len(magic)]) != magic || le.Uint32(p[trailerLen-4:]) != crc32.Checksum(p[:trailerLen-4], castagnoli) {
		return trailer{}, damaged("no trailer")
	}
	p = p[len(magic):]
	t := trailer{
		tag: le.Uint64(p), after: le.Uint32(p[8:]), through: le.Uint32(p[12:]), messages: le.Uint32(p[16:]),
		dirOff: int64(le.Uint64(p[20:])), dirLen: int64(le.Uint64(p[28:])), dirSum: le.Uint32(p[36:]),
	}
	fits := t.dirOff >= 0 && t.dirOff <= maxOffset && t.dirLen >= 0 && t.dirLen%8 == 0 && t.dirLen <= size && t.dirOff+t.dirLen+trailerLen == size
	if !fits || t.after >= t.through || t.messages > t.through-t.after {
		return trailer{}, damaged("wrong trailer")
	}
	return t, nil
}

// reader reads a segment. It belongs to one goroutine.
type reader struct {
	trailer
	src     io.ReaderAt
	dir     []byte
	group   int // that is loaded, or -1
	data    []byte
	entries []entry
}

// entry is a key of the group that is loaded.
type entry struct {
	key  uint32
	n    int
	list []byte // in reader.data
}

// newReader reads trailer and directory of a file of so many octets.
func newReader(src io.ReaderAt, size int64) (*reader, error) {
	if size < trailerLen {
		return nil, damaged("too short")
	}
	var end [trailerLen]byte
	if err := readAt(src, end[:], size-trailerLen); err != nil {
		return nil, err
	}
	t, err := parseTrailer(end[:], size)
	if err != nil {
		return nil, err
	}
	r := &reader{trailer: t, src: src, group: -1, dir: make([]byte, t.dirLen)}
	if err := readAt(src, r.dir, t.dirOff); err != nil {
		return nil, err
	}
	if crc32.Checksum(r.dir, castagnoli) != t.dirSum {
		return nil, damaged("wrong directory")
	}
	return r, nil
}

// readAt is src.ReadAt; that it fails is damage as well.
func readAt(src io.ReaderAt, p []byte, off int64) error {
	if n, err := src.ReadAt(p, off); n < len(p) {
		return damaged("%v", err)
	}
	return nil
}

func (r *reader) groups() int { return len(r.dir) / 8 }

// bounds are the first key of a group and where it is. For the number of groups
// they are those of the directory.
func (r *reader) bounds(group int) (key uint32, off int64) {
	if group == r.groups() {
		return keyEnd, r.dirOff
	}
	e := binary.BigEndian.Uint64(r.dir[8*group:])
	return uint32(e >> offsetBits), int64(e & maxOffset)
}

// load reads a group and checks it.
func (r *reader) load(group int) error {
	if r.group == group {
		return nil
	}
	first, off := r.bounds(group)
	above, end := r.bounds(group + 1)
	if first >= above || off+4 > end || end > r.dirOff {
		return damaged("wrong directory")
	}
	if n := int(end - off); n <= cap(r.data) {
		r.data = r.data[:n]
	} else {
		r.data = make([]byte, n, n+n/4)
	}
	r.group = -1
	if err := readAt(r.src, r.data, off); err != nil {
		return err
	}
	body := r.data[:len(r.data)-4]
	if binary.LittleEndian.Uint32(r.data[len(body):]) != crc32.Checksum(body, castagnoli) {
		return damaged("wrong checksum at %d", off)
	}
	var err error
	if r.entries, err = parseGroup(r.entries[:0], body, first, above); err != nil {
		return err
	}
	r.group = group
	return nil
}

// parseGroup appends the entries of a group, whose keys begin with first and are
// below above. What it returns points into body.
func parseGroup(dst []entry, body []byte, first, above uint32) ([]entry, error) {
	keys, body, err := uvarint(body, groupKeys)
	if err != nil || keys == 0 {
		return nil, damaged("wrong number of keys")
	}
	key := uint64(first)
	var total uint64
	at := len(dst)
	for i := range keys {
		var step, n, length uint64
		if step, body, err = uvarint(body, uint64(above)); err != nil {
			return nil, err
		}
		if n, body, err = uvarint(body, 1<<31-1); err != nil {
			return nil, err
		}
		if length, body, err = uvarint(body, 1<<40); err != nil {
			return nil, err
		}
		if key += step; key >= uint64(above) || (step == 0) != (i == 0) || n == 0 || n > 8*length {
			return nil, damaged("wrong key")
		}
		if total += length; total > uint64(len(body)) {
			return nil, damaged("lists of %d octets", total)
		}
		dst = append(dst, entry{key: uint32(key), n: int(n), list: body[:length]})
	}
	if total != uint64(len(body)) {
		return nil, damaged("lists of %d octets, not %d", total, len(body))
	}
	for i := range dst[at:] {
		e := &dst[at+i]
		e.list, body = body[:len(e.list)], body[len(e.list):]
	}
	return dst, nil
}

// uvarint reads a number up to limit.
func uvarint(p []byte, limit uint64) (uint64, []byte, error) {
	v, n := binary.Uvarint(p)
	if n <= 0 || v > limit {
		return 0, nil, damaged("wrong number")
	}
	return v, p[n:], nil
}

// find looks for a key. The entry is valid until another group is loaded.
func (r *reader) find(key uint32) (entry, bool, error) {
	group := sort.Search(r.groups(), func(i int) bool { first, _ := r.bounds(i); return first > key }) - 1
	if group < 0 {
		return entry{}, false, nil
	}
	if err := r.load(group); err != nil {
		return entry{}, false, err
	}
	i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].key >= key })
	if i == len(r.entries) || r.entries[i].key != key {
		return entry{}, false, nil
	}
	return r.entries[i], true, nil
}

// list reads the UIDs of an entry.
func (r *reader) list(e entry) list {
	return list{n: e.n, uids: newRiceReader(e.list, e.n, r.after, r.through)}
}

// uids are those of a key; none when the key is not there.
func (r *reader) uids(key uint32) ([]uint32, error) {
	e, ok, err := r.find(key)
	if err != nil || !ok {
		return nil, err
	}
	return readAll(r.list(e))
}
