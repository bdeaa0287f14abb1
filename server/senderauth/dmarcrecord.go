package senderauth

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"facteur/server/address"
	"facteur/server/dns"
)

// maxURIs is how many addresses for reports are kept of a record.
const maxURIs = 10

// parseRecord reads a DMARC record (RFC 7489 6.3). ok is false for what is none. What is
// wrong in it counts as absent; without a usable p= it is a record only when it asks for
// reports (6.6.3).
func parseRecord(text string) (r Record, ok bool) {
	r = Record{Percent: 100, Interval: 86400, FO: "0"}
	version := false
	seen := make(map[string]bool)
	for i, part := range strings.SplitN(text, ";", maxTags) {
		name, value, found := strings.Cut(part, "=")
		name, value = strings.ToLower(strings.Trim(name, fws)), strings.Trim(value, fws)
		if i == 0 {
			if version = name == "v" && value == "DMARC1"; !version {
				return Record{}, false
			}
			continue
		}
		if !found || seen[name] {
			continue
		}
		seen[name] = true
		r.take(name, value)
	}
	if r.Policy == "" {
		if len(r.RUA) == 0 {
			return Record{}, false
		}
		r.Policy = Deliver
	}
	if r.Subdomains == "" {
		r.Subdomains = r.Policy
	}
	return r, true
}

func (r *Record) take(name, value string) {
	word := strings.ToLower(value)
	switch name {
	case "p":
		r.Policy = dispositionOf(word)
	case "sp":
		r.Subdomains = dispositionOf(word)
	case "adkim":
		r.StrictDKIM = word == "s"
	case "aspf":
		r.StrictSPF = word == "s"
	case "pct":
		if n, err := strconv.Atoi(value); err == nil && digits(value) && n <= 100 {
			r.Percent = n
		}
	case "rua":
		r.RUA = parseURIs(value)
	case "ruf":
		r.RUF = parseURIs(value)
	case "ri":
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			r.Interval = int(n)
		}
	case "fo":
		r.FO = word
	}
}

func dispositionOf(word string) Disposition {
	switch d := Disposition(word); d {
	case Deliver, Quarantine, Reject:
		return d
	}
	return ""
}

// parseURIs reads a list of addresses for reports; the size after "!" stays with each.
func parseURIs(s string) []string {
	var list []string
	for _, uri := range strings.Split(s, ",") {
		uri = strings.Trim(uri, fws)
		u, err := url.Parse(uri)
		if err == nil && u.Scheme != "" && len(list) < maxURIs {
			list = append(list, uri)
		}
	}
	return list
}

// orgDomain returns the organizational domain (RFC 7489 3.2): a public suffix and one
// label, or the name itself when it has no more.
func orgDomain(d address.Domain) address.Domain {
	org, err := publicsuffix.EffectiveTLDPlusOne(string(d))
	if err != nil {
		return d
	}
	return address.Domain(org)
}

// aligned is RFC 7489 3.1.
func aligned(a, b address.Domain, strict bool) bool {
	if a == "" || b == "" {
		return false
	}
	return a == b || !strict && orgDomain(a) == orgDomain(b)
}

// findRecord asks for the record of a domain, else of its organizational domain (RFC
// 7489 6.6.3). A record without a Domain: there is none. ok is false when that is not
// known.
func findRecord(ctx context.Context, r Resolver, d address.Domain) (record Record, ok bool) {
	places := []address.Domain{d}
	if org := orgDomain(d); org != d {
		places = append(places, org)
	}
	for _, place := range places {
		texts, err := r.TXT(ctx, "_dmarc."+string(place))
		if err != nil && !dns.Missing(err) {
			return Record{}, false
		}
		texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !isDMARC(s) })
		if len(texts) > 1 {
			return Record{}, true // 6.6.3, step 5: none of them counts
		}
		if len(texts) == 1 {
			if record, ok := parseRecord(texts[0]); ok {
				record.Domain = place
				return record, true
			}
			return Record{}, true
		}
	}
	return Record{}, true
}

// isDMARC tells whether a TXT record begins as one of this version does.
func isDMARC(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	name, value, _ := strings.Cut(first, "=")
	return strings.EqualFold(strings.Trim(name, fws), "v") && strings.Trim(value, fws) == "DMARC1"
}
