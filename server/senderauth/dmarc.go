package senderauth

import (
	"context"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/message"
)

// maxAuthorDomains is how many domains in From are looked at. An honest message has one.
const maxAuthorDomains = 5

// authors is the domains in From.
type authors struct {
	domains []address.Domain
	// unreadable: there is one that is no domain, though a reader may be shown it.
	unreadable bool
	// more: not all are in domains.
	more bool
}

// authorsOf reads From. When the field can be read in more than one way, all that any
// reader may see count.
func authorsOf(h *message.Header) authors {
	var a authors
	add := func(d address.Domain) {
		if d != "" && !strings.HasPrefix(string(d), "[") && !slices.Contains(a.domains, d) {
			a.domains = append(a.domains, d)
		}
	}
	shown := h.Authors()
	a.more = len(shown) >= message.MaxAuthors
	for _, m := range shown {
		d, err := address.ParseDomain(strings.TrimSuffix(m.Host, "."))
		a.unreadable = a.unreadable || err != nil && m.Host != ""
		add(d)
	}
	if addresses, ok := h.Addresses("From"); !ok {
		for _, found := range addresses {
			add(found.Domain)
		}
	}
	return a
}

// policyOf is the record for one author's domain.
type policyOf struct {
	domain address.Domain
	record Record
	known  bool // the DNS answered
}

// findPolicies asks for the records of all authors' domains.
func findPolicies(ctx context.Context, r Resolver, domains []address.Domain) []policyOf {
	var all []policyOf
	for i, d := range domains {
		if i == maxAuthorDomains {
			return append(all, policyOf{domain: d}) // one too many
		}
		record, ok := findRecord(ctx, r, d)
		all = append(all, policyOf{d, record, ok})
	}
	return all
}

// checkDMARC judges by the records (RFC 7489 6.6.2). Of several authors' domains the one
// counts that asks for the most (6.6.1).
// A domain that can't be read may hide anything, so the message is set aside.
func checkDMARC(a authors, policies []policyOf, spf SPF, dkim []DKIM) DMARC {
	if a.more || len(policies) > maxAuthorDomains {
		d := DMARC{Result: PermError, Disposition: Reject, Reason: "From names too many authors"}
		if len(policies) > 0 {
			d.Domain, d.Org = policies[0].domain, orgDomain(policies[0].domain)
		}
		return d
	}
	d := checkPolicies(policies, spf, dkim)
	if a.unreadable && d.severity() <= 1 {
		return DMARC{Result: PermError, Disposition: Quarantine, Domain: d.Domain, Org: d.Org, Reason: "From has a domain that is none"}
	}
	return d
}

func checkPolicies(policies []policyOf, spf SPF, dkim []DKIM) DMARC {
	if len(policies) == 0 {
		return DMARC{Result: PermError, Disposition: Deliver, Reason: "From has no domain"}
	}
	worst := policies[0].check(spf, dkim)
	for _, p := range policies[1:] {
		if d := p.check(spf, dkim); d.severity() > worst.severity() {
			worst = d
		}
	}
	return worst
}

// severity orders results by what happens to the message.
func (d DMARC) severity() int {
	switch {
	case d.Disposition == Reject:
		return 4
	case d.Result == TempError:
		return 3
	case d.Disposition == Quarantine:
		return 2
	case d.Result == Fail:
		return 1
	}
	return 0
}

func (p policyOf) check(spf SPF, dkim []DKIM) DMARC {
	r := p.record
	d := DMARC{Domain: p.domain, Org: orgDomain(p.domain), Record: r, Disposition: Deliver}
	unknown := false // what is aligned, and may pass yet
	strictSPF, strictDKIM := r.StrictSPF || !p.known, r.StrictDKIM || !p.known
	if aligned(spf.Domain, p.domain, strictSPF) {
		d.SPFAligned = spf.Result == Pass
		unknown = spf.Result == TempError
	}
	for _, s := range dkim {
		if aligned(s.Domain, p.domain, strictDKIM) {
			d.DKIMAligned = d.DKIMAligned || s.Result == Pass
			unknown = unknown || s.Result == TempError
		}
	}
	passed := d.SPFAligned || d.DKIMAligned
	switch {
	case !p.known && passed: // under any record
		d.Result, d.Reason = Pass, "no answer from the DNS for the policy; aligned under any"
		return d
	case !p.known:
		d.Result, d.Reason = TempError, "no answer from the DNS for the policy"
		return d
	case r.Domain == "":
		d.Result = None
		return d
	}
	d.Policy = r.Policy
	if r.Domain != p.domain {
		d.Policy = r.Subdomains
	}
	switch {
	case passed:
		d.Result = Pass
	case unknown:
		d.Result, d.Reason = TempError, "no answer from the DNS for what may pass yet"
	default:
		d.Result, d.Disposition = Fail, d.Policy
	}
	return d
}
