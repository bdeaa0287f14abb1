package smtpd

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/connection"
)

// TestExempt: LMTP has no limits, unless LimitTrusted.
func TestExempt(t *testing.T) {
	limits := connection.Limits{PerClient: 1}
	s := newServer(t, &fakeBackend{}, Options{Settings: connection.Settings{Limits: limits}})
	for range 2 {
		s.client(t, LMTP, outside).Expect("220")
	}
	s.client(t, SMTP, outside).Expect("421 4.7.0 mx.example Too many connections from your address")
	limits.LimitTrusted = true
	s.Apply(Options{Hostname: "mx.example", Settings: connection.Settings{Limits: limits}})
	s.client(t, LMTP, outside).Expect("421")
	s.client(t, Submissions, outside).ExpectEOF()
}

func TestPenalty(t *testing.T) {
	for _, c := range []struct {
		name, command, reply string
		times                int // that are answered before the end
		least, most          time.Duration
	}{
		{"unknown recipients", "RCPT TO:<unknown@example.org>", "550", 99, 120 * time.Second, 150 * time.Second},
		{"idle commands", "NOOP", "250", 99, 120 * time.Second, 150 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &fakeBackend{}, Options{Timeouts: Timeouts{BeforeMail: time.Hour}})
				cl := s.pipe(t, SMTP, outside)
				cl.Expect("220")
				cl.Do("HELO c", "250")
				cl.Do("MAIL FROM:<a@example.org>", "250")
				start := time.Now()
				for range c.times {
					cl.Do(c.command, c.reply)
				}
				cl.Do(c.command, "421 4.7.0 mx.example Too many errors")
				cl.ExpectEOF()
				if d := time.Since(start); d < c.least || d > c.most {
					t.Errorf("it took %v, want %v to %v", d, c.least, c.most)
				}
			})
		})
	}
}

func TestPenaltyIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, Options{})
		c := s.pipe(t, SMTP, outside)
		c.Expect("220")
		c.Do("HELO c", "250")
		for range 20 {
			for range 3 {
				c.Do("FOO", "500")
			}
			c.begin()
			c.Do(".", "250")
		}
	})
}

func TestManyRecipients(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{})
	c := s.client(t, SMTP, outside)
	c.Expect("220")
	c.Do("HELO c", "250")
	c.Do("MAIL FROM:<a@example.org>", "250")
	go c.Send(strings.Repeat("RCPT TO:<b@example.org>\r\n", 10000))
	for i := range 10000 {
		want := "250"
		if i >= 100 {
			want = "452 4.5.3"
		}
		c.Expect(want)
	}
	if n := len(b.take()); n != 102 {
		t.Errorf("%d calls of the backend", n)
	}
	c.Do("DATA", "354")
	c.Do(".", "250")
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		do    func(c *client)
	}{
		{"nothing is said", 5 * time.Minute, func(c *client) {}},
		{"no MAIL", 5 * time.Minute, func(c *client) {
			for range 4 {
				time.Sleep(time.Minute)
				c.Do("NOOP", "250")
			}
		}},
		{"after MAIL", 9 * time.Minute, func(c *client) {
			time.Sleep(4 * time.Minute)
			c.Do("HELO c", "250")
			c.Do("MAIL FROM:<a@example.org>", "250")
		}},
		{"DATA stops", 4 * time.Minute, func(c *client) {
			c.begin()
			time.Sleep(time.Minute)
			c.Send("x\r\n")
		}},
		{"DATA is slow", 3 * time.Minute, func(c *client) {
			c.begin()
			for range 17 {
				time.Sleep(10 * time.Second)
				c.Send("x\r\n")
			}
		}},
		{"DATA is endless", time.Hour, func(c *client) {
			c.begin()
			line := strings.Repeat("x", 70) + "\r\n"
			for range 3599 {
				time.Sleep(time.Second)
				c.Send(strings.Repeat(line, 20))
			}
		}},
		{"BDAT stops", 4 * time.Minute, func(c *client) {
			c.Do("HELO c", "250")
			c.Do("MAIL FROM:<a@example.org>", "250")
			c.Do("RCPT TO:<a@example.org>", "250")
			c.Send("BDAT 1\r\nx")
			c.Expect("250")
			time.Sleep(time.Minute)
			c.Send("BDAT 2\r\nx")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &fakeBackend{}, Options{})
				start := time.Now()
				cl := s.pipe(t, SMTP, outside)
				cl.Expect("220")
				c.do(cl)
				cl.Expect("421 4.4.2 mx.example Too slow")
				cl.ExpectEOF()
				if d := time.Since(start); d < c.after-time.Minute || d > c.after+time.Minute {
					t.Errorf("after %v, want about %v", d, c.after)
				}
			})
		})
	}
}
