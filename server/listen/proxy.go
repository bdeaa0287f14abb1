package listen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// Proxies are those who may speak for others on a listener.
type Proxies struct {
	// Networks are where they are. Who connects to a Unix socket is at 127.0.0.1 and ::1.
	Networks []netip.Prefix
	// Optional lets them come without the header of the PROXY protocol too, as those do that
	// name their clients in requests (Forwards).
	Optional bool
	// Closed turns everybody away: the settings do not have the listener any more, so that nobody
	// knows who its proxies are.
	Closed bool
}

// have tells whether an address is one of a proxy's.
func (p *Proxies) have(a netip.Addr) bool {
	if !a.IsValid() {
		return Within(p.Networks, netip.AddrFrom4([4]byte{127, 0, 0, 1})) || Within(p.Networks, netip.IPv6Loopback())
	}
	return Within(p.Networks, a.WithZone(""))
}

// Client returns whose a connection or a request is that the proxy at one address says to be of a
// client at another. Loopback is then the machine of the proxy: when that is not this one, the
// client must not count as being here, and the proxy stands for it.
func Client(proxy, client netip.Addr) netip.Addr {
	client = client.Unmap().WithZone("")
	if client.IsLoopback() && proxy.IsValid() && !proxy.IsLoopback() {
		return proxy
	}
	return client
}

// The bounds of what is not a client's yet.
const (
	defaultHeaderTime = 5 * time.Second
	maxUnread         = 512 // connections of proxies on one socket whose header is not there yet
)

var errUnknownClient = errors.New("the proxy names a client that cannot be one")

// take gives a connection to who serves the socket: one of a proxy once it is known whose it is.
func (k *socket) take(conn net.Conn) {
	via := k.proxies()
	if via.Closed {
		conn.Close()
		return
	}
	if len(via.Networks) == 0 || !via.have(AddrPort(conn.RemoteAddr()).Addr()) {
		k.hand(conn)
		return
	}
	select {
	case k.unread <- struct{}{}:
	default:
		k.log.Warn("listen.refused", "address", k.ln.Addr().String(), "remote", conn.RemoteAddr().String(), "why", "too many connections of proxies without a header")
		conn.Close()
		return
	}
	k.reading.Go(func() {
		c, err := k.introduced(conn, via)
		<-k.unread
		switch {
		case err == nil:
			k.hand(c)
			return
		case errors.Is(err, io.EOF) || k.ctx.Err() != nil: // a proxy that looks whether we are there
		default:
			k.log.Warn("listen.refused", "address", k.ln.Addr().String(), "remote", conn.RemoteAddr().String(), "why", "no header of the PROXY protocol", "error", err)
		}
		conn.Close()
	})
}

// hand gives a connection to who serves the socket.
func (k *socket) hand(conn net.Conn) {
	select {
	case k.conns <- conn:
	case <-k.ctx.Done():
		conn.Close()
	}
}

// introduced reads the header of a connection of a proxy, in time.
func (k *socket) introduced(conn net.Conn, via Proxies) (net.Conn, error) {
	stop := context.AfterFunc(k.ctx, func() { conn.Close() })
	defer stop()
	c := &proxied{Conn: conn, ahead: bufio.NewReaderSize(conn, 512)}
	if err := conn.SetReadDeadline(time.Now().Add(k.headerTime)); err != nil {
		return nil, err
	}
	found, err := introduces(c.ahead)
	switch {
	case via.Optional && (err == nil && !found || errors.Is(err, os.ErrDeadlineExceeded) && c.ahead.Buffered() == 0):
		c.proxies = k.proxies // the end of the wait is for who serves it to notice
		return c, conn.SetReadDeadline(time.Time{})
	case err != nil:
		return nil, err
	}
	client, err := readHeader(c.ahead)
	if err != nil {
		return nil, err
	}
	if client.IsValid() {
		if ip := client.Addr().Unmap(); ip.IsUnspecified() || ip.IsMulticast() {
			return nil, errUnknownClient
		}
		proxy := AddrPort(conn.RemoteAddr()).Addr()
		c.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(Client(proxy, client.Addr()), client.Port()))
	}
	return c, conn.SetReadDeadline(time.Time{})
}

// proxied is a connection of a proxy.
type proxied struct {
	net.Conn
	ahead   *bufio.Reader  // what was read with the header, then nil; of who reads
	remote  net.Addr       // of the client; nil: the proxy's
	proxies func() Proxies // those of the listener, where there was no header
}

// Read is that of net.Conn.
func (c *proxied) Read(p []byte) (int, error) {
	if c.ahead != nil && c.ahead.Buffered() > 0 {
		return c.ahead.Read(p)
	}
	c.ahead = nil
	return c.Conn.Read(p)
}

// RemoteAddr is that of the client.
func (c *proxied) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// CloseWrite is that of net.TCPConn.
func (c *proxied) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Forwards tells whether conn is of a proxy that has not said whose it is: its requests may. Of all
// others it is nil, also of those with a header: what they carry are the client's own octets. The
// function tells where the proxies are at the moment; false: who is there is none any more, and
// not to be believed, nor to be taken for a client.
func Forwards(conn net.Conn) func() (proxies []netip.Prefix, ok bool) {
	c, is := conn.(*proxied)
	if !is || c.proxies == nil {
		return nil
	}
	at := AddrPort(c.Conn.RemoteAddr()).Addr()
	return func() ([]netip.Prefix, bool) {
		p := c.proxies()
		return p.Networks, !p.Closed && p.have(at)
	}
}

// Named tells whether the header of the PROXY protocol said whose conn is.
func Named(conn net.Conn) bool {
	c, is := conn.(*proxied)
	return is && c.proxies == nil
}
