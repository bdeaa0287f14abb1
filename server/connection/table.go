package connection

import (
	"context"
	"net/netip"
	"sync"

	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/listen"
)

// Session is what a Table knows of a session. All but Serve may be called by
// any goroutine.
type Session interface {
	// Serve is the whole session.
	Serve()
	// End asks the session to end, and to tell the client why: at once where it
	// waits for a command, else when the command is done. It does not wait.
	End(why *fault.Fault)
	// Cut closes the connection below the session.
	Cut()
	// Credential is the login, zero without one.
	Credential() auth.Credential
}

// Why the server ends a session.
var (
	ErrClosing = fault.Reply(fault.Unavailable, 421, "4.3.2", "The server is shutting down, closing connection")
	ErrRevoked = fault.Reply(fault.AuthFailed, 421, "4.7.0", "The login is not valid any more, closing connection")
)

// Why a client is not admitted.
var (
	errBusy    = fault.Reply(fault.TooMany, 421, "4.3.2", "Too busy, try again later")
	errTooMany = fault.Reply(fault.TooMany, 421, "4.7.0", "Too many connections from your address")
)

// Table is the sessions that are open.
type Table struct {
	ctx    context.Context // ends when Shutdown waits no longer
	cancel context.CancelFunc

	mu       sync.Mutex
	sessions map[Session]netip.Addr // with the client's listen.ClientKey
	clients  map[netip.Addr]int     // sessions
	closing  bool
	running  sync.WaitGroup // sessions; nobody is added once closing
}

// NewTable returns a Table without sessions.
func NewTable() *Table {
	t := &Table{sessions: make(map[Session]netip.Addr), clients: make(map[netip.Addr]int)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Context ends when Shutdown waits no longer.
func (t *Table) Context() context.Context { return t.ctx }

// Open returns how many sessions there are.
func (t *Table) Open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

// Wait returns when there are no sessions.
func (t *Table) Wait() { t.running.Wait() }

// Start serves a session in a goroutine of its own, or tells why there may not
// be one more. limits is nil where none hold for the client.
func (t *Table) Start(s Session, remote netip.Addr, limits *Limits) *fault.Fault {
	if limits != nil && limits.Rate != nil {
		if f := limits.Rate(remote); f != nil {
			return f
		}
	}
	if f := t.admit(s, listen.ClientKey(remote), limits); f != nil {
		return f
	}
	go func() {
		defer t.running.Done()
		defer t.forget(s)
		s.Serve()
	}()
	return nil
}

func (t *Table) admit(s Session, client netip.Addr, limits *Limits) *fault.Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closing:
		return ErrClosing
	case limits == nil:
	case len(t.sessions) >= limits.Connections:
		return errBusy
	case t.clients[client] >= limits.PerClient:
		return errTooMany
	}
	t.sessions[s] = client
	t.clients[client]++
	t.running.Add(1)
	return nil
}

func (t *Table) forget(s Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	client := t.sessions[s]
	delete(t.sessions, s)
	if t.clients[client]--; t.clients[client] == 0 {
		delete(t.clients, client)
	}
}

// Recheck ends the sessions whose login is not valid any more.
func (t *Table) Recheck(valid func(auth.Credential) bool) {
	for _, s := range t.list() {
		if cred := s.Credential(); cred != (auth.Credential{}) && !valid(cred) {
			s.End(ErrRevoked)
		}
	}
}

// Shutdown ends all sessions, and waits for them. When ctx ends first the rest
// is cut off, and its error is returned. Who connects from here on is refused.
func (t *Table) Shutdown(ctx context.Context) error {
	defer t.cancel()
	t.mu.Lock()
	t.closing = true
	t.mu.Unlock()
	for _, s := range t.list() {
		s.End(ErrClosing)
	}
	done := make(chan struct{})
	go func() {
		t.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	t.cancel()
	for _, s := range t.list() {
		s.Cut()
	}
	<-done
	return ctx.Err()
}

func (t *Table) list() []Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Session, 0, len(t.sessions))
	for s := range t.sessions {
		out = append(out, s)
	}
	return out
}
