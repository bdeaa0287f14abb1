package relay

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"facteur/server/dns"
	"facteur/server/testkit"
)

// chainOf parses the certificates of a server.
func chainOf(t testing.TB, c tls.Certificate) []*x509.Certificate {
	t.Helper()
	var chain []*x509.Certificate
	for _, der := range c.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, cert)
	}
	return chain
}

func TestUsable(t *testing.T) {
	cert := chainOf(t, testkit.Certificate(t, "x"))[0]
	hash := make([]byte, 64)
	for _, c := range []struct {
		record dns.TLSA
		want   bool
	}{
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: hash[:32]}, true},
		{dns.TLSA{Usage: 2, Selector: 0, Matching: 2, Data: hash}, true},
		{dns.TLSA{Usage: 3, Selector: 0, Matching: 0, Data: cert.Raw}, true},
		{dns.TLSA{Usage: 2, Selector: 1, Matching: 0, Data: cert.RawSubjectPublicKeyInfo}, true},
		{dns.TLSA{Usage: 0, Selector: 1, Matching: 1, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 1, Selector: 1, Matching: 1, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 4, Selector: 1, Matching: 1, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 3, Selector: 2, Matching: 1, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 3, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: hash[:31]}, false},
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 2, Data: hash[:32]}, false},
		{dns.TLSA{Usage: 3, Selector: 0, Matching: 0, Data: cert.RawSubjectPublicKeyInfo}, false},
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 0, Data: cert.Raw}, false},
		{dns.TLSA{Usage: 3, Selector: 1, Matching: 0}, false},
	} {
		if usable(c.record) != c.want {
			t.Errorf("%v: %v", c.record, !c.want)
		}
	}
}

// FuzzTLSA: a certificate holds only when a record names it or its authority.
func FuzzTLSA(f *testing.F) {
	ca, other := testkit.NewAuthority(f), testkit.NewAuthority(f)
	chain := chainOf(f, ca.Issue(f, "mx.example"))
	for _, c := range append(chain, other.Certificate) {
		f.Add(uint8(2), uint8(0), uint8(0), c.Raw)
		f.Add(uint8(3), uint8(1), uint8(0), c.RawSubjectPublicKeyInfo)
	}
	f.Add(uint8(3), uint8(1), uint8(1), make([]byte, 32))
	f.Add(uint8(2), uint8(0), uint8(2), make([]byte, 64))
	f.Fuzz(func(t *testing.T, usage, selector, matching uint8, data []byte) {
		record := dns.TLSA{Usage: usage, Selector: selector, Matching: matching, Data: data}
		if !usable(record) {
			return
		}
		need := tlsNeed{level: mustVerify, names: []string{"mx.example"}, tlsa: []dns.TLSA{record}}
		if need.verify(chain, nil, time.Now()) != nil {
			return
		}
		named := usage == daneEE && matches(record, chain[0]) || usage == daneTA && matches(record, ca.Certificate)
		if !named {
			t.Errorf("%v verifies", record)
		}
	})
}
