package relay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/fault"
	"facteur/server/mtasts"
)

// tlsLevel is how much encryption a server must show before it gets a message.
type tlsLevel uint8

const (
	mayEncrypt  tlsLevel = iota // take what there is (RFC 7435)
	mustEncrypt                 // with any certificate
	mustVerify                  // with one that holds
)

// tlsNeed is what a message needs of the session with one server.
type tlsNeed struct {
	level tlsLevel
	// names are those of which the certificate must have one; the first goes into the
	// handshake (SNI).
	names []string
	// tlsa verify the certificate (RFC 7672 3.1); without any, the trusted roots do.
	tlsa     []dns.TLSA
	testing  bool // what fails is told, and the mail goes all the same (RFC 8461 5)
	require  bool // the server must do REQUIRETLS (RFC 8689)
	implicit bool // TLS from the start (RFC 8314 3)
	report   TLSResult
	tell     bool
}

// strict tells whether a server that fails gets nothing.
func (n *tlsNeed) strict() bool { return n.level > mayEncrypt && !n.testing }

// fingerprint tells needs apart that a session may have met or not.
func (n *tlsNeed) fingerprint() string {
	if n.level == mayEncrypt {
		return ""
	}
	return fmt.Sprint(n.level, n.names, n.tlsa, n.testing, n.require)
}

// why names who asks for encryption.
func (n *tlsNeed) why() string {
	switch {
	case n.require:
		return "the sender of this message asks for encryption all the way (REQUIRETLS)"
	case n.report.PolicyType == PolicyTLSA:
		return "the domain asks for it with DANE"
	case n.report.PolicyType == PolicySTS:
		return "the domain asks for it with MTA-STS"
	}
	return "the settings ask for it"
}

// policy returns the MTA-STS policy of a domain.
func (a *attempt) policy(ctx context.Context, domain address.Domain) mtasts.Policy {
	if a.opts.STS == nil || a.t.waivesTLS {
		return mtasts.Policy{}
	}
	p, err := a.opts.STS.Policy(ctx, string(domain))
	if err != nil && ctx.Err() == nil {
		a.opts.TLSResult(TLSResult{Domain: domain, PolicyType: PolicySTS, Failure: policyFailure(err), Detail: brieflySaid(err)})
	}
	return p
}

// need finds out what a message needs of a server with these addresses.
func (a *attempt) need(ctx context.Context, r route, host string, addrs dns.Answer[netip.Addr]) (tlsNeed, *fault.Fault) {
	n := tlsNeed{names: []string{host}, tell: true, report: TLSResult{Domain: r.domain, PolicyType: PolicyNone, MX: host}}
	if a.t.waivesTLS { // RFC 8689 5: despite any policy
		return n, nil
	}
	if r.secure { // RFC 7672 2.2.1
		if f := a.dane(ctx, &n, r, host, addrs); f != nil {
			return n, f
		}
	}
	if n.tlsa == nil { // RFC 8461 2: it must not override DANE
		if f := a.sts(&n, r.policy, host); f != nil {
			return n, f
		}
	}
	if a.t.msg.Sender.RequireTLS {
		return n, a.requireTLS(&n, r, host)
	}
	return n, nil
}

// sts applies a policy of MTA-STS.
func (a *attempt) sts(n *tlsNeed, p mtasts.Policy, host string) *fault.Fault {
	if p.Mode == "" {
		return nil
	}
	if n.level == mayEncrypt {
		n.report.PolicyType, n.report.PolicyStrings, n.report.MXPatterns = PolicySTS, p.Lines, p.MX
	}
	if p.Mode == mtasts.None {
		return nil
	}
	if !p.Allows(host) {
		failed := n.report
		failed.Failure, failed.Detail = FailureValidation, "the policy does not name this server"
		a.opts.TLSResult(failed)
		n.tell = false
		if p.Mode == mtasts.Enforce {
			return fault.Reply(fault.Undeliverable, 451, "4.7.5", host+" is not among the servers that the policy of the domain names (MTA-STS)")
		}
		return nil
	}
	switch {
	case p.Mode == mtasts.Enforce:
		n.level = mustVerify
	case n.level == mayEncrypt:
		n.level, n.testing = mustVerify, true
	}
	return nil
}

