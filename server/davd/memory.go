package davd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/davxml"
)

// The bounds of what the bodies in XML of all requests take together, in octets of memory: the
// collector lets garbage of about as much lie beside it.
const (
	maxBodies    = 48 << 20
	maxOfAccount = maxBodies / 2 // so that no account holds up all others
	// freeBody is the size of a body that is not counted: so it never waits for a large one. A
	// multiget of 200 objects is smaller.
	freeBody = 24 << 10
	// maxBodyWait is how long a large body waits for its turn.
	maxBodyWait = 20 * time.Second
	// impatience is how long it waits until those are cut off who are at it longer than maxHeld:
	// they take their answers slowly.
	impatience = 5 * time.Second
	maxHeld    = 30 * time.Second
	// maxBodiesWaiting bounds those that wait.
	maxBodiesWaiting = 1000
)

// What an element takes at most beside its text, and the fewest octets in which it is written.
const (
	elementSize   = 192
	elementOctets = 4
)

// bodyCost is how much memory it takes to read a body of so many octets.
func bodyCost(octets int64, limits davxml.Limits) int64 {
	return 2*octets + elementSize*min(octets/elementOctets, int64(limits.Elements))
}

// memory gives out what the bodies of requests may take. Claims are met in the order in which they
// came, but those of an account that has its share already wait for that alone. Who has one waits for nothing
// but the client, and for that no longer than others let it.
type memory struct {
	mu      sync.Mutex
	used    int64
	of      map[address.Key]int64
	waiting []*claim
	held    map[*claim]time.Time // since when
}

// claim is what one request has, or waits for.
type claim struct {
	*memory
	account address.Key
	octets  int64 // with memory.mu held
	granted chan struct{}
	cut     func() // ends the request
}

func newMemory() *memory {
	return &memory{of: make(map[address.Key]int64), held: make(map[*claim]time.Time)}
}

var errBusy = errors.New("too many large requests at once")

// take waits for so many octets. What is too much for an account is its whole share. cut is called, once
// or more often, when the request must come to its end.
func (m *memory) take(ctx context.Context, account address.Key, octets int64, cut func()) (*claim, error) {
	c := &claim{memory: m, account: account, octets: min(octets, maxOfAccount), granted: make(chan struct{}), cut: cut}
	m.mu.Lock()
	if len(m.waiting) >= maxBodiesWaiting {
		m.mu.Unlock()
		return nil, errBusy
	}
	m.waiting = append(m.waiting, c)
	m.grant()
	m.mu.Unlock()
	if err := c.wait(ctx); err == nil {
		return c, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.waiting, c); i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.grant() // it may have stood before others
		return nil, errBusy
	}
	return c, nil // granted at the last moment
}

// wait waits until a claim is met.
func (c *claim) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxBodyWait)
	defer cancel()
	impatient := time.NewTicker(impatience)
	defer impatient.Stop()
	for {
		select {
		case <-c.granted:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-impatient.C:
			c.cutSlow(time.Now().Add(-maxHeld))
		}
	}
}

// cutSlow ends the requests that have held theirs since some time or longer.
func (m *memory) cutSlow(since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c, at := range m.held {
		if !at.After(since) {
			c.cut()
		}
	}
}

// grant meets the claims for which there is room. With memory.mu held.
func (m *memory) grant() {
	full := false
	m.waiting = slices.DeleteFunc(m.waiting, func(c *claim) bool {
		if full || m.of[c.account]+c.octets > maxOfAccount {
			return false
		}
		if full = m.used+c.octets > maxBodies; full { // nobody overtakes it, or it might wait for ever
			return false
		}
		m.used += c.octets
		m.of[c.account] += c.octets
		m.held[c] = time.Now()
		close(c.granted)
		return true
	})
}

// keep gives back all but so many octets.
func (c *claim) keep(octets int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.octets - min(octets, c.octets)
	c.octets -= back
	c.used -= back
	if c.octets == 0 {
		delete(c.held, c)
	}
	if c.of[c.account] -= back; c.of[c.account] == 0 {
		delete(c.of, c.account)
	}
	c.grant()
}
