package retention

import (
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// Options are the settings of Bins.
type Options struct {
	Dir string           // of all domains: data/domains
	FS  safefile.FS      // nil: safefile.OS
	Log *slog.Logger     // nil: none
	Now func() time.Time // nil: time.Now
	// Keep tells for how long what was deleted of an account can be brought back, and how
	// many octets of it are kept at most, of all kinds together (0: no bound). It is asked
	// at each deletion. Nil, or a time of 0: it is removed at once.
	Keep func(address.Address) (keep time.Duration, quota int64)
}

// Bins are deleted/ of all accounts.
type Bins struct {
	opt  Options
	work sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	kinds    []kind
	accounts map[address.Key]*account
}

// kind is a Kind as the Bins see it.
type kind struct {
	name string
	list func(Day) ([]Thing, error)
}

// New returns Bins without kinds. It makes nothing on disk.
func New(opt Options) *Bins {
	if opt.FS == nil {
		opt.FS = safefile.OS
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Keep == nil {
		opt.Keep = func(address.Address) (time.Duration, int64) { return 0, 0 }
	}
	return &Bins{opt: opt, accounts: make(map[address.Key]*account)}
}

// Purge removes for good what of an account is older than Options.Keep says, and the oldest
// of what is above its quota. Call it each hour. The error tells what stays, for people.
func (b *Bins) Purge(a address.Address) error { return b.account(a).purge() }

// Close has no purge begin from now on, and waits for what runs in the background.
func (b *Bins) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.work.Wait()
}

func (b *Bins) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// start runs f in the background. It is false after Close.
func (b *Bins) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.work.Go(f)
	}
	return !b.closed
}

// add adds a kind, or replaces that of its name.
func (b *Bins) add(k kind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kinds := slices.DeleteFunc(slices.Clone(b.kinds), func(old kind) bool { return old.name == k.name })
	b.kinds = append(kinds, k)
}

// allKinds returns the kinds; the list never changes.
func (b *Bins) allKinds() []kind {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kinds
}

// account returns that of an address, the same for all who ask.
func (b *Bins) account(a address.Address) *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.accounts[a.Key()]
	if known == nil {
		known = &account{
			bins: b, address: a, dir: filepath.Join(b.opt.Dir, a.Dir(), "deleted"),
			use: make(map[string]*sync.RWMutex),
		}
		b.accounts[a.Key()] = known
	}
	return known
}