// requireTLS raises a need to that of REQUIRETLS (RFC 8689 4.2.1): the name of the
// server must be sure, and its certificate must hold.
func (a *attempt) requireTLS(n *tlsNeed, r route, host string) *fault.Fault {
	listed := r.policy.Mode != "" && r.policy.Mode != mtasts.None && r.policy.Allows(host)
	if !r.secure && !listed {
		return fault.Reply(fault.EncryptionNeeded, 550, "5.7.10",
			"The sender asks for encryption all the way (REQUIRETLS), and nothing proves that "+host+" is a server of "+r.domain.Unicode()+": the domain has neither DNSSEC nor MTA-STS")
	}
	n.level, n.testing, n.require = mustVerify, false, true
	return nil
}

// needOfLiteral is the need for an address literal, which nothing can be known of.
func (a *attempt) needOfLiteral(h *hop) *fault.Fault {
	h.need.names = []string{h.at.Addr().String()}
	if a.t.msg.Sender.RequireTLS {
		return fault.Reply(fault.EncryptionNeeded, 550, "5.7.10", "The sender asks for encryption all the way (REQUIRETLS), and an address without a name can't prove who it is")
	}
	return nil
}

// dane applies the TLSA records of a server (RFC 7672 2.2, 2.2.2).
func (a *attempt) dane(ctx context.Context, n *tlsNeed, r route, host string, addrs dns.Answer[netip.Addr]) *fault.Fault {
	bases, f := a.bases(ctx, host, addrs)
	if f != nil {
		return f
	}
	for _, base := range bases {
		name := fmt.Sprintf("_%d._tcp.%s", a.opts.Port, base)
		answer, err := a.opts.Resolver.TLSA(ctx, name)
		if err != nil && !dns.Missing(err) {
			// RFC 7672 2.1.2: it may be an attack, so this server is not used.
			failed := n.report
			failed.PolicyType, failed.Failure, failed.Detail = PolicyTLSA, FailureDNSSEC, brieflySaid(err)
			a.opts.TLSResult(failed)
			return dnsFault(name, err)
		}
		if err != nil || !answer.Authentic {
			continue
		}
		n.level = mustEncrypt // RFC 7672 2.2: even when no record can be used
		n.report.PolicyType, n.report.PolicyStrings = PolicyTLSA, nil
		for _, t := range answer.Records {
			n.report.PolicyStrings = append(n.report.PolicyStrings, t.String())
			if usable(t) {
				n.tlsa = append(n.tlsa, t)
			}
		}
		if n.tlsa != nil {
			n.level = mustVerify
			// RFC 7672 3.2.2: the names that count for a trust anchor.
			n.names = []string{base, host, string(r.domain)}
		}
		return nil
	}
	return nil
}

// bases returns the names below which a server's TLSA records may be, in the order in
// which to ask (RFC 7672 2.2.2, 2.2.3).
func (a *attempt) bases(ctx context.Context, host string, addrs dns.Answer[netip.Addr]) ([]string, *fault.Fault) {
	switch {
	case addrs.Authentic && addrs.Name == host:
		return []string{host}, nil
	case addrs.Authentic:
		return []string{addrs.Name, host}, nil
	case addrs.Name == host:
		return nil, nil // in a zone without DNSSEC there is nothing to find, and asking can hurt
	}
	alias, err := a.opts.Resolver.Alias(ctx, host)
	switch {
	case err != nil && !dns.Missing(err):
		return nil, dnsFault(host, err)
	case err == nil && alias.Authentic:
		return []string{host}, nil
	}
	return nil, nil
}

// brieflySaid is an error for a report: one line, not long.
func brieflySaid(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	return s[:min(len(s), 200)]
}

// policyFailure returns the result type of a policy that could not be had (RFC 8460
// 4.3.2.2).
func policyFailure(err error) string {
	switch {
	case errors.Is(err, mtasts.ErrInvalid):
		return FailureSTSInvalid
	case certificateError(err):
		return FailureSTSWebPKI
	}
	return FailureSTSFetch
}
