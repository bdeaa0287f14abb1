package pop3d

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

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

func (c *client) expect(want string) {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasSuffix(line, "\r\n") {
		c.t.Fatalf("%q, %v", line, err)
	}
	if !strings.HasPrefix(line, want) {
		c.t.Fatalf("%q, want %q", line, want)
	}
}

func (c *client) do(command, want string) {
	c.t.Helper()
	c.send(command + "\r\n")
	c.expect(want)
}

// lines reads the rest of a multi-line reply, its dots taken out.
func (c *client) lines() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		switch {
		case err != nil:
			c.t.Fatalf("%.60q, %v", line, err)
		case line == ".\r\n":
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
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

func (c *client) login(name string) {
	c.t.Helper()
	c.expect("+OK")
	c.do("USER "+name, "+OK")
	c.do("PASS secret", "+OK")
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

// TestLock is the exclusive-access lock (RFC 1939 4).
func TestLock(t *testing.T) {
	b := newBackend()
	s := newServer(t, b, Options{})
	first := newClient(t, s.dial(t, POP3, loopback))
	first.login("mrose")

	second := newClient(t, s.dial(t, POP3, loopback))
	second.expect("+OK")
	second.do("USER MROSE@example.org", "+OK")
	second.do("PASS wrong", "-ERR [AUTH]")
	second.do("AUTH PLAIN AG1yb3NlAHNlY3JldA==", "-ERR [IN-USE] Another POP3 session")
	second.do("STAT", "-ERR Log in first")

	other := newClient(t, s.dial(t, POP3, loopback))
	other.login("alice") // another maildrop

	first.do("DELE 1", "+OK")
	first.do("QUIT", "+OK")
	// It is free when the reply is there.
	second.do("AUTH PLAIN AG1yb3NlAHNlY3JldA==", "+OK maildrop has 1 message")
	first.expectEOF()

	// A session that goes away without QUIT frees it too.
	second.do("DELE 1", "+OK")
	second.conn.Close()
	other.do("QUIT", "+OK")
	s.running.Wait()
	third := newClient(t, s.dial(t, POP3, loopback))
	third.login("mrose")
	third.do("STAT", "+OK 1 200")
}

// TestLockIsNotLeft: what fails to open is not locked afterwards.
func TestLockIsNotLeft(t *testing.T) {
	s := newServer(t, newBackend(), Options{})
	c := newClient(t, s.dial(t, POP3, loopback))
	c.expect("+OK")
	for range 2 {
		c.do("USER gone@example.org", "+OK")
		c.do("PASS secret", "-ERR [SYS/TEMP]")
	}
}

func TestShutdown(t *testing.T) {
	b := newBackend()
	s := newServer(t, b, Options{})
	idle := newClient(t, s.dial(t, POP3, loopback))
	idle.login("mrose")
	idle.do("DELE 1", "+OK")
	half := newClient(t, s.dial(t, POP3, outside))
	half.expect("+OK")
	half.send("CAP")
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	idle.expect("-ERR [SYS/TEMP] The server is shutting down")
	idle.expectEOF()
	half.expect("-ERR [SYS/TEMP]")
	half.expectEOF()
	late := newClient(t, s.dial(t, POP3, outside))
	late.expect("-ERR [SYS/TEMP] The server is shutting down")
	late.expectEOF()
	newClient(t, s.dial(t, POP3S, outside)).expectEOF()
	if got := b.uids("mrose@example.org"); got != "[7 9]" {
		t.Errorf("%s are left: nothing may be removed without QUIT", got)
	}
}

func TestShutdownCutsOff(t *testing.T) {
	b := newBackend()
	entered, cancelled := make(chan struct{}), make(chan struct{})
	b.during = func(ctx context.Context) {
		close(entered)
		<-ctx.Done()
		close(cancelled)
	}
	s := newServer(t, b, Options{})
	c := newClient(t, s.dial(t, POP3, loopback))
	c.expect("+OK")
	c.send("USER mrose\r\nPASS secret\r\n")
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("%v", err)
	}
	<-cancelled
}

func TestShutdownDuringHandshake(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, newBackend(), Options{TLS: certs.server})
	conn := s.dial(t, POP3S, outside)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	newClient(t, conn).expectEOF()
}

