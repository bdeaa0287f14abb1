package publish

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	wire "github.com/miekg/dns"

	"facteur/server/dns"
)

// mailExchanger checks that mail for the domain comes here.
func (c *check) mailExchanger() []Record {
	r := Record{
		Name: fqdn(c.Domain), Type: "MX", Value: "10 " + fqdn(c.Hostname), Needed: true,
		For: "leads the mail for the domain to this server",
	}
	list, err := c.Resolver.MX(c.ctx, string(c.Domain))
	if err != nil {
		r.failed(err)
		c.mx = true // once the record is there
		return []Record{r}
	}
	best := list[0].Preference
	var others []string
	for _, mx := range list {
		r.Found = append(r.Found, fmt.Sprintf("%d %s", mx.Preference, fqdn(mx.Host)))
		best = min(best, mx.Preference)
		if mx.Host == string(c.Hostname) {
			c.mx, r.State = true, OK
		} else {
			others = append(others, mx.Host)
		}
	}
	i := slices.IndexFunc(list, func(mx dns.MX) bool { return mx.Host == string(c.Hostname) })
	switch {
	case !c.mx:
		r.State, r.Text = Wrong, fmt.Sprintf("Mail for the domain goes to %s, and not to this server.", strings.Join(others, ", "))
	case list[i].Preference > best:
		r.Text = fmt.Sprintf("Mail comes here only when it can't go to %s.", strings.Join(others, ", "))
	case len(others) > 0:
		r.Text = fmt.Sprintf("Mail may also go to %s, which must know the same people, and pass it on.", strings.Join(others, ", "))
	}
	return []Record{r}
}

// hostAddresses checks that the name of the server leads to it.
func (c *check) hostAddresses() []Record {
	r := Record{Name: fqdn(c.Hostname), Type: "A", Needed: true, For: "leads from the name of the server to the machine"}
	var err error
	if c.addresses, err = c.Resolver.SecureAddrs(c.ctx, string(c.Hostname)); err != nil {
		r.failed(err)
		return c.wantedAddresses(r)
	}
	if alias, err := c.Resolver.Alias(c.ctx, string(c.Hostname)); err == nil {
		r.Found = []string{"CNAME " + fqdn(alias.Records[0])}
		r.State, r.Text = Wrong, "A mail server must have addresses of its own: a CNAME is not allowed here (RFC 2181 10.3)."
		return c.wantedAddresses(r)
	}
	var all []Record
	for _, ip := range c.addresses.Records {
		one := r
		one.Type, one.Value, one.State = addressType(ip), ip.String(), OK
		one.Found = []string{ip.String()}
		if len(c.Addresses) > 0 && !slices.Contains(c.Addresses, ip) && slices.ContainsFunc(c.Addresses, sameFamily(ip)) {
			one.State, one.Text = Wrong, "This machine has another address: "+joined(c.Addresses)+"."
		}
		all = append(all, one)
	}
	return all
}

// wantedAddresses returns a record for each address of this machine, or one for people
// to complete.
func (c *check) wantedAddresses(r Record) []Record {
	if len(c.Addresses) == 0 {
		r.Text = strings.TrimSpace(r.Text + " The value is the public address of this server.")
		return []Record{r}
	}
	var all []Record
	for _, ip := range c.Addresses {
		one := r
		one.Type, one.Value = addressType(ip), ip.String()
		all = append(all, one)
	}
	return all
}

func addressType(ip netip.Addr) string {
	if ip.Is4() {
		return "A"
	}
	return "AAAA"
}

func sameFamily(a netip.Addr) func(netip.Addr) bool {
	return func(b netip.Addr) bool { return a.Is4() == b.Is4() }
}

func joined(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, ip := range list {
		texts[i] = ip.String()
	}
	return strings.Join(texts, ", ")
}

// reverse checks that each address leads back to the name: without that, big providers
// take no mail.
func (c *check) reverse() []Record {
	if c.Via != "" {
		return nil // others meet the addresses of that server
	}
	var all []Record
	for _, ip := range c.addresses.Records {
		name, err := wire.ReverseAddr(ip.String())
		if err != nil || ip.IsPrivate() || ip.IsLoopback() {
			continue
		}
		r := Record{
			Name: name, Type: "PTR", Value: fqdn(c.Hostname), Needed: true,
			For: "leads from the address back to the name; whoever gives you the address sets it",
		}
		c.backwards(&r, ip)
		all = append(all, r)
	}
	return all
}

func (c *check) backwards(r *Record, ip netip.Addr) {
	names, err := c.Resolver.PTR(c.ctx, ip)
	if err != nil {
		r.failed(err)
		return
	}
	for _, name := range names {
		r.Found = append(r.Found, fqdn(name))
	}
	if slices.Contains(names, string(c.Hostname)) {
		r.State = OK
		return
	}
	for _, name := range names[:min(len(names), 3)] {
		if back, err := c.Resolver.Addrs(c.ctx, name); err == nil && slices.Contains(back, ip) {
			r.State, r.Text = Better, "It leads to another name of this machine, which most take. The name of the server is better."
			return
		}
	}
	r.State, r.Text = Wrong, "It leads to a name that is not this server's: big providers refuse mail for that."
}

// Public returns the addresses of a list that can be reached from elsewhere.
func Public(list []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, ip := range list {
		ip = ip.Unmap().WithZone("")
		if ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}
