package publish

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"strings"

	"facteur/server/dns"
)

// tlsReports checks that others know where to report trouble with encryption.
func (c *check) tlsReports() []Record {
	r := Record{
		Name: "_smtp._tls." + fqdn(c.Domain), Type: "TXT", Value: "v=TLSRPTv1; rua=mailto:tls-reports@" + string(c.Domain),
		For: "asks others to report when they can't reach you encrypted (TLSRPT)",
	}
	if txt, ok := c.one(&r, "_smtp._tls."+string(c.Domain), "v=TLSRPTv1"); ok {
		r.State = OK
		if tags(txt)["rua"] == "" {
			r.State, r.Text = Wrong, "It names no place for reports."
		} else {
			r.Value = txt
		}
	}
	return []Record{r}
}

// tlsa checks that the DNS names the certificate (DANE). One that names another is
// worse than none: then servers that look at it send no mail.
func (c *check) tlsa() []Record {
	if c.Certificate == nil {
		return nil
	}
	r := Record{
		Name: "_25._tcp." + fqdn(c.Hostname), Type: "TLSA", Value: tlsaOf(c.Certificate).String(),
		For: "lets others be sure of the certificate of this server (DANE)",
	}
	found, err := c.Resolver.TLSA(c.ctx, "_25._tcp."+string(c.Hostname))
	fits := false
	for _, t := range found.Records {
		r.Found = append(r.Found, t.String())
		fits = fits || c.fits(t)
	}
	switch {
	case err == nil && fits:
		r.State, r.Value = OK, strings.Join(r.Found, ", ")
	case err == nil && len(found.Records) > 0:
		r.State, r.Text = Wrong, "It names another certificate: servers that check it (many do) send you no mail. Publish the line, or remove the record."
	case err != nil && !dns.Missing(err):
		r.failed(err)
	case c.addresses.Authentic:
		r.State, r.Text = Missing, "The zone is signed (DNSSEC), so this works. When the key of the certificate changes, publish the new line an hour before."
	default:
		r.State, r.Text = Note, "It works only in a zone that is signed (DNSSEC), as seen by a resolver that checks it: [dns] servers in mail.toml."
	}
	return []Record{r}
}

// tlsaOf is DANE-EE, of the public key, by SHA-256 (RFC 7672 3.1.1).
func tlsaOf(cert *x509.Certificate) dns.TLSA {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: sum[:]}
}

// fits tells whether a record may lead to our certificate. Of trust anchors (usage 2,
// and the usages that mail does not use) only the server's chain could tell: they count
// as fitting.
func (c *check) fits(t dns.TLSA) bool {
	if t.Usage != 3 {
		return true
	}
	data := c.Certificate.Raw
	if t.Selector == 1 {
		data = c.Certificate.RawSubjectPublicKeyInfo
	}
	switch t.Matching {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(data, t.Data)
}

// mtaSTS tells how to have MTA-STS, which takes a web server beside this one.
func (c *check) mtaSTS() []Record {
	r := Record{
		Name: "_mta-sts." + fqdn(c.Domain), Type: "TXT",
		For: "makes others use encryption when they send to you (MTA-STS)",
	}
	_, ok := c.one(&r, "_mta-sts."+string(c.Domain), "v=STSv1")
	switch {
	case ok:
		r.State, r.Value = OK, r.Found[0]
		r.Text = fmt.Sprintf("The policy at https://mta-sts.%s/.well-known/mta-sts.txt must have the line \"mx: %s\".", c.Domain, c.Hostname)
	case r.State == Missing:
		r.State = Note
		r.Text = fmt.Sprintf("facteur serves no policies yet; any web server can. At https://mta-sts.%s/.well-known/mta-sts.txt put the four lines \"version: STSv1\", \"mode: testing\", \"mx: %s\" and \"max_age: 604800\", then publish this record with \"v=STSv1; id=1\". It needs a certificate that is not self-signed.", c.Domain, c.Hostname)
	}
	return []Record{r}
}

// clients checks the records by which mail programs find this server.
func (c *check) clients() []Record {
	var all []Record
	for _, s := range c.Services {
		name := "_" + s.Name + "._tcp."
		r := Record{
			Name: name + fqdn(c.Domain), Type: "SRV", Value: fmt.Sprintf("0 1 %d %s", s.Port, fqdn(c.Hostname)),
			For: "tells mail programs where to connect",
		}
		list, err := c.Resolver.SRV(c.ctx, name+string(c.Domain))
		if err != nil {
			r.failed(err)
		}
		for _, srv := range list {
			r.Found = append(r.Found, fmt.Sprintf("%d %d %d %s", srv.Priority, srv.Weight, srv.Port, fqdn(srv.Target)))
			if srv.Port == s.Port && srv.Target == string(c.Hostname) {
				r.State, r.Value = OK, r.Found[len(r.Found)-1]
			}
		}
		if len(list) > 0 && r.State != OK {
			r.State, r.Text = Wrong, "It leads elsewhere."
		}
		all = append(all, r)
	}
	return all
}
