package relay

import (
	"net/netip"
	"sync"
	"time"

	"facteur/server/fault"
)

const (
	silentFor  = 3 * time.Minute
	maxSilent  = 10_000
	slowEnough = time.Second // what fails sooner costs nothing to try again
)

// silence remembers the addresses that let us wait in vain, so that many messages
// for them do not wait one after the other.
type silence struct {
	mu    sync.Mutex
	hosts map[netip.AddrPort]silent
}

type silent struct {
	fault *fault.Fault
	until time.Time
}

// of returns why an address is not tried now, or nil.
func (s *silence) of(at netip.AddrPort, now time.Time) *fault.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.hosts[at]; ok && now.Before(h.until) {
		return h.fault
	}
	return nil
}

// note remembers an address that could not be connected to, or did not greet us in
// time, when that took long.
func (s *silence) note(at netip.AddrPort, f *fault.Fault, waited time.Duration, now time.Time) {
	if waited < slowEnough {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil || len(s.hosts) >= maxSilent {
		s.hosts = make(map[netip.AddrPort]silent)
	}
	s.hosts[at] = silent{f, now.Add(silentFor)}
}

// forget is told of an address that answers.
func (s *silence) forget(at netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hosts, at)
}
