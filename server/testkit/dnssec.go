package testkit

import (
	"crypto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// signer signs the answers of a zone (RFC 4035).
type signer struct {
	zone string
	key  *dns.DNSKEY
	priv crypto.Signer
	// from and to are the validity of the signatures.
	from, to time.Time
}

// Sign makes the server sign what it says of a zone and the names below it, so that
// a validating resolver in front of it can be tested. It returns the trust anchor,
// the zone's DNSKEY record. With expired the signatures are out of date.
func (d *DNS) Sign(t testing.TB, zone string, expired bool) string {
	t.Helper()
	zone = strings.ToLower(dns.Fqdn(zone))
	s := &signer{zone: zone, from: time.Now().Add(-48 * time.Hour), to: time.Now().Add(24 * time.Hour)}
	if expired {
		s.to = time.Now().Add(-24 * time.Hour)
	}
	s.key = &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	priv, err := s.key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	s.priv = priv.(crypto.Signer)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signed[zone] = s
	d.zone[zone] = append(d.zone[zone], s.key)
	return s.key.String()
}

// signerOf returns the signer of the zone that a name is in, or nil.
func (d *DNS) signerOf(name string) *signer {
	for zone, s := range d.signed {
		if dns.IsSubDomain(zone, name) {
			return s
		}
	}
	return nil
}

// sign adds signatures to a reply, and the proof of what is not there: a record for
// the name that was asked alone, made for the occasion (RFC 9824).
func (d *DNS) sign(reply *dns.Msg, q dns.Question) {
	last := strings.ToLower(q.Name)
	for _, rr := range reply.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			last = strings.ToLower(c.Target)
		}
	}
	missing := !slices.ContainsFunc(reply.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == q.Qtype })
	if s := d.signerOf(last); s != nil && missing {
		reply.Rcode = dns.RcodeSuccess
		reply.Ns = []dns.RR{s.soa(), s.nsec(last, d.zone[last])}
	}
	reply.Answer = d.withSignatures(reply.Answer)
	reply.Ns = d.withSignatures(reply.Ns)
}

func (s *signer) soa() dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: s.zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60},
		Ns:  "ns." + s.zone, Mbox: "hostmaster." + s.zone, Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 60,
	}
}

// nsec says that a name has these records and no others, and that there is nothing
// between it and the first name below it.
func (s *signer) nsec(name string, have []dns.RR) dns.RR {
	types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	for _, rr := range have {
		if t := rr.Header().Rrtype; !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	return &dns.NSEC{
		Hdr:        dns.RR_Header{Name: name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 60},
		NextDomain: `\000.` + name, TypeBitMap: types,
	}
}

// withSignatures returns the records with an RRSIG behind each set of a signed zone.
func (d *DNS) withSignatures(rrs []dns.RR) []dns.RR {
	type set struct {
		name string
		kind uint16
	}
	sets := make(map[set][]dns.RR)
	var order []set
	for _, rr := range rrs {
		k := set{strings.ToLower(rr.Header().Name), rr.Header().Rrtype}
		if sets[k] == nil {
			order = append(order, k)
		}
		sets[k] = append(sets[k], rr)
	}
	var out []dns.RR
	for _, k := range order {
		out = append(out, sets[k]...)
		if s := d.signerOf(k.name); s != nil {
			out = append(out, s.signature(sets[k]))
		}
	}
	return out
}

func (s *signer) signature(rrs []dns.RR) dns.RR {
	sig := &dns.RRSIG{
		Hdr:       dns.RR_Header{Ttl: rrs[0].Header().Ttl},
		Algorithm: s.key.Algorithm, KeyTag: s.key.KeyTag(), SignerName: s.zone,
		Inception: uint32(s.from.Unix()), Expiration: uint32(s.to.Unix()),
	}
	if err := sig.Sign(s.priv, rrs); err != nil {
		panic(err) // our own key and records
	}
	return sig
}
