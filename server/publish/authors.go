package publish

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"facteur/server/address"
)

// spf checks that this server may send for the domain.
func (c *check) spf() []Record {
	r := Record{
		Name: fqdn(c.Domain), Type: "TXT", Value: "v=spf1 mx -all", Needed: true,
		For: "says which servers send mail of the domain (SPF)",
	}
	if !c.mx {
		r.Value = "v=spf1 mx a:" + string(c.Hostname) + " -all"
	}
	if c.Via != "" {
		r.Value = "v=spf1 mx a:" + c.Via + " ~all"
		r.Text = fmt.Sprintf("Your mail leaves through %s: its provider may tell you a better term, such as include:provider.example.", c.Via)
	}
	txt, ok := c.one(&r, string(c.Domain), "v=spf1")
	if !ok {
		if r.State == Wrong {
			r.Value = mergeSPF(r.Found)
		}
		return []Record{r}
	}
	r.State = OK
	if c.Via != "" {
		r.Value = txt
		return []Record{r}
	}
	for _, ip := range c.addresses.Records {
		if result, reason := c.SPF(c.ctx, ip); result != "pass" {
			r.State = Wrong
			r.Value = c.addSPF(txt, result)
			r.Text = fmt.Sprintf("Mail from this server (%s) comes to %q: %s.", ip, result, reason)
			return []Record{r}
		}
	}
	r.Value = txt
	fields := strings.Fields(strings.ToLower(txt))
	if last := fields[len(fields)-1]; last == "+all" || last == "all" || last == "?all" {
		r.State, r.Value = Wrong, strings.Join(fields[:len(fields)-1], " ")+" -all"
		r.Text = fmt.Sprintf("With %q anybody may send as the domain.", last)
	}
	return []Record{r}
}

// addSPF adds this server to a record; one that can't be read is made anew.
func (c *check) addSPF(txt, result string) string {
	term := "mx"
	if !c.mx {
		term = "a:" + string(c.Hostname)
	}
	rest := strings.TrimSpace(txt[len("v=spf1"):])
	if result == "permerror" || slices.Contains(strings.Fields(strings.ToLower(rest)), term) {
		return "v=spf1 " + term + " -all"
	}
	return strings.TrimSpace("v=spf1 " + term + " " + rest)
}

// mergeSPF makes one record of several.
func mergeSPF(list []string) string {
	var terms []string
	all := "-all"
	for _, txt := range list {
		for _, term := range strings.Fields(txt)[1:] {
			if strings.HasSuffix(strings.ToLower(term), "all") && len(term) <= len("~all") {
				all = term
			} else if !slices.Contains(terms, term) {
				terms = append(terms, term)
			}
		}
	}
	return strings.Join(append(append([]string{"v=spf1"}, terms...), all), " ")
}

// hostSPF checks the record of the server's own name, which counts for notices: their
// reverse-path is null (RFC 7208 2.4).
func (c *check) hostSPF() []Record {
	if c.Hostname == c.Domain {
		return nil
	}
	r := Record{
		Name: fqdn(c.Hostname), Type: "TXT", Value: "v=spf1 a -all",
		For: "says the same of the server's own name: notices and reports are sent in it",
	}
	if txt, ok := c.one(&r, string(c.Hostname), "v=spf1"); ok {
		r.State, r.Value = OK, txt
	}
	return []Record{r}
}

// dkim checks the public keys.
func (c *check) dkim() []Record {
	const purpose = "has the key for the signatures of this server (DKIM)"
	if len(c.Keys) == 0 {
		return []Record{{
			Name: "*._domainkey." + fqdn(c.Domain), Type: "TXT", State: Note, For: purpose,
			Text: "The keys will be made when the server is first started: run this again then.",
		}}
	}
	var all []Record
	for _, k := range c.Keys {
		r := Record{Name: fqdn(k.Name), Type: "TXT", Value: k.Value, Needed: !k.Retired, For: purpose}
		if k.Retired {
			r.For = "has a key that signs no more: keep it while mail is on its way"
		}
		c.publicKey(&r, k)
		all = append(all, r)
	}
	return all
}

