package dns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	wire "github.com/miekg/dns"
)

// The failures of a server, beside those of the way to it. They are failures for
// the moment.
var (
	// ErrServer is SERVFAIL: the server could not find out, or what it found can't
	// be true (RFC 4035 5.5).
	ErrServer = errors.New("the server failed (SERVFAIL)")
	// ErrBogus is a SERVFAIL of which the server says that DNSSEC is the reason
	// (RFC 8914 4). It is an ErrServer too.
	ErrBogus = fmt.Errorf("%w: DNSSEC does not hold", ErrServer)
)

// Answer is what a look-up found.
type Answer[T any] struct {
	Records []T
	// Name is where the records are, after all CNAMEs; in lower case, without the
	// final dot.
	Name string
	// Authentic tells that a validating server that can be believed vouches for all
	// of it, CNAMEs included: "secure" in the words of RFC 4033 5. A server that does
	// not validate, and a zone without DNSSEC, give none such.
	Authentic bool
}

// TLSA is a record of DANE (RFC 6698 2.1).
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte // a certificate, a public key, or a hash of it
}

// String is the record as in a zone file.
func (t TLSA) String() string {
	return fmt.Sprintf("%d %d %d %x", t.Usage, t.Selector, t.Matching, t.Data)
}

// SecureMX returns the mail exchangers of a domain, in the order of the answer. When
// there are none, the *Error tells whether that is proven.
func (r *Resolver) SecureMX(ctx context.Context, domain string) (Answer[MX], error) {
	return lookup(ctx, r, domain, wire.TypeMX, func(rr *wire.MX) (MX, bool) {
		return MX{rr.Preference, hostName(rr.Mx)}, true
	})
}

// SecureAddrs is Addrs; its answer is authentic when all addresses in it are.
func (r *Resolver) SecureAddrs(ctx context.Context, host string) (Answer[netip.Addr], error) {
	var v4 Answer[netip.Addr]
	var err4 error
	done := make(chan struct{})
	go func() {
		defer close(done)
		v4, err4 = r.a(ctx, host)
	}()
	v6, err6 := r.aaaa(ctx, host)
	<-done
	switch {
	case err6 == nil && err4 == nil:
		both := Answer[netip.Addr]{append(v6.Records, v4.Records...), v6.Name, v6.Authentic && v4.Authentic}
		return both, nil
	case err6 == nil:
		return v6, nil
	case err4 == nil:
		return v4, nil
	case Missing(err4):
		return Answer[netip.Addr]{}, err6 // a temporary failure of either is one of both
	}
	return Answer[netip.Addr]{}, err4
}

// TLSA returns the TLSA records of a name such as "_25._tcp.mx.example.org". Only an
// authentic answer may be used (RFC 7672 2.2); no authentic answer and no error
// means that there is nothing to go by.
func (r *Resolver) TLSA(ctx context.Context, name string) (Answer[TLSA], error) {
	return lookup(ctx, r, name, wire.TypeTLSA, func(rr *wire.TLSA) (TLSA, bool) {
		data, err := hex.DecodeString(rr.Certificate)
		return TLSA{rr.Usage, rr.Selector, rr.MatchingType, data}, err == nil
	})
}

// Alias returns the CNAME of a name itself: where it leads, one step.
func (r *Resolver) Alias(ctx context.Context, name string) (Answer[string], error) {
	return lookup(ctx, r, name, wire.TypeCNAME, func(rr *wire.CNAME) (string, bool) {
		return hostName(rr.Target), true
	})
}

// lookup asks for the records of a type and takes from each what value returns.
func lookup[RR wire.RR, T any](ctx context.Context, r *Resolver, name string, kind uint16, value func(RR) (T, bool)) (Answer[T], error) {
	found, err := r.resolve(ctx, name, kind)
	a := Answer[T]{Name: hostName(found.Name), Authentic: found.Authentic}
	for _, rr := range found.Records {
		if record, ok := rr.(RR); ok && len(a.Records) < maxRecords {
			if v, ok := value(record); ok {
				a.Records = append(a.Records, v)
			}
		}
	}
	if err == nil && len(a.Records) == 0 {
		err = ErrNoData
	}
	if err != nil {
		return Answer[T]{}, &Error{Name: name, Type: wire.TypeToString[kind], Err: err, Authentic: found.Authentic && Missing(err)}
	}
	return a, nil
}

// records returns those of an answer.
func records[T any](a Answer[T], err error) ([]T, error) { return a.Records, err }

// failure tells why a server gave no answer, with what it says itself (RFC 8914).
func failure(m *wire.Msg) error {
	if m.Rcode != wire.RcodeServerFailure {
		return fmt.Errorf("it answered %s", wire.RcodeToString[m.Rcode])
	}
	err, detail := ErrServer, ""
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			ede, ok := o.(*wire.EDNS0_EDE)
			if !ok {
				continue
			}
			// RFC 8914 4.6 to 4.13: indeterminate, bogus, expired, keys or proofs missing.
			if ede.InfoCode >= wire.ExtendedErrorCodeDNSSECIndeterminate && ede.InfoCode <= wire.ExtendedErrorCodeNSECMissing {
				err = ErrBogus
			}
			detail = wire.ExtendedErrorCodeToString[ede.InfoCode]
			if ede.ExtraText != "" {
				detail = strings.TrimSpace(detail + " " + fmt.Sprintf("%.100q", ede.ExtraText))
			}
		}
	}
	if detail != "" {
		return fmt.Errorf("%w (%s)", err, detail)
	}
	return err
}
