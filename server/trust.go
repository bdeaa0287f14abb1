package server

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"facteur/server/listen"
)

// trusts tells whether a client is this machine, or in one of the trusted
// networks: it is never slowed or blocked, and has no sending limit of its own.
func (s *Server) trusts(client netip.Addr) bool {
	return listen.Trusted(s.live.Load().Trusted, client) || s.own.has(client)
}

// ownAddresses are those of this machine.
type ownAddresses struct {
	mu   sync.Mutex
	read time.Time
	list []netip.Addr
}

// has tells whether an address is of this machine. The list is a minute old at most.
func (o *ownAddresses) has(ip netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.read) > time.Minute {
		o.read, o.list = now, interfaceAddresses()
	}
	return slices.Contains(o.list, ip.Unmap().WithZone(""))
}

func interfaceAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap().WithZone(""))
		}
	}
	return list
}
