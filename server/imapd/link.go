package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeTimeout   = time.Minute // for one write to make progress
	literalTimeout = time.Minute // for the next octets of a literal
	byeTimeout     = 500 * time.Millisecond

	// What a connection may send before login, and between two commands that
	// reach the session: a bound on what imapserver buffers. Both leave room
	// for TLS and for refused commands.
	preAuthAllowance = 64 << 10
	commandAllowance = 1 << 20
)

var errAllowance = errors.New("the client sent too much without a valid command")

// link is a network connection that imapserver reads and writes, under TLS if
// there is any. Write timeouts are its own, so that a large message may take as
// long as its octets flow.
type link struct {
	net.Conn
	allowance atomic.Int64 // octets that may still be read
	closeOnce sync.Once
	closed    chan struct{}
}

func newLink(c net.Conn) *link {
	l := &link{Conn: c, closed: make(chan struct{})}
	l.allowance.Store(preAuthAllowance)
	return l
}

// Read is that of net.Conn, within the allowance.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.allowance.Add(-int64(n)) < 0 {
		return 0, errAllowance
	}
	return n, err
}

// Write is that of net.Conn; each call has the timeout anew.
func (l *link) Write(p []byte) (int, error) {
	if err := l.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}

// SetWriteDeadline does nothing: see Write.
func (l *link) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline only.
func (l *link) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// Close closes the connection. It may be called more than once.
func (l *link) Close() error {
	var err error
	l.closeOnce.Do(func() {
		err = l.Conn.Close()
		close(l.closed)
	})
	return err
}

// refuse ends a connection that gets no session. Where TLS is first, nothing can
// be said.
func (l *link) refuse(plain bool) {
	if plain {
		_ = l.Conn.SetWriteDeadline(time.Now().Add(byeTimeout)) // best effort
		_, _ = io.WriteString(l.Conn, "* BYE [LIMIT] Too many connections\r\n")
	}
	l.Close()
}

// startTLS makes the handshake of service "imaps" (RFC 8314 3.2).
func (l *link) startTLS(ctx context.Context, config *tls.Config, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := tls.Server(l, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// once is a listener of one connection: each has an imapserver of its own, with
// the settings of the time when it came.
type once struct {
	net.Conn
	taken bool
}

// Accept returns the connection, and net.ErrClosed from then on.
func (o *once) Accept() (net.Conn, error) {
	if o.taken {
		return nil, net.ErrClosed
	}
	o.taken = true
	return o.Conn, nil
}

// Addr is that of net.Listener.
func (o *once) Addr() net.Addr { return o.LocalAddr() }

// Close is that of net.Listener; the connection is imapserver's.
func (o *once) Close() error { return nil }

// remoteOf returns the client's address, and what it is counted under.
func remoteOf(c net.Conn) (netip.Addr, netip.Prefix) {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}, netip.Prefix{} // a Unix socket
	}
	addr := a.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	client, err := addr.Prefix(bits)
	if err != nil {
		return addr, netip.Prefix{}
	}
	return addr, client
}
