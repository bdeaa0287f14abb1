package dns

import (
	"time"

	wire "github.com/miekg/dns"
)

const (
	maxLife     = time.Hour
	maxNegative = 5 * time.Minute // RFC 2308 5 allows more; mistakes get repaired
	maxKept     = 4 << 10         // octets of an answer that is kept
)

// question is what is asked; name is in lower case with the final dot.
type question struct {
	name string
	kind uint16
}

// entry is an answer.
type entry struct {
	answer    []wire.RR // not changed
	err       error     // ErrNoName
	authentic bool
	until     time.Time
}

// cache holds answers, at most limit of them.
type cache struct {
	limit   int
	entries map[question]entry
}

func (c *cache) get(q question, now time.Time) (entry, bool) {
	e, ok := c.entries[q]
	return e, ok && now.Before(e.until)
}

// put adds an entry. When the cache is full some others go, old ones first among
// those that it looks at.
func (c *cache) put(q question, e entry, now time.Time) {
	if _, there := c.entries[q]; !there && len(c.entries) >= c.limit {
		c.shrink(now)
	}
	c.entries[q] = e
}

func (c *cache) shrink(now time.Time) {
	for q, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, q)
		}
	}
	for q := range c.entries { // in random order
		if len(c.entries) < c.limit-c.limit/16 {
			return
		}
		delete(c.entries, q)
	}
}

// lifetime returns how long an answer may be kept: the smallest TTL of it, or what
// the SOA says when there is none (RFC 2308 5).
func lifetime(m *wire.Msg) time.Duration {
	if m.Rcode == wire.RcodeSuccess && len(m.Answer) > 0 {
		ttl := uint32(maxLife / time.Second)
		for _, rr := range m.Answer {
			ttl = min(ttl, rr.Header().Ttl)
		}
		return time.Duration(ttl) * time.Second
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*wire.SOA); ok {
			return min(time.Duration(min(soa.Hdr.Ttl, soa.Minttl))*time.Second, maxNegative)
		}
	}
	return 0
}
