package smtpd

import (
	"net"
	"time"

	"facteur/server/connection"
	"facteur/server/fault"
)

// session is one connection.
type session struct {
	*connection.Conn
	srv    *Server
	o      *Options // newest at the last command
	line   []byte   // a reply in the making
	mailed bool     // there was a MAIL
	// refused: the client was turned away, and only QUIT is left.
	refused bool
	tx      *transaction
}

// What mistakes cost beside those that package connection knows. 100 unknown
// recipients end a session; an accepted message clears the points.
const unknownRcpt = 1 // a recipient refused for good

func (s *Server) start(conn net.Conn, service string) {
	sess := s.session(conn, service)
	s.conns.Start(sess.Conn)
}

func (s *Server) session(conn net.Conn, service string) *session {
	sess := &session{srv: s}
	sess.Conn = s.conns.New(conn, service, sess)
	sess.TLSFirst = service == Submissions
	sess.Exempt = service == LMTP
	return sess
}

// Renew is that of connection.Protocol.
func (s *session) Renew() *connection.Settings {
	s.o = s.srv.options.Load()
	return &s.o.Settings
}

// Deadline is that of connection.Protocol.
func (s *session) Deadline() time.Time {
	d := time.Now().Add(s.o.Timeouts.Command)
	if !s.mailed && !s.LoggedIn() {
		if t := s.Started.Add(s.o.Timeouts.BeforeMail); t.Before(d) {
			d = t
		}
	}
	return d
}

// Challenge is that of connection.Protocol (RFC 4954 4).
func (s *session) Challenge(base64 string) { s.reply(334, "", base64) }

// Reply is that of connection.Protocol.
func (s *session) Reply(f *fault.Fault) {
	text := f.Text
	if f.Code == 421 { // RFC 5321 4.2.3: <domain> service not available
		text = s.o.Hostname + " " + text
	}
	s.reply(f.Code, f.Enhanced(), text)
}

// Release is that of connection.Protocol.
func (s *session) Release() { s.reset() }

// mistake replies to a bad command.
func (s *session) mistake(code int, enhanced, text string) {
	if s.Punish(connection.BadCommand) {
		s.reply(code, enhanced, text)
	}
}

// idle counts a command that brings no message nearer: NOOP, RSET, VRFY, HELP,
// EHLO again.
func (s *session) idle() bool { return s.LoggedIn() || s.Punish(connection.IdleCommand) }
