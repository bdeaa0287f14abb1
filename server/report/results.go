package report

import (
	"slices"

	"facteur/server/envelope"
	"facteur/server/senderauth"
)

// FromResults makes what is counted of what package senderauth found out about a
// message to these recipients. Of a domain without a policy, and while it is not known
// whether there is one, the result counts for nothing; nor does mail of this machine
// and of trusted networks.
func FromResults(to []envelope.Recipient, f senderauth.Facts, r senderauth.Results) DMARCResult {
	d := r.DMARC
	if f.Exempt || d.Policy == "" || d.Result == senderauth.TempError {
		return DMARCResult{}
	}
	out := DMARCResult{
		Policy: policyOf(d.Record), Source: f.IP, HeaderFrom: string(d.Domain), EnvelopeFrom: string(f.ReversePath.Domain),
		Disposition: string(d.Disposition), DKIMAligned: d.DKIMAligned, SPFAligned: d.SPFAligned,
		SPF:    SPFAuth{Domain: string(r.SPF.Domain), Scope: "mfrom", Result: string(r.SPF.Result)},
		Report: d.Result == senderauth.Pass && !slices.ContainsFunc(to, func(r envelope.Recipient) bool { return !IsReportAddress(r.ForwardPath) }),
	}
	if d.Override != "" {
		out.Override = Reason{d.Override, d.Reason}
	}
	if r.SPF.HELO {
		out.SPF.Scope = "helo"
	}
	if out.SPF.Result == "" {
		out.SPF.Result = string(senderauth.None)
	}
	if out.Disposition == "" {
		out.Disposition = string(senderauth.Deliver)
	}
	for _, s := range r.DKIM {
		out.DKIM = append(out.DKIM, DKIMAuth{string(s.Domain), s.Selector, string(s.Result), s.Reason})
	}
	return out
}

// policyOf returns a record in the letters of RFC 7489 6.3.
func policyOf(r senderauth.Record) Policy {
	strict := map[bool]string{true: "s", false: "r"}
	return Policy{
		Domain: string(r.Domain), ADKIM: strict[r.StrictDKIM], ASPF: strict[r.StrictSPF], P: string(r.Policy), SP: string(r.Subdomains),
		Pct: r.Percent, FO: r.FO, RUA: r.RUA,
	}
}
