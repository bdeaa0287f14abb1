package senderauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// Keys are the DKIM keys of our domains, in a folder: one file a key,
// DOMAIN.SELECTOR.pem, with its story in plain words above the key.
type Keys struct {
	dir string
	fs  safefile.FS
	now func() time.Time

	making sync.Mutex // one pair at a time

	mu   sync.Mutex
	keys map[address.Domain][]*signingKey // newest first
}

// KeyState says what a key is for.
type KeyState string

// The states.
const (
	// KeyNew: the DNS does not have it yet. It signs only when there is no key of its
	// algorithm that the DNS has or had.
	KeyNew KeyState = "new"
	// KeyActive: it signs.
	KeyActive KeyState = "active"
	// KeyRetired: a newer one signs. The DNS keeps its record for what is on its way,
	// until the key is gone from Records.
	KeyRetired KeyState = "retired"
)

// KeyRecord is the DNS record of a key, and what is known of the key.
type KeyRecord struct {
	Name      string // "20261122-rsa._domainkey.example.org"
	Type      string // "TXT"
	Value     string // "v=DKIM1; k=rsa; p=..."
	Selector  string
	Algorithm string // "rsa" or "ed25519"
	State     KeyState
	Created   time.Time
	Published time.Time // when the DNS was first seen to have it; zero: not yet
	Retired   time.Time // zero unless retired
}

// KeepRetired is how long the record of a retired key stays: a message that was signed
// with it may leave a month later (FUTURERELEASE), and wait five days in a spool like ours.
const KeepRetired = 40 * 24 * time.Hour

// OpenKeys reads the keys of a folder, which is made when it is not there. nil for now is
// time.Now.
func OpenKeys(dir string, fsys safefile.FS, now func() time.Time) (*Keys, error) {
	if now == nil {
		now = time.Now
	}
	if err := safefile.MkdirAll(fsys, dir); err != nil {
		return nil, fmt.Errorf("the folder of the DKIM keys: %w", err)
	}
	k := &Keys{dir: dir, fs: fsys, now: now, keys: make(map[address.Domain][]*signingKey)}
	all, err := readKeys(dir)
	if err != nil {
		return nil, err
	}
	for _, key := range all {
		k.keys[key.domain] = append(k.keys[key.domain], key)
	}
	for _, list := range k.keys {
		slices.SortStableFunc(list, newestFirst)
	}
	return k, nil
}

func newestFirst(a, b *signingKey) int {
	if c := b.created.Compare(a.created); c != 0 {
		return c
	}
	return slices.Compare([]byte(b.selector), []byte(a.selector))
}

// The algorithms, in the order in which signatures stand in a message.
var algorithms = [...]string{"rsa", "ed25519"}

// list returns the keys of a domain, newest first. They are not to be changed: whoever
// changes one puts a new value in its place.
func (k *Keys) list(d address.Domain) []*signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys[d])
}

// signing returns the key of each algorithm that signs for a domain; they are made when
// there are none.
func (k *Keys) signing(d address.Domain) ([]*signingKey, error) {
	if use := inUse(k.list(d)); len(use) == len(algorithms) {
		return use, nil
	}
	if _, err := k.make(d, false); err != nil {
		return nil, err
	}
	return inUse(k.list(d)), nil
}

// inUse picks of each algorithm the newest key that the DNS has, or the newest when it
// never had one.
func inUse(list []*signingKey) []*signingKey {
	var use []*signingKey
	for _, algorithm := range algorithms {
		var best *signingKey
		for _, key := range list {
			if key.algorithm == algorithm && key.retired.IsZero() && (best == nil || best.published.IsZero() && !key.published.IsZero()) {
				best = key
			}
		}
		if best != nil {
			use = append(use, best)
		}
	}
	return use
}

// make makes the keys that a domain lacks. With fresh, it lacks those that the DNS does
// not have yet.
func (k *Keys) make(d address.Domain, fresh bool) ([]*signingKey, error) {
	k.making.Lock()
	defer k.making.Unlock()
	list := k.list(d)
	var made []*signingKey
	for _, algorithm := range algorithms {
		has := slices.ContainsFunc(list, func(key *signingKey) bool {
			return key.algorithm == algorithm && key.retired.IsZero() && (!fresh || key.published.IsZero())
		})
		if has {
			continue
		}
		key, err := newKey(d, freeSelector(list, algorithm, k.now()), algorithm, k.now())
		if err == nil {
			err = k.save(key)
		}
		if err != nil {
			return made, fmt.Errorf("making a DKIM key of %s: %w", d, err)
		}
		made = append(made, key)
		k.mu.Lock()
		k.keys[d] = append(slices.Clone(k.keys[d]), key)
		slices.SortStableFunc(k.keys[d], newestFirst)
		k.mu.Unlock()
	}
	return made, nil
}

