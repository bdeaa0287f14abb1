// Package imapd serves mailboxes over IMAP4rev2 (RFC 9051) and IMAP4rev1
// (RFC 3501), with IDLE, NAMESPACE, UIDPLUS, MOVE, ESEARCH, SEARCHRES, BINARY,
// ENABLE, UNSELECT, LITERAL-, SASL-IR, UTF8=ACCEPT, APPENDLIMIT (RFC 7889),
// LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), STATUS=SIZE (RFC 8438),
// SPECIAL-USE and CREATE-SPECIAL-USE (RFC 6154).
//
// The wire belongs to imapserver of go-imap; what is kept belongs to mailbox.
// This package has what lies between: the connections and their limits, who may
// log in, the message numbers of a session, and FETCH and SEARCH over the parts
// of a message. A session's state is guarded by its mutex, for IDLE writes from a
// goroutine of its own; the connections by that of the Server. No lock is held
// while another is taken.
//
// imapserver takes a lone LF as a line end. A refused non-synchronizing literal
// is read as commands: that many octets soon use up what a connection may send
// without a valid command, and it is closed.
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
	"facteur/server/mailbox"
)

// Authenticator says who may log in.
type Authenticator interface {
	Login(ctx context.Context, a auth.Attempt) (auth.Credential, error)
	// Valid tells whether a login would still succeed.
	Valid(auth.Credential) bool
}

// Options are the settings of a Server.
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
	// QuotaOf returns the quota of an account in octets, 0 for none. nil: none.
	QuotaOf func(address.Address) int64

	MaxConnections int           // in all; 0: 1000
	MaxPerClient   int           // of one address, or one /64 of IPv6; 0: 100
	PreAuthTimeout time.Duration // from accept to login; 0: 1 minute
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
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1000
	}
	if o.MaxPerClient <= 0 {
		o.MaxPerClient = 100
	}
	if o.PreAuthTimeout <= 0 {
		o.PreAuthTimeout = time.Minute
	}
	return &o
}

// Server is an IMAP server.
type Server struct {
	opt    atomic.Pointer[Options]
	ctx    context.Context // ends with Shutdown
	cancel context.CancelFunc

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

// admit starts a session for a connection, or refuses it.
func (s *Server) admit(c net.Conn, service string) {
	opt := s.opt.Load()
	sess := newSession(s, opt, c)
	s.mu.Lock()
	limit := s.clients[sess.client] >= opt.MaxPerClient || len(s.sessions) >= opt.MaxConnections
	refused := s.closed || limit
	if !refused {
		s.sessions[sess] = struct{}{}
		s.clients[sess.client]++
		s.running.Add(1)
	}
	s.mu.Unlock()
	if refused {
		opt.Log.Info("imapd.refused", "remote", sess.remote.String(), "text", "too many connections")
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
		if cred := sess.cred.Load(); cred != nil && !sess.opt.Auth.Valid(*cred) {
			go sess.bye("This login is not valid any more")
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
	s.cancel()
	for _, sess := range s.open() {
		go sess.bye("The server is going down")
	}
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
