// Package dnsbl lets scripts ask the lists of bad senders (RFC 5782) that mail.toml
// names, all at once. Its manual page is README.md. To ask one list, scripts have the
// function dnsbl, without this plugin.
package dnsbl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/hook"
)

// Plugin is dnsbl. Its name in scripts is blocklists, for dnsbl is a function.
var Plugin = lua.Plugin{Name: "dnsbl", New: open}

// lists are the zones to ask.
type lists struct {
	ips, domains []string
}

// maxZones is how many lists of each kind there may be.
const maxZones = 10

// open reads [plugins.dnsbl].
func open(s *lua.Settings) lua.Module {
	l := lists{ips: s.Texts("ip"), domains: s.Texts("domain")}
	for key, zones := range map[string][]string{"ip": l.ips, "domain": l.domains} {
		if len(zones) > maxZones {
			s.Fail(key, "these are more than 10 lists")
		}
		for _, zone := range zones {
			if _, err := address.ParseDomain(zone); err != nil {
				s.Fail(key, err.Error())
			}
		}
	}
	if len(l.ips)+len(l.domains) == 0 {
		s.Fail("", `name a list: ip = ["zen.spamhaus.org"], or domain = ["dbl.spamhaus.org"]`)
	}
	return lua.Module{Name: "blocklists", Local: true, Functions: map[string]lua.Func{"ip": l.ipCall, "domain": l.domainCall}}
}

// ipCall is blocklists.ip([ip]).
func (l lists) ipCall(a *lua.Args) (any, error) {
	text := a.OptString(1, "")
	if text == "" {
		c := a.Call().Client
		if c == nil {
			return nil, a.Errorf(1, "there is no client at the stage %s: give an address", a.Call().Stage)
		}
		if !c.IP.IsValid() {
			return []string{}, nil
		}
		text = c.IP.String()
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil, a.Errorf(1, "%q is not an IP address", text)
	}
	return l.ask(a, l.ips, lua.Reversed(ip.Unmap()))
}

// domainCall is blocklists.domain(name).
func (l lists) domainCall(a *lua.Args) (any, error) {
	d, err := address.ParseDomain(a.String(1))
	if err != nil {
		return nil, a.Errorf(1, "%s", err.Error())
	}
	return l.ask(a, l.domains, string(d))
}

// ask asks all zones at once for a name, and returns those that have it, in the
// order of mail.toml. When none has and one gave no answer, that is an error.
func (l lists) ask(a *lua.Args, zones []string, name string) (any, error) {
	dns := a.Call().Services.DNS
	if dns == nil {
		return nil, errNoDNS
	}
	if err := a.Lookups(len(zones)); err != nil {
		return nil, err
	}
	listed := make([]bool, len(zones))
	failed := make([]error, len(zones))
	ctx := a.Context() // of Args only one goroutine may ask
	var all sync.WaitGroup
	for i, zone := range zones {
		all.Go(func() { listed[i], failed[i] = has(ctx, dns, name+"."+zone) })
	}
	all.Wait()
	found := []string{}
	for i, zone := range zones {
		if listed[i] {
			found = append(found, zone)
		}
	}
	for _, err := range failed {
		if err != nil && len(found) == 0 {
			return nil, err
		}
	}
	return found, nil
}

var errNoDNS = errors.New("there are no look-ups in the DNS here")

// has tells whether a list has a name: RFC 5782 2.1, an A record within 127.0.0.0/8.
// 127.255.255.0/24 is how lists say that they don't answer who asks.
func has(ctx context.Context, dns hook.DNS, name string) (bool, error) {
	addrs, err := dns.Lookup(ctx, "a", name)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(addrs, func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err == nil && ip.Is4() && ip.As4()[0] == 127 && !strings.HasPrefix(s, "127.255.255.")
	}), nil
}
