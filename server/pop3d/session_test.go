package pop3d

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"facteur/server/connection"
	"facteur/server/testkit"
	"facteur/server/wire"
)

var (
	outside  = testkit.Addr("192.0.2.1:4000")
	loopback = testkit.Addr("127.0.0.1:4000")
)

// client is the other end of a session.
type client struct{ *testkit.Client }

// lines reads the rest of a multi-line reply, its dots taken out.
func (c *client) lines() string {
	c.T.Helper()
	var b strings.Builder
	for {
		line, err := c.R.ReadString('\n')
		switch {
		case err != nil:
			c.T.Fatalf("%.60q, %v", line, err)
		case line == ".\r\n":
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func (c *client) login(name string) {
	c.T.Helper()
	c.Expect("+OK")
	c.Do("USER "+name, "+OK")
	c.Do("PASS secret", "+OK")
}

// starts returns what starts sessions of a service.
func (s *Server) starts(service string) testkit.Start {
	return func(conn net.Conn) { s.start(conn, service) }
}

// client connects over loopback, the server taking the client for remote.
func (s *testServer) client(t testing.TB, service string, remote net.Addr) *client {
	t.Helper()
	return &client{testkit.NewClient(t, testkit.Dial(t, remote, s.starts(service)))}
}

// pipe connects a client by net.Pipe, for tests under synctest.
func (s *testServer) pipe(t testing.TB, service string, remote net.Addr) *client {
	t.Helper()
	return &client{testkit.NewClient(t, testkit.Pipe(t, remote, s.starts(service)))}
}

// TestLock is the exclusive-access lock (RFC 1939 4).
func TestLock(t *testing.T) {
	b := newBackend()
	s := newServer(t, b, Options{})
	first := s.client(t, POP3, loopback)
	first.login("mrose")

	second := s.client(t, POP3, loopback)
	second.Expect("+OK")
	second.Do("USER MROSE@example.org", "+OK")
	second.Do("PASS wrong", "-ERR [AUTH]")
	second.Do("AUTH PLAIN AG1yb3NlAHNlY3JldA==", "-ERR [IN-USE] Another POP3 session")
	second.Do("STAT", "-ERR Log in first")

	other := s.client(t, POP3, loopback)
	other.login("alice") // another maildrop

	first.Do("DELE 1", "+OK")
	first.Do("QUIT", "+OK")
	// It is free when the reply is there.
	second.Do("AUTH PLAIN AG1yb3NlAHNlY3JldA==", "+OK maildrop has 1 message")
	first.ExpectEOF()

	// A session that goes away without QUIT frees it too.
	second.Do("DELE 1", "+OK")
	second.Conn.Close()
	other.Do("QUIT", "+OK")
	s.conns.Wait()
	third := s.client(t, POP3, loopback)
	third.login("mrose")
	third.Do("STAT", "+OK 1 200")
}

// TestLockIsNotLeft: what fails to open is not locked afterwards.
func TestLockIsNotLeft(t *testing.T) {
	s := newServer(t, newBackend(), Options{})
	c := s.client(t, POP3, loopback)
	c.Expect("+OK")
	for range 2 {
		c.Do("USER gone@example.org", "+OK")
		c.Do("PASS secret", "-ERR [SYS/TEMP]")
	}
}

func TestShutdown(t *testing.T) {
	b := newBackend()
	s := newServer(t, b, Options{})
	idle := s.client(t, POP3, loopback)
	idle.login("mrose")
	idle.Do("DELE 1", "+OK")
	half := s.client(t, POP3, outside)
	half.Expect("+OK")
	half.Send("CAP")
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	idle.Expect("-ERR [SYS/TEMP] The server is shutting down")
	idle.ExpectEOF()
	half.Expect("-ERR [SYS/TEMP]")
	half.ExpectEOF()
	late := s.client(t, POP3, outside)
	late.Expect("-ERR [SYS/TEMP] The server is shutting down")
	late.ExpectEOF()
	s.client(t, POP3S, outside).ExpectEOF()
	if got := b.uids("mrose@example.org"); got != "[7 9]" {
		t.Errorf("%s are left: nothing may be removed without QUIT", got)
	}
}

func TestRevoked(t *testing.T) {
	const gone = "-ERR [AUTH] The login is not valid any more"
	t.Run("QUIT", func(t *testing.T) {
		b := newBackend()
		c := newServer(t, b, Options{}).client(t, POP3, loopback)
		c.login("mrose")
		c.Do("DELE 1", "+OK")
		b.revoke("mrose@example.org")
		c.Do("QUIT", gone)
		c.ExpectEOF()
		if got := b.uids("mrose@example.org"); got != "[7 9]" {
			t.Errorf("%s are left", got)
		}
	})
	t.Run("during the login", func(t *testing.T) {
		b := newBackend()
		s := newServer(t, b, Options{})
		b.during = func(context.Context) {
			b.revoke("mrose@example.org")
			s.Recheck()
		}
		c := s.client(t, POP3, loopback)
		c.Expect("+OK")
		c.Do("USER mrose", "+OK")
		c.Do("PASS secret", gone)
		c.ExpectEOF()
	})
}

func TestApply(t *testing.T) {
	serverTLS, _ := testkit.TLS(t, "mx.example")
	s := newServer(t, newBackend(), Options{})
	c := s.client(t, POP3, loopback)
	c.Expect("+OK mx.example")
	c.Do("STLS", "-ERR")
	c.Do("USER mrose", "+OK")
	s.Apply(Options{Hostname: "new.example", Settings: connection.Settings{TLS: serverTLS, PlaintextLogin: "never"}})
	c.Do("USER mrose", "-ERR Encryption is required")
	c.Do("STLS", "+OK")
	s.client(t, POP3, loopback).Expect("+OK new.example")
}

// TestTrace looks for passwords in all that is logged.
func TestTrace(t *testing.T) {
	var out testkit.Trace
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: wire.LevelTrace}))
	s := newServerLog(t, newBackend(), Options{}, log)
	c := s.client(t, POP3, loopback)
	c.Expect("+OK")
	const password = "AGFsaWNlAHdyb25n"
	c.Do("AUTH PLAIN "+password, "-ERR")
	c.Do("AUTH X-OTHER "+password, "-ERR")
	c.Do("AUTH "+password, "-ERR")
	c.Do("AUTH PLAIN", "+")
	c.Do(password, "-ERR")
	c.Do(password, "-ERR") // out of step
	c.Do("USER hunter2", "+OK")
	c.Do("PASS hunter3", "-ERR")
	c.Do("PASS hunter3", "-ERR")
	c.Do("APOP x hunter4", "-ERR")
	c.Do("AUTH LOGIN", "+")
	c.Do("bXJvc2U=", "+")
	c.Do("c2VjcmV0", "+OK")
	c.Do("STAT", "+OK")
	c.Do("QUIT", "+OK")
	c.ExpectEOF()
	s.conns.Wait()
	out.Check(t, []string{"line=STAT", "AUTH PLAIN (secret)", "PASS (secret)", "USER (name)", "(unknown command)", "msg=pop3d.login ", "msg=pop3d.quit "},
		[]string{password, "c2VjcmV0", "bXJvc2U=", "wrong", "=secret", "hunter"})
}

// TestReplyIsOneShortLine: RFC 2449 4.
func TestReplyIsOneShortLine(t *testing.T) {
	var out strings.Builder
	s := &session{Conn: &connection.Conn{W: wire.NewWriter(4096)}}
	s.W.Reset(&out, nil)
	s.err("IN-USE", strings.Repeat("é\r\n", 400))
	s.W.Flush()
	if got := out.String(); len(got) != maxReply || strings.Count(got, "\n") != 1 || strings.Contains(got, "é") {
		t.Errorf("%q", got)
	}
}
