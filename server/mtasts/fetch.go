package mtasts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// fetchTimeout is that of one fetch (RFC 8461 3.3).
const fetchTimeout = time.Minute

// The two ways in which a policy can't be had, as reports tell them apart (RFC 8460
// 4.3.2.2).
var (
	ErrFetch   = errors.New("the policy of MTA-STS could not be fetched")
	ErrInvalid = errors.New("the policy of MTA-STS is not one")
)

// Dial opens a connection to an IP address and port.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// newClient returns an HTTP client that asks our resolver, follows no redirects and
// keeps nothing (RFC 8461 3.3).
func newClient(r Resolver, dial Dial, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return dialHost(ctx, r, dial, addr)
			},
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    fetchTimeout,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errNotPublic = errors.New("the server of the policy has no public address")

// within tells whether an address is of this machine or of a private network. Whoever
// writes the DNS of a domain must not have us connect there.
func within(ip netip.Addr) bool {
	ip = ip.Unmap()
	return !ip.IsGlobalUnicast() || ip.IsPrivate() // loopback, link-local and unspecified are not global
}

// dialHost tries the addresses of a host in turn, the families alternating.
func dialHost(ctx context.Context, r Resolver, dial Dial, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := r.Addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	err = errNotPublic
	for _, ip := range ips[:min(len(ips), 4)] {
		if within(ip) {
			continue
		}
		var c net.Conn
		if c, err = dialOne(ctx, dial, ip, port); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func dialOne(ctx context.Context, dial Dial, ip netip.Addr, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout/4)
	defer cancel()
	return dial(ctx, "tcp", net.JoinHostPort(ip.String(), port))
}

// fetch gets the policy of a domain. Its error is ErrFetch or ErrInvalid.
func fetch(ctx context.Context, client *http.Client, domain string) (Policy, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return Policy{}, nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Policy{}, nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // a redirect too
		return Policy{}, nil, fmt.Errorf("%w: the answer was %d", ErrFetch, resp.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !strings.EqualFold(kind, "text/plain") {
		return Policy{}, nil, fmt.Errorf("%w: the media type is not text/plain", ErrInvalid)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPolicy+1))
	if err != nil {
		return Policy{}, nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return Policy{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, text, nil
}
