package publish

import (
	"fmt"
	"net/netip"
	"slices"
)

// clients checks the records by which mail programs find this server.
func (c *check) clients() []Record {
	var all []Record
	for _, s := range c.Services {
		if s.Name != webService {
			all = append(all, c.service(s.Name, s.Port, "tells mail programs where to connect"))
		}
	}
	return all
}

// webService is the Service of calendars and contacts.
const webService = "https"

// webPort is where calendars and contacts are to be had, 0 when they are not.
func (c *check) webPort() uint16 {
	for _, s := range c.Services {
		if s.Name == webService {
			return s.Port
		}
	}
	return 0
}

// service checks the SRV record of a service.
func (c *check) service(service string, port uint16, purpose string) Record {
	name := "_" + service + "._tcp."
	r := Record{
		Name: name + fqdn(c.Domain), Type: "SRV", Value: fmt.Sprintf("0 1 %d %s", port, fqdn(c.Hostname)), For: purpose,
	}
	list, err := c.Resolver.SRV(c.ctx, name+string(c.Domain))
	if err != nil {
		r.failed(err)
	}
	for _, srv := range list {
		r.Found = append(r.Found, fmt.Sprintf("%d %d %d %s", srv.Priority, srv.Weight, srv.Port, fqdn(srv.Target)))
		if srv.Port == port && srv.Target == string(c.Hostname) {
			r.State, r.Value = OK, r.Found[len(r.Found)-1]
		}
	}
	if len(list) > 0 && r.State != OK {
		r.State, r.Text = Wrong, "It leads elsewhere."
	}
	return r
}

// calendars checks the records of calendars and contacts (RFC 6764 3 and 4).
func (c *check) calendars() []Record {
	port := c.webPort()
	if port == 0 {
		return nil
	}
	var all []Record
	for _, s := range []struct{ service, what string }{{"caldavs", "calendar programs"}, {"carddavs", "address books"}} {
		all = append(all, c.service(s.service, port, "tells "+s.what+" where to connect"), c.davPath(s.service, s.what))
	}
	return all
}

// startPath is the path on this server at which programs begin.
const startPath = "/dav/"

// davPath checks the TXT record with the path, without which programs ask the server for it.
func (c *check) davPath(service, what string) Record {
	name := "_" + service + "._tcp."
	r := Record{
		Name: name + fqdn(c.Domain), Type: "TXT", Value: "path=" + startPath, For: "tells " + what + " the path on the server",
	}
	list, err := c.Resolver.TXT(c.ctx, name+string(c.Domain))
	r.Found = list
	switch {
	case err != nil:
		r.failed(err)
	case len(list) == 1 && list[0] == r.Value:
		r.State = OK
	default:
		r.State, r.Text = Wrong, "It names another path."
	}
	return r
}

// names checks the names at which programs look for the settings of an account.
func (c *check) names() []Record {
	port := c.webPort()
	if port == 0 {
		return nil
	}
	return []Record{
		c.leadsHere("autoconfig."+string(c.Domain), "is where Thunderbird and others look for the settings of an account"),
		c.service("autodiscover", port, "tells Outlook where to look for the settings of an account"),
	}
}

// leadsHere checks that a name leads to this server.
func (c *check) leadsHere(name, purpose string) Record {
	r := Record{Name: fqdn(name), Type: "CNAME", Value: fqdn(c.Hostname), For: purpose}
	if alias, err := c.Resolver.Alias(c.ctx, name); err == nil && len(alias.Records) > 0 {
		r.Found = []string{fqdn(alias.Records[0])}
		if alias.Records[0] == string(c.Hostname) {
			r.State = OK
			return r
		}
	}
	list, err := c.Resolver.Addrs(c.ctx, name)
	for _, ip := range list {
		r.Found = append(r.Found, ip.String())
	}
	switch {
	case err != nil:
		r.failed(err)
	case slices.ContainsFunc(list, func(ip netip.Addr) bool { return slices.Contains(c.addresses.Records, ip) }):
		r.State = OK
	default:
		r.State, r.Text = Better, "It leads to another server."
	}
	return r
}
