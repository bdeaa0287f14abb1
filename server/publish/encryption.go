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

// mtaSTS checks the record that has others ask for the policy, which this server may serve.
func (c *check) mtaSTS() []Record {
	r := Record{
		Name: "_mta-sts." + fqdn(c.Domain), Type: "TXT",
		For: "makes others use encryption when they send to you (MTA-STS)",
	}
	txt, ok := c.one(&r, "_mta-sts."+string(c.Domain), "v=STSv1")
	host := "mta-sts." + string(c.Domain)
	switch {
	case c.PolicyID == "" && ok:
		r.State, r.Value = OK, r.Found[0]
		r.Text = fmt.Sprintf("The policy at https://%s/.well-known/mta-sts.txt must have the line \"mx: %s\". This server does not serve it: that takes https in [listen].", host, c.Hostname)
	case c.PolicyID == "" && r.State == Missing:
		r.State = Note
		r.Text = "With https in [listen] on an address that others reach, such as \":443\", this server serves the policy."
	case c.PolicyID == "":
	case ok:
		r.Value = "v=STSv1; id=" + c.PolicyID
		if r.State = OK; tags(txt)["id"] != c.PolicyID {
			r.State = Better
			r.Text = "The policy has changed, or another server has it: with a new id others fetch it anew."
		}
	case r.State == Missing:
		r.State, r.Value = Note, "v=STSv1; id="+c.PolicyID
		r.Text = fmt.Sprintf("First see that https://%s/.well-known/mta-sts.txt can be had, with a certificate for that name that is not self-signed.", host)
	}
	if c.PolicyID == "" {
		return []Record{r}
	}
	return []Record{r, c.leadsHere(host, "is where others fetch the policy of MTA-STS")}
}