func (c *check) publicKey(r *Record, k Key) {
	list, err := c.Resolver.TXT(c.ctx, k.Name)
	r.Found = list
	switch {
	case err != nil:
		r.failed(err)
	case len(list) > 1:
		r.State, r.Text = Wrong, "There are several records, and which one counts is not known."
	case key(list[0]) == key(k.Value):
		r.State = OK
	case key(list[0]) == "":
		r.State, r.Text = Wrong, "It says that the key is revoked."
	default:
		r.State, r.Text = Wrong, "It is another key: signatures of this server can't be checked. Often a part of the line was lost when it was pasted."
	}
}

// key returns the public key in a record, without white space.
func key(txt string) string { return strings.Join(strings.Fields(tags(txt)["p"]), "") }

// dmarc checks the policy.
func (c *check) dmarc() []Record {
	report := "mailto:dmarc-reports@" + string(c.Domain)
	r := Record{
		Name: "_dmarc." + fqdn(c.Domain), Type: "TXT", Value: "v=DMARC1; p=none; rua=" + report, Needed: true,
		For: "says what others shall do with mail that only claims to be from you, and asks for reports (DMARC)",
	}
	txt, ok := c.one(&r, "_dmarc."+string(c.Domain), "v=DMARC1")
	if !ok {
		if r.State == Missing && c.inherited(&r) {
			return []Record{r}
		}
		if r.State == Missing {
			r.Text = "Begin with p=none. When the weekly report says that all your own mail passes, write p=quarantine, and a month later p=reject."
		}
		return []Record{r}
	}
	have := tags(txt)
	r.State, r.Value = OK, txt
	switch p := strings.ToLower(have["p"]); {
	case p != "none" && p != "quarantine" && p != "reject":
		r.State, r.Text, r.Value = Wrong, "It has no policy: p= is none, quarantine or reject.", withTag(txt, "p", "none")
	case have["rua"] == "":
		r.State, r.Text, r.Value = Better, "It asks nobody for reports: then the weekly report knows nothing.", withTag(txt, "rua", report)
	case !c.ruaHere(have["rua"]):
		r.Text = "The reports go elsewhere: the weekly report of this server knows nothing of them."
	}
	return []Record{r}
}

// inherited tells whether the organizational domain has a policy for this one.
func (c *check) inherited(r *Record) bool {
	org, err := publicsuffix.EffectiveTLDPlusOne(string(c.Domain))
	if err != nil || org == string(c.Domain) {
		return false
	}
	list, err := c.texts("_dmarc."+org, "v=DMARC1")
	if err != nil || len(list) != 1 {
		return false
	}
	r.State, r.Found, r.Text = Better, list, "The policy of "+org+" holds. With a record of its own the domain gets its reports here."
	return true
}

// ruaHere tells whether one of the places for reports is in this domain.
func (c *check) ruaHere(rua string) bool {
	for _, uri := range strings.Split(rua, ",") {
		uri, _, _ = strings.Cut(strings.TrimSpace(uri), "!")
		if len(uri) < len("mailto:") {
			continue
		}
		if a, err := address.Parse(uri[len("mailto:"):]); err == nil && a.Domain == c.Domain {
			return true
		}
	}
	return false
}

// withTag sets a tag of a record; p stands right behind the version (RFC 7489 6.3).
func withTag(txt, name, value string) string {
	var parts []string
	for _, part := range strings.Split(txt, ";") {
		part = strings.TrimSpace(part)
		if n, _, _ := strings.Cut(part, "="); part != "" && !strings.EqualFold(strings.TrimSpace(n), name) {
			parts = append(parts, part)
		}
	}
	at := len(parts)
	if name == "p" {
		at = 1
	}
	return strings.Join(slices.Insert(parts, at, name+"="+value), "; ")
}
