package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/wire"
)

// TestNoRoom has a message that fits neither into memory nor on the disk.
func TestNoRoom(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tmp")
	pool, err := buffer.NewPool(buffer.Options{PerMessage: 16 << 10, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	b := &fakeBackend{}
	s := &testServer{Server: New(b, pool, slog.New(slog.DiscardHandler), Options{Hostname: "mx.example"})}
	c := newClient(t, s.dial(t, SMTP, outside))
	c.expect("220")
	c.begin()
	c.send(strings.Repeat("0123456789abcd\r\n", 2000) + ".\r\n")
	c.expect("452 4.3.1 Insufficient system resources")
	c.begin()
	c.send("small\r\n.\r\n")
	c.expect("250")
	c.do("QUIT", "221")
	if err := s.Shutdown(context.Background()); err != nil || pool.InUse() != 0 {
		t.Errorf("%v, %d octets in use", err, pool.InUse())
	}
}

func TestHandshakeTimeout(t *testing.T) {
	certs := testCertificate(t)
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &fakeBackend{}, Options{TLS: certs.server})
		start := time.Now()
		s.pipe(t, Submissions, outside).expectEOF()
		if d := time.Since(start); d != time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

func TestTLSVersions(t *testing.T) {
	certs := testCertificate(t)
	s := newServer(t, &fakeBackend{}, Options{TLS: certs.server})
	for version, want := range map[uint16]string{tls.VersionTLS12: "TLS1.2", tls.VersionTLS13: "TLS1.3"} {
		cfg := certs.client.Clone()
		cfg.MinVersion, cfg.MaxVersion = version, version
		sessions := make(chan envelope.Session, 1)
		s.backend = sessionBackend{sessions}
		c := newClient(t, tls.Client(s.dial(t, Submissions, outside), cfg))
		c.login()
		c.do("MAIL FROM:<a@example.org>", "250")
		sess := <-sessions
		if sess.TLSVersion != want || !strings.HasPrefix(sess.TLSCipher, "TLS_") {
			t.Errorf("%q with %q, want %q", sess.TLSVersion, sess.TLSCipher, want)
		}
		if sess.Remote.String() != "192.0.2.1:4000" || !sess.Local.IsValid() || sess.AuthcID != "alice" || len(sess.ID) != 16 {
			t.Errorf("%+v", sess)
		}
		c.do("QUIT", "221")
		c.expectEOF()
		s.running.Wait()
	}
}

// sessionBackend tells what it was told of the session.
type sessionBackend struct{ sessions chan envelope.Session }

func (b sessionBackend) Login(ctx context.Context, sess envelope.Session, name, password string) (auth.Credential, error) {
	return (&fakeBackend{}).Login(ctx, sess, name, password)
}

func (b sessionBackend) Valid(auth.Credential) bool { return true }

func (b sessionBackend) Begin(sess envelope.Session, _ auth.Credential) Transaction {
	b.sessions <- sess
	return &fakeTransaction{b: &fakeBackend{}}
}

func TestLMTPReceipts(t *testing.T) {
	full := fault.New(fault.OverQuota, "")
	for _, c := range []struct {
		name    string
		receipt Receipt
		all     *fault.Fault
		want    [2]int
	}{
		{"all taken", Receipt{}, nil, [2]int{0, 0}},
		{"one refused", Receipt{PerRecipient: []error{full, nil}}, nil, [2]int{452, 0}},
		{"wrapped", Receipt{PerRecipient: []error{nil, errors.New("detail")}}, nil, [2]int{0, 451}},
		{"too few", Receipt{PerRecipient: []error{nil}}, nil, [2]int{0, 451}},
		{"all refused", Receipt{PerRecipient: []error{nil, nil}}, full, [2]int{452, 452}},
	} {
		for i, want := range c.want {
			code := 0
			if f := lmtpFault(c.receipt, c.all, i); f != nil {
				code = f.Code
			}
			if code != want {
				t.Errorf("%s: recipient %d: %d, want %d", c.name, i, code, want)
			}
		}
	}
}

func TestReplyIsOneShortLine(t *testing.T) {
	s := newServer(t, &fakeBackend{}, Options{})
	conn := &canned{in: strings.NewReader("")}
	sess := newSession(s.Server, conn, SMTP, s.options.Load())
	sess.w = s.writers.Get().(*wire.Writer)
	sess.w.Reset(conn, nil)
	sess.reply(550, "5.7.1", "one\r\n250 two"+strings.Repeat("x", 600))
	sess.flush()
	if out := conn.out.String(); len(out) != maxReply || strings.Count(out, "\r\n") != 1 || !strings.HasPrefix(out, "550 5.7.1 one  250 two") {
		t.Errorf("%d octets: %q", len(out), out)
	}
}

func TestServeReturns(t *testing.T) {
	s := newServer(t, &fakeBackend{}, Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln, SMTP) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.expect("220")
	ln.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	c.do("NOOP", "250") // the session goes on
	c.do("QUIT", "221")
}
