package auth

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
)

// Slowed is a client, an account, or a client at an account, whose logins wait
// or are refused.
type Slowed struct {
	Client   netip.Prefix    // an address, or the /64 of an IPv6 one; zero: all
	Account  address.Address // zero: all, or a name that is no account
	Unknown  bool            // a name that is no account; it may be a password, and is not told
	Failures int
	Blocked  bool      // nothing is checked; else each login waits
	Until    time.Time // when it is over, without another failure
}

// Slowed lists who is slowed or blocked, the worst first, at most so many.
func (a *Authenticator) Slowed(most int) []Slowed {
	var list []Slowed
	t := a.throttle
	t.mu.Lock()
	for s, f := range t.failures {
		count := t.count(s)
		if s.tier().delay(count) == 0 {
			continue
		}
		blocked := s.tier().blocks(count) && t.since(subject{client: s.client}) >= justNow
		over := f.count - s.tier().free
		if blocked {
			over = f.count - s.tier().block + 1
		}
		slow := Slowed{Client: s.client, Failures: count, Blocked: blocked, Until: f.last.Add(time.Duration(over) * forgetAfter)}
		if s.name != "" {
			slow.Account, slow.Unknown = a.named(s.name)
		}
		list = append(list, slow)
	}
	t.mu.Unlock()
	slices.SortFunc(list, func(x, y Slowed) int {
		return cmp.Or(cmp.Compare(y.Failures, x.Failures), strings.Compare(x.Client.String(), y.Client.String()), cmp.Compare(x.Account.Key(), y.Account.Key()))
	})
	return list[:min(len(list), most)]
}

// named returns the account of a name.
func (a *Authenticator) named(name string) (account address.Address, unknown bool) {
	known, ok := a.options.Directory().Login(name)
	return known.Address, !ok
}

// ForgetAccount forgets the failures of an account, from everywhere. It returns
// how many there were.
func (a *Authenticator) ForgetAccount(account address.Address) int {
	return a.throttle.forget(func(s subject) bool { return s.name == string(account.Key()) })
}

// ForgetClients forgets the failures of the clients in a network, at all
// accounts. It returns how many there were.
func (a *Authenticator) ForgetClients(network netip.Prefix) int {
	if network.Bits() > clientOf(network.Addr()).Bits() {
		network = clientOf(network.Addr()) // the /64 of an address
	}
	return a.throttle.forget(func(s subject) bool { return s.client.IsValid() && network.Overlaps(s.client) })
}

// forget forgets the failures of what is chosen, and returns their greatest count.
func (t *throttle) forget(chosen func(subject) bool) (most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.failures {
		if chosen(s) {
			most = max(most, t.count(s))
			delete(t.failures, s)
		}
	}
	return most
}