// freeSelector returns the date with the algorithm, and a letter when that is taken.
func freeSelector(list []*signingKey, algorithm string, now time.Time) string {
	date := now.UTC().Format("20060102")
	for letter := 'a'; ; letter++ {
		s := date + "-" + algorithm
		if letter > 'a' {
			s = date + string(letter) + "-" + algorithm
		}
		if !slices.ContainsFunc(list, func(key *signingKey) bool { return key.selector == s }) {
			return s
		}
	}
}

// Records returns the DNS records that a domain must have, newest first. Keys are made
// when there are none.
func (k *Keys) Records(domain address.Domain) ([]KeyRecord, error) {
	if _, err := k.signing(domain); err != nil {
		return nil, err
	}
	list := k.list(domain)
	use := inUse(list)
	records := make([]KeyRecord, 0, len(list))
	for _, key := range list {
		r, err := key.record()
		if err != nil {
			return nil, err
		}
		switch {
		case !key.retired.IsZero():
			r.State = KeyRetired
		case slices.Contains(use, key):
			r.State = KeyActive
		}
		records = append(records, r)
	}
	return records, nil
}

// Rotate makes new keys for a domain, unless it has such that the DNS does not have yet.
// They sign as soon as Refresh has seen them in the DNS; until then the old ones do.
func (k *Keys) Rotate(domain address.Domain) ([]KeyRecord, error) {
	if _, err := k.make(domain, true); err != nil {
		return nil, err
	}
	return k.Records(domain)
}

// Refresh looks which keys the DNS has by now, puts them in use, retires the older ones,
// and removes those that were retired KeepRetired ago. It is called daily, and by whoever
// shows Records.
func (k *Keys) Refresh(ctx context.Context, r Resolver) error {
	k.mu.Lock()
	domains := make([]address.Domain, 0, len(k.keys))
	for d := range k.keys {
		domains = append(domains, d)
	}
	k.mu.Unlock()
	var errs []error
	for _, d := range domains {
		errs = append(errs, k.refresh(ctx, r, d))
	}
	return errors.Join(errs...)
}

func (k *Keys) refresh(ctx context.Context, r Resolver, d address.Domain) error {
	k.making.Lock()
	defer k.making.Unlock()
	now := k.now()
	var errs []error
	for _, key := range k.list(d) {
		if key.published.IsZero() && key.retired.IsZero() && key.isPublished(ctx, r) {
			next := *key
			next.published = now
			errs = append(errs, k.replace(key, &next))
		}
	}
	for _, key := range k.list(d) {
		switch {
		case !key.retired.IsZero() && now.Sub(key.retired) >= KeepRetired:
			errs = append(errs, k.remove(key))
		case key.retired.IsZero() && k.hasNewer(key):
			next := *key
			next.retired = now
			errs = append(errs, k.replace(key, &next))
		}
	}
	return errors.Join(errs...)
}

// hasNewer tells whether a newer key of the algorithm is in the DNS.
func (k *Keys) hasNewer(old *signingKey) bool {
	for _, key := range k.list(old.domain) { // newest first
		if key == old {
			return false
		}
		if key.algorithm == old.algorithm && !key.published.IsZero() && key.retired.IsZero() {
			return true
		}
	}
	return false
}

// replace puts next in the place of a key, durably.
func (k *Keys) replace(old, next *signingKey) error {
	if err := k.save(next); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.Index(k.keys[old.domain], old); i >= 0 {
		k.keys[old.domain] = slices.Clone(k.keys[old.domain])
		k.keys[old.domain][i] = next
	}
	return nil
}

// remove forgets a key and its file.
func (k *Keys) remove(key *signingKey) error {
	if err := k.fs.Remove(k.path(key)); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key.domain] = slices.DeleteFunc(slices.Clone(k.keys[key.domain]), func(other *signingKey) bool { return other == key })
	return nil
}
