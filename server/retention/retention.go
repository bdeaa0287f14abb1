// Package retention keeps what was deleted for a while: deleted/ in the folder of an
// account, by days (deleted/2026-11-22/...), for as long and as much as Options.Keep says.
//
// Several stores put things there, each below names of its own. Bins are deleted/ of all
// accounts; each store adds its Kind, which knows what its things look like on a day. A Bin
// is deleted/ of one account as one store sees it: the store knows how things come back.
//
// The quota bounds the things of all kinds together, the oldest go first whatever they are.
// How many octets there are is counted when a Purge lists them, and guessed in between from
// what came since (Bin.Grew): not too low, but for what other programs put there. When the
// guess is above the quota a purge begins in the background, which counts anew. It leaves a sixteenth of the quota free where
// it can, so that what many deletions cost together does not grow with what lies there. The
// count is only in memory, and until there is one the first deletion has it made.
//
// A purge lists one kind after the other, decides with no lock of any kind held, and then
// has each kind remove what is to go; what was brought back meanwhile is not there any more.
// A kind that can't be listed is left out, and what can't be removed does not push out
// anything else. Stores need not be open: a Kind looks at the disk only.
//
// Of each account and kind a lock keeps apart who lists, purges or brings back (List, Use,
// Purge) and who asks them to wait (Fill). It comes before all locks of the store, and no
// two are held at once. What changes goes through safefile.FS; nothing is synced but the
// directories that Today makes: what comes back after a power cut is purged again.
package retention

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

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

// Kind is what one store has in Bins.
type Kind[T Item] struct {
	bins *Bins
	name string
	list func(Day) ([]T, error)
}

// Add has Bins look after the things of a store, instead of what they had under the same
// name, which also begins what the log has of them. The function returns what of the store
// lies in the directory of a day; of what was deleted at one time, in the order in which it
// comes back.
func Add[T Item](b *Bins, name string, list func(Day) ([]T, error)) *Kind[T] {
	b.add(kind{name: name, list: func(d Day) ([]Thing, error) {
		some, err := list(d)
		things := make([]Thing, len(some))
		for i, t := range some {
			things[i] = t.thing()
		}
		return things, err
	}})
	return &Kind[T]{bins: b, name: name, list: list}
}

// Bin returns that of an account. It makes nothing on disk.
func (k *Kind[T]) Bin(a address.Address) *Bin[T] {
	account := k.bins.account(a)
	return &Bin[T]{kind: k, account: account, use: account.lockOf(k.name)}
}

// Bin is deleted/ of an account, with the things of one store.
type Bin[T Item] struct {
	kind    *Kind[T]
	account *account
	use     *sync.RWMutex
}

// Today makes the directory for what is deleted now, at a path below that of the day. It is
// "" when nothing is kept.
func (b *Bin[T]) Today(below string) (string, error) {
	opt := &b.kind.bins.opt
	if keep, _ := opt.Keep(b.account.address); keep <= 0 {
		return "", nil
	}
	dir := filepath.Join(b.account.dir, opt.Now().UTC().Format(time.DateOnly), below)
	err := safefile.MkdirAll(opt.FS, dir)
	if safefile.NoRoom(err) {
		// What is removed to make room must not need room.
		opt.Log.Warn(b.kind.name+".deleted", "dir", dir, "err", err, "result", "removed for good")
		return "", nil
	}
	return dir, err
}

// Fill has List, Use and a purge wait until done is called: things are on their way.
func (b *Bin[T]) Fill() (done func()) {
	b.use.RLock()
	return b.use.RUnlock
}

// Grew notes that things of so many octets were put there. What is above the quota is purged
// in the background.
func (b *Bin[T]) Grew(octets int64) { b.account.grew(octets) }

// Forget has the things of the account counted anew: its folder may be moved.
func (b *Bin[T]) Forget() { b.account.uncount() }

// List returns what can be brought back, oldest first.
func (b *Bin[T]) List() ([]T, error) {
	b.use.Lock()
	defer b.use.Unlock()
	return b.all()
}

// Use calls f with what can be brought back, oldest first, which stays until f returns but
// for what f takes.
func (b *Bin[T]) Use(f func([]T) error) error {
	b.use.Lock()
	defer b.use.Unlock()
	all, err := b.all()
	if err != nil {
		return err
	}
	return f(all)
}

func (b *Bin[T]) all() ([]T, error) {
	all, err := eachDay(b.account.dir, b.kind.list)
	sortByTime(all)
	return all, err
}

// eachDay returns what a function returns for the days of deleted/, or nothing and an error.
func eachDay[T any](dir string, list func(Day) ([]T, error)) ([]T, error) {
	days, err := daysIn(dir)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, day := range days {
		some, err := list(day)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// sortByTime puts the oldest first.
func sortByTime[T Item](all []T) {
	slices.SortStableFunc(all, func(x, y T) int { return x.thing().At.Compare(y.thing().At) })
}

func daysIn(dir string) ([]Day, error) {
	names, err := dirs(dir)
	var days []Day
	for _, name := range names {
		if date, err := time.Parse(time.DateOnly, name); err == nil { // else not ours
			days = append(days, Day{Dir: filepath.Join(dir, name), Date: date})
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
