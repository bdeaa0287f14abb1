package collection

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/resident"
	"facteur/server/retention"
	"facteur/server/safefile"
)

const (
	// idleAfter is the time after which a collection that nobody uses is let go.
	idleAfter = 5 * time.Minute
	// crowdedAfter is that with more than maxLoaded collections in memory.
	crowdedAfter = 5 * time.Second
	maxLoaded    = 500

	tickEvery = time.Second

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
	contents contents
	bins     *retention.Kind[Deleted]

	homes  *resident.Homes[*Home]
	loaded resident.Loaded[*Collection]
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
	if opt.Bins == nil {
		opt.Bins = retention.New(retention.Options{})
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = defaultMaxSize
	}
	if err := safefile.Prepare(opt.FS, opt.Dir, opt.Tmp, opt.Now()); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, syncer: safefile.NewSyncer(opt.FS), bootID: safefile.BootID(), identity: identityOf}
	s.bins = retention.Add(opt.Bins, "collection", deletedOn)
	s.homes = resident.NewHomes(s.newHome)
	s.clock.Store(opt.Now().UnixNano())
	s.homes.Every(tickEvery, s.tidy)
	s.homes.Every(forgetAfter, s.contents.forget)
	return s, nil
}

func (s *Store) now() time.Time { return s.opt.Now() }

// Close writes what a clean stop leaves, and ends all goroutines. Whatever is
// asked afterwards is Unavailable.
func (s *Store) Close() error {
	return s.homes.Close(func(h *Home) error {
		h.close(resident.ErrClosed)
		return nil
	})
}

// Home returns the calendars and address books of an account or shared mailbox.
// On first use it makes those of Options.Defaults.
func (s *Store) Home(a address.Address) (*Home, error) {
	h, err := s.homes.Get(a)
	if err != nil {
		return nil, err
	}
	if err := h.open(); err != nil {
		return nil, diskFault(err)
	}
	return h, nil
}

// Usage tells what an account holds, without making anything.
func (s *Store) Usage(a address.Address) (Usage, error) {
	h, err := s.homes.Get(a)
	if err != nil {
		return Usage{}, err
	}
	u, err := h.usageNow()
	return u, diskFault(err)
}

// Forget drops a home from memory, so that its directory may be moved away. Its
// collections answer NotFound from then on.
func (s *Store) Forget(a address.Address) {
	if h, ok := s.homes.Forget(a); ok {
		h.close(errGone)
	}
}

// tidy lets go of collections that nobody used for a while.
func (s *Store) tidy() {
	s.clock.Store(s.now().UnixNano())
	all := s.loaded.All()
	after := idleAfter
	if len(all) > maxLoaded {
		after = crowdedAfter
	}
	for _, c := range all {
		c.unload(after)
	}
}
