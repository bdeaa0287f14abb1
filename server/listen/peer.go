package listen

import (
	"net"
	"net/netip"
	"slices"
)

// AddrPort returns the address of a TCP end, IPv4 as such. It is invalid for a
// Unix socket.
func AddrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// ClientKey is what counts as one client: an IPv4 address or an IPv6 /64,
// which is what one household gets (RFC 6177).
func ClientKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64) // can't fail for 64 bits of IPv6
		return p.Addr()
	}
	return a
}

// Trusted tells whether a client is this machine, a Unix socket's (invalid), or
// in one of the trusted networks.
func Trusted(networks []netip.Prefix, a netip.Addr) bool {
	return !a.IsValid() || a.IsLoopback() || Within(networks, a)
}

// Within tells whether an address is in one of some networks.
func Within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
