// Package smtpd speaks SMTP and LMTP with those who bring mail: the MX port,
// submission and submissions (RFC 6409, RFC 8314), and LMTP (RFC 2033). It
// knows the protocol and nothing of what becomes of a message: a Backend does.
//
// Followed are RFC 5321, and these extensions, each announced only where it
// can be used:
//
//	PIPELINING           RFC 2920
//	SIZE                 RFC 1870
//	8BITMIME             RFC 6152
//	SMTPUTF8             RFC 6531
//	ENHANCEDSTATUSCODES  RFC 2034
//	DSN                  RFC 3461; the parameters are checked and kept
//	CHUNKING             RFC 3030, without BINARYMIME
//	STARTTLS             RFC 3207
//	AUTH PLAIN, LOGIN    RFC 4954; on submission and submissions alone
//
// What a text may be is told in package wire: CRLF ends a line and nothing
// else does; a message with a bare CR, a bare LF or a NUL is read to its real
// end and refused with 550 5.6.0. Lines over 1,000 octets (RFC 5321 4.5.3.1.6)
// are accepted up to 1 MiB, as other servers do: newsletters have them.
//
// A session is one goroutine; everything in it belongs to that goroutine but
// what session.mu guards, by which Shutdown, Recheck and Apply reach it.
// Server.mu guards the list of sessions and the counts of clients. The two are
// never held together, and neither during I/O or a call of the Backend.
//
// Options are looked up anew at each command, so Apply acts on open sessions;
// the TLS settings of a connection stay. Deadlines are the connection's, so
// time here is the system's (in tests, that of testing/synctest).
//
// Not here: what a sender or recipient may be, rates of logins and messages,
// reverse DNS, hooks, trace headers (intake), VRFY that tells (252 always),
// EXPN, ETRN, BINARYMIME, XCLIENT.
package smtpd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/envelope"
	"facteur/server/wire"
)

// Backend is what stands behind the protocol. Its methods are called by many
// sessions at once. An error that is not a fault.Fault is told as 451.
type Backend interface {
	// Login checks a name and a password.
	Login(ctx context.Context, sess envelope.Session, name, password string) (auth.Credential, error)
	// Valid tells whether an accepted login still holds. It is asked before
	// each command, so it must be quick.
	Valid(auth.Credential) bool
	// Begin starts a transaction; cred is zero without a login.
	Begin(sess envelope.Session, cred auth.Credential) Transaction
}

// Transaction is one message from MAIL to the end of DATA. It may be left at
// any point.
type Transaction interface {
	Mail(ctx context.Context, sender envelope.Sender) error
	Rcpt(ctx context.Context, rcpt envelope.Recipient) error
	// Data takes the message, for all recipients whose Rcpt returned nil. When
	// it returns without an error the message is safe. The Body is valid until
	// it returns; a *buffer.Buffer is also an io.WriterTo.
	Data(ctx context.Context, body envelope.Body) (Receipt, error)
}

// Receipt is what became of an accepted message.
type Receipt struct {
	ID string // of the message, for the reply
	// PerRecipient has an error or nil for each accepted RCPT, in their order.
	// LMTP tells them (RFC 2033 4.2); SMTP has one reply for all and ignores them.
	// Nil stands for all nil.
	PerRecipient []error
}

// Options of a Server. Zero values stand for the defaults.
type Options struct {
	Hostname    string
	MessageSize int64 // octets of a message, default 25 MB
	Recipients  int   // of a message, default 100 (RFC 5321 4.5.3.1.8)

	Connections          int // of all, default 1000
	ConnectionsPerClient int // of one IPv4 address or IPv6 /64, default 50
	// Trusted networks, loopback, Unix sockets and LMTP have no limits of
	// connections and errors, unless LimitTrusted.
	Trusted      []netip.Prefix
	LimitTrusted bool

	TLS *tls.Config // nil: no STARTTLS, and nothing at all on submissions
	// PlaintextLogin says who may log in without TLS: "never" or "loopback" (default).
	PlaintextLogin string

	Timeouts Timeouts
}

