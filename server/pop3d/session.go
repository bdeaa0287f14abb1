package pop3d

import (
	"net"
	"time"

	"facteur/server/connection"
	"facteur/server/fault"
)

// session is one connection.
type session struct {
	*connection.Conn
	srv  *Server
	o    *Options // newest at the last command
	line []byte   // a reply in the making
	user string   // of USER, for the PASS that follows it at once
	drop *drop    // nil: AUTHORIZATION state; else TRANSACTION (RFC 1939 4 and 5)
}

func (s *Server) start(conn net.Conn, service string) {
	sess := &session{srv: s}
	sess.Conn = s.conns.New(conn, service, sess)
	sess.TLSFirst = service == POP3S
	s.conns.Start(sess.Conn)
}

// Renew is that of connection.Protocol.
func (s *session) Renew() *connection.Settings {
	s.o = s.srv.options.Load()
	return &s.o.Settings
}

// Deadline is that of connection.Protocol.
func (s *session) Deadline() time.Time {
	if !s.LoggedIn() {
		return s.Started.Add(s.o.Timeouts.Login)
	}
	return time.Now().Add(s.o.Timeouts.Command)
}

// Challenge is that of connection.Protocol (RFC 5034 4).
func (s *session) Challenge(base64 string) { s.reply("+ ", base64) }

// Reply is that of connection.Protocol.
func (s *session) Reply(f *fault.Fault) { s.err(responseCode(f), f.Text) }

// Release is that of connection.Protocol: it gives the maildrop back.
func (s *session) Release() {
	if s.drop == nil {
		return
	}
	s.drop.box.Close()
	s.srv.unlock(s.drop.account)
	s.drop = nil
}

// mistake replies to a bad command.
func (s *session) mistake(text string) { s.Mistake(fault.New(fault.Malformed, text)) }
