package safefile

import "sync"

// Syncer combines the syncs of a directory: callers that wait share one, and
// different directories are synced side by side. No lock is held over a sync.
type Syncer struct {
	fs FS

	mu   sync.Mutex
	dirs map[string]*dirSync
}

// dirSync is the state of a directory that is being synced.
type dirSync struct {
	running *syncRound // has begun; who comes now is too late for it
	next    *syncRound // has not begun
}

type syncRound struct {
	done chan struct{}
	err  error
}

// NewSyncer returns a Syncer over fsys.
func NewSyncer(fsys FS) *Syncer {
	return &Syncer{fs: fsys, dirs: make(map[string]*dirSync)}
}

// Sync returns when a sync of dir that began after the call has ended.
func (s *Syncer) Sync(dir string) error {
	s.mu.Lock()
	d := s.dirs[dir]
	if d == nil {
		d = &dirSync{}
		s.dirs[dir] = d
	}
	if d.next != nil {
		round := d.next
		s.mu.Unlock()
		<-round.done
		return round.err
	}
	// The first of a round leads it, once the running one is over.
	round := &syncRound{done: make(chan struct{})}
	d.next = round
	if prev := d.running; prev != nil {
		s.mu.Unlock()
		<-prev.done
		s.mu.Lock()
	}
	d.running, d.next = round, nil
	s.mu.Unlock()

	round.err = s.fs.SyncDir(dir)

	s.mu.Lock()
	d.running = nil
	if d.next == nil {
		delete(s.dirs, dir)
	}
	s.mu.Unlock()
	close(round.done)
	return round.err
}
