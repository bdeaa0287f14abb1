package httpd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/fault"
)

// doorman knows alice, whose password is "demo".
type doorman struct {
	mu      sync.Mutex
	logins  int
	tries   []auth.Attempt
	refusal error // of all
	gone    bool  // the account
}

var alice = address.Address{Local: "alice", Domain: "example.org"}

func (d *doorman) Login(_ context.Context, a auth.Attempt) (auth.Credential, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins++
	d.tries = append(d.tries, a)
	switch {
	case d.refusal != nil:
		return auth.Credential{}, d.refusal
	case a.Name != "alice@example.org" || a.Password != "demo" && a.Password != "dém:o" || d.gone:
		return auth.Credential{}, fault.New(fault.AuthFailed, "")
	}
	return auth.Credential{Account: alice}, nil
}

func (d *doorman) Valid(c auth.Credential) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.gone && c.Account == alice
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// serve starts a server on a listener in memory, until the end of the test.
func serve(t *testing.T, o Options) (*Server, *pipes) {
	t.Helper()
	if o.Auth == nil {
		o.Auth = &doorman{}
	}
	o.PlaintextLogin = true
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, ln := New(o), newPipes()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ln, HTTP); err != net.ErrClosed {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s, ln
}

// head is the head of a request of alice.
func head(line string, more ...string) string {
	return line + " HTTP/1.1\r\nHost: mail.example.org\r\nAuthorization: Basic YWxpY2VAZXhhbXBsZS5vcmc6ZGVtbw==\r\n" +
		strings.Join(append(more, "\r\n"), "\r\n")
}

// say writes to the server, which must take it.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// reply reads an answer, and its body.
func reply(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// certificate returns the settings of a TLS server for any name.
func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
