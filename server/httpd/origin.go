package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"

	"facteur/server/listen"
)

// origin is where a request comes from, as far as one can believe what is said of it.
type origin struct {
	*conn
	client netip.AddrPort // invalid on a Unix socket
	// proxied: a trusted proxy brought it. nameless: it did not say from whom, so that nobody may
	// log in: they would count as this machine. schemed: it said whether the client has TLS.
	proxied, nameless, schemed bool
}

type originKey struct{}

// originOf returns that of a request.
func originOf(r *http.Request) *origin {
	if o, ok := r.Context().Value(originKey{}).(*origin); ok {
		return o
	}
	return &r.Context().Value(connKey{}).(*conn).direct
}

// remote is the address of the client.
func (o *origin) remote() netip.Addr { return o.client.Addr() }

// errNoProxy: the settings were changed since it connected.
var errNoProxy = errors.New("it is not trusted any more")

// errUnnamedProxy: what it brings would count as this machine's own, which is trusted: who guesses
// passwords is not slowed then, and needs no TLS.
var errUnnamedProxy = errors.New("it is a proxy on this machine that mail.toml does not name; add proxy = [\"127.0.0.1\"] to this listener")

// resolveOrigin returns r as the client meant it: of a proxy that is trusted, with TLS when the client
// has that, and the host that it asked for.
func resolveOrigin(r *http.Request, c *conn) (*http.Request, error) {
	if c.here && (r.Header["X-Forwarded-For"] != nil || r.Header["Forwarded"] != nil) {
		return r, errUnnamedProxy
	}
	if c.proxies == nil {
		return r, nil
	}
	proxies, ok := c.proxies()
	if !ok {
		return r, errNoProxy
	}
	proxy := c.direct.client
	f, err := readForwarded(r.Header, proxy.Addr(), proxies)
	if err != nil {
		return r, err
	}
	o := &origin{conn: c, client: proxy, proxied: true, nameless: !f.client.IsValid(), schemed: f.scheme != ""}
	if f.client.IsValid() {
		o.client = netip.AddrPortFrom(f.client, 0)
	}
	r = r.WithContext(context.WithValue(r.Context(), originKey{}, o))
	switch {
	case f.scheme == "https" && r.TLS == nil:
		r.TLS = &tls.ConnectionState{HandshakeComplete: true} // between the client and the proxy
	case f.scheme != "https" && f.scheme != "":
		r.TLS = nil
	}
	if f.host != "" {
		asked := r.Host
		if r.Host = f.host; hostOf(r) == "" {
			r.Host = asked
		}
	}
	return r, nil
}

// usualPort is that of https.
const usualPort = 443

// securePort is where the client of a request finds https, 0 when nowhere. A proxy has it at the
// usual port, or that for which it was asked.
func (o *Options) securePort(r *http.Request) int {
	from := originOf(r)
	switch {
	case !from.proxied:
		return o.SecurePort()
	case r.TLS != nil:
		_, port, _ := net.SplitHostPort(r.Host)
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return int(n)
		}
		return usualPort
	case from.schemed: // it was asked without TLS, and says so
		return usualPort
	}
	return 0 // it may have TLS and not say so: to be led there would have no end
}

// crowd counts the requests that proxies bring, by client: a connection of theirs may be of many.
type crowd struct {
	mu sync.Mutex
	of map[netip.Addr]int // by listen.ClientKey
}

func newCrowd() *crowd { return &crowd{of: make(map[netip.Addr]int)} }

// enter counts a request of a client, unless it has too many.
func (c *crowd) enter(client netip.Addr, most int) bool {
	key := listen.ClientKey(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key] >= most {
		return false
	}
	c.of[key]++
	return true
}

func (c *crowd) leave(client netip.Addr) {
	key := listen.ClientKey(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key]--; c.of[key] == 0 {
		delete(c.of, key)
	}
}
