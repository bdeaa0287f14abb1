package collection

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

const (
	// idleAfter is the time after which a collection that nobody uses is let go.
	idleAfter = 5 * time.Minute
	// crowdedAfter is that with more than maxLoaded collections in memory.
	crowdedAfter = 5 * time.Second
	maxLoaded    = 500

	tickEvery  = time.Second
	sweepEvery = time.Hour

	defaultMaxSize = 16 << 20
)

// Store holds the homes of all accounts and shared mailboxes.
type Store struct {
	opt      Options
	syncer   *safefile.Syncer
	bootID   string                           // of the running system
	identity func(dir string) (string, error) // of a directory
	serial   atomic.Uint64                    // of collections
	clock    atomic.Int64                     // the time at the last tick, in nanoseconds

	stop chan struct{}
	work sync.WaitGroup // goroutines that Close waits for

	mu     sync.Mutex
	closed bool
	homes  map[address.Key]*Home
	loaded map[*Collection]struct{} // those in memory
}

// Open returns the store in a directory, which is made when it is not there.
func Open(opt Options) (*Store, error) {
	if opt.Index == nil {
		return nil, errors.New("collection: Options.Index is missing")
	}
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
	for _, dir := range []string{opt.Dir, opt.Tmp} {
		if err := safefile.MkdirAll(opt.FS, dir); err != nil {
			return nil, err
		}
	}
	if err := safefile.SameDisk(opt.Dir, opt.Tmp, "files are moved from one into the other"); err != nil {
		return nil, err
	}
	safefile.RemoveStale(opt.FS, opt.Tmp, opt.Now())
	s := &Store{
		opt: opt, syncer: safefile.NewSyncer(opt.FS), bootID: readBootID(), identity: identityOf,
		stop: make(chan struct{}), homes: make(map[address.Key]*Home), loaded: make(map[*Collection]struct{}),
	}
	s.clock.Store(opt.Now().UnixNano())
	s.work.Go(s.watch)
	return s, nil
}

// readBootID returns what identifies the running system since it was started.
func readBootID() string {
	if id, ok := safefile.BootID(); ok {
		return id
	}
	return newEpoch() // every stop that is not clean counts as a power cut
}

func (s *Store) now() time.Time { return s.opt.Now() }

// Close writes what a clean stop leaves, and ends all goroutines. Whatever is
// asked afterwards is Unavailable.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.stop)
	for _, h := range s.openHomes() {
		h.close(errClosed)
	}
	s.work.Wait()
	return nil
}

// Home returns the calendars and address books of an account or shared mailbox.
// On first use it makes those of Options.Defaults.
func (s *Store) Home(a address.Address) (*Home, error) {
	h, err := s.home(a)
	if err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, diskFault(err)
	}
	return h, nil
}

func (s *Store) home(a address.Address) (*Home, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	h := s.homes[a.Key()]
	if h == nil {
		h = &Home{store: s, address: a, dir: filepath.Join(s.opt.Dir, a.Dir())}
		s.homes[a.Key()] = h
	}
	return h, nil
}

// Usage tells what an account holds, without making anything.
func (s *Store) Usage(a address.Address) (Usage, error) {
	h, err := s.home(a)
	if err != nil {
		return Usage{}, err
	}
	u, err := h.usageNow()
	return u, diskFault(err)
}

// Forget drops a home from memory, so that its directory may be moved away. Its
// collections answer NotFound from then on.
func (s *Store) Forget(a address.Address) {
	s.mu.Lock()
	h := s.homes[a.Key()]
	delete(s.homes, a.Key())
	s.mu.Unlock()
	if h != nil {
		h.close(errGone)
	}
}

// watch lets go of collections that nobody used for a while, and of deleted
// objects that were kept for long enough.
func (s *Store) watch() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	swept := s.now()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now := s.now()
		s.clock.Store(now.UnixNano())
		s.tidy()
		if now.Sub(swept) < sweepEvery {
			continue
		}
		swept = now
		for _, h := range s.openHomes() {
			if err := h.purge(); err != nil {
				s.opt.Log.Warn("collection.purge", "dir", h.dir, "err", err)
			}
		}
	}
}

func (s *Store) tidy() {
	s.mu.Lock()
	all := make([]*Collection, 0, len(s.loaded))
	for c := range s.loaded {
		all = append(all, c)
	}
	s.mu.Unlock()
	after := idleAfter
	if len(all) > maxLoaded {
		after = crowdedAfter
	}
	for _, c := range all {
		c.unload(after)
	}
}

func (s *Store) openHomes() []*Home {
	s.mu.Lock()
	defer s.mu.Unlock()
	homes := make([]*Home, 0, len(s.homes))
	for _, h := range s.homes {
		homes = append(homes, h)
	}
	return homes
}

// track notes whether a collection is in memory.
func (s *Store) track(c *Collection, loaded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if loaded {
		s.loaded[c] = struct{}{}
	} else {
		delete(s.loaded, c)
	}
}
