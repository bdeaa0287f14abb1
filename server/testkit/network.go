package testkit

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
)

// Network gives peers the addresses that a zone names. Its DialContext reaches
// them and nothing else. The zero Network is empty.
type Network struct {
	mu    sync.Mutex
	hosts map[string]string
	dials []string
}

// Black is the peer of an address that never answers.
const Black = "black hole"

// Host puts what listens at an address ("127.0.0.1:port", or Black) at an IP
// address and port: "192.0.2.1:25".
func (n *Network) Host(at, listener string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = make(map[string]string)
	}
	n.hosts[at] = listener
}

// Dials returns the addresses that were dialled so far.
func (n *Network) Dials() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.dials...)
}

// DialContext is that of net.Dialer. An address without a host refuses.
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, addr)
	listener, ok := n.hosts[addr]
	n.mu.Unlock()
	switch {
	case !ok:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	case listener == Black:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	return new(net.Dialer).DialContext(ctx, network, listener)
}

// CRLF gives text the line ends of mail.
func CRLF(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// Message builds a plain message.
func Message(from, to, subject, body string) string {
	return CRLF(fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\nDate: Thu, 01 Oct 2026 12:00:00 +0000\nMessage-ID: <%s@test.example>\n\n%s",
		from, to, subject, strings.ToLower(strings.ReplaceAll(subject, " ", "-")), body))
}
