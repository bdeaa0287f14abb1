package smtpd

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/listen"
	"facteur/server/wire"
)

// session is one connection.
type session struct {
	srv  *Server
	o    *Options // newest at the last command
	log  *slog.Logger
	link link
	r    *wire.Reader
	w    *wire.Writer
	tap  *wire.Tap
	line []byte // a reply in the making

	info    envelope.Session
	key     netip.Addr // clientKey of the remote address
	started time.Time
	mailed  bool // there was a MAIL
	tx      *transaction
	penalty int  // points, see penalty.go
	done    bool // the session ends, all is said

	mu    sync.Mutex
	cred  auth.Credential // zero without a login; written by the session's goroutine alone
	phase phase
	why   ending
	woken chan struct{} // closed when why is set
}

// phase is what the session's goroutine is at.
type phase uint8

const (
	working     phase = iota // in a command
	waiting                  // for a command
	handshaking              // TLS
)

// ending is why the server wants a session to end.
type ending uint8

const (
	notEnding ending = iota
	endShutdown
	endRevoked
)

func newSession(srv *Server, conn net.Conn, service string, o *Options) *session {
	s := &session{
		srv:     srv,
		o:       o,
		link:    link{raw: conn, conn: conn, writeTime: o.Timeouts.Command},
		info:    sessionInfo(conn, service),
		started: time.Now(),
		woken:   make(chan struct{}),
	}
	s.key = listen.ClientKey(s.info.Remote.Addr())
	s.log = srv.log.With("id", s.info.ID)
	return s
}

// run is the whole session.
func (s *session) run() {
	s.tap = wire.NewTap(s.log, redact)
	s.r = s.srv.readers.Get().(*wire.Reader)
	s.w = s.srv.writers.Get().(*wire.Writer)
	s.r.Reset(&s.link, s.tap)
	s.w.Reset(&s.link, s.tap)
	s.log.Debug("smtpd.connected", "remote", s.link.raw.RemoteAddr().String(), "listener", s.info.Listener)
	defer s.cleanup()
	if s.info.Listener == Submissions && !s.handshake() {
		return
	}
	s.greet()
	for !s.done {
		s.step()
	}
	s.w.Flush()
}

// cleanup gives back what the session holds. A panic ends this session and no
// other.
func (s *session) cleanup() {
	if p := recover(); p != nil {
		s.log.Error("smtpd.panic", "panic", p, "stack", string(debug.Stack()))
	}
	s.reset()
	s.link.conn.Close()
	s.r.Reset(nil, nil)
	s.w.Reset(nil, nil)
	s.srv.readers.Put(s.r)
	s.srv.writers.Put(s.w)
	s.log.Debug("smtpd.closed")
}

// end asks the session to end.
func (s *session) end(why ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != notEnding {
		return
	}
	s.why = why
	close(s.woken)
	switch s.phase {
	case waiting:
		s.link.raw.SetReadDeadline(time.Unix(1, 0))
	case handshaking:
		s.link.raw.Close()
	}
}

// enter notes what the session is about to do, until the deadline. It returns
// false when the session is to end instead.
func (s *session) enter(p phase, deadline time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != notEnding {
		return false
	}
	s.phase = p
	s.link.raw.SetReadDeadline(deadline)
	return true
}

func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = working
}

func (s *session) credential() auth.Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cred
}

func (s *session) setCredential(c auth.Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cred = c
}

// loggedIn may be asked by the session's goroutine alone.
func (s *session) loggedIn() bool { return s.cred != (auth.Credential{}) }

// ended tells whether the session is to end, and says so to the client.
func (s *session) ended() bool {
	s.mu.Lock()
	why := s.why
	s.mu.Unlock()
	switch {
	case why == endShutdown:
		s.bye("4.3.2", "The server is shutting down, closing connection")
	case why == endRevoked || s.revoked():
		s.byeRevoked()
	default:
		return false
	}
	return true
}

