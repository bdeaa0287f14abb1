package smtpd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/buffer"
	"facteur/server/connection"
	"facteur/server/testkit"
)

// TestDialogs plays testdata/dialogs, see testkit.Dialogs. Besides those there,
// a line may be
//
//	options: WORDS    see player.set
//	B: call           the backend got this call, see backend_test.go
//
// The service is smtp (default), submission, submissions or lmtp. Calls of the
// backend that no B: names are not looked at, unless there is one.
func TestDialogs(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	testkit.Dialogs(t, 10, func(t *testing.T) *testkit.Dialog {
		p := &player{options: withTLS(serverTLS), backend: &fakeBackend{}}
		t.Cleanup(func() {
			if p.calls = append(p.calls, p.backend.take()...); p.named && len(p.calls) > 0 && !t.Failed() {
				t.Errorf("more calls of the backend: %q", p.calls)
			}
		})
		return &testkit.Dialog{
			Service: SMTP, Remote: "192.0.2.1", TLSFirst: Submissions, Client: clientTLS, Goodbye: "221 2.0.0 mx.example Closing connection",
			Start: func(d *testkit.Dialog) testkit.Start { return newServer(t, p.backend, p.options).starts(d.Service) },
			Line:  p.line,
		}
	})
}

// player is what a dialog needs besides a testkit.Dialog.
type player struct {
	options Options
	backend *fakeBackend
	calls   []string // of the backend, not named yet
	named   bool
}

func (p *player) line(d *testkit.Dialog, key, arg string) bool {
	switch key {
	case "options":
		p.set(d, arg)
	case "B":
		p.calls = append(p.calls, p.backend.take()...)
		p.named = true
		if len(p.calls) == 0 || p.calls[0] != arg {
			d.Failf("\ncalls of the backend %q\nwant first %q", p.calls, arg)
		}
		p.calls = p.calls[1:]
	default:
		return false
	}
	return true
}

// set reads words such as "recipients=3" into the options.
func (p *player) set(d *testkit.Dialog, words string) {
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "recipients":
			p.options.Recipients = n
		case "size":
			p.options.MessageSize = int64(n)
		case "plaintext":
			p.options.PlaintextLogin = value
		case "trusted":
			p.options.Trusted = append(p.options.Trusted, netip.MustParsePrefix(value))
		case "limit-trusted":
			p.options.LimitTrusted = true
		case "no-tls":
			p.options.TLS = nil
		default:
			d.Failf("unknown option %q", word)
		}
	}
}

func withTLS(c *tls.Config) Options { return Options{Settings: connection.Settings{TLS: c}} }

// testServer is a Server with a buffer pool of its own.
type testServer struct {
	*Server
	pool *buffer.Pool
}

// newServer returns a server that must have given all its memory back when the
// test ends.
func newServer(t testing.TB, backend Backend, o Options) *testServer {
	t.Helper()
	return newServerLog(t, backend, o, slog.New(slog.DiscardHandler))
}

func newServerLog(t testing.TB, backend Backend, o Options, log *slog.Logger) *testServer {
	t.Helper()
	pool, err := buffer.NewPool(buffer.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if o.Hostname == "" {
		o.Hostname = "mx.example"
	}
	s := &testServer{New(backend, pool, log, o), pool}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := pool.InUse(); n != 0 {
			t.Errorf("%d octets of buffers are still in use", n)
		}
		if n := s.conns.Open(); n != 0 {
			t.Errorf("left over: %d sessions", n)
		}
	})
	return s
}

// serve listens on loopback until the test ends.
func (s *testServer) serve(t testing.TB, service string) net.Addr {
	t.Helper()
	return testkit.Listen(t, func(ln net.Listener) error { return s.Serve(ln, service) })
}
