package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"time"

	"facteur/server/safefile"
)

// The files of the self-signed certificate in Options.Dir. The key is made once
// and outlives certificates, so a client that remembers it isn't alarmed.
const (
	certName = "self-signed.crt"
	keyName  = "self-signed.key"
)

const (
	validity  = 2 * 365 * 24 * time.Hour
	renewal   = 30 * 24 * time.Hour // before the end
	clockSlip = time.Hour           // that a client's clock may be behind
)

// selfSigned returns the certificate that is kept in o.Dir, after making or
// renewing it where needed.
func selfSigned(o Options) (*tls.Certificate, error) {
	certFile, keyFile := filepath.Join(o.Dir, certName), filepath.Join(o.Dir, keyName)
	if cert, err := readPair(certFile, keyFile); err == nil && good(cert.Leaf, o) {
		return cert, nil
	}
	if err := safefile.MkdirAll(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("make the folder for a self-signed one: %w", err)
	}
	key, err := keptKey(keyFile)
	if err != nil {
		if key, err = newKey(o, keyFile); err != nil {
			return nil, err
		}
	}
	der, err := sign(key, o)
	if err != nil {
		return nil, err
	}
	if err := writePEM(o, certFile, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return readPair(certFile, keyFile)
}

// good tells whether a certificate that was made before can be used on.
func good(leaf *x509.Certificate, o Options) bool {
	now := o.Now()
	return leaf.VerifyHostname(o.Hostname) == nil && now.After(leaf.NotBefore) && now.Add(renewal).Before(leaf.NotAfter)
}

func keptKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an ECDSA key")
	}
	return ec, nil
}

func newKey(o Options, path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(o, path, "PRIVATE KEY", der)
}

// sign makes a certificate for the host, of RFC 5280, that is no authority.
func sign(key *ecdsa.PrivateKey, o Options) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	now := o.Now()
	template := &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)), // RFC 5280 4.1.2.2: positive
		Subject:               pkix.Name{CommonName: o.Hostname},
		DNSNames:              []string{o.Hostname},
		NotBefore:             now.Add(-clockSlip),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

func writePEM(o Options, path, kind string, der []byte) error {
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := safefile.WriteFile(o.FS, path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
