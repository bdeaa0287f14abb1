package testkit

import (
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Web is an HTTPS server.
type Web struct {
	addr string

	mu      sync.Mutex
	handler http.HandlerFunc
	cert    tls.Certificate
	asked   []string
}

// NewWeb starts an HTTPS server. It ends with the test.
func NewWeb(t testing.TB, cert tls.Certificate, h http.HandlerFunc) *Web {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Web{addr: ln.Addr().String(), handler: h, cert: cert}
	s := &http.Server{Handler: http.HandlerFunc(w.serve), ErrorLog: log.New(t.Output(), "", 0)}
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return &w.cert, nil
	}}
	var running sync.WaitGroup
	running.Go(func() { s.Serve(tls.NewListener(ln, config)) }) // ends with Close
	t.Cleanup(func() {
		s.Close()
		running.Wait()
	})
	return w
}

// NewPolicy starts the HTTPS server of a policy of MTA-STS.
func NewPolicy(t testing.TB, cert tls.Certificate, policy string) *Web {
	t.Helper()
	w := NewWeb(t, cert, nil)
	w.Policy(policy)
	return w
}

// Addr is the server's address, "127.0.0.1:port".
func (w *Web) Addr() string { return w.addr }

// Set changes what it answers.
func (w *Web) Set(h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handler = h
}

// Policy makes it answer with a policy of MTA-STS.
func (w *Web) Policy(text string) {
	w.Set(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		rw.Write([]byte(CRLF(text))) // a client that is gone wants no more
	})
}

// Present changes the certificate.
func (w *Web) Present(cert tls.Certificate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cert = cert
}

// Asked returns the URLs that were asked for so far.
func (w *Web) Asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.asked...)
}

func (w *Web) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Host+r.URL.Path)
	h := w.handler
	w.mu.Unlock()
	h(rw, r)
}
