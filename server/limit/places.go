package limit

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"facteur/server/address"
)

// An account that is used to send from so many networks in an hour, while so many
// logins to it fail, is in other hands.
const (
	tooManyPlaces = 10
	manyFailures  = 10
	placesFor     = time.Hour
	maxPlaces     = 64 // networks of an account that are remembered
)

// visits is from where an account was used lately.
type visits struct {
	places map[netip.Prefix]time.Time // networks with a good login to send, and the last time
	failed []time.Time                // the last failures, wherever from; at most manyFailures
}

// Visit is a login to an account, or a failed one.
type Visit struct {
	Account address.Address
	Client  netip.Addr
	Failed  bool
}

// Visit notes a login. It returns true when this closed the account for sending.
// Of the good ones those for sending are told here alone, and nothing of trusted
// clients.
func (s *Sending) Visit(ctx context.Context, v Visit, now time.Time) bool {
	places := s.visit(v, now)
	if places < tooManyPlaces {
		return false
	}
	return s.CloseAccount(ctx, v.Account, fmt.Sprintf("it was logged in to from %d networks within an hour, while other logins failed", places), now)
}

// visit returns the number of places, 0 while few logins fail.
func (s *Sending) visit(v Visit, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetVisits(now)
	all := s.visits[v.Account.Key()]
	if all == nil {
		all = &visits{places: make(map[netip.Prefix]time.Time)}
		s.visits[v.Account.Key()] = all
	}
	if v.Failed {
		all.failed = append(all.failed[max(0, len(all.failed)+1-manyFailures):], now)
	} else if network := networkOf(v.Client); len(all.places) < maxPlaces || !all.places[network].IsZero() {
		all.places[network] = now
	}
	all.forget(now)
	if len(all.failed) < manyFailures {
		return 0
	}
	return len(all.places)
}

// forget drops what is too old, or, after the clock was set back, in the future.
func (all *visits) forget(now time.Time) {
	stale := func(at time.Time) bool { return at.Before(now.Add(-placesFor)) || at.After(now) }
	for network, at := range all.places {
		if stale(at) {
			delete(all.places, network)
		}
	}
	for len(all.failed) > 0 && stale(all.failed[0]) {
		all.failed = all.failed[1:]
	}
}

// forgetVisits forgets the accounts that nobody uses, once an hour. s.mu is held.
func (s *Sending) forgetVisits(now time.Time) {
	if since := now.Sub(s.visited); since >= 0 && since < placesFor {
		return
	}
	s.visited = now
	for key, all := range s.visits {
		if all.forget(now); len(all.places) == 0 && len(all.failed) == 0 {
			delete(s.visits, key)
		}
	}
}
