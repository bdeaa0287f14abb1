package fts

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"unsafe"
)

// memory is the segment that is being filled: for each key the UIDs, as varints
// of their gaps. Index.mu guards it.
type memory struct {
	after, through uint32
	slots          []uint32 // place in lists + 1; 0 is free; at most half full
	shift          uint
	lists          []memoryList
	octets         int // of all gaps
}

// memoryList is the UIDs of one key: the first and the last one as they are,
// gaps to all but the first.
type memoryList struct {
	key, first, last uint32
	n                uint32
	gaps             []byte
}

func newMemory(after uint32) *memory { return &memory{after: after, through: after} }

// size is about the memory that it takes.
func (m *memory) size() int {
	return 4*len(m.slots) + int(unsafe.Sizeof(memoryList{}))*cap(m.lists) + m.octets
}

// put adds the message uid, above all others.
func (m *memory) put(uid uint32, trigrams []uint32, every bool) {
	if every {
		m.add(keyEvery, uid)
	} else {
		for _, t := range trigrams {
			m.add(t, uid)
		}
	}
	m.add(keyAll, uid)
	m.through = uid
}

func (m *memory) add(key, uid uint32) {
	if 2*len(m.lists) >= len(m.slots) {
		m.resize(max(2*len(m.slots), minSlots))
	}
	i := m.find(key)
	if m.slots[i] == 0 {
		m.lists = append(m.lists, memoryList{key: key, first: uid, last: uid, n: 1})
		m.slots[i] = uint32(len(m.lists))
		return
	}
	l := &m.lists[m.slots[i]-1]
	before := cap(l.gaps)
	if gap := uid - l.last; gap < 0x80 {
		l.gaps = append(l.gaps, byte(gap))
	} else {
		l.gaps = binary.AppendUvarint(l.gaps, uint64(gap))
	}
	m.octets += cap(l.gaps) - before
	l.last = uid
	l.n++
}

// find is the slot of key, or where it belongs.
func (m *memory) find(key uint32) uint32 {
	i := key * 0x9E3779B1 >> m.shift
	for m.slots[i] != 0 && m.lists[m.slots[i]-1].key != key {
		i = (i + 1) & uint32(len(m.slots)-1)
	}
	return i
}

func (m *memory) resize(n int) {
	m.slots = make([]uint32, n)
	m.shift = uint(32 - bits.Len(uint(n-1)))
	for i, l := range m.lists {
		m.slots[m.find(l.key)] = uint32(i + 1)
	}
}

// list is that of key, empty when there is none.
func (m *memory) list(key uint32) list {
	if len(m.slots) == 0 {
		return list{}
	}
	i := m.slots[m.find(key)]
	if i == 0 {
		return list{}
	}
	l := &m.lists[i-1]
	return list{n: int(l.n), uids: l.reader()}
}

// write writes all of it as a segment.
func (m *memory) write(w *writer) error {
	order := make([]uint32, len(m.lists))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(m.lists[a].key, m.lists[b].key) })
	var uids []uint32
	for _, i := range order {
		l := &m.lists[i]
		uids = slices.Grow(uids[:0], int(l.n))[:l.n]
		if _, err := l.reader().read(uids); err != nil {
			return err
		}
		if err := w.add(l.key, uids); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryList) reader() *gapReader {
	return &gapReader{gaps: l.gaps, next: l.first, left: int(l.n)}
}

// gapReader reads a memoryList.
type gapReader struct {
	gaps []byte
	next uint32
	left int
}

// read fills buf as far as there are UIDs. It never fails.
func (r *gapReader) read(buf []uint32) (int, error) {
	buf = buf[:min(len(buf), r.left)]
	for i := range buf {
		buf[i] = r.next
		if r.left--; r.left > 0 {
			gap, n := binary.Uvarint(r.gaps)
			r.gaps = r.gaps[n:]
			r.next += uint32(gap)
		}
	}
	return len(buf), nil
}
