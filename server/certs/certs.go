// Package certs holds the certificates that the server shows: from files, or
// a self-signed one that it makes itself.
//
// Load reads and checks everything aside; Use then puts it in force for the
// next handshakes (open connections keep theirs). A client that names a host
// (SNI, RFC 6066 3) gets the certificate of a mail domain that has that name,
// every other client the server's. TLS 1.2 is the least (RFC 8996), with the
// cipher suites of crypto/tls.
//
// A Live is used by many goroutines; a Bundle never changes.
//
// Not here: ACME, OCSP, client certificates, watching the files.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// Options say where certificates are.
type Options struct {
	// Cert and Key are PEM files of the server's own certificate. Without them
	// one is made, for Hostname, and kept in Dir.
	Cert, Key string
	Domains   []Domain
	Dir       string // data/tls
	Hostname  string
	FS        safefile.FS      // nil: safefile.OS
	Now       func() time.Time // nil: time.Now
}

// Domain is the certificate of a mail domain.
type Domain struct {
	Domain    address.Domain
	Cert, Key string // PEM files
}

// Bundle is a set of certificates that were loaded.
type Bundle struct {
	own        *tls.Certificate
	byName     map[string]*tls.Certificate // lower case; "*.example.org" is a wildcard
	selfSigned bool
	hostname   string
	files      []loaded
}

// loaded is a certificate and what people call it.
type loaded struct {
	name string
	cert *tls.Certificate
}

// Load reads the certificates, and makes the self-signed one where it is
// missing, near its end or for another host. Its error tells of all files that
// can't be used.
func Load(o Options) (*Bundle, error) {
	if o.FS == nil {
		o.FS = safefile.OS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Bundle{byName: make(map[string]*tls.Certificate), hostname: o.Hostname}
	var problems []error
	for _, d := range o.Domains {
		cert, err := readPair(d.Cert, d.Key)
		if err != nil {
			problems = append(problems, fmt.Errorf("the certificate of %s: %w", d.Domain, err))
			continue
		}
		b.add(d.Cert, cert)
		b.byName[string(d.Domain)] = cert
	}
	var err error
	if o.Cert != "" {
		if b.own, err = readPair(o.Cert, o.Key); err == nil {
			b.add(o.Cert, b.own)
		}
	} else if b.own, err = selfSigned(o); err == nil {
		b.selfSigned = true
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("the certificate of the server: %w", err))
	}
	if problems != nil {
		return nil, errors.Join(problems...)
	}
	return b, nil
}

// add notes the names of a certificate; the first that has a name keeps it.
func (b *Bundle) add(name string, cert *tls.Certificate) {
	b.files = append(b.files, loaded{name, cert})
	for _, n := range cert.Leaf.DNSNames {
		if n = strings.ToLower(n); b.byName[n] == nil {
			b.byName[n] = cert
		}
	}
}

// SelfSigned tells whether the server's own certificate was made here.
func (b *Bundle) SelfSigned() bool { return b.selfSigned }

// Warnings returns what people should know of the certificates at a time: that
// one has ended or soon will, or does not name the server.
func (b *Bundle) Warnings(now time.Time) []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, f := range b.files {
		leaf := f.cert.Leaf
		switch {
		case now.After(leaf.NotAfter):
			warn("%s: the certificate ended on %s: clients will refuse it; put a new one there", f.name, leaf.NotAfter.Format(time.DateOnly))
		case now.Before(leaf.NotBefore):
			warn("%s: the certificate begins on %s only: clients will refuse it", f.name, leaf.NotBefore.Format(time.DateOnly))
		case now.Add(soon).After(leaf.NotAfter):
			warn("%s: the certificate ends on %s: put a new one there", f.name, leaf.NotAfter.Format(time.DateOnly))
		}
		if f.cert == b.own && leaf.VerifyHostname(b.hostname) != nil {
			warn("%s: the certificate does not name %s: clients that connect to that name will refuse it", f.name, b.hostname)
		}
	}
	return out
}

// soon is how long before its end a certificate is spoken of.
const soon = 14 * 24 * time.Hour

// Leaf returns the certificate that clients of a name are shown.
func (b *Bundle) Leaf(name string) *x509.Certificate { return b.choose(name).Leaf }

// choose returns the certificate for a server name, which may be empty.
func (b *Bundle) choose(name string) *tls.Certificate {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if cert := b.byName[name]; cert != nil {
		return cert
	}
	// RFC 6125 6.4.3: a wildcard stands for one label.
	if _, parent, ok := strings.Cut(name, "."); ok {
		if cert := b.byName["*."+parent]; cert != nil {
			return cert
		}
	}
	return b.own
}

// Live is the Bundle in force. The zero Live has none.
type Live struct {
	bundle atomic.Pointer[Bundle]
}

// Use puts b in force.
func (l *Live) Use(b *Bundle) { l.bundle.Store(b) }

// Bundle returns what is in force, or nil.
func (l *Live) Bundle() *Bundle { return l.bundle.Load() }

// Config returns the settings of a TLS server, for all protocols. They follow
// each Use.
func (l *Live) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			b := l.Bundle()
			if b == nil {
				return nil, errors.New("no certificate is loaded")
			}
			return b.choose(hello.ServerName), nil
		},
	}
}

// maxFile is the most octets of a PEM file.
const maxFile = 1 << 20

// readPair reads a certificate with its chain, and its key.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	certPEM, err := readFile(certFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readFile(keyFile)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s with the key %s: %s", certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &cert, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("facteur may not read %s", path)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return data, nil
}
