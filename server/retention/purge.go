package retention

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

const (
	// settled is how long after its end the directories of a day may be removed: until then
	// something may be on its way there.
	settled = time.Minute
	// slack is the part of the quota that a purge leaves free, where it can.
	slack = 16
)

// account is deleted/ of one account.
type account struct {
	bins    *Bins
	address address.Address
	dir     string

	purging sync.Mutex // one purge at a time; before the locks in use

	mu      sync.Mutex               // held for a moment
	use     map[string]*sync.RWMutex // by kind
	octets  int64                    // of all things, at most; unknown when counted is false
	counted bool
	again   bool  // what is counted now is of no use
	grown   int64 // how many of these came since the last purge began
	busy    bool  // a purge is begun in the background
}

// lockOf returns the lock of a kind.
func (a *account) lockOf(name string) *sync.RWMutex {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.use[name] == nil {
		a.use[name] = new(sync.RWMutex)
	}
	return a.use[name]
}

// grew counts what came, and purges in the background what may be too much.
func (a *account) grew(octets int64) {
	_, quota := a.bins.opt.Keep(a.address)
	a.mu.Lock()
	a.octets += octets
	a.grown += octets
	begin := !a.busy && a.above(quota)
	a.busy = a.busy || begin
	a.mu.Unlock()
	if begin && !a.bins.start(a.purgeWhileAbove) {
		a.idle(true)
	}
}

// above tells whether there may be more than the quota. With mu held.
func (a *account) above(quota int64) bool {
	return quota > 0 && (!a.counted || a.octets > quota)
}

// purgeWhileAbove purges until there is no more than the quota, of what comes meanwhile too.
func (a *account) purgeWhileAbove() {
	for done := false; !done; done = a.idle(a.bins.isClosed()) {
		if err := a.purge(); err != nil {
			a.bins.opt.Log.Warn("retention.purge", "dir", a.dir, "err", err)
		}
	}
}

// idle notes that nothing runs in the background any more, unless there may be too much still.
func (a *account) idle(closed bool) bool {
	_, quota := a.bins.opt.Keep(a.address)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = !closed && a.above(quota)
	return !a.busy
}

// uncount has what is there counted anew, also when a purge is under way.
func (a *account) uncount() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counted, a.again = false, true
}

// beginCount notes that what is there is listed now, endCount how much of that is left: what
// came meanwhile may be among it or not, and counts in any case.
func (a *account) beginCount() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grown, a.again = 0, false
}

func (a *account) endCount(octets int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.octets, a.counted = octets+a.grown, !a.again
}

// found is a thing with the name of its kind.
type found struct {
	Thing
	kind string
}

// purge is Bins.Purge.
func (a *account) purge() error {
	a.purging.Lock()
	defer a.purging.Unlock()
	now := a.bins.opt.Now()
	keep, quota := a.bins.opt.Keep(a.address)
	a.beginCount()
	all, err := a.list()
	over, rest := cut(all, keep, quota, now)
	errs := []error{err}
	for _, k := range a.bins.allKinds() {
		errs = append(errs, a.remove(k.name, over))
	}
	a.endCount(rest)
	errs = append(errs, a.removeEmpty(now))
	return errors.Join(errs...)
}

// list returns the things of all kinds, oldest first, as far as they can be listed.
func (a *account) list() ([]found, error) {
	var all []found
	var errs []error
	for _, k := range a.bins.allKinds() {
		use := a.lockOf(k.name)
		use.Lock()
		some, err := eachDay(a.dir, k.list)
		use.Unlock()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", k.name, err))
		}
		for _, t := range some {
			all = append(all, found{t, k.name})
		}
	}
	sortByTime(all)
	return all, errors.Join(errs...)
}

// remove removes those of a kind, as far as it can.
func (a *account) remove(name string, over []found) error {
	use := a.lockOf(name)
	use.Lock()
	defer use.Unlock()
	var failed []error
	for _, t := range over {
		if t.kind != name {
			continue
		}
		if a.bins.isClosed() {
			break
		}
		if err := safefile.RemoveAll(a.bins.opt.FS, t.Place); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 1 {
		return fmt.Errorf("%w (and %d others)", failed[0], len(failed)-1)
	}
	return errors.Join(failed...)
}

// cut returns the first of a list, which are older than keep or too many for the quota, and
// the octets of the rest.
func cut[T Item](all []T, keep time.Duration, quota int64, now time.Time) (over []T, rest int64) {
	for _, t := range all {
		rest += t.thing().Size
	}
	n := 0
	take := func(while func(Thing) bool) {
		for ; n < len(all) && while(all[n].thing()); n++ {
			rest -= all[n].thing().Size
		}
	}
	take(func(t Thing) bool { return now.Sub(t.At) > keep })
	if quota > 0 && rest > quota {
		least := quota - quota/slack
		take(func(t Thing) bool { return rest > quota || rest-t.Size >= least })
	}
	return all[:n], rest
}

// removeEmpty removes the directories of former days that hold nothing more, with those in
// them, to the second level.
func (a *account) removeEmpty(now time.Time) error {
	days, err := daysIn(a.dir)
	for _, day := range days {
		if !now.Before(day.Date.AddDate(0, 0, 1).Add(settled)) {
			a.removeEmptyDirs(day.Dir, 2)
		}
	}
	return err
}

// removeEmptyDirs removes a directory, with those in it to a depth. What is not empty stays.
func (a *account) removeEmptyDirs(path string, depth int) {
	if depth > 0 {
		names, _ := dirs(path) // nothing is lost with a directory that stays
		for _, name := range names {
			a.removeEmptyDirs(filepath.Join(path, name), depth-1)
		}
	}
	a.bins.opt.FS.Remove(path) // fails when something is in it
}
