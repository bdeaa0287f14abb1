package senderauth

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/message"
)

// Resolver answers questions; a *dns.Resolver does. Errors say by dns.Missing that there
// is nothing, all others are temporary.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
	A(ctx context.Context, host string) ([]netip.Addr, error)
	AAAA(ctx context.Context, host string) ([]netip.Addr, error)
	MX(ctx context.Context, domain string) ([]dns.MX, error)
	PTR(ctx context.Context, ip netip.Addr) ([]string, error)
}

// VerifierOptions are those of a Verifier's whole life.
type VerifierOptions struct {
	Now    func() time.Time // nil: time.Now
	Sample func() int       // from 0 to 99, for pct (RFC 7489 6.6.4); nil: at random
	Log    *slog.Logger     // nil: slog.Default
}

// Settings are what a reload changes.
type Settings struct {
	Resolver Resolver
	// Sealers are the domains whose word on a message that they passed on counts
	// ([trust] arc).
	Sealers []address.Domain
}

// Verifier verifies messages.
type Verifier struct {
	opts VerifierOptions
	live atomic.Pointer[Settings]
}

// NewVerifier returns a Verifier with its first settings.
func NewVerifier(o VerifierOptions, first Settings) *Verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sample == nil {
		o.Sample = func() int { return rand.IntN(100) }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	v := &Verifier{opts: o}
	v.Apply(first)
	return v
}

// Apply changes the settings from the next message on.
func (v *Verifier) Apply(s Settings) { v.live.Store(&s) }

// How long all questions of one message may take together: nothing depends on the
// answers when the client is exempt.
const (
	patience       = 20 * time.Second
	patienceExempt = 5 * time.Second
)

// Verify finds out who a message comes from. It never fails: what can't be found out is
// in the results. It returns within about 20 s, and sooner when ctx ends.
func (v *Verifier) Verify(ctx context.Context, f Facts, h *message.Header, b envelope.Body) Results {
	live := v.live.Load()
	limit := patience
	if f.Exempt {
		limit = patienceExempt
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	from := authorsOf(h)
	keys, sums := make(keyring), new(bodySums)
	checks := dkimChecks(h, keys, sums, v.opts.Now())
	chain := parseARC(h, v.opts.Now())
	chain.want(keys, sums)

	r := Results{Exempt: f.Exempt}
	var policies []policyOf
	var all sync.WaitGroup // the questions, side by side
	all.Go(func() { r.SPF = checkSPF(ctx, live.Resolver, f) })
	all.Go(func() { r.IPRev = checkIPRev(ctx, live.Resolver, f.IP) })
	all.Go(func() { policies = findPolicies(ctx, live.Resolver, from.domains) })
	all.Go(func() { keys.fetch(ctx, live.Resolver) })
	err := sums.read(b, h.Size())
	all.Wait()
	if err != nil { // our disk: nobody's signature is to blame
		v.opts.Log.Error("senderauth.read", "error", err)
		keys.unreadable()
	}
	places := placesOf(h)
	for i := range checks {
		r.DKIM = append(r.DKIM, checks[i].result(h, places, keys))
	}
	r.ARC = chain.verify(h, places, keys)
	r.DMARC = checkDMARC(from, policies, r.SPF, r.DKIM)
	r.judge(f, h, live.Sealers, v.opts.Sample())
	return r
}

// unreadable makes all signatures temporary failures.
func (r keyring) unreadable() {
	for name := range r {
		r[name] = &keyAnswer{err: failed(TempError, "the message could not be read")}
	}
}

// maxNamesOfIP is how many names of a client are tried.
const maxNamesOfIP = 5

// checkIPRev looks for a name of the client that leads back to it (RFC 8601 3).
func checkIPRev(ctx context.Context, r Resolver, ip netip.Addr) IPRev {
	if !ip.IsValid() || ip.IsLoopback() {
		return IPRev{} // it has no name in the DNS
	}
	ip = ip.Unmap().WithZone("")
	names, err := r.PTR(ctx, ip)
	switch {
	case dns.Missing(err):
		return IPRev{Result: PermError, IP: ip}
	case err != nil:
		return IPRev{Result: TempError, IP: ip}
	}
	ask := r.AAAA
	if ip.Is4() {
		ask = r.A
	}
	result := Fail
	for _, name := range names[:min(len(names), maxNamesOfIP)] {
		ips, err := ask(ctx, name)
		if slices.Contains(ips, ip) {
			return IPRev{Result: Pass, IP: ip, Name: strings.ToLower(strings.TrimSuffix(name, "."))}
		}
		if err != nil && !dns.Missing(err) {
			result = TempError
		}
	}
	return IPRev{Result: result, IP: ip}
}

// SPF checks the reverse-path alone (RFC 7208), before there is a message. It ends with ctx.
func (v *Verifier) SPF(ctx context.Context, f Facts) SPF {
	return checkSPF(ctx, v.live.Load().Resolver, f)
}
