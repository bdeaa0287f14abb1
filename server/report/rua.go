package report

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"facteur/server/address"
	"facteur/server/dns"
)

// maxURIs is how many places get a report; more in a record are not looked at.
const maxURIs = 5

// Destination is where a report is wanted.
type Destination struct {
	Address address.Address
	Max     int64 // octets of the message, 0: no limit
}

// parseURIs reads the URIs of rua=. skipped says which can't be used, and why.
func parseURIs(list []string) (to []Destination, skipped []string) {
	for _, uri := range list[:min(len(list), maxURIs)] {
		d, err := parseURI(strings.TrimSpace(uri))
		if err != nil {
			skipped = append(skipped, err.Error())
			continue
		}
		to = append(to, d)
	}
	return to, skipped
}

// parseURI reads "mailto:reports@example.org!10m" (RFC 7489 6.4).
func parseURI(uri string) (d Destination, err error) {
	rest, ok := cutFold(uri, "mailto:")
	if !ok {
		return d, fmt.Errorf("%.100q is no mailto: address", uri)
	}
	rest, limit, limits := strings.Cut(rest, "!")
	if limits {
		if d.Max, err = parseLimit(limit); err != nil {
			return d, fmt.Errorf("%.100q: %w", uri, err)
		}
	}
	rest, _, _ = strings.Cut(rest, "?") // header fields (RFC 6068 2) are not for us
	if rest, err = url.PathUnescape(rest); err == nil {
		d.Address, err = address.Parse(rest)
	}
	if err != nil {
		return d, fmt.Errorf("%.100q is no mailto: address", uri)
	}
	return d, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// parseLimit reads a size: digits and k, m, g or t for powers of 1024.
func parseLimit(s string) (int64, error) {
	digits, shift := strings.ToLower(strings.TrimSpace(s)), 0
	if n := len(digits) - 1; n > 0 {
		if i := strings.IndexByte("kmgt", digits[n]); i >= 0 {
			digits, shift = digits[:n], 10*(i+1)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("the size limit %.20q can't be read", s)
	}
	return int64(min(v, math.MaxInt64>>shift)) << shift, nil
}

// Resolver is what is asked of the DNS.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
}

// agreed drops the destinations at other organizations that have not agreed to take
// the reports about a domain (RFC 7489 7.1). A failing look-up is an error: it is
// tried again.
func agreed(ctx context.Context, r Resolver, domain string, to []Destination) (ok []Destination, refused []string, err error) {
	for _, d := range to {
		host := string(d.Address.Domain)
		if organization(host) == organization(domain) {
			ok = append(ok, d)
			continue
		}
		records, err := r.TXT(ctx, domain+"._report._dmarc."+host)
		if err != nil && !dns.Missing(err) {
			return nil, nil, err
		}
		places, agrees := agreement(records, d)
		if !agrees {
			refused = append(refused, fmt.Sprintf("%s has not agreed to take reports about %s", host, domain))
			continue
		}
		ok = append(ok, places...)
	}
	return ok, refused, nil
}

// agreement reads the records by which a host agrees. They may name another place at
// the same host (RFC 7489 7.1, step 7).
func agreement(records []string, d Destination) (places []Destination, agrees bool) {
	for _, txt := range records {
		tags := strings.Split(txt, ";")
		if name, value, _ := strings.Cut(tags[0], "="); strings.TrimSpace(name) != "v" || strings.TrimSpace(value) != "DMARC1" {
			continue
		}
		agrees = true
		for _, tag := range tags[1:] {
			name, value, _ := strings.Cut(tag, "=")
			if strings.TrimSpace(name) != "rua" {
				continue
			}
			others, _ := parseURIs(strings.Split(value, ","))
			for _, o := range others {
				if o.Address.Domain == d.Address.Domain {
					places = append(places, o)
				}
			}
		}
	}
	if agrees && len(places) == 0 {
		places = []Destination{d}
	}
	return places, agrees
}

// organization returns the organizational domain (RFC 7489 3.2).
func organization(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(domain)); err == nil {
		return org
	}
	return strings.ToLower(domain)
}

// wantsTLS returns the URIs in the TLSRPT record of a domain (RFC 8460 3), none when
// it wants no reports. Several records are as good as none.
func wantsTLS(ctx context.Context, r Resolver, domain string) ([]string, error) {
	records, err := r.TXT(ctx, "_smtp._tls."+domain)
	if err != nil {
		if dns.Missing(err) {
			return nil, nil
		}
		return nil, err
	}
	var uris []string
	n := 0
	for _, txt := range records {
		fields := strings.Split(txt, ";")
		if strings.TrimSpace(fields[0]) != "v=TLSRPTv1" {
			continue
		}
		n++
		for _, f := range fields[1:] {
			if name, value, ok := strings.Cut(f, "="); ok && strings.TrimSpace(name) == "rua" {
				uris = strings.Split(value, ",")
			}
		}
	}
	if n != 1 {
		return nil, nil
	}
	return uris, nil
}
