package dns

import (
	"context"

	wire "github.com/miekg/dns"
)

// SRV says where a service is (RFC 2782).
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string // in lower case without the final dot; "" when the service is not offered
}

// SRV returns the records of a name such as "_imaps._tcp.example.org".
func (r *Resolver) SRV(ctx context.Context, name string) ([]SRV, error) {
	return records(lookup(ctx, r, name, wire.TypeSRV, func(rr *wire.SRV) (SRV, bool) {
		return SRV{rr.Priority, rr.Weight, rr.Port, hostName(rr.Target)}, true
	}))
}
