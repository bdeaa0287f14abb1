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
//	REQUIRETLS           RFC 8689; under TLS alone
//	FUTURERELEASE        RFC 4865; to those who have logged in
//	AUTH PLAIN, LOGIN    RFC 4954; on submission and submissions alone
//
// What a text may be is told in package wire: CRLF ends a line and nothing
// else does; a message with a bare CR, a bare LF or a NUL is read to its real
// end and refused with 550 5.6.0. Lines over 1,000 octets (RFC 5321 4.5.3.1.6)
// are accepted up to 1 MiB, as other servers do: newsletters have them.
//
// A session is one goroutine, to which everything in it belongs; package
// connection has what Shutdown, Recheck and Apply reach it by, and its locks.
// Options are looked up anew at each command, so Apply acts on open sessions;
// the TLS settings of a connection stay.
//
// Not here: what a sender or recipient may be, rates of logins and messages,
// reverse DNS, hooks, trace headers (intake), VRFY that tells (252 always),
// EXPN, ETRN, BINARYMIME, XCLIENT.
package smtpd

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/connection"
	"facteur/server/envelope"
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

	// Of the connections; by default a client has Timeouts.Command to take a
	// reply. LMTP has no limits of connections and errors, unless LimitTrusted.
	connection.Settings

	Timeouts Timeouts

	// Connect says how clients of the service smtp are greeted; nil: all at once.
	Connect Connect
}

// Timeouts of a session; a client that is slower gets 421 (RFC 5321 4.5.3.2).
type Timeouts struct {
	Command    time.Duration // for the next command, and to take a reply: default 5 min
	BeforeMail time.Duration // from the greeting to the first MAIL without a login: default 5 min
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
	def(&o.Timeouts.Data, 3*time.Minute)
	def(&o.Timeouts.DataTotal, time.Hour)
	if o.Recipients == 0 {
		o.Recipients = 100
	}
	if o.MessageSize == 0 {
		o.MessageSize = 25_000_000
	}
	def(&o.Write, o.Timeouts.Command)
	o.Settings = o.Settings.WithDefaults()
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
	options atomic.Pointer[Options]
	conns   *connection.Server
	waiting atomic.Int64 // clients whose greeting is delayed
}

// New returns a Server. pool holds the messages while they arrive.
func New(backend Backend, pool *buffer.Pool, log *slog.Logger, o Options) *Server {
	s := &Server{backend: backend, pool: pool}
	s.options.Store(o.withDefaults())
	s.conns = connection.New(connection.Config{
		Name: "smtpd", Log: log, StartTLS: "STARTTLS", Redact: redact, WriteBuffer: 4 << 10,
		Valid: func(c auth.Credential) bool { return s.backend.Valid(c) },
	})
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
func (s *Server) Recheck() { s.conns.Recheck() }

// Serve serves the connections of ln, as one of the services, until it is
// closed. Sessions go on after that.
func (s *Server) Serve(ln net.Listener, service string) error {
	return connection.Accept(ln, func(conn net.Conn) { s.start(conn, service) })
}

// Shutdown ends all sessions: with 421, at once where they wait for a command,
// else when the command is done; a message on its way in is still taken.
// When ctx ends first the rest is cut off, and its error is returned.
// New connections get 421.
func (s *Server) Shutdown(ctx context.Context) error { return s.conns.Shutdown(ctx) }
