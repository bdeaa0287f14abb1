package smtpd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// greeting answers all clients alike.
func greeting(g Greeting) Options {
	return Options{Connect: func(context.Context, envelope.Session) Greeting { return g }}
}

// TestConnect: what scripts say of a client is its greeting; one that is refused may say
// QUIT and nothing else.
func TestConnect(t *testing.T) {
	no := fault.Reply(fault.Policy, 550, "5.7.1", "No mail from there")
	for _, c := range []struct {
		name, service string
		greeting      Greeting
		want          string
		ends          bool
	}{
		{"welcome", SMTP, Greeting{}, "220 mx.example ESMTP facteur", false},
		{"refused", SMTP, Greeting{Refusal: no}, "554 mx.example No mail from there", false},
		{"for now", SMTP, Greeting{Refusal: fault.Reply(fault.TryLater, 451, "4.7.1", "Later")}, "421 4.7.1 mx.example Later", true},
		{"not on submission", Submission, Greeting{Refusal: no}, "220 mx.example ESMTP facteur", false},
		{"not by LMTP", LMTP, Greeting{Refusal: no}, "220 mx.example LMTP facteur", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &fakeBackend{}
			s := newServer(t, b, greeting(c.greeting))
			cl := s.client(t, c.service, outside)
			cl.Expect(c.want)
			if c.ends {
				cl.ExpectEOF()
				return
			}
			if c.greeting.Refusal != nil && c.service == SMTP {
				for _, command := range []string{"EHLO c", "MAIL FROM:<a@example.org>", "NOOP", "STARTTLS", "RCPT TO:<b@example.org>"} {
					cl.Do(command, "503 5.5.1 There is no service for you here")
				}
			}
			cl.Do("QUIT", "221 2.0.0 mx.example")
			cl.ExpectEOF()
			if calls := b.take(); len(calls) != 0 {
				t.Errorf("the backend was asked: %q", calls)
			}
		})
	}
}

// TestDelay: a delayed greeting comes in its time, and ends with the server; a client that
// talks before it is refused, and one that leaves is forgotten at once.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, greeting(Greeting{Delay: 20 * time.Second, RDNS: "c.example"}))
		began := time.Now()
		polite := s.pipe(t, SMTP, outside)
		hasty := s.pipe(t, SMTP, outside)
		gone := s.pipe(t, SMTP, outside)
		gone.Conn.Close()
		hasty.Send("EHLO c\r\n")
		hasty.Expect("554 mx.example You spoke before the greeting")
		hasty.Expect("503 5.5.1")
		if d := time.Since(began); d != 0 {
			t.Errorf("refused after %v", d)
		}
		synctest.Wait()
		if n := s.waiting.Load(); n != 1 {
			t.Errorf("%d wait", n)
		}
		polite.Expect("220 ")
		if d := time.Since(began); d != 20*time.Second {
			t.Errorf("greeted after %v", d)
		}
		late := s.pipe(t, SMTP, outside)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		late.Expect("421 4.3.2 mx.example The server is shutting down")
		polite.Expect("421 4.3.2")
		hasty.Expect("421 4.3.2")
		if err := <-done; err != nil || time.Since(began) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestManyDelays: those who are slowed take up a part of the connections only.
func TestManyDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := greeting(Greeting{Delay: 20 * time.Second})
		o.PerClient = 1000
		s := newServer(t, &fakeBackend{}, o)
		began := time.Now()
		var all []*client
		for range maxWaiting {
			all = append(all, s.pipe(t, SMTP, outside))
		}
		synctest.Wait()
		s.pipe(t, SMTP, outside).Expect("220 ")
		if d := time.Since(began); d != 0 {
			t.Errorf("the next one waited %v", d)
		}
		for _, c := range all {
			c.Expect("220 ")
		}
		if d := time.Since(began); d != 20*time.Second || s.waiting.Load() != 0 {
			t.Errorf("%v, %d wait", d, s.waiting.Load())
		}
	})
}
