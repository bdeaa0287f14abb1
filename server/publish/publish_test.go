package publish

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"facteur/server/dns"
	"facteur/server/testkit"
)

// good is a zone in which nothing is wrong.
const good = `
example.org.                 MX 10 mail.example.org.
mail.example.org.            A 192.0.2.1
mail.example.org.            AAAA 2001:db8::1
1.2.0.192.in-addr.arpa.      PTR mail.example.org.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail.example.org.
example.org.                 TXT "v=spf1 mx -all"
example.org.                 TXT "something else"
mail.example.org.            TXT "v=spf1 a -all"
new._domainkey.example.org.  TXT "v=DKIM1; k=rsa; p=AAAA" "BBBB"
old._domainkey.example.org.  TXT "v=DKIM1; p=CC CC"
_dmarc.example.org.          TXT "v=DMARC1; p=reject; rua=mailto:dmarc-reports@example.org!10m"
_smtp._tls.example.org.      TXT "v=TLSRPTv1; rua=mailto:tls-reports@example.org"
_imaps._tcp.example.org.     SRV 0 1 993 mail.example.org.
_25._tcp.mail.example.org.   TLSA 3 1 1 ${TLSA}
_mta-sts.example.org.        TXT "v=STSv1; id=7"
mta-sts.example.org.         CNAME mail.example.org.
autoconfig.example.org.      A 192.0.2.1
_autodiscover._tcp.example.org. SRV 0 0 443 mail.example.org.
_caldavs._tcp.example.org.   SRV 0 1 443 mail.example.org.
_caldavs._tcp.example.org.   TXT "path=/dav/"
_carddavs._tcp.example.org.  SRV 0 1 443 mail.example.org.
_carddavs._tcp.example.org.  TXT "path=/dav/"
`

// spfOf stands for package senderauth, with what the cases need.
func spfOf(r *dns.Resolver) func(context.Context, netip.Addr) (string, string) {
	return func(ctx context.Context, ip netip.Addr) (string, string) {
		list, _ := r.TXT(ctx, "example.org")
		for _, txt := range list {
			switch fields := strings.Fields(txt); {
			case len(fields) == 0 || fields[0] != "v=spf1":
			case strings.Contains(txt, "bad"):
				return "permerror", "a term can't be read"
			case strings.Contains(txt, "mx") || strings.Contains(txt, "+all"):
				return "pass", "mx"
			}
		}
		return "fail", "-all"
	}
}

