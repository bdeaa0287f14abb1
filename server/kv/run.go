package kv

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"facteur/server/hook"
)

// The first octet of a key tells what it is.
const (
	valueKey = "v"
	notedKey = "d" // by Duplicate
	rateKey  = "r" // then the period in milliseconds and a colon
)

// readTimeout bounds a reading of a shelf.
const readTimeout = 5 * time.Second

// run is a run's transaction (hook.State). It is used by one goroutine.
type run struct {
	store   *Store
	owner   owner
	now     time.Time
	changes map[string]change
	added   growth // by all changes
	ended   bool
}

// change is what a run has set; entry is nil when it was deleted.
type change struct {
	entry *entry
	added growth
}

// growth is by how much a shelf grows.
type growth struct {
	entries int
	octets  int64
}

// take is Store.take within a time.
func (r *run) take() (*shelf, error) {
	if sh := r.store.have(r.owner); sh != nil {
		return sh, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	return r.store.take(ctx, r.owner)
}

// Get returns what was set (hook.State).
func (r *run) Get(key string) (value string, ok bool, err error) {
	if err := r.check(key, ""); err != nil {
		return "", false, err
	}
	if c, changed := r.changes[valueKey+key]; changed {
		if c.entry == nil {
			return "", false, nil
		}
		return c.entry.value, true, nil
	}
	sh, err := r.take()
	if err != nil {
		return "", false, err
	}
	defer r.store.mu.Unlock()
	e := sh.entries[valueKey+key]
	if e == nil || e.over(r.now.UnixMilli()) {
		return "", false, nil
	}
	return e.value, true, nil
}

// Set sets a value (hook.State).
func (r *run) Set(key, value string, ttl time.Duration) error {
	if err := r.check(key, value); err != nil {
		return err
	}
	return r.change(valueKey+key, &entry{value: value, ends: millis(r.now, ttl)})
}

// Delete deletes a value (hook.State).
func (r *run) Delete(key string) error {
	if err := r.check(key, ""); err != nil {
		return err
	}
	return r.change(valueKey+key, nil)
}

// Duplicate tells whether a key was noted, and notes it (hook.State).
func (r *run) Duplicate(key string, ttl time.Duration) (bool, error) {
	if err := r.check(key, ""); err != nil {
		return false, err
	}
	key = notedKey + key
	if _, noted := r.changes[key]; noted {
		return true, nil
	}
	sh, err := r.take()
	if err != nil {
		return false, err
	}
	e := sh.entries[key]
	noted := e != nil && !e.over(r.now.UnixMilli())
	r.store.mu.Unlock()
	if noted {
		return true, nil
	}
	return false, r.change(key, &entry{ends: millis(r.now, ttl)})
}

// Incr adds to a number, at once (hook.State). The ttl counts from the first Incr.
// What this run has set itself is counted in the run.
func (r *run) Incr(key string, by int64, ttl time.Duration) (int64, error) {
	if err := r.check(key, ""); err != nil {
		return 0, err
	}
	name := valueKey + key
	if c, changed := r.changes[name]; changed {
		n, ends, err := r.add(key, c.entry, by, ttl)
		if err != nil {
			return 0, err
		}
		return n, r.change(name, &entry{value: strconv.FormatInt(n, 10), ends: ends})
	}
	sh, err := r.take()
	if err != nil {
		return 0, err
	}
	defer r.store.mu.Unlock()
	e := sh.entries[name]
	n, ends, err := r.add(key, e, by, ttl)
	if err != nil {
		return 0, err
	}
	next := &entry{value: strconv.FormatInt(n, 10), ends: ends}
	if e == nil {
		if err := r.fits(sh, growth{1, int64(len(name) + len(next.value))}); err != nil {
			return 0, err
		}
	}
	r.store.put(sh, name, next)
	r.store.later(sh, name, e == nil)
	return n, nil
}

// add returns the sum of a number and another, and when it ends.
func (r *run) add(key string, e *entry, by int64, ttl time.Duration) (n, ends int64, err error) {
	if e == nil || e.over(r.now.UnixMilli()) {
		return by, millis(r.now, ttl), nil
	}
	n, err = strconv.ParseInt(e.value, 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("the value of %.40q is no whole number", key)
	}
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return 0, 0, fmt.Errorf("the number of %.40q would be too large", key)
	}
	return n + by, e.ends, nil
}

// Rate counts an event, at once (hook.State).
func (r *run) Rate(key string, period time.Duration) (int64, error) {
	if err := r.check(key, ""); err != nil {
		return 0, err
	}
	if period < time.Second || period > maxPeriod {
		return 0, fmt.Errorf("the period of a rate is a second to %d days", int(maxPeriod/(24*time.Hour)))
	}
	name := rateName(period, key)
	sh, err := r.take()
	if err != nil {
		return 0, err
	}
	defer r.store.mu.Unlock()
	counted := &rate{period: period.Milliseconds()}
	e := sh.entries[name]
	if e != nil {
		counted = e.rate
	} else {
		r.store.makeRoom(sh)
		if r.store.total > r.store.limits.Total {
			return 0, r.store.full()
		}
	}
	n := counted.count(r.now.UnixMilli())
	r.store.put(sh, name, &entry{rate: counted, ends: r.now.Add(period).UnixMilli()})
	r.store.later(sh, name, e == nil)
	return n, nil
}

