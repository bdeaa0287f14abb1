package msgindex

import (
	"sync"
	"time"
)

// minCompact is the size from which a cache is worth to be compacted.
const minCompact = 1 << 20

// CompactDue tells whether more than half of the cache is garbage, so that
// Compact is worth its cost.
func (x *Index) CompactDue() bool {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	return x.cache != nil && !x.compacting && x.cache.size >= minCompact && 2*x.Snapshot().cached < x.cache.size
}

// Compact writes the cache anew without its garbage. lock is the one that the
// caller holds from Begin to Commit: Compact takes it at the end, for the entries
// that came meanwhile and to set the Ref of each record, which takes a few
// milliseconds for 100,000. To clients nothing changes. One Compact runs at a
// time, and it must have returned before Close.
func (x *Index) Compact(lock sync.Locker) error {
	c, err := x.beginCompact()
	if c == nil {
		return err
	}
	defer x.endCompact()
	m := compaction{x: x, c: c, old: x.Entries()}
	defer m.old.Close()
	// The second round has only what came during the first.
	for range 2 {
		m.copy(x.Snapshot())
	}
	lock.Lock()
	defer lock.Unlock()
	s := x.Snapshot()
	m.copy(s)
	m.flush()
	if m.err != nil {
		x.discardCache(c)
		return m.err
	}
	return x.finishCompact(c, m.apply(s))
}

// beginCompact makes the new cache; it is nil when there is nothing to do.
func (x *Index) beginCompact() (*cacheFile, error) {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	if x.compacting || x.cache == nil || x.cacheClosed {
		return nil, nil
	}
	c, err := x.newCache()
	if err != nil {
		return nil, err
	}
	x.compacting = true
	return c, nil
}

func (x *Index) endCompact() {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	x.compacting = false
}

// finishCompact puts the new cache and the snapshot that fits it in place. The
// list on disk has the old places until it is written anew, which begins here:
// until then they are of entries that don't fit.
func (x *Index) finishCompact(c *cacheFile, s *Snapshot) error {
	x.cacheMu.Lock()
	err := x.installCache(c)
	if err == nil {
		x.releaseCache(x.cache)
		x.cache = c
	}
	x.cacheMu.Unlock()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.snap.Store(s)
	x.epoch++ // a checkpoint that runs has the old places
	x.retry = time.Time{}
	if x.list != nil {
		x.list.limit = 1
	}
	x.startCheckpoint()
	return nil
}

// compaction copies entries to a new cache.
type compaction struct {
	x     *Index
	c     *cacheFile
	old   *Entries
	moved []moved // by UID
	buf   []byte
	err   error
}

// moved is an entry that was copied; to is 0 when it did not fit.
type moved struct {
	uid      UID
	from, to Ref
}

// copy sees to it that the entries of all messages of s, and no others, are in
// moved.
func (m *compaction) copy(s *Snapshot) {
	before := m.moved
	m.moved = make([]moved, 0, s.Len())
	for _, r := range s.Range(0, s.Len()) {
		for len(before) > 0 && before[0].uid < r.UID {
			before = before[1:]
		}
		switch {
		case r.Entry == 0 || m.err != nil:
		case len(before) > 0 && before[0].uid == r.UID && before[0].from == r.Entry:
			m.moved = append(m.moved, before[0])
		default:
			m.moved = append(m.moved, moved{r.UID, r.Entry, m.entry(r)})
		}
	}
}

// entry copies one entry.
func (m *compaction) entry(r *Record) Ref {
	name, summary, ok := m.old.Entry(r)
	if !ok {
		return 0
	}
	n := len(m.buf)
	m.buf = appendEntry(m.buf, r.UID, name, summary, m.c.seed)
	ref := newRef(m.c.size, len(m.buf)-n)
	m.c.size += int64(len(m.buf) - n)
	if len(m.buf) >= windowSize {
		m.flush()
	}
	return ref
}

func (m *compaction) flush() {
	if m.err == nil && len(m.buf) > 0 {
		_, m.err = m.c.file.Write(m.buf)
	}
	m.buf = m.buf[:0]
}

// apply returns s with the new places.
func (m *compaction) apply(s *Snapshot) *Snapshot {
	b := builder{private: true, s: *s}
	b.s.spans, b.s.sealed, b.s.tail, b.s.tailHighest = nil, 0, nil, 0
	b.s.unseen, b.s.deleted, b.s.octets, b.s.cached = 0, 0, 0, 0
	left := m.moved
	for _, r := range s.Range(0, s.Len()) {
		rec := *r
		if rec.Entry != 0 {
			rec.Entry, left = left[0].to, left[1:]
		}
		b.add(rec)
	}
	next := b.s
	return &next
}
