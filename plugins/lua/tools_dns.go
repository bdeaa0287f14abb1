package lua

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const (
	maxName    = 253 // octets of a name (RFC 1035 2.3.4), without the last dot
	maxAnswers = 100
	maxNets    = 1000
)

// lookup asks the DNS. What is no name has no answers; one look-up too many is an error.
func (s *state) lookup(kind, name string) ([]string, error) {
	if s.call.Services.DNS == nil {
		s.missing("dns")
	}
	s.work(toolCost)
	if kind == "ptr" {
		ip, err := netip.ParseAddr(name)
		if err != nil {
			return nil, nil
		}
		name = ip.Unmap().WithZone("").String()
	} else {
		name = strings.TrimSuffix(name, ".")
		odd := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == '/' }
		if name == "" || len(name) > maxName || strings.ContainsFunc(name, odd) {
			return nil, nil
		}
	}
	if s.run.lookups == s.limits.Lookups { // mail with many names in it is not to end the run
		return nil, errors.New(s.limits.explain(ErrLookups, s.call.Stage))
	}
	s.run.lookups++
	name = strings.Clone(name)
	var answers []string
	var err error
	s.wait(func() { answers, err = s.call.Services.DNS.Lookup(s.waitContext(), kind, name) })
	s.work(0)
	return answers[:min(len(answers), maxAnswers)], err
}

// dnsLookup is dns.a(name) and so on.
func dnsLookup(kind string) function {
	return func(s *state) int {
		answers, err := s.lookup(kind, s.str(1))
		if err != nil {
			return s.failed(err)
		}
		return s.push(s.list(answers))
	}
}

// toolDNSBL is dnsbl(zone, ip): the codes of a list on which an address stands
// (RFC 5782 2.1, 2.4), false when it does not.
func toolDNSBL(s *state) int {
	zone := strings.Trim(s.str(1), ".")
	if zone == "" || len(zone) > maxName-64 {
		s.argError(1, "not the zone of a list")
	}
	ip, err := netip.ParseAddr(s.str(2))
	if err != nil {
		return s.push(lua.LFalse)
	}
	answers, err := s.lookup("a", Reversed(ip.Unmap())+"."+zone)
	if err != nil {
		return s.failed(err)
	}
	var codes []string
	for _, a := range answers {
		if strings.HasPrefix(a, "127.255.255.") { // how several lists say: not for you
			return s.failed(fmt.Errorf("%s refuses to answer (%s)", clip(zone, 80), a))
		}
		if strings.HasPrefix(a, "127.") {
			codes = append(codes, a)
		}
	}
	if len(codes) == 0 {
		return s.push(lua.LFalse)
	}
	return s.push(s.list(codes))
}

// Reversed returns the octets of an IPv4 address, or the hex digits of an IPv6
// one, from the last to the first, as lists in the DNS want them (RFC 5782 2.1, 2.4).
func Reversed(ip netip.Addr) string {
	raw := ip.AsSlice()
	var parts []string
	for i := len(raw) - 1; i >= 0; i-- {
		if ip.Is4() {
			parts = append(parts, fmt.Sprint(raw[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%x.%x", raw[i]&15, raw[i]>>4))
		}
	}
	return strings.Join(parts, ".")
}

// toolCIDR is cidr(ip, net): whether an address is in a network, or in one of an
// array of them.
func toolCIDR(s *state) int {
	ip, err := netip.ParseAddr(s.str(1))
	if err == nil {
		ip = ip.Unmap().WithZone("")
	}
	nets, ok := s.L.Get(2).(*lua.LTable)
	if !ok {
		return s.push(lua.LBool(err == nil && s.network(s.str(2)).Contains(ip)))
	}
	if nets.Len() > maxNets {
		s.argError(2, "more than %d networks", maxNets)
	}
	inside := false
	for i := 1; i <= nets.Len(); i++ {
		s.work(2)
		text, ok := nets.RawGetInt(i).(lua.LString)
		if !ok {
			s.argError(2, "a network is a string, not a %s", typeName(nets.RawGetInt(i)))
		}
		inside = inside || s.network(string(text)).Contains(ip)
	}
	return s.push(lua.LBool(inside && err == nil))
}

// network reads "192.0.2.0/24", or one address.
func (s *state) network(text string) netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		s.argError(2, "%s is no network; write \"192.0.2.0/24\"", quote(text, 60))
	}
	ip = ip.Unmap().WithZone("")
	return netip.PrefixFrom(ip, ip.BitLen())
}
