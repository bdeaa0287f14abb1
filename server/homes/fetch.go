package homes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Bounds of a fetch.
const (
	fetchTimeout = time.Minute
	maxFeed      = 20 << 20 // octets
	maxRedirects = 5
)

var errNotPublic = errors.New("the server has no public address: one of your own network is reached by its address alone, " +
	"such as http://192.168.1.5/x.ics, which subscriptions of [calendars] must have")

// newClient returns an HTTP client that reaches only what it may, through redirects too.
func newClient(o Options, mayReach func(*url.URL) error) *http.Client {
	dial := o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return dialHost(ctx, o.Resolver, dial, addr)
			},
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    fetchTimeout / 4,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("there are too many redirects")
			}
			return mayReach(req.URL)
		},
	}
}

// dialHost connects to a host. A name must not lead to this machine or a private network,
// for who writes its zone may be anybody; an address there that mail.toml names itself may.
func dialHost(ctx context.Context, r Resolver, dial Dial, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return dial(ctx, "tcp", addr)
	}
	ips, err := r.Addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	err = errNotPublic
	for _, ip := range ips[:min(len(ips), 4)] {
		if ip = ip.Unmap(); !public(ip) {
			continue
		}
		var c net.Conn
		if c, err = dialOne(ctx, dial, net.JoinHostPort(ip.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// inside are networks that are not private by their name, and are of nobody else or lead to
// such: RFC 1122 3.2.1.3, RFC 6598, RFC 6890 2.2.2, RFC 2544, RFC 1112 4; those of IPv6 that
// have an address of IPv4 in them (RFC 4291 2.5.5.1, RFC 6052, RFC 8215, RFC 3056, RFC 4380);
// and RFC 3879.
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10"),
}

// translated has the addresses of IPv4 for networks that have none (RFC 6052 2.1).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// public tells whether an address is neither of this machine nor of a private network.
func public(ip netip.Addr) bool {
	if b := ip.As16(); translated.Contains(ip) { // in a network without IPv4 all addresses of it are such
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func dialOne(ctx context.Context, dial Dial, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout/4)
	defer cancel()
	return dial(ctx, "tcp", addr)
}

// get fetches a source. No data: it is as it was last time (RFC 9110 13.1).
func (f *feeds) get(ctx context.Context, u *url.URL, last fetched) (next fetched, data []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return last, nil, err
	}
	req.Header.Set("User-Agent", "facteur")
	req.Header.Set("Accept", "text/calendar")
	if last.ETag != "" {
		req.Header.Set("If-None-Match", last.ETag)
	}
	if last.LastModified != "" {
		req.Header.Set("If-Modified-Since", last.LastModified)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return last, nil, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusNotModified:
		return last, nil, nil
	case http.StatusOK:
	default:
		return last, nil, statusError(res.StatusCode)
	}
	if data, err = io.ReadAll(io.LimitReader(res.Body, maxFeed+1)); err != nil {
		return last, nil, contentError{Unreachable, err}
	}
	if len(data) > maxFeed {
		return last, nil, contentError{TooLarge, fmt.Errorf("the calendar has more than %d octets", maxFeed)}
	}
	next = fetched{Source: last.Source}
	if v := res.Header.Get("ETag"); len(v) < 1024 {
		next.ETag = v
	}
	if v := res.Header.Get("Last-Modified"); len(v) < 100 {
		next.LastModified = v
	}
	return next, data, nil
}
