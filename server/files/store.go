package files

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/safefile"
)

const (
	sweepEvery      = time.Hour
	defaultMaxSize  = 1 << 30
	defaultMaxFiles = 100_000
)

// Store holds the trees of all accounts and shared mailboxes.
type Store struct {
	opt    Options
	syncer *safefile.Syncer
	serial atomic.Uint64 // of trees
	last   atomic.Int64  // the newest time of a file, in ns

	stop chan struct{}
	work sync.WaitGroup

	mu     sync.Mutex
	closed bool
	trees  map[address.Key]*Tree
}

// Open returns the store in a directory, which is made when it is not there.
func Open(opt Options) (*Store, error) {
	if opt.FS == nil {
		opt.FS = safefile.OS
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = defaultMaxSize
	}
	if opt.MaxFiles <= 0 {
		opt.MaxFiles = defaultMaxFiles
	}
	for _, dir := range []string{opt.Dir, opt.Tmp} {
		if err := safefile.MkdirAll(opt.FS, dir); err != nil {
			return nil, err
		}
	}
	if err := safefile.SameDisk(opt.Dir, opt.Tmp, "files are moved from one into the other"); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, syncer: safefile.NewSyncer(opt.FS), stop: make(chan struct{}), trees: make(map[address.Key]*Tree)}
	s.work.Go(s.watch)
	return s, nil
}

// Close ends the goroutines of the store. Trees answer Unavailable from then on.
func (s *Store) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	trees := s.open()
	s.mu.Unlock()
	if closed {
		return
	}
	close(s.stop)
	for _, t := range trees {
		t.end(errClosed)
	}
	s.work.Wait()
}

// open returns the trees in use. With mu held.
func (s *Store) open() []*Tree {
	all := make([]*Tree, 0, len(s.trees))
	for _, t := range s.trees {
		all = append(all, t)
	}
	return all
}

// Tree returns the files of an account or shared mailbox, the same for all who ask. It
// makes nothing on disk.
func (s *Store) Tree(a address.Address) (*Tree, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	t := s.trees[a.Key()]
	if t == nil {
		t = &Tree{store: s, address: a, home: filepath.Join(s.opt.Dir, a.Dir()), serial: s.serial.Add(1)}
		t.dir = filepath.Join(t.home, "files")
		s.trees[a.Key()] = t
	}
	return t, nil
}

// Usage tells what an account holds.
func (s *Store) Usage(a address.Address) (Usage, error) {
	t, err := s.Tree(a)
	if err != nil {
		return Usage{}, err
	}
	u, err := t.Usage()
	return u, diskFault(err)
}

// Forget drops a tree from memory, so that its directory may be moved away. It answers
// NotFound from then on.
func (s *Store) Forget(a address.Address) {
	s.mu.Lock()
	t := s.trees[a.Key()]
	delete(s.trees, a.Key())
	s.mu.Unlock()
	if t != nil {
		t.end(errGone)
	}
}

// watch removes what was kept for long enough.
func (s *Store) watch() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		trees := s.open()
		s.mu.Unlock()
		for _, t := range trees {
			t.forgetUsage()
			if err := t.purge(); err != nil {
				s.opt.Log.Warn("files.purge", "dir", t.home, "err", err)
			}
		}
	}
}

// nextTime returns a time that no other file of this process has.
func (s *Store) nextTime() time.Time {
	for {
		last := s.last.Load()
		next := max(s.opt.Now().UnixNano(), last+1)
		if s.last.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}

// room asks whether a tree may grow.
func (s *Store) room(a address.Address, octets int64) error {
	if s.opt.Room == nil || octets <= 0 {
		return nil
	}
	return s.opt.Room(a, octets)
}

var (
	errClosed = fault.New(fault.Unavailable, "The server stops")
	errGone   = fault.New(fault.NotFound, "It is not there any more")
	errBusy   = fault.New(fault.Unavailable, "It is being changed by someone else")
	errNone   = fault.New(fault.NotFound, "There is no such file or folder")
	errInWay  = fault.New(fault.NotPossible, "Something that is neither a file nor a folder is there")
)
