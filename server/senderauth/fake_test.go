package senderauth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"facteur/server/dns"
)

// fakeDNS answers from maps, by name in lower case. What it does not know does not exist.
type fakeDNS struct {
	txt  map[string][]string
	a    map[string][]netip.Addr
	aaaa map[string][]netip.Addr
	mx   map[string][]dns.MX
	ptr  map[netip.Addr][]string
	// broken names get no answer, for any type or for "TXT" and so on alone.
	broken map[string]string

	mu    sync.Mutex
	asked []string
}

var errNoAnswer = errors.New("no answer")

func newFakeDNS() *fakeDNS {
	return &fakeDNS{
		txt: make(map[string][]string), a: make(map[string][]netip.Addr), aaaa: make(map[string][]netip.Addr),
		mx: make(map[string][]dns.MX), ptr: make(map[netip.Addr][]string), broken: make(map[string]string),
	}
}

func find[K comparable, T any](ctx context.Context, f *fakeDNS, kind, name string, m map[K][]T, key K) ([]T, error) {
	f.mu.Lock()
	f.asked = append(f.asked, kind+" "+name)
	f.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if what, ok := f.broken[name]; ok && (what == "" || what == kind) {
		return nil, errNoAnswer
	}
	if len(m[key]) == 0 {
		return nil, &dns.Error{Name: name, Type: kind, Err: dns.ErrNoName}
	}
	return slices.Clone(m[key]), nil
}

func fold(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (f *fakeDNS) TXT(ctx context.Context, name string) ([]string, error) {
	return find(ctx, f, "TXT", fold(name), f.txt, fold(name))
}

func (f *fakeDNS) A(ctx context.Context, name string) ([]netip.Addr, error) {
	return find(ctx, f, "A", fold(name), f.a, fold(name))
}

func (f *fakeDNS) AAAA(ctx context.Context, name string) ([]netip.Addr, error) {
	return find(ctx, f, "AAAA", fold(name), f.aaaa, fold(name))
}

func (f *fakeDNS) MX(ctx context.Context, name string) ([]dns.MX, error) {
	return find(ctx, f, "MX", fold(name), f.mx, fold(name))
}

func (f *fakeDNS) PTR(ctx context.Context, ip netip.Addr) ([]string, error) {
	return find(ctx, f, "PTR", ip.String(), f.ptr, ip)
}
