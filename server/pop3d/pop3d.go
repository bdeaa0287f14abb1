// Package pop3d speaks POP3 (RFC 1939) with those who fetch their mail. It
// knows the protocol and nothing of where messages are kept: a Backend does.
//
// Followed are RFC 1939 without APOP, which needs passwords that are kept in
// the clear, and these extensions, each announced only where it can be used:
//
//	CAPA                 RFC 2449, with the extended limits of lines (4)
//	RESP-CODES           RFC 2449 8: [IN-USE], [SYS/TEMP]
//	AUTH-RESP-CODE       RFC 3206: [AUTH]
//	PIPELINING           RFC 2449 6.8
//	EXPIRE NEVER         RFC 2449 6.7: nothing is removed but what a client deletes
//	STLS                 RFC 2595 4
//	SASL PLAIN, LOGIN    RFC 5034
//	TOP, UIDL, USER      RFC 1939 7
//
// A maildrop is the INBOX of an account as it is at the login. One session has
// it at a time (RFC 1939 4, the exclusive-access lock); that keeps other POP3
// sessions out, and nobody else: IMAP, deliveries and other programs go on. What
// they remove can't be retrieved any more, and is no error at QUIT. Flags are
// neither told nor changed. A message's unique-id (UIDL) is the UIDVALIDITY and
// UID that IMAP has for it, so it stays the same for as long as the message is
// there.
//
// A session is one goroutine, to which everything in it belongs; package
// connection has what Shutdown, Recheck and Apply reach it by, and its locks.
// Server.mu guards the locks of maildrops; nothing is called while it is held.
// Options are looked up anew at each command, so Apply acts on open sessions;
// the TLS settings of a connection stay.
//
// Not here: APOP, UTF8 and LANG (RFC 6856; messages are sent as they are, and
// names in USER and AUTH may be UTF-8 anyway), LOGIN-DELAY, XTND, LAST, shared
// mailboxes and folders other than INBOX.
package pop3d

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/envelope"
)

// Backend is what stands behind the protocol. Its methods are called by many
// sessions at once. An error that is not a fault.Fault is told as [SYS/TEMP].
type Backend interface {
	// Login checks a name and a password.
	Login(ctx context.Context, sess envelope.Session, name, password string) (auth.Credential, error)
	// Valid tells whether an accepted login still holds. It is asked before
	// each command, so it must be quick.
	Valid(auth.Credential) bool
	// Maildrop opens the INBOX of an account.
	Maildrop(account address.Address) (Maildrop, error)
}

// Maildrop is an INBOX as it was when it was opened. It belongs to one
// goroutine.
type Maildrop interface {
	// Validity is the UIDVALIDITY that goes with the UIDs (RFC 9051 2.3.1.1).
	Validity() uint32
	// Len is the number of messages.
	Len() int
	// At returns a message, counted from 0, by UID.
	At(i int) Message
	// Open opens a message for reading. When somebody removed it meanwhile the
	// error is a fault.Fault of kind NotFound.
	Open(uid uint32) (Content, error)
	// Remove removes messages. Those that are gone already are no error. It is
	// durable when it returns nil.
	Remove(uids []uint32) error
	// Close ends the use.
	Close()
}

// Message is what is known of a message without opening it.
type Message struct {
	UID  uint32
	Size int64 // octets as served, with CRLF
}

// Content is an open message with CRLF line ends. It must be closed.
type Content interface {
	envelope.Body
	Close() error
}

// Options of a Server. Zero values stand for the defaults.
type Options struct {
	Hostname string

	connection.Settings // of the connections

	Timeouts Timeouts
}

// Timeouts of a session. One that is too slow is closed without a word, and
// what it deleted stays (RFC 1939 3).
type Timeouts struct {
	Command time.Duration // for the next command: default 10 min, the least that RFC 1939 3 allows
	Login   time.Duration // from the greeting to the login: default 1 min
}

func (o Options) withDefaults() *Options {
	o.Timeouts.Command = cmp.Or(o.Timeouts.Command, 10*time.Minute)
	o.Timeouts.Login = cmp.Or(o.Timeouts.Login, time.Minute)
	o.Settings = o.Settings.WithDefaults()
	return &o
}

// The services.
const (
	POP3  = "pop3"  // STLS, port 110
	POP3S = "pop3s" // TLS, port 995
)

// Server is all the sessions of both services.
type Server struct {
	backend Backend
	options atomic.Pointer[Options]
	conns   *connection.Server
	chunks  sync.Pool // *[chunkSize]byte, for messages on their way out

	mu     sync.Mutex
	locked map[address.Key]struct{}
}

const (
	writeBuffer = 16 << 10
	chunkSize   = 32 << 10
)

// New returns a Server.
func New(backend Backend, log *slog.Logger, o Options) *Server {
	s := &Server{
		backend: backend,
		locked:  make(map[address.Key]struct{}),
		chunks:  sync.Pool{New: func() any { return new([chunkSize]byte) }},
	}
	s.options.Store(o.withDefaults())
	s.conns = connection.New(connection.Config{
		Name: "pop3d", Log: log, StartTLS: "STLS", Redact: redact, Valid: backend.Valid, LeaveSlow: true, WriteBuffer: writeBuffer,
	})
	return s
}

// Apply puts new options in force, and closes the sessions whose login does
// not hold any more.
func (s *Server) Apply(o Options) {
	s.options.Store(o.withDefaults())
	s.Recheck()
}

// Recheck closes the sessions whose login does not hold any more: at once where
// they wait for a command, else after it.
func (s *Server) Recheck() { s.conns.Recheck() }

// Serve serves the connections of ln, as one of the services, until it is
// closed. Sessions go on after that.
func (s *Server) Serve(ln net.Listener, service string) error {
	return connection.Accept(ln, func(conn net.Conn) { s.start(conn, service) })
}

// Shutdown ends all sessions: at once where they wait for a command, else when
// the command is done. What they deleted without QUIT stays. When ctx ends first
// the rest is cut off, and its error is returned. New connections are refused.
func (s *Server) Shutdown(ctx context.Context) error { return s.conns.Shutdown(ctx) }

// lock takes the exclusive-access lock of a maildrop (RFC 1939 4). It returns
// false when another session has it.
func (s *Server) lock(account address.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.locked[account.Key()]; taken {
		return false
	}
	s.locked[account.Key()] = struct{}{}
	return true
}

func (s *Server) unlock(account address.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.locked, account.Key())
}
