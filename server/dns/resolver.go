// Package dns is a stub resolver: it asks recursive servers for MX, A, AAAA, TXT,
// PTR and TLSA records (RFC 1035, RFC 3596, RFC 6698) over UDP with EDNS (RFC 6891)
// and over TCP when an answer is truncated (RFC 7766), follows CNAMEs, and keeps
// answers as long as they may be kept (RFC 2308 for "there is none").
//
// An error says whether there is nothing for certain (ErrNoName, ErrNoData; see
// Missing) or whether one could not find out. Mail needs the difference: the first
// is final, the second is tried again. What DNSSEC proves to be forged is of the
// second kind (ErrServer, ErrBogus).
//
// It does not validate DNSSEC itself: it takes the word of a validating server, the
// AD bit (RFC 4035 3.2.3), when the way to that server can be trusted (RFC 7672
// 2.1.1): when the settings name it, or when it is on this machine. See Answer. It
// does not search domains or hosts files. A Resolver may be used by several at once;
// its lock is held over map access only.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"
)

// The errors that are an answer: there is nothing. They come wrapped in an *Error.
var (
	ErrNoName = errors.New("no such domain")  // NXDOMAIN
	ErrNoData = errors.New("no such records") // the name is there, with other records
)

// Missing tells whether err says that there is nothing, for certain.
func Missing(err error) bool { return errors.Is(err, ErrNoName) || errors.Is(err, ErrNoData) }

// Error is a failed look-up.
type Error struct {
	Name string
	Type string // "MX"
	Err  error  // ErrNoName, ErrNoData, or why it is not known
	// Authentic tells that a validating server has proven that there is nothing.
	Authentic bool
}

// Error is for the log and for people.
func (e *Error) Error() string {
	return fmt.Sprintf("looking up %s of %s: %v", e.Type, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Options are the settings of a Resolver.
type Options struct {
	// Servers are the recursive servers, "192.0.2.1" or "192.0.2.1:53", in order.
	// None: those of resolv.conf, which is read again when it changes.
	Servers []string
	// ResolvConf is read when there are no Servers; "" is /etc/resolv.conf.
	ResolvConf string
	// Timeout is that of one try; 0 is 3 s. Each server gets two tries.
	Timeout time.Duration
	// Entries bounds the cache; 0 is 4096.
	Entries int
	Now     func() time.Time // nil: time.Now
}

// Resolver answers questions.
type Resolver struct {
	timeout time.Duration
	servers servers
	now     func() time.Time

	mu      sync.Mutex
	cache   cache
	version int // of the servers that the cache is from
}

// New checks the servers and returns a Resolver.
func New(o Options) (*Resolver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Entries == 0 {
		o.Entries = 4096
	}
	fixed, err := checkServers(o.Servers)
	if err != nil {
		return nil, err
	}
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	return &Resolver{
		timeout: o.Timeout,
		servers: servers{fixed: fixed, path: o.ResolvConf, now: o.Now},
		now:     o.Now,
		cache:   cache{limit: o.Entries, entries: make(map[question]entry)},
	}, nil
}

// Apply changes the servers. When they are others than before, what the old ones
// said is forgotten.
func (r *Resolver) Apply(list []string) error {
	fixed, err := checkServers(list)
	if err != nil || !r.servers.set(fixed) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version++
	clear(r.cache.entries)
	return nil
}

// maxRecords bounds what is used of an answer.
const maxRecords = 100

// MX is a mail exchanger (RFC 1035 3.3.9).
type MX struct {
	Preference uint16
	Host       string // in lower case without the final dot; "" is the root: a null MX (RFC 7505)
}

// MX returns the mail exchangers of a domain, in the order of the answer.
func (r *Resolver) MX(ctx context.Context, domain string) ([]MX, error) {
	return records(r.SecureMX(ctx, domain))
}

// A returns the IPv4 addresses of a host.
func (r *Resolver) A(ctx context.Context, host string) ([]netip.Addr, error) {
	return records(r.a(ctx, host))
}

// AAAA returns the IPv6 addresses of a host.
func (r *Resolver) AAAA(ctx context.Context, host string) ([]netip.Addr, error) {
	return records(r.aaaa(ctx, host))
}

func (r *Resolver) a(ctx context.Context, host string) (Answer[netip.Addr], error) {
	return lookup(ctx, r, host, wire.TypeA, func(rr *wire.A) (netip.Addr, bool) {
		return addrOf(rr.A, netip.Addr.Is4)
	})
}

func (r *Resolver) aaaa(ctx context.Context, host string) (Answer[netip.Addr], error) {
	return lookup(ctx, r, host, wire.TypeAAAA, func(rr *wire.AAAA) (netip.Addr, bool) {
		return addrOf(rr.AAAA, func(netip.Addr) bool { return true })
	})
}

func addrOf(ip []byte, ok func(netip.Addr) bool) (netip.Addr, bool) {
	a, valid := netip.AddrFromSlice(ip)
	a = a.Unmap()
	return a, valid && ok(a)
}

// Addrs returns the IPv6 and IPv4 addresses of a host, IPv6 first. It is an error
// when there are none; what one family has counts even when the other failed.
func (r *Resolver) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	return records(r.SecureAddrs(ctx, host))
}

// TXT returns the TXT records of a name, the strings of each joined.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	return records(lookup(ctx, r, name, wire.TypeTXT, func(rr *wire.TXT) (string, bool) {
		return unescape(strings.Join(rr.Txt, "")), true
	}))
}

// PTR returns the names of an address, which nobody has verified.
func (r *Resolver) PTR(ctx context.Context, ip netip.Addr) ([]string, error) {
	name, err := wire.ReverseAddr(ip.Unmap().WithZone("").String())
	if err != nil {
		return nil, &Error{Name: ip.String(), Type: "PTR", Err: ErrNoName}
	}
	return records(lookup(ctx, r, name, wire.TypePTR, func(rr *wire.PTR) (string, bool) {
		return hostName(rr.Ptr), true
	}))
}

// hostName returns a name of an answer in lower case without the final dot.
func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// unescape undoes the escapes in which miekg/dns keeps strings (RFC 1035 5.1).
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if i+3 < len(s) && digit(s[i+1]) && digit(s[i+2]) && digit(s[i+3]) {
				c = (s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0')
				i += 3
			} else {
				i++
				c = s[i]
			}
		}
		out = append(out, c)
	}
	return string(out)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
