package testkit

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TLS makes settings for a server with a certificate of the name, and those of a
// client that trusts it.
func TLS(t testing.TB, name string) (server, client *tls.Config) {
	t.Helper()
	cert := Certificate(t, name)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: name}
}

// Addr returns a TCP address, "192.0.2.1:4000".
func Addr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// Start begins a session for a connection, as a server does.
type Start func(net.Conn)

// Dial connects over loopback; the server takes the client for remote.
func Dial(t testing.TB, remote net.Addr, start Start) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	start(&disguised{conn.(*net.TCPConn), remote})
	return client
}

// disguised is a connection with another remote address.
type disguised struct {
	*net.TCPConn
	remote net.Addr
}

// RemoteAddr is that of net.Conn.
func (d *disguised) RemoteAddr() net.Addr { return d.remote }

// Pipe connects without a network, for tests under synctest.
func Pipe(t testing.TB, remote net.Addr, start Start) net.Conn {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { client.Close() })
	start(piped{server, remote})
	return client
}

// piped is one end of a net.Pipe with an address.
type piped struct {
	net.Conn
	remote net.Addr
}

// RemoteAddr is that of net.Conn.
func (p piped) RemoteAddr() net.Addr { return p.remote }

// Listen serves a listener on loopback until the test ends, and returns its
// address.
func Listen(t testing.TB, serve func(net.Listener) error) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(ln) }()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr()
}

// Client is the client's end of a session of lines. What fails ends the test.
type Client struct {
	T    testing.TB
	Conn net.Conn
	R    *bufio.Reader
}

// NewClient returns a Client on a connection.
func NewClient(t testing.TB, conn net.Conn) *Client {
	return &Client{t, conn, bufio.NewReader(conn)}
}

// Send sends octets.
func (c *Client) Send(s string) {
	c.T.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.T.Fatalf("send %.60q: %v", s, err)
	}
}

// Expect reads a reply and checks how it begins; of an SMTP reply of several
// lines, how the last does.
func (c *Client) Expect(want string) {
	c.T.Helper()
	for {
		line, err := c.R.ReadString('\n')
		switch {
		case err != nil || !strings.HasSuffix(line, "\r\n"):
			c.T.Fatalf("%q, %v, want %q", line, err, want)
		case len(line) > 3 && line[3] == '-':
			continue
		case !strings.HasPrefix(line, want):
			c.T.Fatalf("%q, want %q", line, want)
		}
		return
	}
}

// Do sends a command and checks its reply.
func (c *Client) Do(command, want string) {
	c.T.Helper()
	c.Send(command + "\r\n")
	c.Expect(want)
}

// ExpectEOF checks that the server closes the connection.
func (c *Client) ExpectEOF() {
	c.T.Helper()
	b, err := io.ReadAll(c.R)
	if ne, ok := err.(net.Error); len(b) > 0 || ok && ne.Timeout() {
		c.T.Errorf("%q, %v, want the end of the connection", b, err)
	}
}

// Canned is a connection of which all that the client says is known before.
type Canned struct {
	In     io.Reader
	Out    bytes.Buffer
	Remote net.Addr
}

// Read is that of net.Conn.
func (c *Canned) Read(p []byte) (int, error) { return c.In.Read(p) }

// Write is that of net.Conn.
func (c *Canned) Write(p []byte) (int, error) { return c.Out.Write(p) }

// Close is that of net.Conn.
func (c *Canned) Close() error { return nil }

// LocalAddr is that of net.Conn.
func (c *Canned) LocalAddr() net.Addr { return c.Remote }

// RemoteAddr is that of net.Conn.
func (c *Canned) RemoteAddr() net.Addr { return c.Remote }

// SetDeadline is that of net.Conn, and does nothing.
func (c *Canned) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is that of net.Conn, and does nothing.
func (c *Canned) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is that of net.Conn, and does nothing.
func (c *Canned) SetWriteDeadline(time.Time) error { return nil }
