package pop3d

import (
	"crypto/tls"
	"net"
	"time"

	"facteur/server/envelope"
	"facteur/server/listen"
)

// start admits a connection and serves it in its own goroutine.
func (s *Server) start(conn net.Conn, service string) {
	o := s.options.Load()
	sess := newSession(s, conn, service, o)
	s.mu.Lock()
	refusal := s.admit(sess, o)
	if refusal == "" {
		s.sessions[sess] = struct{}{}
		s.running.Add(1)
	}
	s.mu.Unlock()
	if refusal != "" {
		s.log.Info("pop3d.refused", "id", sess.info.ID, "remote", conn.RemoteAddr().String(), "listener", service, "reply", refusal)
		turnAway(conn, service, refusal)
		return
	}
	go func() {
		defer s.running.Done()
		defer s.forget(sess)
		sess.run()
	}()
}

// admit counts a connection, or tells why there may not be one more. s.mu is held.
func (s *Server) admit(sess *session, o *Options) (refusal string) {
	if s.closing {
		return "The server is shutting down"
	}
	if sess.limited(o) {
		if len(s.sessions) >= o.Connections {
			return "Too busy, try again later"
		}
		if s.clients[sess.key] >= o.ConnectionsPerClient {
			return "Too many connections from your address"
		}
	}
	s.clients[sess.key]++
	return ""
}

func (s *Server) forget(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess)
	if s.clients[sess.key]--; s.clients[sess.key] == 0 {
		delete(s.clients, sess.key)
	}
}

// turnAway tells a client that there is no place for it. The reply fits into
// the empty buffer of a new socket, so it doesn't hold up those who come next.
func turnAway(conn net.Conn, service, refusal string) {
	defer conn.Close()
	if service == POP3S {
		return // it would take a handshake to say so
	}
	conn.SetDeadline(time.Now().Add(lingerTime))
	conn.Write([]byte("-ERR [" + sysTemp + "] " + refusal + "\r\n"))
}

// limited tells whether the limits of connections and errors hold for s.
func (s *session) limited(o *Options) bool {
	return o.LimitTrusted || !listen.Trusted(o.Trusted, s.info.Remote.Addr())
}

// sessionInfo returns what is known of a new connection.
func sessionInfo(conn net.Conn, service string) envelope.Session {
	return envelope.Session{
		ID:       envelope.NewID(),
		Listener: service,
		Remote:   listen.AddrPort(conn.RemoteAddr()),
		Local:    listen.AddrPort(conn.LocalAddr()),
	}
}

// tlsVersion returns a version as in Received: "TLS1.3".
func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "TLS1.2"
	case tls.VersionTLS13:
		return "TLS1.3"
	}
	return "TLS"
}