func TestRevoked(t *testing.T) {
	const gone = "-ERR [AUTH] The login is not valid any more"
	start := func(t *testing.T) (*testServer, *fakeBackend, *client) {
		b := newBackend()
		s := newServer(t, b, Options{})
		c := newClient(t, s.dial(t, POP3, loopback))
		c.login("mrose")
		return s, b, c
	}
	t.Run("idle, Recheck", func(t *testing.T) {
		s, b, c := start(t)
		b.revoke("mrose@example.org")
		s.Recheck()
		c.expect(gone)
		c.expectEOF()
	})
	t.Run("idle, Apply", func(t *testing.T) {
		s, b, c := start(t)
		s.Apply(Options{Hostname: "mx.example"})
		c.do("NOOP", "+OK")
		b.revoke("mrose@example.org")
		s.Apply(Options{Hostname: "mx.example"})
		c.expect(gone)
		c.expectEOF()
	})
	t.Run("QUIT", func(t *testing.T) {
		_, b, c := start(t)
		c.do("DELE 1", "+OK")
		b.revoke("mrose@example.org")
		c.do("QUIT", gone)
		c.expectEOF()
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
		c := newClient(t, s.dial(t, POP3, loopback))
		c.expect("+OK")
		c.do("USER mrose", "+OK")
		c.do("PASS secret", gone)
		c.expectEOF()
	})
	t.Run("another account", func(t *testing.T) {
		s, b, c := start(t)
		b.revoke("alice@example.org")
		s.Recheck()
		c.do("NOOP", "+OK")
	})
}

func TestApply(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, newBackend(), Options{})
	c := newClient(t, s.dial(t, POP3, loopback))
	c.expect("+OK mx.example")
	c.do("STLS", "-ERR")
	c.do("USER mrose", "+OK")
	s.Apply(Options{Hostname: "new.example", TLS: certs.server, PlaintextLogin: "never"})
	c.do("USER mrose", "-ERR Encryption is required")
	c.do("STLS", "+OK")
	newClient(t, s.dial(t, POP3, loopback)).expect("+OK new.example")
}

func TestPlainTextOnTLSPort(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, newBackend(), Options{TLS: certs.server})
	c := newClient(t, s.dial(t, POP3S, outside))
	c.do("CAPA please", "-ERR This port expects TLS")
	c.expectEOF()

	s = newServer(t, newBackend(), Options{})
	newClient(t, s.dial(t, POP3S, outside)).expectEOF()
}

func TestServeReturns(t *testing.T) {
	s := newServer(t, newBackend(), Options{})
	addr := s.serve(t, POP3)
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newClient(t, conn)
	c.login("mrose")
	c.do("QUIT", "+OK")
}

// safeBuilder is a strings.Builder for several goroutines.
type safeBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestTrace looks for passwords in all that is logged.
func TestTrace(t *testing.T) {
	var out safeBuilder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: wire.LevelTrace}))
	s := newServerLog(t, newBackend(), Options{}, log)
	c := newClient(t, s.dial(t, POP3, loopback))
	c.expect("+OK")
	const password = "AGFsaWNlAHdyb25n"
	c.do("AUTH PLAIN "+password, "-ERR")
	c.do("AUTH X-OTHER "+password, "-ERR")
	c.do("AUTH "+password, "-ERR")
	c.do("AUTH PLAIN", "+")
	c.do(password, "-ERR")
	c.do(password, "-ERR") // out of step
	c.do("USER hunter2", "+OK")
	c.do("PASS hunter3", "-ERR")
	c.do("PASS hunter3", "-ERR")
	c.do("APOP x hunter4", "-ERR")
	c.do("AUTH LOGIN", "+")
	c.do("bXJvc2U=", "+")
	c.do("c2VjcmV0", "+OK")
	c.do("STAT", "+OK")
	c.do("QUIT", "+OK")
	c.expectEOF()
	s.running.Wait()
	trace := out.String()
	for _, want := range []string{"line=STAT", "AUTH PLAIN (secret)", "PASS (secret)", "USER (name)", "(unknown command)", "msg=pop3d.login ", "msg=pop3d.quit "} {
		if !strings.Contains(trace, want) {
			t.Errorf("no %q in the trace", want)
		}
	}
	for _, secret := range []string{password, "c2VjcmV0", "bXJvc2U=", "wrong", "=secret", "hunter"} {
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

// TestReplyIsOneShortLine: RFC 2449 4.
func TestReplyIsOneShortLine(t *testing.T) {
	var out strings.Builder
	s := &session{w: wire.NewWriter(4096)}
	s.w.Reset(&out, nil)
	s.err("IN-USE", strings.Repeat("é\r\n", 400))
	s.w.Flush()
	if got := out.String(); len(got) != maxReply || strings.Count(got, "\n") != 1 || strings.Contains(got, "é") {
		t.Errorf("%q", got)
	}
}
