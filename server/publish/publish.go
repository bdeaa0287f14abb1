// Package publish knows the DNS records that a mail domain needs, and compares them
// with what the DNS has: MX and addresses (RFC 5321 5), PTR (RFC 8601 3), SPF (RFC
// 7208), DKIM (RFC 6376), DMARC (RFC 7489), TLSRPT (RFC 8460), MTA-STS (RFC 8461), DANE
// (RFC 7672) and the SRV records of clients (RFC 6186, RFC 8314 5).
//
// It only asks; what it finds is told in plain words, each with the line to publish.
// Nothing here is kept, and there is no lock. It does not fetch MTA-STS policies, and
// can't know what a registrar or a cache will do with a change.
package publish

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"facteur/server/address"
	"facteur/server/dns"
)

// State is how a record is found.
type State string

// The states.
const (
	OK      State = "ok"
	Missing State = "missing"
	Wrong   State = "wrong"
	Better  State = "better"  // it works; Value is better
	Unknown State = "unknown" // the DNS did not answer
	Note    State = "note"    // nothing is expected
)

// Record is a record to publish, and how it is found.
type Record struct {
	Name   string   `json:"name"`  // with the final dot
	Type   string   `json:"type"`  // "TXT"
	Value  string   `json:"value"` // as it should be; of a TXT without quotes; "" when only people can tell
	Needed bool     `json:"needed"`
	State  State    `json:"state"`
	Found  []string `json:"found,omitempty"`
	For    string   `json:"for"`            // what it is good for
	Text   string   `json:"text,omitempty"` // what is wrong, or what to do
}

// Bad tells whether mail suffers from it.
func (r *Record) Bad() bool {
	return r.State == Wrong || r.State == Unknown || r.State == Missing && r.Needed
}

// Key is a DKIM key.
type Key struct {
	Name    string // "selector._domainkey.example.org"
	Value   string // "v=DKIM1; k=rsa; p=..."
	Retired bool   // a newer one signs; what it signed is still on its way
}

// Service is what mail programs connect to.
type Service struct {
	Name string // "imaps"
	Port uint16
}

// Options is what the records are made of.
type Options struct {
	Domain   address.Domain
	Hostname address.Domain
	// Addresses are the public addresses of this machine, none when they are not known.
	Addresses []netip.Addr
	// Keys are those of Domain; none when they are not made yet.
	Keys     []Key
	Services []Service
	// Certificate is what clients of Hostname are shown, nil when there is none yet.
	Certificate *x509.Certificate
	// PolicyID is of the MTA-STS policy that this server serves (RFC 8461 3.1), "" when it
	// serves none.
	PolicyID string
	// Via is the server that all mail leaves through, "" when it leaves directly.
	Via      string
	Resolver *dns.Resolver
	// SPF checks the record of Domain for mail from an address: a result in the words of
	// RFC 7208, and why.
	SPF func(ctx context.Context, ip netip.Addr) (result, reason string)
}

// check is one check of a domain. Once mx and addresses are known, it does not change.
type check struct {
	Options
	ctx       context.Context
	addresses dns.Answer[netip.Addr] // of Hostname
	mx        bool                   // Hostname is one of the MX, or shall be
}

// Check compares all records with the DNS, in the order in which they matter.
func Check(ctx context.Context, o Options) []Record {
	c := &check{Options: o, ctx: ctx}
	all := [][]Record{c.mailExchanger(), c.hostAddresses()} // the others go by what these find
	parts := []func() []Record{c.reverse, c.spf, c.hostSPF, c.dkim, c.dmarc, c.tlsReports, c.tlsa, c.mtaSTS, c.clients, c.calendars, c.names}
	rest := make([][]Record, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() { rest[i] = part() }) // a DNS that does not answer takes its time each time
	}
	running.Wait()
	return slices.Concat(append(all, rest...)...)
}

// fqdn returns a name with the final dot.
func fqdn[S ~string](name S) string { return strings.TrimSuffix(string(name), ".") + "." }

// failed sets the state after a look-up that found nothing.
func (r *Record) failed(err error) {
	if dns.Missing(err) {
		r.State = Missing
		return
	}
	r.State, r.Text = Unknown, "The DNS did not answer: "+err.Error()
}

// texts returns the TXT records of a name that begin with a version tag, such as
// "v=spf1".
func (c *check) texts(name, version string) ([]string, error) {
	all, err := c.Resolver.TXT(c.ctx, name)
	if err != nil && !dns.Missing(err) {
		return nil, err
	}
	var list []string
	for _, txt := range all {
		first := txt
		if i := strings.IndexAny(txt, "; \t"); i >= 0 {
			first = txt[:i]
		}
		if strings.EqualFold(strings.ReplaceAll(first, " ", ""), version) {
			list = append(list, txt)
		}
	}
	return list, nil
}

// one finds the one record of a kind; ok is false when there is none, or several.
func (c *check) one(r *Record, name, version string) (txt string, ok bool) {
	list, err := c.texts(name, version)
	r.Found = list
	switch {
	case err != nil:
		r.failed(err)
	case len(list) == 0:
		r.State = Missing
	case len(list) > 1:
		r.State, r.Text = Wrong, fmt.Sprintf("There are %d of them, and then none counts. Keep one.", len(list))
	default:
		return list[0], true
	}
	return "", false
}

// tags reads a list of name=value, separated by semicolons (RFC 6376 3.2). Names are
// in lower case.
func tags(txt string) map[string]string {
	m := make(map[string]string)
	for _, part := range strings.Split(txt, ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			m[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return m
}

// Zone returns a record as a line of a zone file (RFC 1035 5.1).
func (r *Record) Zone() string {
	value := r.Value
	if r.Type == "TXT" {
		value = quoted(value)
	}
	return fmt.Sprintf("%s 3600 IN %s %s", r.Name, r.Type, value)
}

// quoted writes the strings of a TXT record, each of at most 255 octets.
func quoted(s string) string {
	const most = 255
	var parts []string
	for {
		n := min(len(s), most)
		parts = append(parts, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:n])+`"`)
		if s = s[n:]; s == "" {
			return strings.Join(parts, " ")
		}
	}
}
