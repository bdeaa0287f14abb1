package smtpd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/testkit"
	"facteur/server/wire"
)

var (
	outside  = testkit.Addr("192.0.2.1:4000")
	loopback = testkit.Addr("127.0.0.1:4000")
)

// client is the other end of a session.
type client struct{ *testkit.Client }

func newClient(t testing.TB, conn net.Conn) *client { return &client{testkit.NewClient(t, conn)} }

// begin goes to where data may be sent.
func (c *client) begin() {
	c.T.Helper()
	c.Do("HELO c", "250")
	c.Do("MAIL FROM:<a@example.org>", "250")
	c.Do("RCPT TO:<b@example.org>", "250")
	c.Do("DATA", "354")
}

func (c *client) login() {
	c.T.Helper()
	c.Expect("220")
	c.Do("EHLO c", "250")
	c.Do("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235")
}

// starts returns what starts sessions of a service.
func (s *Server) starts(service string) testkit.Start {
	return func(conn net.Conn) { s.start(conn, service) }
}

// client connects over loopback, the server taking the client for remote.
func (s *testServer) client(t testing.TB, service string, remote net.Addr) *client {
	t.Helper()
	return newClient(t, testkit.Dial(t, remote, s.starts(service)))
}

// pipe connects a client by net.Pipe, for tests under synctest.
func (s *testServer) pipe(t testing.TB, service string, remote net.Addr) *client {
	t.Helper()
	return newClient(t, testkit.Pipe(t, remote, s.starts(service)))
}

func TestShutdown(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{})
	idle := s.client(t, SMTP, outside)
	idle.Expect("220")
	idle.Do("HELO c", "250")
	half := s.client(t, SMTP, outside)
	half.Expect("220")
	half.Send("NOO")
	busy := s.client(t, SMTP, outside)
	busy.Expect("220")
	busy.begin()
	busy.Send("one\r\n")

	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.Expect("421 4.3.2 mx.example The server is shutting down")
	idle.ExpectEOF()
	half.Expect("421 4.3.2")
	half.ExpectEOF()
	late := s.client(t, SMTP, outside)
	late.Expect("421 4.3.2 mx.example The server is shutting down")
	late.ExpectEOF()
	select {
	case err := <-done:
		t.Fatalf("shut down while a message comes in: %v", err)
	default:
	}
	busy.Send("two\r\n.\r\nMAIL FROM:<next@example.org>\r\n")
	busy.Expect("250 2.0.0 Accepted")
	busy.Expect("421 4.3.2")
	busy.ExpectEOF()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if calls := fmt.Sprint(b.take()); !strings.Contains(calls, `data "one\r\ntwo\r\n"`) || strings.Contains(calls, "next@") {
		t.Errorf("calls %s", calls)
	}
}

func TestShutdownCutsOff(t *testing.T) {
	b := &fakeBackend{}
	entered, cancelled := make(chan struct{}), make(chan struct{})
	b.during = func(ctx context.Context) {
		close(entered)
		<-ctx.Done()
		close(cancelled)
	}
	s := newServer(t, b, Options{})
	reading := s.client(t, SMTP, outside)
	reading.Expect("220")
	reading.begin()
	storing := s.client(t, SMTP, outside)
	storing.Expect("220")
	storing.begin()
	storing.Send("one\r\n.\r\n")
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("%v", err)
	}
	<-cancelled
	reading.ExpectEOF()
}

func TestRevoked(t *testing.T) {
	alice := auth.Credential{Account: address.MustParse("alice@example.org")}
	const gone = "421 4.7.0 mx.example The login is not valid any more"
	start := func(t *testing.T) (*testServer, *fakeBackend, *client) {
		b := &fakeBackend{}
		s := newServer(t, b, Options{})
		c := s.client(t, Submission, loopback)
		c.login()
		return s, b, c
	}
	t.Run("idle, Recheck", func(t *testing.T) {
		s, b, c := start(t)
		b.revoke(alice)
		s.Recheck()
		c.Expect(gone)
		c.ExpectEOF()
	})
	t.Run("command", func(t *testing.T) {
		_, b, c := start(t)
		b.revoke(alice)
		c.Do("MAIL FROM:<alice@example.org>", gone)
		c.ExpectEOF()
	})
	t.Run("during DATA", func(t *testing.T) {
		s, b, c := start(t)
		c.begin()
		b.revoke(alice)
		s.Recheck()
		c.Send("text\r\n.\r\n")
		c.Expect(gone)
		c.ExpectEOF()
		if calls := fmt.Sprint(b.take()); strings.Contains(calls, "data") {
			t.Errorf("the message was taken: %s", calls)
		}
	})
}

func TestApply(t *testing.T) {
	s := newServer(t, &fakeBackend{}, Options{MessageSize: 1000, Recipients: 1})
	c := s.client(t, SMTP, outside)
	c.Expect("220")
	c.Do("HELO c", "250")
	c.Do("MAIL FROM:<a@example.org> SIZE=1001", "552")
	c.Do("MAIL FROM:<a@example.org>", "250")
	c.Do("RCPT TO:<b@example.org>", "250")
	c.Do("RCPT TO:<b@example.org>", "452")
	s.Apply(Options{Hostname: "new.example", MessageSize: 2000, Recipients: 2})
	c.Do("RCPT TO:<b@example.org>", "250")
	c.Do("RCPT TO:<b@example.org>", "452")
	c.Do("DATA", "354")
	c.Send(strings.Repeat("x\r\n", 500) + ".\r\n")
	c.Expect("250")
	c.Do("MAIL FROM:<a@example.org> SIZE=2001", "552")
	c.Do("QUIT", "221 2.0.0 new.example")
}

func TestTrace(t *testing.T) {
	var out testkit.Trace
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: wire.LevelTrace}))
	s := newServerLog(t, &fakeBackend{}, Options{}, log)
	c := s.client(t, Submission, loopback)
	c.Expect("220")
	c.Do("EHLO client.example", "250")
	const password = "AGFsaWNlAHdyb25n"
	c.Do("AUTH PLAIN "+password, "535")
	c.Do("AUTH X-OTHER "+password, "504")
	c.Do("AUTH PLAIN", "334")
	c.Do(password, "535")
	c.Do(password, "500") // out of step
	c.Do("AUTH "+password, "504")
	c.Do("AUTH LOGIN", "334")
	c.Do("YWxpY2U=", "334")
	c.Do("c2VjcmV0", "235")
	c.Do("QUIT", "221")
	c.ExpectEOF()
	s.conns.Wait()
	out.Check(t, []string{"EHLO client.example", "AUTH PLAIN (secret)", "(unknown command)", "235 2.7.0", "msg=smtpd.login "},
		[]string{password, "c2VjcmV0", "YWxpY2U=", "wrong", "=secret"})
}
