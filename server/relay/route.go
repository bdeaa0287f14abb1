package relay

import (
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/fault"
)

// hop is an address at which to try.
type hop struct {
	host string // name of the server, or the address literal
	addr netip.Addr
}

// hops yields the addresses of a domain's servers in the order in which to try
// them; with a fault, a server (or the domain) that has none.
func (r *Relay) hops(ctx context.Context, domain address.Domain) iter.Seq2[hop, *fault.Fault] {
	return func(yield func(hop, *fault.Fault) bool) {
		if ip, ok := literal(domain); ok { // RFC 5321 4.1.3
			yield(hop{string(domain), ip}, nil)
			return
		}
		hosts, f := r.hosts(ctx, domain)
		if f != nil {
			yield(hop{}, f)
			return
		}
		for _, host := range hosts {
			addrs, f := r.addrs(ctx, host)
			if f != nil && !yield(hop{host: host}, f) {
				return
			}
			for _, a := range addrs {
				if !yield(hop{host, a}, nil) {
					return
				}
			}
		}
	}
}

func literal(d address.Domain) (netip.Addr, bool) {
	s, ok := strings.CutPrefix(string(d), "[")
	if !ok {
		return netip.Addr{}, false
	}
	s = strings.TrimPrefix(strings.TrimSuffix(s, "]"), "ipv6:")
	ip, err := netip.ParseAddr(s)
	return ip, err == nil
}

// hosts returns the names of a domain's servers, best first (RFC 5321 5.1).
func (r *Relay) hosts(ctx context.Context, domain address.Domain) ([]string, *fault.Fault) {
	records, err := r.opts.Resolver.MX(ctx, string(domain))
	if dns.Missing(err) {
		// The implicit MX. A name that is not there has no address either, and then
		// addrs says so.
		return r.dropOwn(domain, []dns.MX{{Host: string(domain)}})
	}
	if err != nil {
		return nil, dnsFault(domain.Unicode(), err)
	}
	if len(records) == 1 && records[0].Host == "" {
		// RFC 7505 3 and 4.2
		return nil, fault.Reply(fault.NoSuchAddress, 556, "5.1.10", "The domain "+domain.Unicode()+" takes no mail")
	}
	records = slices.DeleteFunc(slices.Clone(records), func(m dns.MX) bool { return m.Host == "" })
	// Equals in random order, to spread the load.
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	slices.SortStableFunc(records, func(a, b dns.MX) int { return cmp.Compare(a.Preference, b.Preference) })
	return r.dropOwn(domain, records)
}

// dropOwn takes out this server, with those that are not preferred to it: they
// would hand the message back (RFC 5321 5.1).
func (r *Relay) dropOwn(domain address.Domain, records []dns.MX) ([]string, *fault.Fault) {
	var hosts []string
	limit := -1
	for _, m := range records {
		if strings.EqualFold(m.Host, r.opts.Hostname) {
			limit = int(m.Preference)
			break
		}
	}
	for _, m := range records {
		if limit < 0 || int(m.Preference) < limit {
			hosts = append(hosts, m.Host)
		}
	}
	if len(hosts) == 0 {
		return nil, fault.New(fault.Loop, "Mail for "+domain.Unicode()+" would come back to this server: the MX of the domain names it, but it does not know the domain")
	}
	return hosts, nil
}

// addrs returns the addresses of a server.
func (r *Relay) addrs(ctx context.Context, host string) ([]netip.Addr, *fault.Fault) {
	addrs, err := r.opts.Resolver.Addrs(ctx, host)
	if err != nil {
		return nil, dnsFault(host, err)
	}
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		return a.IsUnspecified() || a.IsMulticast()
	})
	if len(addrs) == 0 {
		return nil, fault.Reply(fault.Undeliverable, 550, "5.4.4", host+" has no address that can be used")
	}
	return addrs, nil
}

// dnsFault tells of a failed look-up.
func dnsFault(name string, err error) *fault.Fault {
	f := fault.Reply(fault.Undeliverable, 451, "4.4.3", "The DNS did not answer for "+name)
	if dns.Missing(err) {
		// RFC 3463 3.2: X.1.2 bad destination system address
		f = fault.Reply(fault.NoSuchAddress, 550, "5.1.2", name+" does not exist or has no mail server")
	}
	f.Cause = err
	return f
}
