// Package imapd serves mailboxes over IMAP4rev2 (RFC 9051) and IMAP4rev1
// (RFC 3501). The extensions are those of the tables of capabilities in
// capability.go and selection.go.
//
// The tokens of the wire belong to imapwire, what is kept to mailbox, what a
// search means to imapsearch. This package has the connections and their limits,
// who may log in, what a session knows of its mailbox, and the commands.
//
// A session is one goroutine, also in IDLE; it owns all of its state. Other
// goroutines only wake it, through its link and with end. While it waits for a
// command it holds no buffers. The table of sessions is guarded by the mutex of
// the Server; no lock is held while another is taken.
package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/feed"
	"facteur/server/imapwire"
	"facteur/server/listen"
	"facteur/server/mailbox"
)

// Authenticator says who may log in.
type Authenticator interface {
	Login(ctx context.Context, a auth.Attempt) (auth.Credential, error)
	// Valid tells whether a login would still succeed.
	Valid(auth.Credential) bool
}

// Shared is a shared mailbox that an account may see.
type Shared struct {
	Address address.Address
	Rights  string // RFC 4314 2.1, as "lrs"
}

// Grant is what an account may do with a mailbox.
type Grant struct {
	Account address.Address
	Rights  string // RFC 4314 2.1
}

// Options are the settings of a Server. The functions are asked at each command,
// from many goroutines.
type Options struct {
	Store *mailbox.Store
	Auth  Authenticator
	Log   *slog.Logger // nil: none

	TLS *tls.Config // nil: no STARTTLS, and no service "imaps"
	// PlaintextLogin allows logins without TLS from loopback.
	PlaintextLogin bool
	// AppendLimit is the size of the largest message that APPEND takes, in
	// octets. 0: 25 MiB.
	AppendLimit int64
	// MessageLimit is how many messages one command works on (RFC 9738), at least
	// 1000 but in tests. 0: 1,000,000.
	MessageLimit int
	// QuotaOf returns the quota of an account or shared mailbox in octets, 0 for
	// none. nil: none.
	QuotaOf func(address.Address) int64
	// Roles returns the shared mailboxes that an account may see. nil: none.
	Roles func(account address.Address) []Shared
	// Members returns who may see a shared mailbox. nil: nobody.
	Members func(shared address.Address) []Grant

	// Trusted networks, loopback and Unix sockets have no MaxPerClient, unless
	// LimitTrusted.
	Trusted      []netip.Prefix
	LimitTrusted bool

	MaxConnections int // in all; 0: 10,000
	// ReservedLocal of MaxConnections are for clients on loopback: web mail and
	// monitoring get in when all others are taken. 0: one in twenty.
	ReservedLocal  int
	MaxPerClient   int           // of one address, or one /64 of IPv6; 0: 100
	PreAuthTimeout time.Duration // from accept to login; 0: 1 minute
	// IdleTimeout is how long a client may be silent after its login
	// (RFC 9051 5.4). 0: 30 minutes, the least that is allowed.
	IdleTimeout time.Duration
	// KeepAlive is the time between two signs of life in IDLE, for the NATs on
	// the way. 0: 2 minutes.
	KeepAlive time.Duration
}

func (o Options) withDefaults() *Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.AppendLimit <= 0 || o.AppendLimit > math.MaxUint32 {
		o.AppendLimit = 25 << 20
	}
	if o.QuotaOf == nil {
		o.QuotaOf = func(address.Address) int64 { return 0 }
	}
	if o.Roles == nil {
		o.Roles = func(address.Address) []Shared { return nil }
	}
	if o.Members == nil {
		o.Members = func(address.Address) []Grant { return nil }
	}
	if o.MessageLimit <= 0 {
		o.MessageLimit = 1_000_000
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 10_000
	}
	if o.ReservedLocal <= 0 {
		o.ReservedLocal = o.MaxConnections / 20
	}
	if o.MaxPerClient <= 0 {
		o.MaxPerClient = 100
	}
	o.PreAuthTimeout = orElse(o.PreAuthTimeout, time.Minute)
	o.IdleTimeout = orElse(o.IdleTimeout, 30*time.Minute)
	o.KeepAlive = orElse(o.KeepAlive, 2*time.Minute)
	return &o
}

