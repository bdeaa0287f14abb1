// Package imapd serves mailboxes over IMAP4rev2 (RFC 9051) and IMAP4rev1
// (RFC 3501). The extensions are those of the tables of capabilities in
// capability.go and selection.go.
//
// The tokens of the wire belong to imapwire, who may connect to
// connection, what is kept to mailbox, what a search means to imapsearch. This
// package has what a session knows of its mailbox, and the commands.
//
// A session is one goroutine, also in IDLE; it owns all of its state. Other
// goroutines only wake it, through its link and with end. While it waits for a
// command it holds no buffers. No lock is held while another is taken.
package imapd

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/fault"
	"facteur/server/feed"
	"facteur/server/imapwire"
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
	// Follows tells whether Stored is to be told of a mailbox, an account's or a shared one.
	// nil: of none.
	Follows func(box address.Address) bool
	// Stored is told what APPEND, REPLACE, COPY, MOVE, STORE and FETCH did to messages of a
	// mailbox that is followed, once it is durable. It must not block.
	Stored func(Stored)

	connection.Limits // of clients; 0: 10,000 connections, 100 of one client

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
	o.Connections = cmp.Or(o.Connections, 10_000)
	o.PerClient = cmp.Or(o.PerClient, 100)
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
	applied  feed.Feed // of Apply
	sessions *connection.Table
	buffers  *imapwire.Buffers
	deflate  deflaters
	commands map[string]command
	// progressEvery is the time between two INPROGRESS, 0: that of imapsearch.
	progressEvery time.Duration
}

// New returns a server; Serve starts it.
func New(opt Options) *Server {
	s := &Server{
		buffers:  imapwire.NewBuffers(),
		commands: commands(),
		sessions: connection.NewTable(),
	}
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

// Serve serves the connections of a listener until it is closed; sessions go on
// after that. The service is "imap" or "imaps" (TLS from the first octet).
func (s *Server) Serve(ln net.Listener, service string) error {
	if service != "imap" && service != "imaps" {
		return fault.Newf(fault.NotPossible, "imapd has no service %q", service)
	}
	return connection.Accept(ln, func(c net.Conn) { s.start(c, service == "imaps") })
}

// start starts a session for a connection, or refuses it.
func (s *Server) start(c net.Conn, tlsFirst bool) {
	opt := s.opt.Load()
	sess := newSession(s, opt, c, tlsFirst)
	limits := &opt.Limits
	if !limits.HoldFor(sess.remote) {
		limits = nil
	}
	if refusal := s.sessions.Start(sess, sess.remote, limits); refusal != nil {
		opt.Log.Info("imapd.refused", "remote", sess.remote.String(), "text", refusal.Text)
		sess.cancel()
		sess.link.refuse(refusal, tlsFirst)
	}
}

// Recheck says BYE to the sessions whose login is not valid any more. It does
// not wait for them.
func (s *Server) Recheck() { s.sessions.Recheck(s.opt.Load().Auth.Valid) }

// Shutdown says BYE to all and waits until the sessions have ended. When ctx ends
// first the rest is cut off, and its error is returned. New connections are
// refused.
func (s *Server) Shutdown(ctx context.Context) error { return s.sessions.Shutdown(ctx) }
