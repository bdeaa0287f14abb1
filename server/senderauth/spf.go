package senderauth

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/dns"
)

// The limits of RFC 7208 4.6.4.
const (
	maxTerms = 10 // terms that ask the DNS
	maxVoid  = 2  // of their questions that find nothing
	maxMX    = 10
	maxPTR   = 10
)

// checkSPF checks the reverse-path, or the name in HELO when that is null (RFC 7208 2.3,
// 2.4). A name in HELO is not checked beside a reverse-path: DMARC asks for the one.
func checkSPF(ctx context.Context, r Resolver, f Facts) SPF {
	if !f.IP.IsValid() {
		return SPF{Result: None, Reason: "not from the network"}
	}
	q := spfQuery{ctx: ctx, dns: r, ip: f.IP.Unmap().WithZone(""), helo: f.Helo}
	s := SPF{Domain: f.ReversePath.Domain, HELO: f.ReversePath.IsZero()}
	q.local = f.ReversePath.Local
	if s.HELO {
		q.local = "postmaster"
		s.Domain, _ = address.ParseDomain(f.Helo)
	}
	q.domain = string(s.Domain)
	s.Sender = q.local + "@" + q.domain
	if s.HELO && s.Domain == "" {
		s.Result, s.Reason = None, "the client has no name"
		return s
	}
	s.Result, s.Reason = q.check(q.domain)
	s.NoMail = q.noMail
	return s
}

// spfQuery is one evaluation of check_host() (RFC 7208 4), with all that it leads to.
type spfQuery struct {
	ctx    context.Context
	dns    Resolver
	ip     netip.Addr
	helo   string
	local  string // of the sender
	domain string // of the sender

	terms  int
	void   int
	names  []string // verified names of ip, once asked for
	asked  bool
	noMail bool
}

// spfError ends an evaluation.
type spfError struct {
	result Result
	text   string
}

func (e *spfError) Error() string { return e.text }

// check evaluates the record of a domain.
func (q *spfQuery) check(domain string) (Result, string) {
	if !checkable(domain) { // RFC 7208 4.3
		return None, "not a domain name"
	}
	record, result, reason := q.record(domain)
	if record == "" {
		return result, reason
	}
	parsed, err := parseSPF(record)
	if err != nil {
		return PermError, "malformed record of " + domain
	}
	if len(parsed.terms) == 1 && parsed.redirect == "" && parsed.terms[0].mechanism == "all" && parsed.terms[0].result == Fail {
		q.noMail = domain == q.domain
	}
	for _, t := range parsed.terms {
		matches, err := q.matches(t, domain)
		if err != nil {
			return err.result, err.text
		}
		if matches {
			return t.result, t.mechanism + " of " + domain
		}
	}
	if parsed.redirect == "" {
		return Neutral, "nothing of " + domain + " matches" // RFC 7208 4.7
	}
	if err := q.count(); err != nil {
		return err.result, err.text
	}
	target, e := q.expand(parsed.redirect, domain)
	if e != nil {
		return e.result, e.text
	}
	result, reason = q.check(target)
	if result == None { // RFC 7208 6.1
		return PermError, "redirect to " + target + ", which has no record"
	}
	return result, reason
}

