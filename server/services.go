package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/hook"
	"facteur/server/kv"
)

// openScripts opens what scripts work with, and what is kept of them. The state is open
// by then.
func (s *Server) openScripts(first *settings) (err error) {
	if s.memory, err = kv.Open(context.Background(), kv.Options{State: s.state, Log: s.log}); err != nil {
		return fmt.Errorf("opening the memory of scripts: %w", err)
	}
	if s.failures, err = openFailures(s, nil); err != nil {
		return fmt.Errorf("opening the failures of scripts: %w", err)
	}
	s.scripts = newScriptCounts()
	s.scripts.load(first)
	return s.openTrace(first)
}

// closeScripts ends what openScripts opened, before the state.
func (s *Server) closeScripts() {
	s.trace.Close()
	if s.failures != nil {
		s.failures.close()
	}
	if s.memory != nil {
		if err := s.memory.Close(); err != nil {
			s.log.Error("server.memory", "error", err)
		}
	}
}

// services are what scripts reach beside the message.
func (s *Server) services() hook.Services {
	return hook.Services{KV: s.memory, DNS: lookups{s.resolver}, Outside: true, Metric: s.scripts.metric}
}

// lookups is the resolver as scripts have it (hook.DNS).
type lookups struct{ resolver *dns.Resolver }

// Lookup is that of hook.DNS. The hosts of mx are in the order of their preference.
func (l lookups) Lookup(ctx context.Context, kind, name string) (found []string, err error) {
	switch kind {
	case "a":
		found, err = texts(l.resolver.A(ctx, name))
	case "aaaa":
		found, err = texts(l.resolver.AAAA(ctx, name))
	case "mx":
		var list []dns.MX
		list, err = l.resolver.MX(ctx, name)
		slices.SortStableFunc(list, func(a, b dns.MX) int { return cmp.Compare(a.Preference, b.Preference) })
		for _, mx := range list {
			found = append(found, mx.Host)
		}
	case "txt":
		found, err = l.resolver.TXT(ctx, name)
	case "ptr":
		ip, wrong := netip.ParseAddr(name)
		if wrong != nil {
			return nil, fmt.Errorf("%.60q is no IP address", name)
		}
		found, err = l.resolver.PTR(ctx, ip)
	default:
		return nil, fmt.Errorf("no look-up of kind %.20q", kind)
	}
	if dns.Missing(err) {
		return nil, nil
	}
	return found, err
}

func texts(list []netip.Addr, err error) (out []string, _ error) {
	for _, a := range list {
		out = append(out, a.String())
	}
	return out, err
}

// forget removes what is kept of an account that is gone for good outside its folder: what
// scripts noted, what others shared with it, and what was made of its calendars and contacts. The name is made of those of
// its folder (address.Address.Dir).
func (s *Server) forget(account string) error {
	folder, domain, _ := strings.Cut(account, "@")
	if err := os.RemoveAll(filepath.Join(s.live.Load().Data, "derived", domain, folder)); err != nil {
		return err
	}
	local, err := url.PathUnescape(folder)
	if err != nil { // no folder of ours
		return nil
	}
	a := address.Address{Local: local, Domain: address.Domain(domain)}
	return errors.Join(s.memory.Remove(context.Background(), a), s.dav.homes.Forget(a))
}
