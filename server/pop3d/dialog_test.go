package pop3d

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/connection"
	"facteur/server/testkit"
)

// TestDialogs plays testdata/dialogs, see testkit.Dialogs. Besides those there,
// a line may be
//
//	options: WORDS    "no-tls", "plaintext=never"
//	X: ACCOUNT UID    somebody removes the message from the backend
//	U: ACCOUNT [UIDS] the backend has these messages
//
// The service is pop3 (default) or pop3s.
func TestDialogs(t *testing.T) {
	serverTLS, clientTLS := testkit.TLS(t, "mx.example")
	testkit.Dialogs(t, 10, func(t *testing.T) *testkit.Dialog {
		p := &player{connection.Settings{TLS: serverTLS}, newBackend()}
		return &testkit.Dialog{
			Service: POP3, Remote: "127.0.0.1", TLSFirst: POP3S, Client: clientTLS, Goodbye: "+OK Goodbye*",
			Start: func(d *testkit.Dialog) testkit.Start {
				return newServer(t, p.backend, Options{Settings: p.settings}).starts(d.Service)
			},
			Line: p.line,
		}
	})
}

// player is what a dialog needs besides a testkit.Dialog.
type player struct {
	settings connection.Settings
	backend  *fakeBackend
}

func (p *player) line(d *testkit.Dialog, key, arg string) bool {
	switch account, rest, _ := strings.Cut(arg, " "); key {
	case "options":
		for word := range strings.FieldsSeq(arg) {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "plaintext":
				p.settings.PlaintextLogin = value
			case "no-tls":
				p.settings.TLS = nil
			default:
				d.Failf("unknown option %q", word)
			}
		}
	case "X":
		n, err := strconv.Atoi(rest)
		if err != nil {
			d.Failf("%v", err)
		}
		p.backend.expunge(account, uint32(n))
	case "U":
		if got := p.backend.uids(account); got != rest {
			d.Failf("the messages are %s, want %s", got, rest)
		}
	default:
		return false
	}
	return true
}

// testServer is a Server that must be at rest when the test ends.
type testServer struct{ *Server }

func newServer(t testing.TB, backend *fakeBackend, o Options) *testServer {
	t.Helper()
	return newServerLog(t, backend, o, slog.New(slog.DiscardHandler))
}

func newServerLog(t testing.TB, backend *fakeBackend, o Options, log *slog.Logger) *testServer {
	t.Helper()
	if o.Hostname == "" {
		o.Hostname = "mx.example"
	}
	s := &testServer{New(backend, log, o)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		backend.atRest(t)
		if n := s.conns.Open(); n != 0 || len(s.locked) != 0 {
			t.Errorf("left over: %d sessions, %d locks", n, len(s.locked))
		}
	})
	return s
}
