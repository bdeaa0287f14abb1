package httpd

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/listen"
)

// conn is a connection as the table has it: a session that lasts until net/http closes
// it.
type conn struct {
	net.Conn
	id      string
	service string
	queue   *queue
	direct  origin      // of who is at the other end
	used    atomic.Bool // it has asked for something
	once    sync.Once
	closed  chan struct{}
	// proxies is not nil for a proxy whose requests may say whose they are (listen.Forwards).
	proxies func() ([]netip.Prefix, bool)
	// here: it is of this machine, as far as is known, and a proxy that nobody named would be too.
	here bool
}

type connKey struct{}

// connOf returns the connection below TLS.
func connOf(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*conn) // nothing else is in a queue
}

// start admits a connection, or turns the client away.
func (s *Server) start(raw net.Conn, service string, q *queue) {
	opt := s.opt.Load()
	c := &conn{Conn: raw, id: envelope.NewID(), service: service, queue: q, closed: make(chan struct{}), proxies: listen.Forwards(raw)}
	c.direct = origin{conn: c, client: listen.AddrPort(raw.RemoteAddr())}
	c.here = c.proxies == nil && !listen.Named(raw) && listen.Trusted(nil, c.direct.remote())
	limits := &opt.Limits
	switch {
	case c.proxies != nil: // what is one client's is counted with its requests
		limits = &connection.Limits{Connections: opt.Connections, PerClient: opt.Connections}
	case !limits.HoldFor(c.direct.remote()):
		limits = nil
	}
	if refusal := s.sessions.Start(c, c.direct.remote(), limits); refusal != nil {
		opt.Log.Info("httpd.refused", "remote", raw.RemoteAddr().String(), "listener", service, "text", refusal.Text)
		if service == HTTP { // with TLS it would take a handshake to say so
			_ = raw.SetWriteDeadline(time.Now().Add(refusalTimeout)) // best effort
			_, _ = io.WriteString(raw, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}
		raw.Close()
	}
}

const refusalTimeout = 500 * time.Millisecond

// Serve is that of connection.Session.
func (c *conn) Serve() {
	if !c.queue.put(c) {
		c.Close()
	}
	<-c.closed
}

// End is that of connection.Session: a connection that was never used is closed, the
// others net/http ends when they are idle.
func (c *conn) End(*fault.Fault) {
	if !c.used.Load() {
		c.Close()
	}
}

// Cut is that of connection.Session.
func (c *conn) Cut() { c.Close() }

// Credential is that of connection.Session: a login is that of a request.
func (c *conn) Credential() auth.Credential { return auth.Credential{} }

// Close is that of net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// queue is the connections that are admitted, as a net.Listener for net/http.
type queue struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newQueue() *queue {
	return &queue{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.closed:
		return false
	}
}

// Accept is that of net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close is that of net.Listener.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr is that of net.Listener; nobody needs it.
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// complaints has what net/http complains of logged as an event.
type complaints struct{ slog.Handler }

// Handle is that of slog.Handler.
func (h complaints) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, "httpd.complaint", r.PC)
	out.AddAttrs(slog.String("text", strings.TrimSpace(r.Message)))
	return h.Handler.Handle(ctx, out)
}
