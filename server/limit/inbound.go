package limit

import (
	"net/netip"
	"sync"
	"time"

	"facteur/server/fault"
)

// InboundOptions bounds what comes in, for each client (an IPv4 address, an IPv6
// /64) and each network (an IPv4 /24, an IPv6 /48). Zero values stand for the
// defaults, which are for a server of a hundred people: the largest senders spread
// their mail over many addresses, and come again when they are told 421 or 450.
type InboundOptions struct {
	Connections        int // of a client in a minute, default 120
	NetworkConnections int // of a network in a minute, default 480
	Messages           int // of a client in a minute, default 300
	NetworkMessages    int // of a network in a minute, default 1200
	Offences           int // sessions of a client that were ended for their errors, in an hour, default 5
}

// Inbound counts what comes in. Who is exempt is the caller's to know. It may be
// used by any number of goroutines.
type Inbound struct {
	mu          sync.Mutex
	connections scale
	messages    scale
	offences    *meter
}

// scale is the two meters of one thing.
type scale struct{ client, network *meter }

// clientRoom is half of the clients, and networkRoom half of the networks, that
// are remembered.
const (
	clientRoom  = 50_000
	networkRoom = 20_000
)

// NewInbound returns an Inbound that has seen nothing.
func NewInbound(o InboundOptions) *Inbound {
	scaleOf := func(client, network, defaultClient, defaultNetwork int) scale {
		return scale{
			newMeter(or(client, defaultClient), time.Minute, clientRoom),
			newMeter(or(network, defaultNetwork), time.Minute, networkRoom),
		}
	}
	return &Inbound{
		connections: scaleOf(o.Connections, o.NetworkConnections, 120, 480),
		messages:    scaleOf(o.Messages, o.NetworkMessages, 300, 1200),
		offences:    newMeter(or(o.Offences, 5), time.Hour, clientRoom),
	}
}

func or(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

// Connect counts a connection, or tells why there may not be one now (421: RFC
// 5321 3.8; 4.7.0 is that of a policy, RFC 3463 3.8).
func (in *Inbound) Connect(ip netip.Addr, now time.Time) *fault.Fault {
	in.mu.Lock()
	defer in.mu.Unlock()
	client, network := clientOf(ip), networkOf(ip)
	switch {
	case in.offences.full(client, now):
		return fault.Reply(fault.TooMany, 421, "4.7.0", "Too many errors from your address, try again in an hour")
	case !in.connections.add(client, network, now):
		return fault.Reply(fault.TooMany, 421, "4.7.0", "Too many connections from your address in a short time, try again later")
	}
	return nil
}

// Hopeless tells whether sessions of a client were lately ended for their errors:
// it is answered slowly from its first error on.
func (in *Inbound) Hopeless(ip netip.Addr, now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.offences.level(clientOf(ip), now) > 0
}

// Message counts a message of a client, or tells that it must wait (450: RFC 5321
// 4.2.3).
func (in *Inbound) Message(ip netip.Addr, now time.Time) *fault.Fault {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.messages.add(clientOf(ip), networkOf(ip), now) {
		return fault.Reply(fault.TryLater, 450, "4.7.1", "Too many messages from your address in a short time, try again later")
	}
	return nil
}

// Offend counts a session that was ended for its errors.
func (in *Inbound) Offend(ip netip.Addr, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.offences.add(clientOf(ip), now)
}

// add counts for the client and its network, or for neither.
func (s scale) add(client, network netip.Prefix, now time.Time) bool {
	// Both are asked, so that both are remembered.
	if full := s.client.full(client, now); s.network.full(network, now) || full {
		return false
	}
	return s.client.add(client, now) && s.network.add(network, now)
}

// clientOf and networkOf return what counts as one client and as one network.
// Both are the zero Prefix for an invalid address.
func clientOf(ip netip.Addr) netip.Prefix  { return prefix(ip, 32, 64) }
func networkOf(ip netip.Addr) netip.Prefix { return prefix(ip, 24, 48) }

func prefix(ip netip.Addr, bits4, bits6 int) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := bits4
	if ip.Is6() {
		bits = bits6
	}
	p, _ := ip.Prefix(bits)
	return p
}
