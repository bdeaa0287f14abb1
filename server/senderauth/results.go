package senderauth

import (
	"net/netip"

	"facteur/server/address"
)

// Result is the outcome of one method, in the words of RFC 8601 2.7.
type Result string

// The results.
const (
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	Neutral   Result = "neutral"
	None      Result = "none"
	TempError Result = "temperror"
	PermError Result = "permerror"
	Policy    Result = "policy"
)

// Facts are what is known of a message beside its content.
type Facts struct {
	IP          netip.Addr // of the client
	Helo        string
	ReversePath address.Address
	// Exempt: no policy of others is held against this client, which is this machine
	// or in a trusted network.
	Exempt bool
}

// Results are what was found out about a message. The zero value of a part means that
// it was not looked at.
type Results struct {
	SPF   SPF
	DKIM  []DKIM // in the order of the message, top first
	DMARC DMARC
	ARC   ARC
	IPRev IPRev
	// Exempt: the client may bring what it likes (Facts.Exempt), so that what does not pass
	// says nothing.
	Exempt bool
}

// SPF is the result of RFC 7208.
type SPF struct {
	Result Result
	Domain address.Domain // whose record was asked
	Sender string         // the identity: the reverse-path, or "postmaster@" and the name in HELO
	HELO   bool           // the reverse-path is null: Domain is that of HELO (RFC 7208 2.4)
	// NoMail: the record says that the domain sends no mail at all ("v=spf1 -all").
	NoMail bool
	Reason string // for people: what led to the result
}

// DKIM is the result for one signature (RFC 6376 6).
type DKIM struct {
	Result    Result
	Domain    address.Domain // d=, who takes responsibility
	Identity  string         // i=, "" when absent
	Selector  string         // s=
	Algorithm string         // a=
	Mark      string         // the first octets of b=, which tell signatures apart (RFC 6008)
	Testing   bool           // the key record says t=y: the result must not be held against it
	Partial   bool           // l= leaves a part of the body unsigned
	Reason    string
}

// Disposition is what the author's domain asks to do with a message that fails.
type Disposition string

// The dispositions.
const (
	Deliver    Disposition = "none"
	Quarantine Disposition = "quarantine"
	Reject     Disposition = "reject"
)

// DMARC is the result of RFC 7489.
type DMARC struct {
	// Result is "none" without a record, "temperror" when DNS failed so that it can't
	// be known yet.
	Result      Result
	Domain      address.Domain // of the address in From
	Org         address.Domain // its organizational domain
	SPFAligned  bool           // SPF passed, for a domain that is aligned
	DKIMAligned bool           // a signature passed, of a domain that is aligned
	Policy      Disposition    // what the record asks for: p, or sp; "" without a record
	Record      Record
	// Disposition is what shall happen, after pct and what overrides the policy.
	Disposition Disposition
	Override    string // why it is not Policy: a type of RFC 7489 appendix C, "" when it is
	Reason      string
}

// Record is a DMARC policy record (RFC 7489 6.3).
type Record struct {
	Domain     address.Domain // where it stands: From's, or the organizational domain
	Policy     Disposition    // p
	Subdomains Disposition    // sp; p when absent
	StrictDKIM bool           // adkim=s
	StrictSPF  bool           // aspf=s
	Percent    int            // pct
	RUA        []string       // URIs for aggregate reports, as written: "mailto:a@example.org!10m"
	RUF        []string
	Interval   int    // ri, seconds
	FO         string // fo
}

// ARC is the result of RFC 8617.
type ARC struct {
	Result   Result         // none, pass or fail
	Instance int            // of the newest set; 0 without any
	Sealer   address.Domain // d= of the newest seal
	// Trusted: the chain passes, its newest seal is by a trusted sealer, and this sealer
	// says that DMARC passed when the message reached it.
	Trusted bool
	Reason  string

	chain []Set // oldest first; for Seal
}

// Set is one ARC set, as far as it tells of the way of a message.
type Set struct {
	Instance int
	Sealer   address.Domain
	Selector string
	Results  string // the value of ARC-Authentication-Results behind its instance
}

// IPRev is the result of RFC 8601 3.
type IPRev struct {
	Result Result
	IP     netip.Addr
	Name   string // a name of IP that leads back to it; "" when there is none
}

// Authenticated tells whether some domain answers for the message: SPF or a signature
// passed.
func (r Results) Authenticated() bool {
	if r.SPF.Result == Pass {
		return true
	}
	for _, s := range r.DKIM {
		if s.Result == Pass {
			return true
		}
	}
	return false
}

// Temporary tells whether DNS failed so that it is not known yet what shall happen to
// the message: it should come again later.
func (r Results) Temporary() bool {
	return r.DMARC.Result == TempError && r.DMARC.Policy != Deliver
}
