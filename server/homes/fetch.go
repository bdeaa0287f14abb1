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
	"time"
)

// Bounds of a fetch.
const (
	fetchTimeout = time.Minute
	maxFeed      = 20 << 20 // octets
	maxRedirects = 5
)

var errNotPublic = errors.New("the server has no public address")

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
		if ip = ip.Unmap(); !ip.IsGlobalUnicast() || ip.IsPrivate() {
			continue
		}
		var c net.Conn
		if c, err = dialOne(ctx, dial, net.JoinHostPort(ip.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
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
		return last, nil, fmt.Errorf("the answer was %d", res.StatusCode)
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, maxFeed+1))
	if err == nil && len(data) > maxFeed {
		err = fmt.Errorf("the calendar has more than %d octets", maxFeed)
	}
	if err != nil {
		return last, nil, err
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