// revoked tells whether there was a login and it holds no more.
func (s *session) revoked() bool {
	return s.loggedIn() && !s.srv.backend.Valid(s.cred)
}

func (s *session) byeRevoked() {
	s.bye("4.7.0", "The login is not valid any more, closing connection")
}

var errTLSHello = errors.New("a TLS handshake where plain text was expected")

// readLine reads a line within the deadline. Replies that wait are sent before
// it blocks (RFC 2920 3.2).
func (s *session) readLine(max int, secret bool) ([]byte, error) {
	if !s.r.HasLine() {
		if err := s.w.Flush(); err != nil {
			return nil, err
		}
		if !s.enter(waiting, s.commandDeadline()) {
			return nil, os.ErrDeadlineExceeded
		}
		defer s.leave()
		first, err := s.r.First()
		if err != nil {
			return nil, err
		}
		if first == 0x16 && !s.info.TLS() { // RFC 8446 5.1: handshake(22)
			return nil, errTLSHello
		}
	}
	if secret {
		return s.r.SecretLine(max)
	}
	return s.r.Line(max)
}

func (s *session) commandDeadline() time.Time {
	d := time.Now().Add(s.o.Timeouts.Command)
	if !s.mailed && !s.loggedIn() {
		if t := s.started.Add(s.o.Timeouts.BeforeMail); t.Before(d) {
			d = t
		}
	}
	return d
}

// broken ends the session after an error of the connection.
func (s *session) broken(err error) {
	switch {
	case s.ended():
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.bye("4.4.2", "Too slow, closing connection")
	case errors.Is(err, wire.ErrEndless):
		s.bye("4.5.2", "No end in sight, closing connection")
		s.linger()
	case err == errTLSHello:
		s.bye("4.5.0", "TLS begins with STARTTLS on this port, closing connection")
	case err == io.EOF:
		s.done = true
	default:
		s.done = true
		s.log.Debug("smtpd.broken", "error", err)
	}
}

// bye replies 421 and ends the session (RFC 5321 3.8).
func (s *session) bye(enhanced, text string) {
	if s.done {
		return
	}
	s.reply(421, enhanced, s.o.Hostname+" "+text)
	s.log.Info("smtpd.ended", "reply", text)
	s.done = true
}

// lingerTime is how long the last reply gets to reach a client that is still sending.
const (
	lingerTime = 2 * time.Second
	lingerSize = 256 << 10
)

// linger sends the last reply and reads on for a while. Closing a connection
// on which something unread waits would reset it, and the client might never
// see the reply.
func (s *session) linger() {
	s.done = true
	if s.w.Flush() != nil {
		return
	}
	half, ok := s.link.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if s.enter(waiting, time.Now().Add(lingerTime)) {
		io.CopyN(io.Discard, s.link.conn, lingerSize)
	}
}

// handshake begins TLS. It returns false when the session has ended.
func (s *session) handshake() bool {
	cfg := s.o.TLS
	if cfg == nil || !s.enter(handshaking, time.Time{}) {
		s.done = true
		return false
	}
	s.link.raw.SetDeadline(time.Now().Add(s.o.Timeouts.Handshake))
	conn := tls.Server(s.link.raw, cfg)
	err := conn.HandshakeContext(s.srv.ctx)
	s.leave()
	if err != nil {
		s.handshakeFailed(err)
		return false
	}
	s.link.conn = conn
	s.r.Reset(&s.link, s.tap) // nothing that came in the clear is left
	state := conn.ConnectionState()
	s.info.TLSVersion = tlsVersion(state.Version)
	s.info.TLSCipher = tls.CipherSuiteName(state.CipherSuite)
	return true
}

func (s *session) handshakeFailed(err error) {
	s.log.Info("smtpd.tls-failed", "remote", s.link.raw.RemoteAddr().String(), "error", err)
	s.done = true
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && s.info.Listener == Submissions {
		s.reply(421, "4.5.0", s.o.Hostname+" This port expects TLS from the first octet on, closing connection")
		s.linger()
	}
}
