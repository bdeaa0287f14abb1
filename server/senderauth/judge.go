package senderauth

import (
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/message"
)

// The reasons why a policy is not followed (RFC 7489 appendix C, PolicyOverrideType).
const (
	overrideSampled   = "sampled_out"
	overrideForwarder = "trusted_forwarder"
	overrideList      = "mailing_list"
	overrideLocal     = "local_policy"
)

// judge decides what happens to a message that fails DMARC. In order:
//
//   - a client that is exempt delivers whatever it brings;
//   - so does a trusted ARC sealer that saw the message pass;
//   - what pct leaves out gets the next weaker policy (RFC 7489 6.6.4);
//   - a mailing list that answers for itself gets "quarantine" for "reject": its members
//     would else be unsubscribed for mail that was refused, and never know of it. Who
//     feigns a list gets into the folder Junk at best.
func (r *Results) judge(f Facts, h *message.Header, sealers []address.Domain, sample int) {
	d := &r.DMARC
	if d.Result == Fail || d.Result == TempError {
		r.ARC.Trusted = r.ARC.vouched(d.Domain, func(s address.Domain) bool { return slices.Contains(sealers, s) })
	}
	if d.Result == PermError && f.Exempt {
		d.Disposition = Deliver
	}
	if d.Result != Fail || d.Policy == Deliver {
		return
	}
	if r.ARC.Result == TempError && slices.Contains(sealers, r.ARC.Sealer) {
		d.Result, d.Disposition, d.Reason = TempError, Deliver, "no answer from the DNS for a trusted ARC sealer"
		return
	}
	switch {
	case f.Exempt:
		d.Disposition, d.Override = Deliver, overrideLocal
		return
	case r.ARC.Trusted:
		d.Disposition, d.Override = Deliver, overrideForwarder
		return
	}
	if sample >= d.Record.Percent {
		d.Override = overrideSampled
		d.Disposition = Deliver
		if d.Policy == Reject {
			d.Disposition = Quarantine
		}
	}
	if d.Disposition == Reject && r.fromList(h) {
		d.Disposition, d.Override = Quarantine, overrideList
	}
}

// fromList tells whether the message is of a mailing list whose own domain answers for
// it: List-Id (RFC 2919), and SPF or a signature that passes for the same organization.
func (r *Results) fromList(h *message.Header) bool {
	values := h.RawValues("List-Id")
	if len(values) != 1 {
		return false
	}
	id := values[0]
	if _, after, ok := cutLast(id, "<"); ok {
		id, _, _ = strings.Cut(after, ">")
	}
	list, err := address.ParseDomain(strings.TrimSpace(id))
	if err != nil || aligned(list, r.DMARC.Domain, false) {
		return false // a list of the author's own domain fails as it does
	}
	if r.SPF.Result == Pass && aligned(r.SPF.Domain, list, false) {
		return true
	}
	return slices.ContainsFunc(r.DKIM, func(d DKIM) bool { return d.Result == Pass && aligned(d.Domain, list, false) })
}

// Refusal returns the reply for a message that must not be taken, nil for one that may.
//
// SPF alone refuses nothing, for forwarded mail fails it; only a domain that says that it
// sends no mail at all is believed. A temporary failure puts off what could be refused.
func (r Results) Refusal(f Facts) error {
	d := r.DMARC
	switch {
	case f.Exempt || r.ARC.Trusted:
		return nil
	case d.Result == PermError && d.Disposition == Reject:
		return fault.New(fault.Policy, "From names too many authors")
	case d.Disposition == Reject:
		// RFC 7372 3.2 and 3.3 have codes for each method; 5.7.26 is for both.
		return fault.Reply(fault.Policy, 550, "5.7.26", "Neither SPF nor DKIM passes for "+string(d.Domain)+
			", whose DMARC policy is reject (RFC 7489)")
	case r.SPF.Result == Fail && r.SPF.NoMail && d.Result != Pass:
		return fault.Reply(fault.Policy, 550, "5.7.23", string(r.SPF.Domain)+" says that it sends no mail (RFC 7208)")
	case r.Temporary() && r.SPF.Result == TempError:
		return fault.Reply(fault.TryLater, 451, "4.7.24", "No answer from the DNS for SPF of "+string(r.SPF.Domain)+", try again later")
	case r.Temporary():
		return fault.Reply(fault.TryLater, 451, "4.7.0", "No answer from the DNS for "+string(d.Domain)+", try again later")
	}
	return nil
}

// Junk tells whether the message belongs into the folder Junk.
func (r Results) Junk() bool { return r.DMARC.Disposition == Quarantine }
