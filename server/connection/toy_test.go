package connection

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/testkit"
)

var (
	outside  = testkit.Addr("192.0.2.1:4000")
	loopback = testkit.Addr("127.0.0.1:4000")
)

// toy is a server of a protocol made for tests. Its services are "toy" and
// "toys" (TLS first); a command is one of
//
//	ECHO text         answered with + text
//	AUTH mechanism    [initial] the password is secret
//	TLS               begins TLS
//	WAIT              until Shutdown waits no longer
//	PANIC, QUIT
type toy struct {
	*Server
	settings atomic.Pointer[Settings]
	waiting  chan struct{} // one for each WAIT
	released atomic.Int64

	mu      sync.Mutex
	revoked bool
}

func newToy(t testing.TB, s Settings, change func(*Config)) *toy {
	t.Helper()
	y := &toy{waiting: make(chan struct{}, 1)}
	y.apply(s)
	config := Config{
		Name: "toy", Log: slog.New(slog.DiscardHandler), StartTLS: "TLS", Valid: y.valid, WriteBuffer: 4096,
		Redact: func(line string) string { return line },
	}
	if change != nil {
		change(&config)
	}
	y.Server = New(config)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := y.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if len(y.sessions) != 0 || len(y.clients) != 0 {
			t.Errorf("left over: %d sessions, %d clients", len(y.sessions), len(y.clients))
		}
	})
	return y
}

func (y *toy) apply(s Settings) {
	s = s.WithDefaults()
	y.settings.Store(&s)
}

func (y *toy) valid(auth.Credential) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return !y.revoked
}

func (y *toy) revoke() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.revoked = true
}

func (y *toy) starts(service string) testkit.Start {
	return func(conn net.Conn) {
		p := &toySession{toy: y}
		p.Conn = y.New(conn, service, p)
		p.TLSFirst = service == "toys"
		y.Start(p.Conn)
	}
}

// client connects over loopback.
func (y *toy) client(t testing.TB, service string, remote net.Addr) *testkit.Client {
	t.Helper()
	return testkit.NewClient(t, testkit.Dial(t, remote, y.starts(service)))
}

// pipe connects without a network.
func (y *toy) pipe(t testing.TB, service string, remote net.Addr) *testkit.Client {
	t.Helper()
	return testkit.NewClient(t, testkit.Pipe(t, remote, y.starts(service)))
}

type toySession struct {
	*Conn
	toy *toy
}

func (s *toySession) Renew() *Settings      { return s.toy.settings.Load() }
func (s *toySession) Greet()                { s.W.Line([]byte("+ hello")) }
func (s *toySession) Deadline() time.Time   { return time.Now().Add(5 * time.Minute) }
func (s *toySession) Challenge(text string) { s.W.Line([]byte("? " + text)) }
func (s *toySession) Release()              { s.toy.released.Add(1) }

func (s *toySession) Reply(f *fault.Fault) {
	s.W.Line([]byte("- " + f.Enhanced() + " " + f.Text))
}

func (s *toySession) Command(line []byte) {
	var room [8]byte
	word, args := Cut(room[:0], line)
	switch verb := string(word); verb {
	case "ECHO":
		s.W.Line([]byte("+ " + args))
	case "AUTH":
		if name, password, ok := s.Exchange(args); !ok {
			return
		} else if password != "secret" {
			s.Mistake(fault.New(fault.AuthFailed, ""))
		} else {
			s.LogIn(name, auth.Credential{Account: address.Address{Local: name, Domain: "example.org"}})
			s.W.Line([]byte("+ logged in"))
		}
	case "TLS":
		if s.StartTLS(func() { s.W.Line([]byte("+ begin")) }) {
			s.LogOut()
		}
	case "WAIT":
		s.toy.waiting <- struct{}{}
		<-s.toy.Context().Done()
	case "PANIC":
		panic("as the client asks for")
	case "QUIT":
		s.Done = true
	default:
		s.Unknown(verb)
	}
}
