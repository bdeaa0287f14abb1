// Package connection is what the servers of mail protocols do alike with those
// who connect, below what they say to them.
//
// A Table has the open sessions of a server: it admits a client or refuses it
// (connections of all, of one client, and a Rate that the caller may give),
// ends the sessions whose login holds no more, and ends all at a shutdown.
// smtpd, pop3d and imapd have one each.
//
// A Server and its Conns are what SMTP and POP3 have in common besides: lines
// within deadlines, TLS from the first octet or by a command (RFC 8314, RFC
// 3207, RFC 2595), a SASL exchange (RFC 4422), points for mistakes that slow a
// client down and end its session, and last words that reach it. What the
// commands are, and how a reply looks, a Protocol tells.
//
// A session is one goroutine. A Conn belongs to it but for Serve's own callers:
// End, Cut and Credential may be called by all; Conn.mu guards what they share.
// Table.mu guards the sessions and the counts of clients. The two are never held
// together, and neither during I/O or a call of the Protocol.
//
// Deadlines are the connection's, so time here is the system's (in tests, that
// of testing/synctest). Sockets belong to package listen, logins to auth.
package connection

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"facteur/server/auth"
	"facteur/server/fault"
	"facteur/server/listen"
	"facteur/server/wire"
)

// Limits are those of clients. Trusted networks, loopback and Unix sockets have
// none, also not of mistakes, unless LimitTrusted.
type Limits struct {
	Connections  int // of all, 0: 1000
	PerClient    int // of one IPv4 address or IPv6 /64, 0: 50
	Trusted      []netip.Prefix
	LimitTrusted bool
	// Rate is told of each client for whom the limits hold, before it is
	// counted, and may refuse it with a reply of class 4 (421). It must be quick.
	// nil: there is none.
	Rate func(remote netip.Addr) *fault.Fault
	// Hopeless tells of a client for whom the limits hold whether it is slowed down
	// from its first mistake on. nil: nobody is.
	Hopeless func(remote netip.Addr) bool
	// Offended is told of a client whose session was ended for its mistakes. It
	// must be quick. It may be nil.
	Offended func(remote netip.Addr)
}

// HoldFor tells whether the limits hold for a client.
func (l *Limits) HoldFor(remote netip.Addr) bool {
	return l.LimitTrusted || !listen.Trusted(l.Trusted, remote)
}

// WithDefaults returns l with what is zero filled in.
func (l Limits) WithDefaults() Limits {
	setDefault(&l.Connections, 1000)
	setDefault(&l.PerClient, 50)
	return l
}

// Settings are those of the connections of a Server. A session asks for the
// newest at each command; the TLS settings of a connection stay.
type Settings struct {
	Limits
	TLS *tls.Config // nil: no TLS by a command, and nothing at all where TLS is first
	// PlaintextLogin says who may log in without TLS: "never" or "loopback" (default).
	PlaintextLogin string
	Handshake      time.Duration // for TLS, 0: 1 min
	Write          time.Duration // to take the next part of a reply, 0: 1 min
}

// WithDefaults returns s with what is zero filled in.
func (s Settings) WithDefaults() Settings {
	s.Limits = s.Limits.WithDefaults()
	setDefault(&s.PlaintextLogin, "loopback")
	setDefault(&s.Handshake, time.Minute)
	setDefault(&s.Write, time.Minute)
	return s
}

func setDefault[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// Protocol is the part of a session that differs. All is called by the
// session's goroutine; New calls Renew, and Reply may be called instead of all
// others, for a client that is turned away.
type Protocol interface {
	// Renew looks the settings up anew.
	Renew() *Settings
	// Greet queues the greeting.
	Greet()
	// Command carries out a command, a line without its CRLF.
	Command(line []byte)
	// Deadline is when the next command must be there.
	Deadline() time.Time
	// Challenge queues a SASL challenge.
	Challenge(base64 string)
	// Reply queues the reply of what was refused, without counting or logging it.
	Reply(f *fault.Fault)
	// Release gives back what the session holds.
	Release()
}

// Config is what the sessions of a Server have in common.
type Config struct {
	Name     string // for the log, as "smtpd" in "smtpd.refused"
	Log      *slog.Logger
	StartTLS string                     // the command that begins TLS
	Valid    func(auth.Credential) bool // must be quick: it is asked before each command
	Redact   func(line string) string   // as wire.NewTap wants it
	// LeaveSlow has clients that are too slow left without a word (RFC 1939 3).
	LeaveSlow   bool
	WriteBuffer int // octets
}

// Server is the connections of a protocol in lines.
type Server struct {
	*Table
	config  Config
	readers sync.Pool // *wire.Reader
	writers sync.Pool // *wire.Writer
}

const readBuffer = 16 << 10 // more than maxAuthLine

// New returns a Server without connections.
func New(c Config) *Server {
	return &Server{
		Table:   NewTable(),
		config:  c,
		readers: sync.Pool{New: func() any { return wire.NewReader(readBuffer) }},
		writers: sync.Pool{New: func() any { return wire.NewWriter(c.WriteBuffer) }},
	}
}

// Recheck ends the sessions whose login does not hold any more.
func (s *Server) Recheck() { s.Table.Recheck(s.config.Valid) }

// Start admits a connection and serves it in its own goroutine, or turns the
// client away.
func (s *Server) Start(c *Conn) {
	limits := &c.Settings.Limits
	if !c.Limited() {
		limits = nil
	} else if limits.Hopeless != nil && limits.Hopeless(c.Info.Remote.Addr()) {
		c.penalty = slowFrom
	}
	if refusal := s.Table.Start(c, c.Info.Remote.Addr(), limits); refusal != nil {
		c.Log.Info(s.config.Name+".refused", "remote", c.link.raw.RemoteAddr().String(), "listener", c.Info.Listener, "reply", refusal.Text)
		c.turnAway(refusal)
	}
}

// Accept calls start with each connection of ln, until that is closed.
// Sessions go on after it. Package listen sees to errors that pass.
func Accept(ln net.Listener, start func(net.Conn)) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		start(conn)
	}
}
