package kv

import (
	"container/list"
	"context"
	"database/sql"
	"time"
)

// shelf is the memory of one script and mailbox. Everything in it is guarded by
// Store.mu, but ready.
type shelf struct {
	owner   owner
	place   *list.Element
	ready   chan struct{} // closed once it is read
	err     error         // why it could not be
	cleared bool          // while it was read

	entries map[string]*entry
	rates   int   // how many entries are rates
	octets  int64 // of keys and values, without overhead
	swept   int64 // when what has ended was last taken away for want of room
	busy    int   // runs that commit to it now: it stays in memory
	writing map[string]int
	dirty   map[string]struct{} // keys to be written behind; one that is not in entries was removed
}

// entry is a value, a noted key or a rate.
type entry struct {
	value string
	rate  *rate // of a rate: value is not used
	ends  int64 // Unix milliseconds; 0: never
	size  int64 // octets that it takes on its shelf, with its key
	// changed is Store.changes of its last change, so that what was changed again while
	// it was written stays to be written.
	changed uint64
}

func (e *entry) over(now int64) bool { return e.ends > 0 && e.ends <= now }

// have returns a shelf that is in memory, and holds mu then.
func (s *Store) have(o owner) *shelf {
	s.mu.Lock()
	if sh := s.shelves[o]; sh != nil {
		select {
		case <-sh.ready:
			s.recent.MoveToFront(sh.place)
			return sh
		default:
		}
	}
	s.mu.Unlock()
	return nil
}

// take returns a shelf, read; when there is no error mu is held.
func (s *Store) take(ctx context.Context, o owner) (*shelf, error) {
	for {
		if sh := s.have(o); sh != nil {
			return sh, nil
		}
		s.mu.Lock()
		sh := s.shelves[o]
		if sh == nil {
			return s.open(ctx, o)
		}
		s.mu.Unlock()
		select {
		case <-sh.ready:
			if sh.err != nil {
				return nil, sh.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open reads a shelf. mu is held; when there is an error it is no more.
func (s *Store) open(ctx context.Context, o owner) (*shelf, error) {
	sh := &shelf{
		owner: o, ready: make(chan struct{}), entries: map[string]*entry{}, writing: map[string]int{}, dirty: map[string]struct{}{},
		busy: 1,
	}
	sh.place = s.recent.PushFront(sh)
	s.shelves[o] = sh
	s.cached += overhead
	s.mu.Unlock()
	read, err := s.read(ctx, o)
	s.mu.Lock()
	sh.busy--
	defer close(sh.ready)
	if err != nil {
		sh.err = err
		s.forget(sh)
		s.mu.Unlock()
		return nil, err
	}
	if !sh.cleared {
		for key, e := range read {
			s.put(sh, key, e)
		}
	}
	s.recent.MoveToFront(sh.place) // who asked for it has it now
	s.evict()
	return sh, nil
}

// read reads what is on disk.
func (s *Store) read(ctx context.Context, o owner) (map[string]*entry, error) {
	read := map[string]*entry{}
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT key, value, ends FROM script_memory WHERE script = ? AND box = ?", o.script, o.box)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var value []byte
			e := &entry{}
			if err := rows.Scan(&key, &value, &e.ends); err != nil {
				return err
			}
			if period, ok := ratePeriod(key); ok {
				e.rate = decodeRate(period, value)
			} else {
				e.value = string(value)
			}
			read[key] = e
		}
		return rows.Err()
	})
	return read, err
}

// put puts an entry on a shelf, or takes one away when e is nil. It holds mu, as
// all below do.
func (s *Store) put(sh *shelf, name string, e *entry) {
	if old := sh.entries[name]; old != nil {
		sh.octets -= old.size
		s.cached -= old.size + overhead
		if old.rate != nil {
			sh.rates--
		}
		delete(sh.entries, name)
	}
	if e == nil {
		return
	}
	s.changes++
	e.changed = s.changes
	e.size = int64(len(name) + len(e.value))
	if e.rate != nil {
		e.size += e.rate.size()
		sh.rates++
	}
	sh.entries[name] = e
	sh.octets += e.size
	s.cached += e.size + overhead
}

// later has an entry written behind; added: it was not there before.
func (s *Store) later(sh *shelf, name string, added bool) {
	sh.dirty[name] = struct{}{}
	s.dirty[sh] = struct{}{}
	if e := sh.entries[name]; added && e != nil {
		s.total += e.size + overhead
	}
}

// evict takes the shelves that were not asked for longest out of the memory.
func (s *Store) evict() {
	for at := s.recent.Back(); at != s.recent.Front() && s.cached > s.limits.Cache; {
		sh := at.Value.(*shelf)
		at = at.Prev()
		if sh.busy == 0 && len(sh.dirty) == 0 {
			s.forget(sh)
		}
	}
}

// forget takes a shelf out of the memory.
func (s *Store) forget(sh *shelf) {
	for key := range sh.entries {
		s.put(sh, key, nil)
	}
	s.cached -= overhead
	s.recent.Remove(sh.place)
	delete(s.shelves, sh.owner)
	delete(s.dirty, sh)
}

// clear empties a shelf that was removed on disk.
func (s *Store) clear(sh *shelf) {
	sh.cleared = true
	for key := range sh.entries {
		s.put(sh, key, nil)
	}
	clear(sh.dirty)
	delete(s.dirty, sh)
}

// prune drops what has ended from a shelf; Prune does on disk.
func (s *Store) prune(sh *shelf, now int64) {
	for key, e := range sh.entries {
		if e.over(now) {
			s.put(sh, key, nil)
			delete(sh.dirty, key)
		}
	}
}

// room tells how many entries and octets fit on a shelf.
func (s *Store) room(sh *shelf) (entries int, octets int64) {
	if sh.owner.box == "" {
		return s.limits.ServerEntries, int64(s.limits.ServerOctets)
	}
	return s.limits.Entries, int64(s.limits.Octets)
}

// millis is when something ends that lasts so long; 0: never.
func millis(now time.Time, ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return now.Add(ttl).UnixMilli()
}