// check checks what a script gave.
func (r *run) check(key, value string) error {
	l := r.store.limits
	switch {
	case r.ended:
		return fmt.Errorf("the run has ended")
	case key == "":
		return fmt.Errorf("the key is empty")
	case len(key) > l.Key:
		return fmt.Errorf("a key has at most %d octets, this one has %d; hash.sha256(...) makes a short one", l.Key, len(key))
	case len(value) > l.Value:
		return fmt.Errorf("a value has at most %d octets, this one has %d", l.Value, len(value))
	}
	return nil
}

// change notes a change of this run; e is nil for none.
func (r *run) change(name string, e *entry) error {
	old, again := r.changes[name]
	if !again && len(r.changes) >= r.store.limits.Changes {
		return fmt.Errorf("a run may change at most %d keys", r.store.limits.Changes)
	}
	sh, err := r.take()
	if err != nil {
		return err
	}
	defer r.store.mu.Unlock()
	c := change{entry: e}
	if there := sh.entries[name]; there != nil {
		c.added = growth{-1, -there.size}
	}
	if e != nil {
		c.added.entries++
		c.added.octets += int64(len(name) + len(e.value))
	}
	added := growth{r.added.entries - old.added.entries + c.added.entries, r.added.octets - old.added.octets + c.added.octets}
	if c.added.entries > 0 || c.added.octets > 0 {
		if err := r.fits(sh, added); err != nil {
			return err
		}
	}
	if r.changes == nil {
		r.changes = map[string]change{}
	}
	r.changes[name], r.added = c, added
	return nil
}

// fits tells whether a shelf may grow. mu is held.
func (r *run) fits(sh *shelf, by growth) error {
	s := r.store
	most, size := s.room(sh)
	full := len(sh.entries)-sh.rates+by.entries > most || sh.octets+by.octets > size
	if now := r.now.UnixMilli(); full && (now < sh.swept || now-sh.swept > behind.Milliseconds()) { // all of it is read
		s.prune(sh, now)
		sh.swept = now
	}
	switch {
	case len(sh.entries)-sh.rates+by.entries > most:
		return fmt.Errorf("the memory of this script is full: %d keys; give keys an end (kv.set(key, value, {ttl = seconds})) or delete some", most)
	case sh.octets+by.octets > size:
		return fmt.Errorf("the memory of this script is full: %d kB; give keys an end (kv.set(key, value, {ttl = seconds})) or delete some", size>>10)
	case s.total+by.octets+int64(by.entries*overhead) > s.limits.Total:
		return s.full()
	}
	return nil
}

// full tells that there is no room for any script.
func (s *Store) full() error {
	return fmt.Errorf("the memory of all scripts is full: %d MB", s.limits.Total>>20)
}

// Again forgets what Duplicate noted in the run (hook.RetriedState).
func (r *run) Again() {
	for name, c := range r.changes {
		if strings.HasPrefix(name, notedKey) {
			r.added.entries -= c.added.entries
			r.added.octets -= c.added.octets
			delete(r.changes, name)
		}
	}
}

// Cancel forgets what the run set (hook.State).
func (r *run) Cancel() {
	r.ended = true
	r.changes = nil
}

// Commit makes what the run set durable (hook.State).
func (r *run) Commit(ctx context.Context) error {
	return r.CommitWith(ctx, nil)
}

// CommitWith commits runs of a Store in one transaction (hook.JointState).
func (r *run) CommitWith(ctx context.Context, others []hook.State) error {
	runs := make([]*run, 0, 1+len(others))
	for _, s := range append([]hook.State{r}, others...) {
		o, ok := s.(*run)
		if !ok || o.store != r.store {
			return fmt.Errorf("kv: a transaction with the state of another store")
		}
		if !o.ended && len(o.changes) > 0 {
			runs = append(runs, o)
		}
		o.ended = true
	}
	if len(runs) == 0 {
		return nil
	}
	return r.store.commit(ctx, runs)
}

// commit writes what runs have changed, and then has others see it.
func (s *Store) commit(ctx context.Context, runs []*run) error {
	shelves := make([]*shelf, len(runs))
	for i, r := range runs {
		sh, err := s.take(ctx, r.owner)
		if err != nil {
			s.release(runs[:i], shelves)
			return err
		}
		shelves[i] = sh
		sh.busy++
		for name := range r.changes {
			sh.writing[name]++
		}
		s.mu.Unlock()
	}
	defer s.release(runs, shelves)
	return s.db.WriteThen(ctx, func(tx *sql.Tx) error {
		w, err := newRowWriter(tx)
		if err != nil {
			return err
		}
		defer w.close()
		for _, r := range runs {
			for name, c := range r.changes {
				if err := w.write(r.owner, name, c.entry); err != nil {
					return err
				}
			}
		}
		return nil
	}, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, r := range runs {
			for name, c := range r.changes {
				s.put(shelves[i], name, c.entry)
				delete(shelves[i].dirty, name)
			}
			s.total += r.added.octets + int64(r.added.entries)*overhead
		}
	})
}

// release ends the commits of runs, to their shelves.
func (s *Store) release(runs []*run, shelves []*shelf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range runs {
		sh := shelves[i]
		sh.busy--
		for name := range r.changes {
			if sh.writing[name]--; sh.writing[name] <= 0 {
				delete(sh.writing, name)
			}
		}
		if len(sh.dirty) == 0 {
			delete(s.dirty, sh)
		}
	}
	s.evict()
}
