package fts

import (
	"errors"
	"slices"
)

// maxKeys bounds the trigrams of a string that are looked up.
const maxKeys = 48

// errMerged says that a segment was replaced while it was read.
var errMerged = errors.New("fts: a segment was merged meanwhile")

// Candidates returns, ascending, all messages up to through that may hold the
// string: one that is not among them does not hold it. ok is false when the
// index can't tell: the string has less than 3 octets, or a file can't be read.
func (x *Index) Candidates(folded []byte) (uids []uint32, through uint32, ok bool) {
	if len(folded) < 3 {
		return nil, 0, false
	}
	keys := keysOf(folded)
	for {
		uids, through, err := x.candidates(keys)
		if err == nil {
			return uids, through, true
		}
		// Each round needs another merge to end: there are not many.
		if !errors.Is(err, errMerged) {
			return nil, 0, false
		}
	}
}

// keysOf returns the distinct trigrams of a string, ascending; of a long one
// some, evenly spread.
func keysOf(s []byte) []uint32 {
	var set trigramSet
	set.addText(s[:min(len(s), 1<<12)])
	keys := set.values
	if n := len(keys); n > maxKeys {
		for i := range maxKeys {
			keys[i] = keys[i*n/maxKeys]
		}
		keys = keys[:maxKeys]
	}
	slices.Sort(keys)
	return keys
}

func (x *Index) candidates(keys []uint32) (uids []uint32, through uint32, err error) {
	x.mu.RLock()
	segs, through, closed := x.segs, x.mem.through, x.closed
	inMemory, err := x.mem.candidates(keys)
	x.mu.RUnlock()
	if closed {
		return nil, 0, ErrClosed
	}
	if err != nil {
		return nil, 0, err
	}
	q := query{keys: keys}
	for _, s := range segs {
		found, err := q.segment(s)
		if err != nil {
			return nil, 0, x.doubt(s, err)
		}
		uids = append(uids, found...)
	}
	return append(uids, inMemory...), through, nil
}

// doubt decides what an error of a segment means.
func (x *Index) doubt(s *segment, err error) error {
	x.mu.RLock()
	current := x.place(s) >= 0
	x.mu.RUnlock()
	switch {
	case !current:
		return errMerged
	case errors.Is(err, errDamaged):
		x.lose(s, err)
	}
	return err
}

// candidates are those of the segment in memory. Called with Index.mu.
func (m *memory) candidates(keys []uint32) ([]uint32, error) {
	every, err := readAll(m.list(keyEvery))
	if err != nil {
		return nil, err
	}
	lists := make([]list, 0, len(keys))
	for _, key := range keys {
		l := m.list(key)
		if l.n == 0 {
			return every, nil
		}
		lists = append(lists, l)
	}
	uids, err := intersect(lists, m.list(keyAll).n)
	if err != nil {
		return nil, err
	}
	return union(uids, every), nil
}

// query is one question to many files; it keeps their buffers.
type query struct {
	keys []uint32
	data []byte // the lists of one file
}

// segment returns the candidates in a file.
func (q *query) segment(s *segment) ([]uint32, error) {
	r, f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return q.read(r)
}

func (q *query) read(r *reader) ([]uint32, error) {
	every, err := r.uids(keyEvery)
	if err != nil {
		return nil, err
	}
	q.data = q.data[:0]
	lists := make([]list, 0, len(q.keys))
	for _, key := range q.keys {
		e, ok, err := r.find(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return every, nil
		}
		at := len(q.data)
		q.data = append(q.data, e.list...) // r.data goes with the next group
		e.list = q.data[at:]
		lists = append(lists, r.list(e))
	}
	uids, err := intersect(lists, int(r.messages))
	if err != nil {
		return nil, err
	}
	return union(uids, every), nil
}