// Timeouts of a session; a client that is slower gets 421 (RFC 5321 4.5.3.2).
type Timeouts struct {
	Command    time.Duration // for the next command, and to take a reply: default 5 min
	BeforeMail time.Duration // from the greeting to the first MAIL without a login: default 5 min
	Handshake  time.Duration // for TLS, default 1 min
	Data       time.Duration // for the next part of a text: default 3 min
	DataTotal  time.Duration // for a whole text: default 1 h
}

func (o Options) withDefaults() *Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Timeouts.Command, 5*time.Minute)
	def(&o.Timeouts.BeforeMail, 5*time.Minute)
	def(&o.Timeouts.Handshake, time.Minute)
	def(&o.Timeouts.Data, 3*time.Minute)
	def(&o.Timeouts.DataTotal, time.Hour)
	count := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	count(&o.Recipients, 100)
	count(&o.Connections, 1000)
	count(&o.ConnectionsPerClient, 50)
	if o.MessageSize == 0 {
		o.MessageSize = 25_000_000
	}
	if o.PlaintextLogin == "" {
		o.PlaintextLogin = "loopback"
	}
	return &o
}

// The services.
const (
	SMTP        = "smtp"        // from other servers, port 25
	Submission  = "submission"  // from mail clients, STARTTLS, port 587
	Submissions = "submissions" // from mail clients, TLS, port 465
	LMTP        = "lmtp"        // from programs of this host
)

// Server is all the sessions of all the services.
type Server struct {
	backend Backend
	pool    *buffer.Pool
	log     *slog.Logger
	options atomic.Pointer[Options]
	ctx     context.Context // ends when Shutdown waits no longer
	cancel  context.CancelFunc
	readers sync.Pool // *wire.Reader
	writers sync.Pool // *wire.Writer

	mu       sync.Mutex
	sessions map[*session]struct{}
	clients  map[netip.Addr]int // connections, by clientKey
	closing  bool
	running  sync.WaitGroup // sessions; nobody is added once closing
}

const (
	readBuffer  = 16 << 10 // more than maxAuthLine
	writeBuffer = 4 << 10
)

// New returns a Server. pool holds the messages while they arrive.
func New(backend Backend, pool *buffer.Pool, log *slog.Logger, o Options) *Server {
	s := &Server{
		backend:  backend,
		pool:     pool,
		log:      log,
		sessions: make(map[*session]struct{}),
		clients:  make(map[netip.Addr]int),
		readers:  sync.Pool{New: func() any { return wire.NewReader(readBuffer) }},
		writers:  sync.Pool{New: func() any { return wire.NewWriter(writeBuffer) }},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.options.Store(o.withDefaults())
	return s
}

// Apply puts new options in force, and closes the sessions whose login does
// not hold any more.
func (s *Server) Apply(o Options) {
	s.options.Store(o.withDefaults())
	s.Recheck()
}

// Recheck closes the sessions whose login does not hold any more: with 421, at
// once where they wait for a command, else after it.
func (s *Server) Recheck() {
	for _, sess := range s.list() {
		if cred := sess.credential(); cred != (auth.Credential{}) && !s.backend.Valid(cred) {
			sess.end(endRevoked)
		}
	}
}

// Serve serves the connections of ln, as one of the services, until it is
// closed. Sessions go on after that.
func (s *Server) Serve(ln net.Listener, service string) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		s.start(conn, service)
	}
}

// Shutdown ends all sessions: with 421, at once where they wait for a command,
// else when the command is done; a message on its way in is still taken.
// When ctx ends first the rest is cut off, and its error is returned.
// New connections get 421.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for _, sess := range s.list() {
		sess.end(endShutdown)
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	for _, sess := range s.list() {
		sess.link.raw.Close()
	}
	<-done
	return ctx.Err()
}

func (s *Server) list() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*session, 0, len(s.sessions))
	for sess := range s.sessions {
		out = append(out, sess)
	}
	return out
}