// checkable tells whether a name may be asked for: RFC 7208 4.3.
func checkable(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if len(domain) > 253 || !strings.Contains(domain, ".") || strings.HasPrefix(domain, "[") {
		return false
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}

// record finds the one SPF record of a domain (RFC 7208 4.4, 4.5); without one it
// returns the result.
func (q *spfQuery) record(domain string) (string, Result, string) {
	txts, err := q.dns.TXT(q.ctx, domain)
	switch {
	case err != nil && !dns.Missing(err):
		return "", TempError, "no answer from the DNS for " + domain
	case err != nil:
		return "", None, domain + " has no record"
	}
	txts = slices.DeleteFunc(slices.Clone(txts), func(s string) bool { return !isSPF(s) })
	switch len(txts) {
	case 0:
		return "", None, domain + " has no record"
	case 1:
		return txts[0], "", ""
	}
	return "", PermError, domain + " has several records"
}

// count counts a term that asks the DNS.
func (q *spfQuery) count() *spfError {
	if q.terms++; q.terms > maxTerms {
		return &spfError{PermError, "too many look-ups"}
	}
	return nil
}

// answered tells a failure from "there is nothing", which it counts.
func (q *spfQuery) answered(name string, err error) *spfError {
	switch {
	case err == nil:
	case !dns.Missing(err):
		return &spfError{TempError, "no answer from the DNS for " + name}
	default:
		if q.void++; q.void > maxVoid {
			return &spfError{PermError, "too many look-ups that find nothing"}
		}
	}
	return nil
}

// matches evaluates a mechanism (RFC 7208 5).
func (q *spfQuery) matches(t spfTerm, domain string) (bool, *spfError) {
	switch t.mechanism {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return t.network.Contains(q.ip), nil
	}
	if err := q.count(); err != nil {
		return false, err
	}
	target := domain
	if t.domain != "" {
		var err *spfError
		if target, err = q.expand(t.domain, domain); err != nil {
			return false, err
		}
	}
	switch t.mechanism {
	case "include":
		return q.include(target)
	case "a":
		ips, err := q.addrs(target, q.ip.Is4())
		return err == nil && q.among(ips, t), err
	case "mx":
		return q.mx(target, t)
	case "exists":
		ips, err := q.addrs(target, true) // RFC 7208 5.7: A also for IPv6
		return len(ips) > 0, err
	}
	return q.ptr(target)
}

// include is RFC 7208 5.2.
func (q *spfQuery) include(target string) (bool, *spfError) {
	switch result, reason := q.check(target); result {
	case Pass:
		return true, nil
	case TempError:
		return false, &spfError{TempError, reason}
	case PermError, None:
		return false, &spfError{PermError, "include: " + reason}
	}
	return false, nil
}

// addrs asks for the addresses of one family; none is no error here.
func (q *spfQuery) addrs(host string, v4 bool) ([]netip.Addr, *spfError) {
	ask := q.dns.AAAA
	if v4 {
		ask = q.dns.A
	}
	ips, err := ask(q.ctx, host)
	if e := q.answered(host, err); e != nil {
		return nil, e
	}
	return ips, nil
}

func (q *spfQuery) among(ips []netip.Addr, t spfTerm) bool {
	bits := t.bits6
	if q.ip.Is4() {
		bits = t.bits4
	}
	return slices.ContainsFunc(ips, func(ip netip.Addr) bool {
		return ip.BitLen() == q.ip.BitLen() && netip.PrefixFrom(ip, bits).Masked().Contains(q.ip)
	})
}

// mx is RFC 7208 5.4.
func (q *spfQuery) mx(target string, t spfTerm) (bool, *spfError) {
	hosts, err := q.dns.MX(q.ctx, target)
	if e := q.answered(target, err); e != nil {
		return false, e
	}
	if len(hosts) > maxMX {
		return false, &spfError{PermError, fmt.Sprintf("%s has more than %d MX", target, maxMX)}
	}
	for _, mx := range hosts {
		if mx.Host == "" { // RFC 7505
			continue
		}
		ips, err := q.addrs(mx.Host, q.ip.Is4())
		if err != nil {
			return false, err
		}
		if q.among(ips, t) {
			return true, nil
		}
	}
	return false, nil
}

// ptr is RFC 7208 5.5.
func (q *spfQuery) ptr(target string) (bool, *spfError) {
	names, err := q.verifiedNames()
	if err != nil {
		return false, err
	}
	target = strings.ToLower(strings.TrimSuffix(target, "."))
	return slices.ContainsFunc(names, func(name string) bool { return within(name, target) }), nil
}

// verifiedNames returns the names of the client that lead back to it; errors on the way
// only make names missing.
func (q *spfQuery) verifiedNames() ([]string, *spfError) {
	if q.asked {
		return q.names, nil
	}
	q.asked = true
	names, err := q.dns.PTR(q.ctx, q.ip)
	if err != nil {
		if dns.Missing(err) {
			return nil, q.answered(q.ip.String(), err)
		}
		return nil, nil
	}
	for _, name := range names[:min(len(names), maxPTR)] {
		ask := q.dns.AAAA
		if q.ip.Is4() {
			ask = q.dns.A
		}
		if ips, err := ask(q.ctx, name); err == nil && slices.Contains(ips, q.ip) {
			q.names = append(q.names, strings.ToLower(strings.TrimSuffix(name, ".")))
		}
	}
	return q.names, nil
}
