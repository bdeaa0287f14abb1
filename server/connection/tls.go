package connection

import (
	"crypto/tls"
	"errors"
	"time"

	"facteur/server/fault"
)

// CanStartTLS tells whether TLS may be begun by a command.
func (c *Conn) CanStartTLS() bool {
	return c.Settings.TLS != nil && !c.Info.TLS() && c.Info.Remote.IsValid()
}

// StartTLS is the command that begins TLS (RFC 3207, RFC 2595 4): ready queues
// the reply to it. It returns false when there is no TLS; all is said then.
func (c *Conn) StartTLS(ready func()) bool {
	verb := c.server.config.StartTLS
	switch {
	case c.Info.TLS():
		c.Mistake(fault.Reply(fault.Malformed, 503, "5.5.1", "TLS is active already"))
		return false
	case !c.CanStartTLS():
		c.Mistake(fault.Reply(fault.Malformed, 502, "5.5.1", verb+" is not offered"))
		return false
	case c.R.Buffered() > 0:
		// What came in the clear must not count as said under TLS: somebody
		// between the client and us may have put it there.
		c.Log.Warn(c.server.config.Name+".starttls-injection", "remote", c.Info.Remote.Addr())
		c.byeMalformed("4.7.0", "There must be nothing after "+verb+" before the handshake")
		c.Linger()
		return false
	}
	ready()
	c.Flush()
	return !c.Done && c.handshake()
}

// handshake begins TLS. It returns false when the session has ended.
func (c *Conn) handshake() bool {
	cfg := c.Settings.TLS
	if cfg == nil || !c.enter(handshaking, time.Time{}) {
		c.Done = true
		return false
	}
	c.link.raw.SetDeadline(time.Now().Add(c.Settings.Handshake))
	conn := tls.Server(c.link.raw, cfg)
	err := conn.HandshakeContext(c.server.Context())
	c.leave()
	if err != nil {
		c.handshakeFailed(err)
		return false
	}
	c.link.conn = conn
	c.R.Reset(&c.link, c.tap) // nothing that came in the clear is left
	state := conn.ConnectionState()
	c.Info.TLSVersion = TLSVersion(state.Version)
	c.Info.TLSCipher = tls.CipherSuiteName(state.CipherSuite)
	return true
}

func (c *Conn) handshakeFailed(err error) {
	c.Log.Info(c.server.config.Name+".tls-failed", "remote", c.link.raw.RemoteAddr().String(), "error", err)
	var plain tls.RecordHeaderError
	if c.TLSFirst && errors.As(err, &plain) && plain.Conn != nil {
		c.byeMalformed("4.5.0", "This port expects TLS from the first octet on")
		c.Linger()
	}
	c.Done = true
}

// TLSVersion returns a version as in Received: "TLS1.3".
func TLSVersion(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "TLS1.2"
	case tls.VersionTLS13:
		return "TLS1.3"
	}
	return "TLS"
}
