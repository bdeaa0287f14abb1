package smtpd

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectionLimits(t *testing.T) {
	addr := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	s := newServer(t, &fakeBackend{}, Options{
		ConnectionsPerClient: 2, Connections: 5,
		Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
	})
	var last *client
	for _, c := range []struct{ remote, want string }{
		{"192.0.2.1:1", "220"},
		{"192.0.2.1:2", "220"},
		{"192.0.2.1:3", "421 4.7.0 mx.example Too many connections from your address"},
		{"[2001:db8::1]:1", "220"},
		{"[2001:db8::2]:1", "220"},
		{"[2001:db8::ffff]:1", "421 4.7.0"}, // the same /64
		{"[::ffff:192.0.2.1]:1", "421 4.7.0"},
		{"198.51.100.1:1", "220"},
		{"203.0.113.1:1", "421 4.3.2 mx.example Too busy"},
		{"198.51.100.1:2", "220"},
		{"198.51.100.1:3", "220"},
		{"127.0.0.1:1", "220"},
	} {
		last = newClient(t, s.dial(t, SMTP, addr(c.remote)))
		last.expect(c.want)
	}
	s.Apply(Options{Hostname: "mx.example", ConnectionsPerClient: 1, LimitTrusted: true})
	newClient(t, s.dial(t, SMTP, addr("127.0.0.1:2"))).expect("421 4.7.0")
	last.do("QUIT", "221")
	last.expectEOF()
}

func TestClientIsForgotten(t *testing.T) {
	s := newServer(t, &fakeBackend{}, Options{ConnectionsPerClient: 1})
	for range 3 {
		c := newClient(t, s.dial(t, SMTP, outside))
		c.expect("220")
		c.do("QUIT", "221")
		c.expectEOF()
		s.running.Wait()
	}
}

func TestPenalty(t *testing.T) {
	for _, c := range []struct {
		name, command, reply string
		times                int // that are answered before the end
		least, most          time.Duration
	}{
		{"bad commands", "FOO", "500", 19, 20 * time.Second, 30 * time.Second},
		{"unknown recipients", "RCPT TO:<unknown@example.org>", "550", 99, 120 * time.Second, 150 * time.Second},
		{"idle commands", "NOOP", "250", 99, 120 * time.Second, 150 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &fakeBackend{}, Options{Timeouts: Timeouts{BeforeMail: time.Hour}})
				cl := s.pipe(t, SMTP, outside)
				cl.expect("220")
				cl.do("HELO c", "250")
				cl.do("MAIL FROM:<a@example.org>", "250")
				start := time.Now()
				for range c.times {
					cl.do(c.command, c.reply)
				}
				cl.do(c.command, "421 4.7.0 mx.example Too many errors")
				cl.expectEOF()
				if d := time.Since(start); d < c.least || d > c.most {
					t.Errorf("it took %v, want %v to %v", d, c.least, c.most)
				}
			})
		})
	}
}

func TestPenaltyOfLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, Options{LimitTrusted: true})
		c := s.pipe(t, Submission, loopback)
		c.expect("220")
		c.do("EHLO c", "250")
		for range 4 {
			c.do("AUTH PLAIN AGFsaWNlAHdyb25n", "535")
		}
		c.do("AUTH PLAIN AGFsaWNlAHdyb25n", "421 4.7.0")
		c.expectEOF()
	})
}

func TestPenaltyIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, Options{})
		c := s.pipe(t, SMTP, outside)
		c.expect("220")
		c.do("HELO c", "250")
		for range 20 {
			for range 3 {
				c.do("FOO", "500")
			}
			c.begin()
			c.do(".", "250")
		}
	})
}

func TestManyRecipients(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{})
	c := newClient(t, s.dial(t, SMTP, outside))
	c.expect("220")
	c.do("HELO c", "250")
	c.do("MAIL FROM:<a@example.org>", "250")
	go c.send(strings.Repeat("RCPT TO:<b@example.org>\r\n", 10000))
	for i := range 10000 {
		want := "250"
		if i >= 100 {
			want = "452 4.5.3"
		}
		c.expect(want)
	}
	if n := len(b.take()); n != 102 {
		t.Errorf("%d calls of the backend", n)
	}
	c.do("DATA", "354")
	c.do(".", "250")
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		do    func(c *client)
	}{
		{"nothing is said", 5 * time.Minute, func(c *client) {}},
		{"half a command", 5 * time.Minute, func(c *client) {
			for range 100 {
				c.send("N")
				time.Sleep(2 * time.Second)
			}
		}},
		{"no MAIL", 5 * time.Minute, func(c *client) {
			for range 4 {
				time.Sleep(time.Minute)
				c.do("NOOP", "250")
			}
		}},
		{"after MAIL", 9 * time.Minute, func(c *client) {
			time.Sleep(4 * time.Minute)
			c.do("HELO c", "250")
			c.do("MAIL FROM:<a@example.org>", "250")
		}},
		{"DATA stops", 4 * time.Minute, func(c *client) {
			c.begin()
			time.Sleep(time.Minute)
			c.send("x\r\n")
		}},
		{"DATA is slow", 3 * time.Minute, func(c *client) {
			c.begin()
			for range 17 {
				time.Sleep(10 * time.Second)
				c.send("x\r\n")
			}
		}},
		{"DATA is endless", time.Hour, func(c *client) {
			c.begin()
			line := strings.Repeat("x", 70) + "\r\n"
			for range 3599 {
				time.Sleep(time.Second)
				c.send(strings.Repeat(line, 20))
			}
		}},
		{"BDAT stops", 4 * time.Minute, func(c *client) {
			c.do("HELO c", "250")
			c.do("MAIL FROM:<a@example.org>", "250")
			c.do("RCPT TO:<a@example.org>", "250")
			c.send("BDAT 1\r\nx")
			c.expect("250")
			time.Sleep(time.Minute)
			c.send("BDAT 2\r\nx")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &fakeBackend{}, Options{})
				start := time.Now()
				cl := s.pipe(t, SMTP, outside)
				cl.expect("220")
				c.do(cl)
				cl.expect("421 4.4.2 mx.example Too slow")
				cl.expectEOF()
				if d := time.Since(start); d < c.after-time.Minute || d > c.after+time.Minute {
					t.Errorf("after %v, want about %v", d, c.after)
				}
			})
		})
	}
}

func TestClientTakesNoReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, Options{})
		start := time.Now()
		s.pipe(t, SMTP, outside)
		s.running.Wait()
		if d := time.Since(start); d < 5*time.Minute || d > 11*time.Minute {
			t.Errorf("it took %v", d)
		}
	})
}
