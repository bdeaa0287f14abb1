package relay

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/fault"
	"facteur/server/mtasts"
)

// hop is an address at which to try.
type hop struct {
	host  string // name of the server, or the address literal
	at    netip.AddrPort
	need  tlsNeed
	smart *Smarthost // when it is that
}

func (h hop) key(version int) poolKey { return poolKey{h.at, h.host, h.need.fingerprint(), version} }

// route is what the DNS and its policy say of a domain.
type route struct {
	domain address.Domain
	hosts  []string // names of servers, best first
	secure bool     // the list is authentic, or there is none
	policy mtasts.Policy
}

// hops yields the addresses of a domain's servers in the order in which to try
// them; with a fault, a server (or the domain) that has none.
func (a *attempt) hops(ctx context.Context) iter.Seq2[hop, *fault.Fault] {
	return func(yield func(hop, *fault.Fault) bool) {
		domain := a.t.msg.Domain
		s, f := a.smarthost()
		if f != nil {
			yield(hop{}, f)
			return
		}
		if s != nil {
			a.smartHops(ctx, s, yield)
			return
		}
		if ip, ok := literal(domain); ok { // RFC 5321 4.1.3
			h := hop{host: string(domain), at: netip.AddrPortFrom(ip, uint16(a.opts.Port))}
			f := a.needOfLiteral(&h)
			yield(h, f)
			return
		}
		route, f := a.route(ctx, domain)
		if f != nil {
			yield(hop{}, f)
			return
		}
		// A domain with a thousand names that nobody answers for would take hours.
		for _, host := range route.hosts[:min(len(route.hosts), maxHosts)] {
			if !a.hostHops(ctx, route, host, yield) {
				return
			}
		}
	}
}

// hostHops yields the addresses of one server; it tells whether to go on.
func (a *attempt) hostHops(ctx context.Context, route route, host string, yield func(hop, *fault.Fault) bool) bool {
	answer, f := a.addrs(ctx, host)
	need := tlsNeed{}
	if f == nil {
		need, f = a.need(ctx, route, host, answer)
	}
	if f != nil {
		return yield(hop{host: host}, f)
	}
	for _, ip := range alternate(answer.Records) {
		if !yield(hop{host: host, at: netip.AddrPortFrom(ip, uint16(a.opts.Port)), need: need}, nil) {
			return false
		}
	}
	return true
}

// alternate orders addresses so that the families take turns, IPv6 first: one that
// leads nowhere from here must not use up all tries (RFC 8305 4).
func alternate(addrs []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			families[1] = append(families[1], a)
		} else {
			families[0] = append(families[0], a)
		}
	}
	var out []netip.Addr
	for i := range max(len(families[0]), len(families[1])) {
		for _, f := range families {
			if i < len(f) {
				out = append(out, f[i])
			}
		}
	}
	return out
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

// route looks up the servers of a domain (RFC 5321 5.1) and its policy.
func (a *attempt) route(ctx context.Context, domain address.Domain) (route, *fault.Fault) {
	made := route{domain: domain}
	answer, err := a.opts.Resolver.SecureMX(ctx, string(domain))
	records := answer.Records
	made.secure = answer.Authentic
	switch {
	case dns.Missing(err):
		// The implicit MX. A name that is not there has no address either, and then
		// addrs says so.
		records = []dns.MX{{Host: string(domain)}}
		var missing *dns.Error
		made.secure = errors.As(err, &missing) && missing.Authentic
	case err != nil:
		return made, dnsFault(domain.Unicode(), err)
	case len(records) == 1 && records[0].Host == "":
		// RFC 7505 3 and 4.2
		return made, fault.Reply(fault.NoSuchAddress, 556, "5.1.10", "The domain "+domain.Unicode()+" takes no mail")
	}
	var f *fault.Fault
	if made.hosts, f = a.order(domain, records); f == nil {
		made.policy = a.policy(ctx, domain)
	}
	return made, f
}

// order sorts servers: the preferred first, equals at random, to spread the load, but
// those first that we have a session with.
func (a *attempt) order(domain address.Domain, records []dns.MX) ([]string, *fault.Fault) {
	records = slices.DeleteFunc(slices.Clone(records), func(m dns.MX) bool { return m.Host == "" })
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	idle := make(map[string]int)
	for _, m := range records {
		if !a.pool.has(m.Host, a.live.version) {
			idle[m.Host] = 1
		}
	}
	slices.SortStableFunc(records, func(x, y dns.MX) int {
		return cmp.Or(cmp.Compare(x.Preference, y.Preference), cmp.Compare(idle[x.Host], idle[y.Host]))
	})
	return dropOwn(domain, records, a.live.Hostname)
}

// dropOwn takes out this server, with those that are not preferred to it: they
// would hand the message back (RFC 5321 5.1).
func dropOwn(domain address.Domain, records []dns.MX, own string) ([]string, *fault.Fault) {
	var hosts []string
	limit := -1
	for _, m := range records {
		if strings.EqualFold(m.Host, own) {
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
func (a *attempt) addrs(ctx context.Context, host string) (dns.Answer[netip.Addr], *fault.Fault) {
	answer, err := a.opts.Resolver.SecureAddrs(ctx, host)
	if err != nil {
		return answer, dnsFault(host, err)
	}
	answer.Records = slices.DeleteFunc(slices.Clone(answer.Records), func(a netip.Addr) bool {
		return a.IsUnspecified() || a.IsMulticast()
	})
	if len(answer.Records) == 0 {
		return answer, fault.Reply(fault.Undeliverable, 550, "5.4.4", host+" has no address that can be used")
	}
	return answer, nil
}

// dnsFault tells of a failed look-up.
func dnsFault(name string, err error) *fault.Fault {
	text := "The DNS did not answer for " + name
	if errors.Is(err, dns.ErrBogus) {
		text = "What the DNS says of " + name + " is forged or out of date (DNSSEC)"
	}
	f := fault.Reply(fault.Undeliverable, 451, "4.4.3", text)
	if dns.Missing(err) {
		// RFC 3463 3.2: X.1.2 bad destination system address
		f = fault.Reply(fault.NoSuchAddress, 550, "5.1.2", name+" does not exist or has no mail server")
	}
	f.Cause = err
	return f
}
