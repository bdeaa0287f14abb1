package smtpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/wire"
)

var (
	outside  = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:4000"))
	loopback = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:4000"))
)

// client is the other end of a session.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func newClient(t testing.TB, conn net.Conn) *client {
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("send %.60q: %v", s, err)
	}
}

// reply reads a reply, of one or several lines, and returns its last line.
func (c *client) reply() string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%q, %v", line, err)
		}
		if line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

func (c *client) expect(want string) {
	c.t.Helper()
	if got := c.reply(); !strings.HasPrefix(got, want) {
		c.t.Fatalf("%q, want %q", got, want)
	}
}

func (c *client) do(command, want string) {
	c.t.Helper()
	c.send(command + "\r\n")
	c.expect(want)
}

func (c *client) expectEOF() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); len(b) > 0 || isTimeout(err) {
		c.t.Errorf("%q, %v, want the end of the connection", b, err)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// begin goes to where data may be sent.
func (c *client) begin() {
	c.t.Helper()
	c.do("HELO c", "250")
	c.do("MAIL FROM:<a@example.org>", "250")
	c.do("RCPT TO:<b@example.org>", "250")
	c.do("DATA", "354")
}

func (c *client) login() {
	c.t.Helper()
	c.expect("220")
	c.do("EHLO c", "250")
	c.do("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235")
}

// piped is one end of a net.Pipe with an address.
type piped struct {
	net.Conn
	remote net.Addr
}

func (p piped) RemoteAddr() net.Addr { return p.remote }

// pipe connects a client by net.Pipe, for tests under synctest.
func (s *testServer) pipe(t testing.TB, service string, remote net.Addr) *client {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { b.Close() })
	s.start(piped{a, remote}, service)
	return newClient(t, b)
}

func TestShutdown(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, b, Options{})
	idle := newClient(t, s.dial(t, SMTP, outside))
	idle.expect("220")
	idle.do("HELO c", "250")
	half := newClient(t, s.dial(t, SMTP, outside))
	half.expect("220")
	half.send("NOO")
	busy := newClient(t, s.dial(t, SMTP, outside))
	busy.expect("220")
	busy.begin()
	busy.send("one\r\n")

	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.expect("421 4.3.2 mx.example The server is shutting down")
	idle.expectEOF()
	half.expect("421 4.3.2")
	half.expectEOF()
	late := newClient(t, s.dial(t, SMTP, outside))
	late.expect("421 4.3.2 mx.example The server is shutting down")
	late.expectEOF()
	select {
	case err := <-done:
		t.Fatalf("shut down while a message comes in: %v", err)
	default:
	}
	busy.send("two\r\n.\r\nMAIL FROM:<next@example.org>\r\n")
	busy.expect("250 2.0.0 Accepted")
	busy.expect("421 4.3.2")
	busy.expectEOF()
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
	reading := newClient(t, s.dial(t, SMTP, outside))
	reading.expect("220")
	reading.begin()
	storing := newClient(t, s.dial(t, SMTP, outside))
	storing.expect("220")
	storing.begin()
	storing.send("one\r\n.\r\n")
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("%v", err)
	}
	<-cancelled
	reading.expectEOF()
}

func TestShutdownDuringHandshake(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, &fakeBackend{}, Options{TLS: certs.server})
	conn := s.dial(t, Submissions, outside)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	newClient(t, conn).expectEOF()
}

