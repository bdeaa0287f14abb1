package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

const (
	maxChain = 8    // CNAMEs from a name to its records
	tries    = 2    // of each server
	udpSize  = 1232 // that is not fragmented (RFC 9715)
)

// resolve returns the records of a name, following CNAMEs (RFC 1034 3.6.2) in the
// answer, and beyond it where the server has not. The answer is authentic when all
// that led to it is, an error ErrNoName or ErrNoData too.
func (r *Resolver) resolve(ctx context.Context, name string, kind uint16) (Answer[wire.RR], error) {
	a := Answer[wire.RR]{Name: strings.ToLower(wire.Fqdn(name)), Authentic: true}
	if _, ok := wire.IsDomainName(a.Name); !ok {
		return Answer[wire.RR]{}, ErrNoName
	}
	for range maxChain {
		e, err := r.ask(ctx, question{a.Name, kind})
		a.Authentic = a.Authentic && e.authentic
		if err != nil {
			return a, err
		}
		rrs, target := chase(e.answer, a.Name, kind)
		if len(rrs) > 0 {
			a.Records, a.Name = rrs, target
			return a, nil
		}
		if target == a.Name {
			return a, ErrNoData
		}
		if a.Name = target; target == "" {
			break
		}
	}
	return Answer[wire.RR]{}, fmt.Errorf("more than %d CNAMEs", maxChain)
}

// chase returns the records of that kind in an answer and the name that they
// belong to, after the CNAMEs; "" when those go round in a circle.
func chase(answer []wire.RR, name string, kind uint16) ([]wire.RR, string) {
	for range maxChain {
		var rrs []wire.RR
		next := name
		for _, rr := range answer {
			if h := rr.Header(); !strings.EqualFold(h.Name, name) {
				continue
			} else if h.Rrtype == kind {
				rrs = append(rrs, rr)
			}
			if c, ok := rr.(*wire.CNAME); ok {
				next = strings.ToLower(c.Target)
			}
		}
		if len(rrs) > 0 || next == name {
			return rrs, name
		}
		name = next
	}
	return nil, ""
}

// ask answers one question, from the cache or from a server.
func (r *Resolver) ask(ctx context.Context, q question) (entry, error) {
	r.mu.Lock()
	e, ok := r.cache.get(q, r.now())
	version := r.version
	r.mu.Unlock()
	if ok {
		return e, e.err
	}
	servers, err := r.servers.list()
	if err != nil {
		return entry{}, err
	}
	for i := range tries * len(servers) {
		var m *wire.Msg
		if m, err = r.exchange(ctx, q, servers[i%len(servers)]); err == nil {
			return r.take(q, m, version)
		}
		if ctx.Err() != nil {
			return entry{}, ctx.Err()
		}
		if errors.Is(err, ErrBogus) { // a server that does not validate must not have the last word
			break
		}
	}
	return entry{}, err
}

// take puts a good answer into the cache and returns what it says.
func (r *Resolver) take(q question, m *wire.Msg, version int) (entry, error) {
	e := entry{answer: m.Answer, authentic: m.AuthenticatedData}
	if m.Rcode == wire.RcodeNameError {
		e.answer, e.err = nil, ErrNoName
	}
	if ttl := lifetime(m); ttl > 0 && m.Len() <= maxKept {
		e.until = r.now().Add(ttl)
		r.mu.Lock()
		if r.version == version {
			r.cache.put(q, e, r.now())
		}
		r.mu.Unlock()
	}
	return e, e.err
}

// exchange asks one server: by UDP, then by TCP when the answer was truncated, and
// without EDNS when the server does not know it (RFC 6891 7).
//
// The AD bit of a query asks for that of the answer, without the signatures, which
// only a validator could use (RFC 6840 5.7).
func (r *Resolver) exchange(ctx context.Context, q question, s server) (*wire.Msg, error) {
	query := new(wire.Msg)
	query.SetQuestion(q.name, q.kind)
	query.SetEdns0(udpSize, false)
	query.AuthenticatedData = s.believed
	server := s.addr
	m, err := r.send(ctx, query, "udp", server)
	if err == nil && m.Truncated {
		m, err = r.send(ctx, query, "tcp", server)
	}
	if err == nil && (m.Rcode == wire.RcodeFormatError || m.Rcode == wire.RcodeNotImplemented) {
		query.Extra = nil
		if m, err = r.send(ctx, query, "udp", server); err == nil && m.Truncated {
			m, err = r.send(ctx, query, "tcp", server)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", server, err)
	}
	if m.Rcode != wire.RcodeSuccess && m.Rcode != wire.RcodeNameError {
		return nil, fmt.Errorf("server %s: %w", server, failure(m))
	}
	m.AuthenticatedData = m.AuthenticatedData && s.believed
	return m, nil
}

var errMismatch = errors.New("the answer is to another question")

// send carries out one exchange of packets; it ends with the context.
func (r *Resolver) send(ctx context.Context, query *wire.Msg, network, server string) (*wire.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	client := wire.Client{Net: network, Timeout: r.timeout}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	m, _, err := client.ExchangeWithConnContext(ctx, query, conn)
	if err != nil {
		return nil, err
	}
	same := slices.EqualFunc(m.Question, query.Question, func(a, b wire.Question) bool {
		return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
	})
	if !m.Response || !same && !(len(m.Question) == 0 && m.Rcode != wire.RcodeSuccess) {
		return nil, errMismatch
	}
	return m, nil
}
