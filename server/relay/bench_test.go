package relay

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/testkit"
)

// fixed is a Resolver without a network.
type fixed struct{}

func (fixed) SecureMX(context.Context, string) (dns.Answer[dns.MX], error) {
	return dns.Answer[dns.MX]{Records: []dns.MX{{Preference: 10, Host: "mx1.example"}}}, nil
}

func (fixed) SecureAddrs(_ context.Context, host string) (dns.Answer[netip.Addr], error) {
	return dns.Answer[netip.Addr]{Records: addrs("192.0.2.1"), Name: host}, nil
}

func (fixed) TLSA(context.Context, string) (dns.Answer[dns.TLSA], error) {
	return dns.Answer[dns.TLSA]{}, dns.ErrNoData
}

func (fixed) Alias(context.Context, string) (dns.Answer[string], error) {
	return dns.Answer[string]{}, dns.ErrNoData
}

// BenchmarkSend is messages of 4 KB to one server, one after the other.
func BenchmarkSend(b *testing.B) {
	for _, recipients := range []int{1, 50} {
		for _, kept := range []bool{true, false} {
			name := fmt.Sprintf("recipients=%d/kept=%v", recipients, kept)
			b.Run(name, func(b *testing.B) {
				p := testkit.NewPeer(b, testkit.PeerOptions{Forgetful: true})
				network := new(testkit.Network)
				network.Host("192.0.2.1:25", p.Addr())
				o := Options{Resolver: fixed{}, Dial: network.DialContext}
				if !kept {
					o.Timeouts.Idle = -1
				}
				r := New(o, Settings{Hostname: "mail.test"})
				defer r.Close()
				var locals []string
				for i := range recipients {
					locals = append(locals, fmt.Sprintf("user%d", i))
				}
				m := mail("one.example", locals...)
				m.Body = envelope.Bytes(content + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 50))
				for b.Loop() {
					if got := r.Attempt(b.Context(), m); got[0].Fault != nil {
						b.Fatal(got[0].Fault)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}
