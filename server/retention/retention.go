// Package retention keeps what was deleted for a while: deleted/ in the folder of an
// account, by days (deleted/2026-11-22/...), for as long and as much as Options.Keep says.
//
// Several stores put things there, each below names of its own. A Bin is deleted/ as one of
// them sees it: the store knows what its things look like and how they come back, the Bin
// has the days, and what is too old or too much.
//
// A lock keeps apart who lists, purges or brings back (List, Purge, Use) and who asks them to
// wait (Fill). It comes before all locks of the store. What changes goes through safefile.FS;
// nothing is synced but the directories that Today makes.
package retention

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// settled is how long after its end the directories of a day may be removed: until then
// something may be on its way there.
const settled = time.Minute

// None is for stores that keep nothing.
func None(address.Address) (keep time.Duration, quota int64) { return 0, 0 }

// Options are the settings of a Bin.
type Options[T Item] struct {
	Dir  string // deleted/ in the folder of the account
	Name string // of the store; begins what the log has of the Bin
	FS   safefile.FS
	Log  *slog.Logger
	Now  func() time.Time
	// Keep tells for how long things can be brought back, and how many octets of them are
	// kept at most (0: no bound). A time of 0: they are removed at once.
	Keep func() (keep time.Duration, quota int64)
	// List returns what of the store lies in the directory of a day; of what was deleted at
	// one time, in the order in which it comes back.
	List func(Day) ([]T, error)
	Go   func(func()) // runs a purge in the background
}

// Day is a directory of deleted/.
type Day struct {
	Dir  string
	Date time.Time // 00:00 UTC
}

// Thing is a file or directory in deleted/.
type Thing struct {
	At    time.Time // when it was deleted
	Size  int64     // octets
	Place string    // its path
}

func (t Thing) thing() Thing { return t }

// Item is a Thing, with what its store knows of it: a struct that embeds Thing.
type Item interface{ thing() Thing }

// Bin is deleted/ of an account, with the things of one store.
type Bin[T Item] struct {
	opt Options[T]
	use sync.RWMutex

	mu      sync.Mutex
	octets  int64 // of the things; more by now when counted is false
	counted bool
	purging bool // in the background
	ended   bool
}

// New returns a Bin. It makes nothing on disk.
func New[T Item](opt Options[T]) *Bin[T] { return &Bin[T]{opt: opt} }

// Today makes the directory for what is deleted now, at a path below that of the day. It is
// "" when nothing is kept.
func (b *Bin[T]) Today(below string) (string, error) {
	if keep, _ := b.opt.Keep(); keep <= 0 {
		return "", nil
	}
	dir := filepath.Join(b.opt.Dir, b.opt.Now().UTC().Format(time.DateOnly), below)
	err := safefile.MkdirAll(b.opt.FS, dir)
	if safefile.NoRoom(err) {
		// What is removed to make room must not need room.
		b.opt.Log.Warn(b.opt.Name+".deleted", "dir", dir, "err", err, "result", "removed for good")
		return "", nil
	}
	return dir, err
}

// Fill has List, Purge and Use wait until done is called: things are on their way.
func (b *Bin[T]) Fill() (done func()) {
	b.use.RLock()
	return b.use.RUnlock
}

// Grew notes that things of so many octets were put there. What is above the quota is purged
// in the background.
func (b *Bin[T]) Grew(octets int64) {
	_, quota := b.opt.Keep()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.octets += octets
	if quota <= 0 || b.counted && b.octets <= quota || b.purging || b.ended {
		return
	}
	b.purging = true
	b.opt.Go(func() {
		err := b.Purge()
		b.mu.Lock()
		b.purging = false
		b.mu.Unlock()
		if err != nil {
			b.opt.Log.Warn(b.opt.Name+".purge", "dir", b.opt.Dir, "err", err)
		}
	})
}

// End has Grew begin nothing from now on.
func (b *Bin[T]) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// List returns what can be brought back, oldest first.
func (b *Bin[T]) List() ([]T, error) {
	b.use.Lock()
	defer b.use.Unlock()
	return b.list()
}

// Use calls f with what can be brought back, oldest first, which stays until f returns but
// for what f takes.
func (b *Bin[T]) Use(f func([]T) error) error {
	b.use.Lock()
	defer b.use.Unlock()
	all, err := b.list()
	if err != nil {
		return err
	}
	defer b.count(0, false)
	return f(all)
}

// Purge removes for good what is older than Options.Keep says, and the oldest of what is
// above its quota.
func (b *Bin[T]) Purge() error {
	b.use.Lock()
	defer b.use.Unlock()
	all, err := b.list()
	if err != nil {
		return err
	}
	now := b.opt.Now()
	keep, quota := b.opt.Keep()
	over, rest := cut(all, keep, quota, now)
	for _, t := range over {
		if err := safefile.RemoveAll(b.opt.FS, t.thing().Place); err != nil {
			return err
		}
	}
	b.count(rest, true)
	return b.removeEmpty(now)
}

func (b *Bin[T]) count(octets int64, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.octets, b.counted = octets, known
}

// cut returns the first of a list, which are older than keep or too many for the quota, and
// the octets of the rest.
func cut[T Item](all []T, keep time.Duration, quota int64, now time.Time) (over []T, rest int64) {
	for _, t := range all {
		rest += t.thing().Size
	}
	for i, t := range all {
		if now.Sub(t.thing().At) <= keep && (quota <= 0 || rest <= quota) {
			return all[:i], rest // all that follow are newer
		}
		rest -= t.thing().Size
	}
	return all, rest
}

// list is List with use held.
func (b *Bin[T]) list() ([]T, error) {
	days, err := b.days()
	if err != nil {
		return nil, err
	}
	var all []T
	for _, day := range days {
		some, err := b.opt.List(day)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(x, y T) int { return x.thing().At.Compare(y.thing().At) })
	return all, nil
}

func (b *Bin[T]) days() ([]Day, error) {
	names, err := dirs(b.opt.Dir)
	var days []Day
	for _, name := range names {
		if date, err := time.Parse(time.DateOnly, name); err == nil { // else not ours
			days = append(days, Day{Dir: filepath.Join(b.opt.Dir, name), Date: date})
		}
	}
	return days, err
}

// Dirs returns the names of the directories in that of the day.
func (d Day) Dirs() ([]string, error) { return dirs(d.Dir) }

// dirs returns the names of the directories in one, which need not be there.
func dirs(path string) (names []string, err error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// removeEmpty removes the directories of former days that hold nothing more, with those in
// them, to the second level.
func (b *Bin[T]) removeEmpty(now time.Time) error {
	days, err := b.days()
	for _, day := range days {
		if !now.Before(day.Date.AddDate(0, 0, 1).Add(settled)) {
			b.removeEmptyDirs(day.Dir, 2)
		}
	}
	return err
}

// removeEmptyDirs removes a directory, with those in it to a depth. What is not empty stays.
func (b *Bin[T]) removeEmptyDirs(path string, depth int) {
	if depth > 0 {
		names, _ := dirs(path) // nothing is lost with a directory that stays
		for _, name := range names {
			b.removeEmptyDirs(filepath.Join(path, name), depth-1)
		}
	}
	b.opt.FS.Remove(path) // fails when something is in it
}
