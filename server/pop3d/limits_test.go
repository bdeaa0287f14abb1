package pop3d

import (
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/connection"
)

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		do    func(c *client)
	}{
		{"nothing is said", time.Minute, func(*client) {}},
		{"no login", time.Minute, func(c *client) {
			for range 5 {
				time.Sleep(10 * time.Second)
				c.Do("USER mrose", "+OK")
			}
		}},
		{"half a login", time.Minute, func(c *client) { c.Do("AUTH LOGIN", "+") }},
		{"autologout", 10 * time.Minute, func(c *client) {
			c.Do("USER mrose", "+OK")
			c.Do("PASS secret", "+OK")
		}},
		{"autologout after a command", 19 * time.Minute, func(c *client) {
			c.Do("USER mrose", "+OK")
			c.Do("PASS secret", "+OK")
			time.Sleep(9 * time.Minute)
			c.Do("DELE 1", "+OK")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend()
				s := newServer(t, b, Options{})
				start := time.Now()
				cl := s.pipe(t, POP3, loopback)
				cl.Expect("+OK")
				c.do(cl)
				cl.ExpectEOF() // RFC 1939 3: without a response, and nothing is removed
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

func TestPenalty(t *testing.T) {
	for _, c := range []struct {
		name, command, reply string
		times                int // that are answered before the end
	}{
		{"not logged in", "STAT", "-ERR Log in first", 19},
		{"idle commands", "USER mrose", "+OK", 99},
		{"logins", "AUTH PLAIN AG1yb3NlAHdyb25n", "-ERR [AUTH]", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, newBackend(), Options{Settings: connection.Settings{Limits: connection.Limits{LimitTrusted: true}}, Timeouts: Timeouts{Login: time.Hour}})
				cl := s.pipe(t, POP3, loopback)
				cl.Expect("+OK")
				for range c.times {
					cl.Do(c.command, c.reply)
				}
				cl.Do(c.command, "-ERR Too many errors, closing connection")
				cl.ExpectEOF()
			})
		})
	}
}

func TestTurnedAway(t *testing.T) {
	s := newServer(t, newBackend(), Options{Settings: connection.Settings{Limits: connection.Limits{PerClient: 1}}})
	s.client(t, POP3, outside).Expect("+OK")
	s.client(t, POP3, outside).Expect("-ERR [SYS/TEMP] Too many connections from your address")
	s.client(t, POP3S, outside).ExpectEOF()
}
