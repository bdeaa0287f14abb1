package imapd

import (
	"context"
	"crypto/tls"
)

func (s *session) canStartTLS() bool { return s.conn.TLS != nil && s.tls == nil && s.zip == nil }

// cmdStartTLS is STARTTLS (RFC 9051 6.2.1). What comes between it and the
// handshake ends the connection.
func (s *session) cmdStartTLS(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	if !s.canStartTLS() {
		return bad("", "TLS is not possible here, or in use already")
	}
	s.tagged(c.tag, "OK", "", "Begin TLS now")
	if s.flush() != nil {
		s.over = true
		return errLater
	}
	if s.dec.Buffered() {
		// Somebody put it there for the session under TLS (CVE-2021-33515).
		s.log.Warn("imapd.starttls-injection")
		s.over = true
		return errLater
	}
	s.over = !s.startTLS()
	return errLater
}

// startTLS makes the handshake, on a goroutine that ends: its stack is large,
// and that of the session stays small. false: there is no TLS, and the
// connection is of no use.
func (s *session) startTLS() bool {
	if s.conn.TLS == nil {
		return false
	}
	conn := tls.Server(s.link, s.conn.TLS)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.conn.PreAuthTimeout)
		defer cancel()
		done <- conn.HandshakeContext(ctx)
	}()
	if err := <-done; err != nil {
		s.log.Info("imapd.handshake", "error", err)
		return false
	}
	s.tls = conn
	s.dec.Reset(conn)
	s.enc.Reset(conn)
	return true
}
