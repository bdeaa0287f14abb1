package senderauth

import (
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/message"
)

// Recorded reads the results of a message that was verified here and then kept for a
// while, out of the field that Results.Field wrote. Whoever calls it knows that the
// message came in here, so that no other field can be in our name. Reasons and the record
// of DMARC are not in it. Without the field all results are zero.
func Recorded(h *message.Header, authserv string) Results {
	var r Results
	for i := range h.Len() {
		name, raw := h.Field(i)
		if !strings.EqualFold(name, "Authentication-Results") {
			continue
		}
		_, value, _ := strings.Cut(string(raw), ":")
		id, rest, ok := cutAuthServ(value)
		if !ok || !strings.EqualFold(id, authserv) {
			continue
		}
		for _, method := range parseResults(rest) {
			r.record(method)
		}
		if r.ARC.Result != "" { // it was about the chain that still stands in the message
			r.ARC.Instance = parseARC(h, time.Time{}).highest
		}
		return r
	}
	return r
}

func (r *Results) record(method []pair) {
	result := Result(method[0].value)
	property := func(name string) string {
		for _, p := range method[1:] {
			if p.name == name {
				return p.value
			}
		}
		return ""
	}
	switch method[0].name {
	case "spf":
		r.SPF = SPF{Result: result, Domain: address.Domain(property("smtp.mailfrom"))}
		if helo := property("smtp.helo"); helo != "" {
			r.SPF.Domain, r.SPF.HELO = address.Domain(helo), true
		}
	case "dkim":
		if result != None {
			r.DKIM = append(r.DKIM, DKIM{
				Result: result, Domain: address.Domain(property("header.d")), Selector: property("header.s"),
				Algorithm: property("header.a"), Mark: property("header.b"),
			})
		}
	case "dmarc":
		r.DMARC = DMARC{Result: result, Domain: address.Domain(property("header.from")), Disposition: dispositionOf(property("policy.dmarc"))}
		r.DMARC.Org = orgDomain(r.DMARC.Domain)
	case "arc":
		r.ARC = ARC{Result: result}
	case "iprev":
		r.IPRev = IPRev{Result: result}
	}
}

// Author returns the domain of From when it is shown that the message comes from there, else
// "": DMARC passes; or it has no policy, and SPF or a signature passes of a domain that is
// aligned with it (RFC 7489 3.1); or a trusted sealer saw that it did.
func (r Results) Author() address.Domain {
	author := r.DMARC.Domain
	shown := r.DMARC.Result == Pass || r.ARC.Trusted
	if r.DMARC.Result == None {
		shown = shown || r.SPF.Result == Pass && aligned(r.SPF.Domain, author, false)
		for _, d := range r.DKIM {
			shown = shown || d.Result == Pass && aligned(d.Domain, author, false)
		}
	}
	if !shown {
		return ""
	}
	return author
}

// Hook returns the results as scripts see them; nil when nothing was verified.
func (r Results) Hook() *hook.Authenticity {
	if r.SPF.Result == "" {
		return nil
	}
	a := &hook.Authenticity{SPF: string(r.SPF.Result), DKIM: string(None), DMARC: string(r.DMARC.Result), ARC: string(r.ARC.Result), Author: r.Author(), Exempt: r.Exempt}
	for _, d := range r.DKIM {
		if a.DKIM != string(Pass) {
			a.DKIM = string(d.Result)
		}
		if d.Result == Pass {
			a.Domains = append(a.Domains, d.Domain)
		}
	}
	return a
}