func orElse(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}

// Server is an IMAP server.
type Server struct {
	opt      atomic.Pointer[Options]
	applied  feed.Feed       // of Apply
	ctx      context.Context // ends with Shutdown
	cancel   context.CancelFunc
	buffers  *imapwire.Buffers
	deflate  deflaters
	commands map[string]command
	// progressEvery is the time between two INPROGRESS, 0: that of imapsearch.
	progressEvery time.Duration

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	clients   map[netip.Prefix]int
	running   sync.WaitGroup // one for each connection
}

// New returns a server; Serve starts it.
func New(opt Options) *Server {
	s := &Server{
		buffers:   imapwire.NewBuffers(),
		commands:  commands(),
		listeners: make(map[net.Listener]struct{}),
		sessions:  make(map[*session]struct{}),
		clients:   make(map[netip.Prefix]int),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.opt.Store(opt.withDefaults())
	return s
}

// Apply changes the settings, except Store, Auth and Log. Open connections keep
// their TLS settings and whether they may log in without TLS.
func (s *Server) Apply(opt Options) {
	old := s.opt.Load()
	opt.Store, opt.Auth, opt.Log = old.Store, old.Auth, old.Log
	s.opt.Store(opt.withDefaults())
	s.applied.Publish()
}

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("imapd: the server is shut down")

// Serve accepts connections until the listener is closed. The service is "imap"
// or "imaps" (TLS from the first octet).
func (s *Server) Serve(ln net.Listener, service string) error {
	if service != "imap" && service != "imaps" {
		return fault.Newf(fault.NotPossible, "imapd has no service %q", service)
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.listeners[ln] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	defer s.forgetListener(ln)
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(c, service)
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opt.Load().Log.Warn("imapd.accept", "service", service, "error", err)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return nil
			}
		}
	}
}

func (s *Server) forgetListener(ln net.Listener) {
	s.mu.Lock()
	delete(s.listeners, ln)
	s.mu.Unlock()
}

// limits tells whether MaxPerClient holds for a client.
func (o *Options) limits(remote netip.Addr) bool {
	return o.LimitTrusted || !listen.Trusted(o.Trusted, remote)
}

// admit starts a session for a connection, or refuses it.
func (s *Server) admit(c net.Conn, service string) {
	opt := s.opt.Load()
	sess := newSession(s, opt, c)
	most := opt.MaxConnections
	if !sess.remote.IsLoopback() {
		most -= opt.ReservedLocal
	}
	s.mu.Lock()
	limit := opt.limits(sess.remote) && s.clients[sess.client] >= opt.MaxPerClient || len(s.sessions) >= most
	refused := s.closed || limit
	if !refused {
		s.sessions[sess] = struct{}{}
		s.clients[sess.client]++
		s.running.Add(1)
	}
	s.mu.Unlock()
	if refused {
		opt.Log.Info("imapd.refused", "remote", sess.remote.String(), "text", "too many connections")
		sess.cancel()
		sess.link.refuse(service == "imap")
		return
	}
	go func() {
		defer s.running.Done()
		defer s.release(sess)
		sess.run(service)
	}()
}

func (s *Server) release(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess)
	if s.clients[sess.client]--; s.clients[sess.client] == 0 {
		delete(s.clients, sess.client)
	}
}

func (s *Server) open() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for sess := range s.sessions {
		list = append(list, sess)
	}
	return list
}

// Recheck says BYE to the sessions whose login is not valid any more. It does
// not wait for them.
func (s *Server) Recheck() {
	for _, sess := range s.open() {
		if cred := sess.cred.Load(); cred != nil && !s.opt.Load().Auth.Valid(*cred) {
			sess.end("This login is not valid any more")
		}
	}
}

// Shutdown closes the listeners, says BYE to all and waits until the sessions
// have ended, or ctx has.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for ln := range s.listeners {
		ln.Close()
	}
	s.mu.Unlock()
	for _, sess := range s.open() {
		sess.end("The server is going down")
	}
	s.cancel()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
