package pop3d

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		do    func(c *client)
	}{
		{"nothing is said", time.Minute, func(*client) {}},
		{"half a command", time.Minute, func(c *client) {
			for range 50 {
				c.send("N")
				time.Sleep(time.Second)
			}
		}},
		{"no login", time.Minute, func(c *client) {
			for range 5 {
				time.Sleep(10 * time.Second)
				c.do("USER mrose", "+OK")
			}
		}},
		{"half a login", time.Minute, func(c *client) { c.do("AUTH LOGIN", "+") }},
		{"autologout", 10 * time.Minute, func(c *client) {
			c.do("USER mrose", "+OK")
			c.do("PASS secret", "+OK")
		}},
		{"autologout after a command", 19 * time.Minute, func(c *client) {
			c.do("USER mrose", "+OK")
			c.do("PASS secret", "+OK")
			time.Sleep(9 * time.Minute)
			c.do("DELE 1", "+OK")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend()
				s := newServer(t, b, Options{})
				start := time.Now()
				cl := s.pipe(t, POP3, loopback)
				cl.expect("+OK")
				c.do(cl)
				cl.expectEOF() // RFC 1939 3: without a response, and nothing is removed
				if d := time.Since(start); d != c.after {
					t.Errorf("after %v, want %v", d, c.after)
				}
				if got := b.uids("mrose@example.org"); got != "[7 9]" {
					t.Errorf("%s are left", got)
				}
			})
		})
	}
}

func TestClientTakesNoReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, newBackend(), Options{})
		start := time.Now()
		s.pipe(t, POP3, outside)
		s.running.Wait()
		if d := time.Since(start); d > 3*time.Minute {
			t.Errorf("it took %v", d)
		}
	})
}

func TestConnectionLimits(t *testing.T) {
	addr := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	s := newServer(t, newBackend(), Options{
		ConnectionsPerClient: 2, Connections: 5,
		Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
	})
	var last *client
	for _, c := range []struct{ remote, want string }{
		{"192.0.2.1:1", "+OK"},
		{"192.0.2.1:2", "+OK"},
		{"192.0.2.1:3", "-ERR [SYS/TEMP] Too many connections from your address"},
		{"[2001:db8::1]:1", "+OK"},
		{"[2001:db8::2]:1", "+OK"},
		{"[2001:db8::ffff]:1", "-ERR [SYS/TEMP] Too many"}, // the same /64
		{"[::ffff:192.0.2.1]:1", "-ERR"},
		{"198.51.100.1:1", "+OK"},
		{"203.0.113.1:1", "-ERR [SYS/TEMP] Too busy"},
		{"198.51.100.1:2", "+OK"},
		{"198.51.100.1:3", "+OK"},
		{"127.0.0.1:1", "+OK"},
	} {
		last = newClient(t, s.dial(t, POP3, addr(c.remote)))
		last.expect(c.want)
	}
	s.Apply(Options{Hostname: "mx.example", ConnectionsPerClient: 1, LimitTrusted: true})
	newClient(t, s.dial(t, POP3, addr("127.0.0.1:2"))).expect("-ERR")
	last.do("QUIT", "+OK")
	last.expectEOF()
}

func TestPenalty(t *testing.T) {
	for _, c := range []struct {
		name, command, reply string
		times                int // that are answered before the end
	}{
		{"bad commands", "FOO", "-ERR Unknown command", 19},
		{"not logged in", "STAT", "-ERR Log in first", 19},
		{"idle commands", "USER mrose", "+OK", 99},
		{"logins", "AUTH PLAIN AG1yb3NlAHdyb25n", "-ERR [AUTH]", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, newBackend(), Options{LimitTrusted: true, Timeouts: Timeouts{Login: time.Hour}})
				cl := s.pipe(t, POP3, loopback)
				cl.expect("+OK")
				for range c.times {
					cl.do(c.command, c.reply)
				}
				cl.do(c.command, "-ERR Too many errors, closing connection")
				cl.expectEOF()
			})
		})
	}
}
