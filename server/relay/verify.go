package relay

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"facteur/server/dns"
)

// The values of TLSA records that mail uses (RFC 7672 3.1; RFC 7218 has the names).
const (
	daneTA = 2
	daneEE = 3

	wholeCert = 0
	publicKey = 1

	exact     = 0
	sha2of256 = 1
	sha2of512 = 2
)

// usable tells whether a TLSA record can verify anything: usages 0 and 1 can't in
// mail (RFC 7672 3.1.3), and what is unknown or damaged can't anywhere.
func usable(t dns.TLSA) bool {
	if t.Usage != daneTA && t.Usage != daneEE || t.Selector > publicKey {
		return false
	}
	switch t.Matching {
	case sha2of256:
		return len(t.Data) == sha256.Size
	case sha2of512:
		return len(t.Data) == sha512.Size
	case exact:
		var err error
		if t.Selector == wholeCert {
			_, err = x509.ParseCertificate(t.Data)
		} else {
			_, err = x509.ParsePKIXPublicKey(t.Data)
		}
		return err == nil
	}
	return false
}

// matches tells whether a record is of a certificate (RFC 6698 2.1).
func matches(t dns.TLSA, c *x509.Certificate) bool {
	data := c.Raw
	if t.Selector == publicKey {
		data = c.RawSubjectPublicKeyInfo
	}
	switch t.Matching {
	case sha2of256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case sha2of512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(t.Data, data)
}

// certFault is why a certificate does not hold.
type certFault struct {
	failure string // for reports
	text    string // for people
}

func (e *certFault) Error() string { return e.text }

// verify tells whether the certificates of a server, its own first, meet a need.
func (n *tlsNeed) verify(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	if len(chain) == 0 {
		return &certFault{FailureValidation, "it has no certificate"}
	}
	if n.tlsa != nil {
		return n.verifyDANE(chain, now)
	}
	return verifyNamed(chain, roots, n.names, now)
}

// verifyNamed verifies a chain up to roots, and that it is for one of the names (RFC
// 5280 6, RFC 6125).
func verifyNamed(chain []*x509.Certificate, roots *x509.CertPool, names []string, now time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now}); err != nil {
		var invalid x509.CertificateInvalidError
		var unknown x509.UnknownAuthorityError
		switch {
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			return &certFault{FailureExpired, "its certificate is out of date"}
		case errors.As(err, &unknown):
			return &certFault{FailureNotTrusted, "its certificate is from nobody who is trusted"}
		}
		return &certFault{FailureValidation, "its certificate does not hold: " + brieflySaid(err)}
	}
	if slices.ContainsFunc(names, func(name string) bool { return chain[0].VerifyHostname(name) == nil }) {
		return nil
	}
	return &certFault{FailureHost, "its certificate is for another name"}
}

// verifyDANE verifies a chain by TLSA records: one that matches is enough.
func (n *tlsNeed) verifyDANE(chain []*x509.Certificate, now time.Time) error {
	anchors := x509.NewCertPool()
	found := false
	for _, t := range n.tlsa {
		if t.Usage == daneEE {
			// RFC 7672 3.1.1: neither its names nor its dates matter.
			if matches(t, chain[0]) {
				return nil
			}
			continue
		}
		for _, c := range anchorsOf(t, chain) {
			anchors.AddCert(c)
			found = true
		}
	}
	if !found {
		return &certFault{FailureValidation, "its certificate is none of those that the TLSA records name"}
	}
	// RFC 7672 3.1.2 and 3.2.3: for a trust anchor names and dates do matter.
	return verifyNamed(chain, anchors, n.names, now)
}

// anchorsOf returns the certificates that a record of usage DANE-TA makes trust
// anchors: those of the chain, above the first, that it names; the one that it holds
// itself; or those signed with the bare key that it holds (RFC 7671 5.2.2, 5.2.3).
func anchorsOf(t dns.TLSA, chain []*x509.Certificate) []*x509.Certificate {
	var found []*x509.Certificate
	for _, c := range chain[1:] {
		if matches(t, c) {
			found = append(found, c)
		}
	}
	if t.Matching != exact || found != nil {
		return found
	}
	if t.Selector == wholeCert {
		if c, err := x509.ParseCertificate(t.Data); err == nil && !c.Equal(chain[0]) {
			found = append(found, c)
		}
		return found
	}
	key, err := x509.ParsePKIXPublicKey(t.Data)
	if err != nil {
		return nil
	}
	anchor := &x509.Certificate{PublicKey: key}
	for _, c := range chain {
		sha1 := c.SignatureAlgorithm == x509.SHA1WithRSA || c.SignatureAlgorithm == x509.ECDSAWithSHA1
		if !sha1 && anchor.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			found = append(found, c)
		}
	}
	return found
}

// certificateError tells whether err is about the certificate of an HTTPS server.
func certificateError(err error) bool {
	var bad *tls.CertificateVerificationError
	return errors.As(err, &bad)
}