func options(t *testing.T, zone string) Options {
	t.Helper()
	cert, err := x509.ParseCertificate(testkit.Certificate(t, "mail.example.org").Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := fmt.Sprintf("%x", tlsaOf(cert).Data)
	d := testkit.NewDNS(t, strings.ReplaceAll(zone, "${TLSA}", fingerprint))
	d.Fail("broken.example.org", true)
	r, err := dns.New(dns.Options{Servers: []string{d.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Domain: "example.org", Hostname: "mail.example.org", Resolver: r, SPF: spfOf(r), Certificate: cert,
		Keys:     []Key{{Name: "new._domainkey.example.org", Value: "v=DKIM1; k=rsa; p=AAAABBBB"}, {Name: "old._domainkey.example.org", Value: "v=DKIM1; k=ed25519; p=CCCC", Retired: true}},
		Services: []Service{{"imaps", 993}, {"https", 443}}, PolicyID: "7",
	}
}

// edit replaces or removes the lines of a zone that begin with a name.
func edit(zone, from, to string) string {
	var out []string
	for line := range strings.Lines(zone) {
		if from == "" || !strings.HasPrefix(strings.TrimSpace(line), from) {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return strings.Join(append(out, to), "\n")
}

func find(t *testing.T, list []Record, kind, name string) Record {
	t.Helper()
	for _, r := range list {
		if r.Type == kind && (r.Name == name || strings.HasPrefix(r.Value, name)) {
			return r
		}
	}
	t.Fatalf("no %s %s in %+v", kind, name, list)
	return Record{}
}

func TestGood(t *testing.T) {
	list := Check(t.Context(), options(t, good))
	if len(list) != 21 {
		t.Errorf("%d records", len(list))
	}
	for _, r := range list {
		if r.State != OK || r.Bad() || len(r.Found) == 0 || r.For == "" {
			t.Errorf("%+v", r)
		}
	}
}

// TestChanged changes one thing of the good zone each time, and looks at the record
// that it is about.
func TestChanged(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		options        func(*Options)
		kind, record   string
		state          State
		bad            bool
		value, text    string // value "": as in the good zone, or none
	}{
		{name: "no MX", from: "example.org.                 MX", kind: "MX", record: "example.org.", state: Missing, bad: true, value: "10 mail.example.org."},
		{name: "MX elsewhere", from: "example.org.                 MX", to: "example.org. MX 5 mx.example.net.", kind: "MX", record: "example.org.", state: Wrong, bad: true, text: "goes to mx.example.net"},
		{name: "a second MX", to: "example.org. MX 20 mx.example.net.", kind: "MX", record: "example.org.", state: OK, text: "may also go to mx.example.net"},
		{name: "a better MX", to: "example.org. MX 5 mx.example.net.", kind: "MX", record: "example.org.", state: OK, text: "only when"},
		{name: "null MX", from: "example.org.                 MX", to: "example.org. MX 0 .", kind: "MX", record: "example.org.", state: Wrong, bad: true},
		{name: "no address", from: "mail.example.org.            A", kind: "A", record: "mail.example.org.", state: Missing, bad: true, text: "public address"},
		{
			name: "no address, but known", from: "mail.example.org.            A", options: func(o *Options) { o.Addresses = []netip.Addr{netip.MustParseAddr("198.51.100.9")} },
			kind: "A", record: "mail.example.org.", state: Missing, bad: true, value: "198.51.100.9",
		},
		{
			name: "another address", options: func(o *Options) { o.Addresses = []netip.Addr{netip.MustParseAddr("198.51.100.9")} },
			kind: "A", record: "mail.example.org.", state: Wrong, bad: true, text: "198.51.100.9",
		},
		{name: "an alias", from: "mail.example.org.", to: "mail.example.org. CNAME web.example.org.\nweb.example.org. A 192.0.2.1", kind: "A", record: "mail.example.org.", state: Wrong, bad: true, text: "CNAME"},
		{name: "no PTR", from: "1.2.0.192", kind: "PTR", record: "1.2.0.192.in-addr.arpa.", state: Missing, bad: true, value: "mail.example.org."},
		{name: "wrong PTR", from: "1.2.0.192", to: "1.2.0.192.in-addr.arpa. PTR host1.provider.example.", kind: "PTR", record: "1.2.0.192.in-addr.arpa.", state: Wrong, bad: true},
		{
			name: "another PTR", from: "1.2.0.192", to: "1.2.0.192.in-addr.arpa. PTR host1.provider.example.\nhost1.provider.example. A 192.0.2.1",
			kind: "PTR", record: "1.2.0.192.in-addr.arpa.", state: Better,
		},
		{name: "no SPF", from: `example.org.                 TXT "v=spf1`, kind: "TXT", record: "example.org.", state: Missing, bad: true, value: "v=spf1 mx -all"},
		{
			name: "SPF of others", from: `example.org.                 TXT "v=spf1`, to: `example.org. TXT "v=spf1 include:other.example ~all"`,
			kind: "TXT", record: "example.org.", state: Wrong, bad: true, value: "v=spf1 mx include:other.example ~all", text: "fail",
		},
		{
			name: "bad SPF", from: `example.org.                 TXT "v=spf1`, to: `example.org. TXT "v=spf1 bad"`,
			kind: "TXT", record: "example.org.", state: Wrong, bad: true, value: "v=spf1 mx -all", text: "permerror",
		},
		{
			name: "two SPF", to: `example.org. TXT "v=spf1 include:x.example ~all"`,
			kind: "TXT", record: "example.org.", state: Wrong, bad: true, value: "v=spf1 mx include:x.example ~all", text: "2 of them",
		},
		{
			name: "SPF for all", from: `example.org.                 TXT "v=spf1`, to: `example.org. TXT "v=spf1 mx +all"`,
			kind: "TXT", record: "example.org.", state: Wrong, bad: true, value: "v=spf1 mx -all", text: "anybody",
		},
		{
			name: "by another server", from: `example.org.                 TXT "v=spf1`, options: func(o *Options) { o.Via = "smtp.provider.net" },
			kind: "TXT", record: "example.org.", state: Missing, bad: true, value: "v=spf1 mx a:smtp.provider.net ~all",
		},
		{name: "no SPF of the host", from: "mail.example.org.            TXT", kind: "TXT", record: "mail.example.org.", state: Missing, value: "v=spf1 a -all"},
		{name: "no key", from: "new._", kind: "TXT", record: "new._domainkey.example.org.", state: Missing, bad: true, value: "v=DKIM1; k=rsa; p=AAAABBBB"},
		{name: "half a key", from: "new._", to: `new._domainkey.example.org. TXT "v=DKIM1; p=AAAA"`, kind: "TXT", record: "new._domainkey.example.org.", state: Wrong, bad: true, value: "v=DKIM1; k=rsa; p=AAAABBBB"},
		{name: "revoked", from: "new._", to: `new._domainkey.example.org. TXT "v=DKIM1; p="`, kind: "TXT", record: "new._domainkey.example.org.", state: Wrong, bad: true, text: "revoked"},
		{name: "retired key is gone", from: "old._", kind: "TXT", record: "old._domainkey.example.org.", state: Missing},
		{name: "no keys yet", options: func(o *Options) { o.Keys = nil }, kind: "TXT", record: "*._domainkey.example.org.", state: Note},
		{name: "no DMARC", from: "_dmarc", kind: "TXT", record: "_dmarc.example.org.", state: Missing, bad: true, value: "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org"},
		{name: "DMARC without reports", from: "_dmarc", to: `_dmarc.example.org. TXT "v=DMARC1;p=reject"`, kind: "TXT", record: "_dmarc.example.org.", state: Better, value: "v=DMARC1; p=reject; rua=mailto:dmarc-reports@example.org"},
		{name: "DMARC without policy", from: "_dmarc", to: `_dmarc.example.org. TXT "v=DMARC1; rua=mailto:a@b.example"`, kind: "TXT", record: "_dmarc.example.org.", state: Wrong, bad: true, value: "v=DMARC1; p=none; rua=mailto:a@b.example"},
		{name: "reports elsewhere", from: "_dmarc", to: `_dmarc.example.org. TXT "v=DMARC1; p=none; rua=mailto:a@b.example"`, kind: "TXT", record: "_dmarc.example.org.", state: OK, text: "elsewhere"},
		{name: "no TLSRPT", from: "_smtp._tls", kind: "TXT", record: "_smtp._tls.example.org.", state: Missing, value: "v=TLSRPTv1; rua=mailto:tls-reports@example.org"},
		{name: "TLSRPT without place", from: "_smtp._tls", to: `_smtp._tls.example.org. TXT "v=TLSRPTv1"`, kind: "TXT", record: "_smtp._tls.example.org.", state: Wrong, bad: true},
		{name: "no TLSA, unsigned", from: "_25._tcp", kind: "TLSA", record: "_25._tcp.mail.example.org.", state: Note, value: "3 1 1 "},
		{name: "TLSA of another", from: "_25._tcp", to: "_25._tcp.mail.example.org. TLSA 3 1 1 " + strings.Repeat("00", 32), kind: "TLSA", record: "_25._tcp.mail.example.org.", state: Wrong, bad: true},
		{name: "no MTA-STS", from: "_mta-sts", kind: "TXT", record: "_mta-sts.example.org.", state: Note, value: "v=STSv1; id=7", text: "certificate"},
		{name: "a new policy", options: func(o *Options) { o.PolicyID = "8" }, kind: "TXT", record: "_mta-sts.example.org.", state: Better, value: "v=STSv1; id=8"},
		{name: "no policy here", options: func(o *Options) { o.PolicyID = "" }, kind: "TXT", record: "_mta-sts.example.org.", state: OK, text: "mx: mail.example.org"},
		{name: "no policy anywhere", from: "_mta-sts", options: func(o *Options) { o.PolicyID = "" }, kind: "TXT", record: "_mta-sts.example.org.", state: Note},
		{name: "the policy elsewhere", from: "mta-sts", to: "mta-sts.example.org. A 198.51.100.1", kind: "CNAME", record: "mta-sts.example.org.", state: Better, text: "another server"},
		{name: "no autoconfig", from: "autoconfig", kind: "CNAME", record: "autoconfig.example.org.", state: Missing, value: "mail.example.org."},
		{name: "no calendars", from: "_caldavs", kind: "SRV", record: "_caldavs._tcp.example.org.", state: Missing, value: "0 1 443 mail.example.org."},
		{name: "no path", from: "_carddavs", kind: "TXT", record: "_carddavs._tcp.example.org.", state: Missing, value: "path=/dav/"},
		{name: "contacts elsewhere", from: "_carddavs", to: `_carddavs._tcp.example.org. TXT "path=/carddav/"`, kind: "TXT", record: "_carddavs._tcp.example.org.", state: Wrong, bad: true},
		{name: "no SRV", from: "_imaps", kind: "SRV", record: "_imaps._tcp.example.org.", state: Missing, value: "0 1 993 mail.example.org."},
		{name: "SRV elsewhere", from: "_imaps", to: "_imaps._tcp.example.org. SRV 0 1 993 old.example.org.", kind: "SRV", record: "_imaps._tcp.example.org.", state: Wrong, bad: true},
	} {
		o := options(t, edit(good, c.from, c.to))
		if c.options != nil {
			c.options(&o)
		}
		r := find(t, Check(t.Context(), o), c.kind, c.record)
		if c.record == "example.org." && c.kind == "TXT" {
			r = find(t, Check(t.Context(), o), c.kind, "v=spf1 mx")
		}
		if r.State != c.state || r.Bad() != c.bad || !strings.HasPrefix(r.Value, c.value) || !strings.Contains(r.Text, c.text) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestUnknown: what can't be found out is neither missing nor right.
func TestUnknown(t *testing.T) {
	o := options(t, good)
	o.Domain = "broken.example.org"
	for _, r := range Check(t.Context(), o)[:1] {
		if r.State != Unknown || !r.Bad() {
			t.Errorf("%+v", r)
		}
	}
}

// TestInherited: a subdomain without a policy has that of its organization.
func TestInherited(t *testing.T) {
	o := options(t, good+"sub.example.org. MX 10 mail.example.org.\n")
	o.Domain = "sub.example.org"
	if r := find(t, Check(t.Context(), o), "TXT", "_dmarc.sub.example.org."); r.State != Better || !strings.Contains(r.Text, "example.org holds") {
		t.Errorf("%+v", r)
	}
}

// TestSigned: in a signed zone a TLSA record is worth having.
func TestSigned(t *testing.T) {
	o := options(t, edit(good, "_25._tcp", ""))
	c := &check{Options: o, ctx: t.Context(), addresses: dns.Answer[netip.Addr]{Authentic: true}}
	if r := c.tlsa()[0]; r.State != Missing || r.Bad() || !strings.HasPrefix(r.Value, "3 1 1 ") {
		t.Errorf("%+v", r)
	}
}

func TestZone(t *testing.T) {
	for want, r := range map[string]Record{
		`example.org. 3600 IN MX 10 mail.example.org.`:              {Name: "example.org.", Type: "MX", Value: "10 mail.example.org."},
		`example.org. 3600 IN TXT "v=spf1 mx -all"`:                 {Name: "example.org.", Type: "TXT", Value: "v=spf1 mx -all"},
		`x. 3600 IN TXT "a\"b\\c"`:                                  {Name: "x.", Type: "TXT", Value: `a"b\c`},
		`x. 3600 IN TXT "` + strings.Repeat("a", 255) + `" "aaaaa"`: {Name: "x.", Type: "TXT", Value: strings.Repeat("a", 260)},
		`x. 3600 IN TXT ""`:                                         {Name: "x.", Type: "TXT"},
	} {
		if got := r.Zone(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := Public([]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("::ffff:198.51.100.7"), netip.MustParseAddr("198.51.100.7")}); fmt.Sprint(got) != "[198.51.100.7]" {
		t.Error(got)
	}
}
