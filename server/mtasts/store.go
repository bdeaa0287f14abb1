package mtasts

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"facteur/server/safefile"
)

// Resolver is what mtasts asks of the DNS. Its errors are those of package dns.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

// Options are the settings of a Store.
type Options struct {
	Dir      string // where policies are kept; it is made
	FS       safefile.FS
	Resolver Resolver
	Dial     Dial             // nil: that of net.Dialer
	Roots    *x509.CertPool   // nil: the system's
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// The times and bounds of a Store.
const (
	retryAfter   = 5 * time.Minute     // until a fetch that failed is tried again (RFC 8461 3.3)
	renewAfter   = 24 * time.Hour      // until a policy is fetched anew (RFC 8461 10.2)
	unusedAfter  = 30 * 24 * time.Hour // policies of domains without mail are not renewed
	renewEvery   = time.Hour
	maxDomains   = 10_000
	maxFailures  = 10_000
	touchedAfter = 24 * time.Hour // how exactly it is kept when a policy was used
)

// Store knows the policies of domains.
type Store struct {
	opts   Options
	client *http.Client
	end    context.CancelFunc
	ended  sync.WaitGroup

	mu       sync.Mutex
	kept     map[string]kept
	failures map[string]failure
	fetching map[string]chan struct{} // closed when the fetch is over
}

// kept is a policy that was fetched.
type kept struct {
	Policy
	text    []byte
	fetched time.Time
	used    time.Time
}

func (k kept) valid(now time.Time) bool {
	return k.Mode != "" && now.Before(k.fetched.Add(k.MaxAge)) && !now.Before(k.fetched.Add(-time.Hour))
}

// failure is a fetch that failed.
type failure struct {
	id    string
	err   error
	until time.Time
}

// Open reads the policies that are kept and returns a Store that renews them.
func Open(o Options) (*Store, error) {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := safefile.MkdirAll(o.FS, o.Dir); err != nil {
		return nil, err
	}
	s := &Store{
		opts: o, client: newClient(o.Resolver, o.Dial, o.Roots),
		kept: make(map[string]kept), failures: make(map[string]failure), fetching: make(map[string]chan struct{}),
	}
	s.load()
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	s.ended.Go(func() { s.renew(ctx) })
	return s, nil
}

// Close ends what goes on.
func (s *Store) Close() {
	s.end()
	s.ended.Wait()
}

// Policy returns the policy of a domain (A-labels), the zero Policy when it has none.
// The error, ErrFetch or ErrInvalid, tells that it has announced one that could not
// be had; the policy is none then, and mail goes as without.
func (s *Store) Policy(ctx context.Context, domain string) (Policy, error) {
	txt, err := s.opts.Resolver.TXT(ctx, "_mta-sts."+domain)
	id := ""
	if err == nil {
		id, err = ParseRecord(txt)
	}
	now := s.opts.Now()
	k := s.lookup(domain, now)
	if err != nil || k.valid(now) && k.ID == id {
		return k.current(now), nil
	}
	return s.update(ctx, domain, id)
}

// current is the policy while it counts.
func (k kept) current(now time.Time) Policy {
	if !k.valid(now) {
		return Policy{}
	}
	return k.Policy
}

// lookup returns what is kept of a domain, and notes that it was wanted.
func (s *Store) lookup(domain string, now time.Time) kept {
	s.mu.Lock()
	k := s.kept[domain]
	stale := k.valid(now) && now.Sub(k.used) > touchedAfter
	if stale {
		k.used = now
		s.kept[domain] = k
	}
	s.mu.Unlock()
	if stale {
		s.save(domain, k)
	}
	return k
}

// update fetches a policy whose record has a new id, unless that failed a moment
// ago. Several who want it share one fetch.
func (s *Store) update(ctx context.Context, domain, id string) (Policy, error) {
	for {
		now := s.opts.Now()
		s.mu.Lock()
		k, f, others := s.kept[domain], s.failures[domain], s.fetching[domain]
		switch {
		case k.valid(now) && k.ID == id:
			s.mu.Unlock()
			return k.Policy, nil
		case f.err != nil && f.id == id && now.Before(f.until):
			s.mu.Unlock()
			return failed(k, f.err, now)
		case others == nil:
			done := make(chan struct{})
			s.fetching[domain] = done
			s.mu.Unlock()
			p, err := s.fetch(ctx, domain, id)
			s.mu.Lock()
			delete(s.fetching, domain)
			s.mu.Unlock()
			close(done)
			if err != nil {
				return failed(k, err, now)
			}
			return p, nil
		}
		s.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return failed(k, ErrFetch, now)
		}
	}
}

// failed is the answer when a newer policy can't be had: the one before counts while
// it lasts (RFC 8461 3.3).
func failed(k kept, err error, now time.Time) (Policy, error) {
	if k.valid(now) {
		return k.Policy, nil
	}
	return Policy{}, err
}

// fetch gets a policy and keeps it, or notes that it failed.
func (s *Store) fetch(ctx context.Context, domain, id string) (Policy, error) {
	p, text, err := fetch(ctx, s.client, domain)
	now := s.opts.Now()
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return Policy{}, err // it is not the domain's failure
		}
		s.opts.Log.Warn("mtasts.failed", "domain", domain, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.failures) >= maxFailures {
			clear(s.failures)
		}
		s.failures[domain] = failure{id, err, now.Add(retryAfter)}
		return Policy{}, err
	}
	p.ID = id
	k := kept{Policy: p, text: text, fetched: now, used: now}
	s.mu.Lock()
	delete(s.failures, domain)
	if old, there := s.kept[domain]; there && !old.used.IsZero() {
		k.used = old.used
	}
	if k.used.Before(now.Add(-unusedAfter)) {
		k.used = now
	}
	evicted := s.makeRoom(domain)
	s.kept[domain] = k
	s.mu.Unlock()
	s.opts.Log.Info("mtasts.fetched", "domain", domain, "mode", p.Mode, "max_age", p.MaxAge)
	if evicted != "" {
		s.remove(evicted)
	}
	s.save(domain, k)
	return p, nil
}

// makeRoom drops the policy that ends first when there are too many; s.mu is held.
func (s *Store) makeRoom(domain string) string {
	if _, there := s.kept[domain]; there || len(s.kept) < maxDomains {
		return ""
	}
	first, end := "", time.Time{}
	for d, k := range s.kept {
		if at := k.fetched.Add(k.MaxAge); first == "" || at.Before(end) {
			first, end = d, at
		}
	}
	delete(s.kept, first)
	return first
}