func TestRevoked(t *testing.T) {
	alice := auth.Credential{Account: address.MustParse("alice@example.org")}
	const gone = "421 4.7.0 mx.example The login is not valid any more"
	start := func(t *testing.T) (*testServer, *fakeBackend, *client) {
		b := &fakeBackend{}
		s := newServer(t, b, Options{})
		c := newClient(t, s.dial(t, Submission, loopback))
		c.login()
		return s, b, c
	}
	t.Run("idle, Recheck", func(t *testing.T) {
		s, b, c := start(t)
		b.revoke(alice)
		s.Recheck()
		c.expect(gone)
		c.expectEOF()
	})
	t.Run("idle, Apply", func(t *testing.T) {
		s, b, c := start(t)
		s.Apply(Options{Hostname: "mx.example"})
		c.do("NOOP", "250")
		b.revoke(alice)
		s.Apply(Options{Hostname: "mx.example"})
		c.expect(gone)
		c.expectEOF()
	})
	t.Run("command", func(t *testing.T) {
		_, b, c := start(t)
		b.revoke(alice)
		c.do("MAIL FROM:<alice@example.org>", gone)
		c.expectEOF()
	})
	t.Run("during DATA", func(t *testing.T) {
		s, b, c := start(t)
		c.begin()
		b.revoke(alice)
		s.Recheck()
		c.send("text\r\n.\r\n")
		c.expect(gone)
		c.expectEOF()
		if calls := fmt.Sprint(b.take()); strings.Contains(calls, "data") {
			t.Errorf("the message was taken: %s", calls)
		}
	})
	t.Run("another account", func(t *testing.T) {
		s, b, c := start(t)
		b.revoke(auth.Credential{Account: address.MustParse("bob@example.org")})
		s.Recheck()
		c.do("MAIL FROM:<alice@example.org>", "250")
	})
	t.Run("no login", func(t *testing.T) {
		s, b, _ := start(t)
		c := newClient(t, s.dial(t, SMTP, outside))
		c.expect("220")
		b.revoke(auth.Credential{})
		s.Recheck()
		c.do("NOOP", "250")
	})
}

func TestApply(t *testing.T) {
	s := newServer(t, &fakeBackend{}, Options{MessageSize: 1000, Recipients: 1})
	c := newClient(t, s.dial(t, SMTP, outside))
	c.expect("220")
	c.do("HELO c", "250")
	c.do("MAIL FROM:<a@example.org> SIZE=1001", "552")
	c.do("MAIL FROM:<a@example.org>", "250")
	c.do("RCPT TO:<b@example.org>", "250")
	c.do("RCPT TO:<b@example.org>", "452")
	s.Apply(Options{Hostname: "new.example", MessageSize: 2000, Recipients: 2})
	c.do("RCPT TO:<b@example.org>", "250")
	c.do("RCPT TO:<b@example.org>", "452")
	c.do("DATA", "354")
	c.send(strings.Repeat("x\r\n", 500) + ".\r\n")
	c.expect("250")
	c.do("MAIL FROM:<a@example.org> SIZE=2001", "552")
	c.do("QUIT", "221 2.0.0 new.example")
}

func TestPlainTextOnTLSPort(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, &fakeBackend{}, Options{TLS: certs.server})
	c := newClient(t, s.dial(t, Submissions, outside))
	c.do("EHLO client.example", "421 4.5.0 mx.example This port expects TLS")
	c.expectEOF()

	s = newServer(t, &fakeBackend{}, Options{})
	newClient(t, s.dial(t, Submissions, outside)).expectEOF()
}

func TestTrace(t *testing.T) {
	var out safeBuilder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: wire.LevelTrace}))
	s := newServerLog(t, &fakeBackend{}, Options{}, log)
	c := newClient(t, s.dial(t, Submission, loopback))
	c.expect("220")
	c.do("EHLO client.example", "250")
	const password = "AGFsaWNlAHdyb25n"
	c.do("AUTH PLAIN "+password, "535")
	c.do("AUTH X-OTHER "+password, "504")
	c.do("AUTH PLAIN", "334")
	c.do(password, "535")
	c.do(password, "500") // out of step
	c.do("AUTH "+password, "504")
	c.do("AUTH LOGIN", "334")
	c.do("YWxpY2U=", "334")
	c.do("c2VjcmV0", "235")
	c.do("QUIT", "221")
	c.expectEOF()
	s.running.Wait()
	trace := out.String()
	for _, want := range []string{"EHLO client.example", "AUTH PLAIN (secret)", "(unknown command)", "235 2.7.0", "msg=smtpd.login "} {
		if !strings.Contains(trace, want) {
			t.Errorf("no %q in the trace", want)
		}
	}
	for _, secret := range []string{password, "c2VjcmV0", "YWxpY2U=", "wrong", "=secret"} {
		if strings.Contains(trace, secret) {
			t.Errorf("%q is in the trace:\n%s", secret, trace)
		}
	}
	id := strings.SplitN(strings.SplitN(trace, "id=", 2)[1], " ", 2)[0]
	for line := range strings.Lines(trace) {
		if !strings.Contains(line, "id="+strings.TrimSpace(id)) {
			t.Errorf("a line without the id of the connection: %s", line)
		}
	}
}
