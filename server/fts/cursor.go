package fts

import (
	"os"
	"slices"
)

// cursor walks through the keys of a segment.
type cursor struct {
	seg  *segment
	file *os.File
	r    *reader
	dead []uint32 // left out
	at   int      // place in the group
}

// openCursor opens a segment at its first key.
func openCursor(s *segment, live func(uint32) bool) (*cursor, error) {
	r, f, err := s.open()
	if err != nil {
		return nil, err
	}
	c := &cursor{seg: s, file: f, r: r}
	if c.dead, err = deadOf(r, live); err == nil && r.groups() > 0 {
		err = r.load(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

// key is the key where the cursor stands; keyEnd at the end.
func (c *cursor) key() uint32 {
	if c.at >= len(c.r.entries) || c.r.groups() == 0 {
		return keyEnd
	}
	return c.r.entries[c.at].key
}

// take appends the live UIDs of the key and goes on to the next one.
func (c *cursor) take(dst []uint32) ([]uint32, error) {
	e := c.r.entries[c.at]
	at := len(dst)
	dst = slices.Grow(dst, e.n)[:at+e.n]
	r := newRiceReader(e.list, e.n, c.r.after, c.r.through)
	if _, err := r.read(dst[at:]); err != nil {
		return nil, err
	}
	if len(c.dead) > 0 {
		dst = dst[:at+len(without(dst[at:], c.dead))]
	}
	if c.at++; c.at == len(c.r.entries) && c.r.group+1 < c.r.groups() {
		c.at = 0
		if err := c.r.load(c.r.group + 1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
