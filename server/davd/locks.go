package davd

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
)

const (
	// maxLocks bounds the locks of an account.
	maxLocks = 1000
	// lockTime is how long a lock lasts when the client does not say, maxLockTime the most.
	lockTime    = 10 * time.Minute
	maxLockTime = time.Hour
)

// lock is a write lock of a client on a plain file or folder (RFC 4918 6).
type lock struct {
	token     string
	key       string // of the lock-root, see lockKey
	href      string
	infinite  bool // Depth: infinity
	exclusive bool
	owner     string // DAV:owner as it came
	account   address.Address
	timeout   time.Duration
	until     time.Time
}

// locks are those of all clients. They are in memory: after a restart they are gone, as
// RFC 4918 6.6 lets them be at any time.
type locks struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[string][]*lock
	count map[address.Address]int
}

func newLocks(now func() time.Time) *locks {
	return &locks{now: now, byKey: make(map[string][]*lock), count: make(map[address.Address]int)}
}

// lockSep stands between the segments of a key; no path has it.
const lockSep = "\x00"

// lockKey names a plain node however its path is written.
func lockKey(n *node) string {
	return strings.Join(append([]string{string(n.owner.Key())}, n.plain.at...), lockSep)
}

// newToken returns a lock token (RFC 4918 6.5): a random UUID.
func newToken() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// at returns the locks whose root a key is, without those that have ended. With mu held.
func (l *locks) at(key string) []*lock {
	list := l.byKey[key]
	now := l.now()
	if !slices.ContainsFunc(list, func(k *lock) bool { return !k.until.After(now) }) {
		return list
	}
	kept := list[:0:0]
	for _, k := range list {
		if k.until.After(now) {
			kept = append(kept, k)
		} else {
			l.count[k.account]--
		}
	}
	l.set(key, kept)
	return kept
}

func (l *locks) set(key string, list []*lock) {
	if len(list) == 0 {
		delete(l.byKey, key)
		return
	}
	l.byKey[key] = list
}

// covering returns the locks that hold for a key: its own, and those of depth infinity above.
// With mu held.
func (l *locks) covering(key string) []*lock {
	all := slices.Clone(l.at(key))
	for i := strings.LastIndex(key, lockSep); i >= 0; i = strings.LastIndex(key, lockSep) {
		key = key[:i]
		for _, k := range l.at(key) {
			if k.infinite {
				all = append(all, k)
			}
		}
	}
	return all
}

// below returns the keys of locks below one. With mu held.
func (l *locks) below(key string) (keys []string) {
	for k := range l.byKey {
		if strings.HasPrefix(k, key+lockSep) && len(l.at(k)) > 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

// get returns the locks that hold for a key.
func (l *locks) get(key string) []*lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.covering(key)
}

// find returns the lock with a token that holds for a key, nil: there is none.
func (l *locks) find(key, token string) *lock {
	for _, k := range l.get(key) {
		if k.token == token {
			return k
		}
	}
	return nil
}

// add takes a lock, or returns one that is in the way (RFC 4918 6.2, 7.4), or a bound that
// would be exceeded.
func (l *locks) add(k *lock) (blocked *lock, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	others := l.covering(k.key)
	if k.infinite {
		for _, key := range l.below(k.key) {
			others = append(others, l.at(key)...)
		}
	}
	for _, o := range others {
		if o.exclusive || k.exclusive {
			return o, false
		}
	}
	if l.count[k.account] >= maxLocks {
		return nil, true
	}
	k.token, k.until = newToken(), l.now().Add(k.timeout)
	l.byKey[k.key] = append(slices.Clip(l.byKey[k.key]), k)
	l.count[k.account]++
	return nil, false
}

// refresh has a lock last from now on (RFC 4918 9.10.2).
func (l *locks) refresh(k *lock, timeout time.Duration) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := *k
	next.timeout, next.until = timeout, l.now().Add(timeout)
	list := slices.Clone(l.byKey[k.key])
	for i := range list {
		if list[i].token == k.token {
			list[i] = &next
		}
	}
	l.byKey[k.key] = list
	return &next
}

// drop ends the locks of a key for which end holds, and with below those below it.
func (l *locks) drop(key string, below bool, end func(*lock) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := []string{key}
	if below {
		keys = append(keys, l.below(key)...)
	}
	for _, key := range keys {
		var kept []*lock
		for _, k := range l.at(key) {
			if end == nil || end(k) {
				l.count[k.account]--
			} else {
				kept = append(kept, k)
			}
		}
		l.set(key, kept)
	}
}

// blocks returns a lock that keeps an account from changing a key with the tokens that it
// sent, nil: none. A shared lock needs the token of one of those who share it. With below all
// that is below is changed too (RFC 4918 7).
func (l *locks) blocks(key string, below bool, account address.Address, tokens []string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := func(k *lock) bool { return k.account == account && slices.Contains(tokens, k.token) }
	keys := []string{key}
	if below {
		keys = append(keys, l.below(key)...)
	}
	for _, k := range keys {
		if list := l.covering(k); len(list) > 0 && !slices.ContainsFunc(list, mine) {
			return list[0]
		}
	}
	return nil
}
