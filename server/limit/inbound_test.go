package limit

import (
	"net/netip"
	"testing"
	"time"
)

func TestInbound(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ip := netip.MustParseAddr
	in := NewInbound(InboundOptions{Connections: 10, NetworkConnections: 25, Messages: 3, NetworkMessages: 5, Offences: 2})
	connect := func(from string) bool {
		f := in.Connect(ip(from), now)
		if f != nil && (f.Code != 421 || f.Enhanced() != "4.7.0") {
			t.Error(f)
		}
		return f == nil
	}
	times := func(n int, do func() bool) (ok int) {
		for range n {
			if do() {
				ok++
			}
		}
		return ok
	}
	for _, c := range []struct {
		from string
		want int // of twenty
	}{
		{"192.0.2.1", 10}, {"192.0.2.1", 0}, {"192.0.2.2", 10}, {"192.0.2.3", 5}, {"192.0.2.4", 0}, {"192.0.3.1", 10},
		{"2001:db8::1", 10}, {"2001:db8::2", 0}, {"2001:db8:0:1::1", 10}, {"2001:db8:0:2::1", 5}, {"2001:db8:1::1", 10},
	} {
		if n := times(20, func() bool { return connect(c.from) }); n != c.want {
			t.Errorf("%s: %d connections, not %d", c.from, n, c.want)
		}
	}
	now = now.Add(6 * time.Second)
	if n := times(20, func() bool { return connect("192.0.3.1") }); n != 1 {
		t.Errorf("six seconds later %d connections", n)
	}
	now = now.Add(-time.Hour) // the clock is set back
	if n := times(20, func() bool { return connect("192.0.3.1") }); n != 0 {
		t.Errorf("an hour earlier %d connections", n)
	}
	now = now.Add(time.Minute)
	if n := times(20, func() bool { return connect("192.0.3.1") }); n != 10 {
		t.Errorf("a minute later %d connections", n)
	}
	for _, c := range []struct {
		from string
		want int
	}{{"192.0.2.1", 3}, {"192.0.2.2", 2}, {"198.51.100.1", 3}} {
		n := times(9, func() bool {
			f := in.Message(ip(c.from), now)
			if f != nil && (f.Code != 450 || f.Enhanced() != "4.7.1") {
				t.Error(f)
			}
			return f == nil
		})
		if n != c.want {
			t.Errorf("%s: %d messages, not %d", c.from, n, c.want)
		}
	}
}

func TestHopeless(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	client, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	in := NewInbound(InboundOptions{Offences: 3})
	for i, want := range []struct{ hopeless, refused bool }{{false, false}, {true, false}, {true, false}, {true, true}} {
		hopeless, f := in.Hopeless(client, now), in.Connect(client, now)
		if hopeless != want.hopeless || f != nil != want.refused {
			t.Errorf("after %d sessions: %v, %v", i, hopeless, f)
		}
		if hopeless, f := in.Hopeless(other, now), in.Connect(other, now); hopeless || f != nil {
			t.Errorf("another client: %v, %v", hopeless, f)
		}
		in.Offend(client, now)
	}
	now = now.Add(21 * time.Minute)
	if hopeless, f := in.Hopeless(client, now), in.Connect(client, now); !hopeless || f != nil {
		t.Errorf("some time later: %v, %v", hopeless, f)
	}
	now = now.Add(time.Hour)
	if hopeless, f := in.Hopeless(client, now), in.Connect(client, now); hopeless || f != nil {
		t.Errorf("an hour later: %v, %v", hopeless, f)
	}
}

// TestMeterIsBounded connects from 10^6 addresses; who comes all the time is
// not forgotten.
func TestMeterIsBounded(t *testing.T) {
	in := NewInbound(InboundOptions{Connections: 100})
	now := time.Unix(1_800_000_000, 0)
	busy := netip.MustParseAddr("192.0.2.1")
	refused := 0
	for i := range 1_000_000 / share {
		in.Connect(netip.AddrFrom4([4]byte{10 + byte(i>>24), byte(i >> 16), byte(i >> 8), byte(i)}), now)
		if i%(5000/share) == 0 {
			if f := in.Connect(busy, now); f != nil {
				refused++
			}
		}
	}
	if refused != 100 {
		t.Errorf("the busy one was refused %d times of 200", refused)
	}
	if n := in.connections.client.size(); n > 2*clientRoom {
		t.Errorf("%d clients", n)
	}
	if n := in.connections.network.size(); n > 2*networkRoom {
		t.Errorf("%d networks", n)
	}
}
