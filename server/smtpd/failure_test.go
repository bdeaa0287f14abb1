package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/testkit"
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
	c := s.client(t, SMTP, outside)
	c.Expect("220")
	c.begin()
	c.Send(strings.Repeat("0123456789abcd\r\n", 2000) + ".\r\n")
	c.Expect("452 4.3.1 Insufficient system resources")
	c.begin()
	c.Send("small\r\n.\r\n")
	c.Expect("250")
	c.Do("QUIT", "221")
	if err := s.Shutdown(context.Background()); err != nil || pool.InUse() != 0 {
		t.Errorf("%v, %d octets in use", err, pool.InUse())
	}
}

func TestBackendIsToldOfTheSession(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	sessions := make(chan envelope.Session, 1)
	s := newServer(t, sessionBackend{sessions}, withTLS(serverTLS))
	c := newClient(t, tls.Client(testkit.Dial(t, outside, s.starts(Submissions)), clientTLS))
	c.login()
	c.Do("MAIL FROM:<a@example.org>", "250")
	sess := <-sessions
	if sess.TLSVersion != "TLS1.3" || !strings.HasPrefix(sess.TLSCipher, "TLS_") {
		t.Errorf("%q with %q", sess.TLSVersion, sess.TLSCipher)
	}
	if sess.Remote.String() != "192.0.2.1:4000" || !sess.Local.IsValid() || sess.AuthcID != "alice" || len(sess.ID) != 16 {
		t.Errorf("%+v", sess)
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
	conn := &testkit.Canned{Remote: outside}
	sess := s.session(conn, SMTP)
	sess.W = wire.NewWriter(4096)
	sess.W.Reset(conn, nil)
	sess.reply(550, "5.7.1", "one\r\n250 two"+strings.Repeat("x", 600))
	sess.Flush()
	if out := conn.Out.String(); len(out) != maxReply || strings.Count(out, "\r\n") != 1 || !strings.HasPrefix(out, "550 5.7.1 one  250 two") {
		t.Errorf("%d octets: %q", len(out), out)
	}
}
