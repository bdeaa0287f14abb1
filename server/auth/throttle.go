package auth

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// throttle slows who fails to log in again and again: first the pair of client
// and account, then the account and the client each. A client is an IPv4
// address, or the /64 of an IPv6 one.
//
// Nobody can lock somebody else out: only the pair and the client are ever
// blocked; an account that is tried from everywhere is slow for strangers, and not
// for clients from which it was used before; a client that has just logged in well
// is slowed, and never blocked. Whoever logs in with what is remembered, or with an
// app password, is never kept waiting.
type throttle struct {
	now func() time.Time

	mu       sync.Mutex
	failures map[subject]*failures
	good     map[subject]time.Time // the last good login of a pair, and of a client
}

// subject is what failures are counted for. One of the two may be empty.
type subject struct {
	client netip.Prefix
	name   string
}

// failures is a count that falls by one each forgetAfter.
type failures struct {
	count int
	last  time.Time
}

const (
	forgetAfter = time.Minute
	maxSubjects = 20000
	maxCount    = 240 // so everything is forgotten after four hours
	firstDelay  = 250 * time.Millisecond
	justNow     = time.Hour           // a client that logged in so long ago is not blocked
	known       = 30 * 24 * time.Hour // a client that logged in so long ago is known to the account
)

// tier says how many failures are free, the longest delay, and from how many
// failures on nothing is checked any more (0: never).
type tier struct {
	free  int
	most  time.Duration
	block int
}

var (
	pairTier    = tier{free: 3, most: 8 * time.Second, block: 20}
	accountTier = tier{free: 20, most: 4 * time.Second}
	clientTier  = tier{free: 20, most: 8 * time.Second, block: 200}
)

// delay doubles with each failure after the free ones.
func (t tier) delay(count int) time.Duration {
	over := count - t.free
	if over <= 0 {
		return 0
	}
	if over > 10 {
		return t.most
	}
	return min(firstDelay<<(over-1), t.most)
}

func (t tier) blocks(count int) bool { return t.block > 0 && count >= t.block }

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, failures: make(map[subject]*failures), good: make(map[subject]time.Time)}
}

// pair is the client and the account of an Attempt; exempt is set for who is
// never slowed.
type pair struct {
	subject
	exempt bool
}

// throttled returns the pair of an Attempt. A name that is no account counts as
// one, so that the two can't be told apart.
func (a *Authenticator) throttled(try Attempt) pair {
	ip := try.Remote.Unmap()
	exempt := !ip.IsValid() || ip.IsLoopback() || a.options.Trusted != nil && a.options.Trusted(ip)
	name := address.FoldLocal(try.Name)
	if account, ok := a.options.Directory().Login(try.Name); ok {
		name = string(account.Address.Key())
	}
	return pair{subject{clientOf(ip), name[:min(len(name), maxName)]}, exempt}
}

// clientOf returns the zero Prefix for an invalid address.
func clientOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	client, _ := ip.Prefix(bits)
	return client
}

// each returns the three subjects of a pair.
func (p pair) each() [3]subject {
	return [3]subject{p.subject, {name: p.name}, {client: p.client}}
}

// tier returns the rules for a subject.
func (s subject) tier() tier {
	switch {
	case !s.client.IsValid():
		return accountTier
	case s.name == "":
		return clientTier
	}
	return pairTier
}

// wait returns when the pair may try: after a delay, or at once with a
// fault.Fault when it failed too often.
func (t *throttle) wait(ctx context.Context, p pair) error {
	if p.exempt {
		return nil
	}
	delay, blocked := t.verdict(p)
	if blocked {
		return fault.Reply(fault.TryLater, 454, "4.7.0", "Too many failed logins, try again later") // RFC 4954 6
	}
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *throttle) verdict(p pair) (delay time.Duration, blocked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range p.each() {
		if !s.client.IsValid() && t.since(p.subject) < known {
			continue // the account, from where it is used
		}
		count := t.count(s)
		delay = max(delay, s.tier().delay(count))
		blocked = blocked || s.tier().blocks(count)
	}
	return delay, blocked && t.since(subject{client: p.client}) >= justNow
}

// since returns how long ago a subject logged in well.
func (t *throttle) since(s subject) time.Duration {
	at, ok := t.good[s]
	if !ok {
		return known
	}
	return max(t.now().Sub(at), 0)
}

// count returns the failures of a subject that are not forgotten yet.
func (t *throttle) count(s subject) int {
	f := t.failures[s]
	if f == nil {
		return 0
	}
	// The clock may have been set back.
	return f.count - int(max(t.now().Sub(f.last), 0)/forgetAfter)
}

func (t *throttle) failed(p pair) {
	if p.exempt {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range p.each() {
		t.makeRoom()
		t.failures[s] = &failures{count: min(max(t.count(s), 0)+1, maxCount), last: t.now()}
	}
}

// succeeded forgets the failures of the pair alone, and remembers the client.
func (t *throttle) succeeded(p pair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failures, p.subject)
	if p.exempt {
		return
	}
	for _, s := range []subject{p.subject, {client: p.client}} {
		if _, there := t.good[s]; !there && len(t.good) >= maxSubjects {
			t.forgetGood()
		}
		t.good[s] = t.now()
	}
}

// forgetGood drops the older half of the good logins.
func (t *throttle) forgetGood() {
	var ages []time.Duration
	for s := range t.good {
		ages = append(ages, t.since(s))
	}
	slices.Sort(ages)
	for s := range t.good {
		if t.since(s) >= ages[len(ages)/2] {
			delete(t.good, s)
		}
	}
}

// makeRoom drops what is forgotten when there is too much, or else a tenth of
// all, as the map has them.
func (t *throttle) makeRoom() {
	if len(t.failures) < maxSubjects {
		return
	}
	for s := range t.failures {
		if t.count(s) <= 0 {
			delete(t.failures, s)
		}
	}
	for s := range t.failures {
		if len(t.failures) < maxSubjects*9/10 {
			return
		}
		delete(t.failures, s)
	}
}
