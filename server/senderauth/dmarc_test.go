package senderauth

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/message"
)

func newTrust(domains ...address.Domain) func(address.Domain) bool {
	return func(d address.Domain) bool { return slices.Contains(domains, d) }
}

func TestRecord(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"v=DMARC1; p=none", "none none"},
		{"v=DMARC1;p=reject;sp=quarantine;adkim=s;aspf=s;pct=50", "reject quarantine strict-dkim strict-spf pct=50"},
		{"v=DMARC1 ; P = Reject ;", "reject reject"},
		{"v=DMARC1; p=reject; p=none", "reject reject"},
		{"v=DMARC1; rua=mailto:d@example.org", "none none [mailto:d@example.org]"},
		{"v=DMARC1; p=nothing; rua=mailto:d@example.org", "none none [mailto:d@example.org]"},
		{"v=DMARC1; p=nothing", ""},
		{"v=DMARC1; p=nothing; rua=d@example.org", ""},
		{"v=DMARC1", ""},
		{"v=DMARC2; p=reject", ""},
		{"v=dmarc1; p=reject", ""},
		{"p=reject; v=DMARC1", ""},
		{"v=DMARC1; p=reject; pct=101", "reject reject"},
		{"v=DMARC1; p=reject; pct=-1", "reject reject"},
		{"v=DMARC1; p=reject; pct=0", "reject reject pct=0"},
		{"v=DMARC1; p=reject; sp=x; unknown; =; foo=bar", "reject reject"},
		{"v=DMARC1; p=none; rua=mailto:a@example.org!10m , ,mailto:b@example.org", "none none [mailto:a@example.org!10m mailto:b@example.org]"},
	} {
		r, ok := parseRecord(c.text)
		got := ""
		if ok {
			got = fmt.Sprintf("%s %s", r.Policy, r.Subdomains)
			if r.StrictDKIM {
				got += " strict-dkim"
			}
			if r.StrictSPF {
				got += " strict-spf"
			}
			if r.Percent != 100 {
				got += fmt.Sprintf(" pct=%d", r.Percent)
			}
			if len(r.RUA) > 0 {
				got += fmt.Sprint(" ", r.RUA)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestOrgDomain(t *testing.T) {
	for d, want := range map[address.Domain]address.Domain{
		"example.org": "example.org", "a.b.example.org": "example.org", "example.co.uk": "example.co.uk", "a.example.co.uk": "example.co.uk",
		"co.uk": "co.uk", "org": "org", "x": "x", "a.unknowntld": "a.unknowntld", "b.a.unknowntld": "a.unknowntld", "": "",
		"xn--bcher-kva.example.xn--p1ai": "example.xn--p1ai",
	} {
		if got := orgDomain(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	for _, c := range []struct {
		a, b   address.Domain
		strict bool
		want   bool
	}{
		{"a.example.org", "b.example.org", false, true}, {"a.example.org", "b.example.org", true, false}, {"example.org", "example.org", true, true},
		{"a.co.uk", "b.co.uk", false, false}, {"", "", false, false}, {"org", "example.org", false, false},
	} {
		if aligned(c.a, c.b, c.strict) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// judged is the table of who gets through: what the author's domain says, what passed,
// and by whom the message comes.
func TestJudged(t *testing.T) {
	const reject, quarantine, none = "v=DMARC1; p=reject", "v=DMARC1; p=quarantine", "v=DMARC1; p=none"
	spf := func(r Result, d address.Domain) SPF { return SPF{Result: r, Domain: d} }
	dkim := func(r Result, d address.Domain) []DKIM { return []DKIM{{Result: r, Domain: d}} }
	const list = "List-Id: Talk <talk.example.net>\r\n"
	for _, c := range []struct {
		name   string
		record string // of example.org; "": none, "!": no answer
		sub    string // of the author's own domain, when that is below example.org
		from   string // "" is alice@example.org
		spf    SPF
		dkim   []DKIM
		header string
		exempt bool
		sample int
		want   string // result, disposition, override, and the reply
	}{
		{name: "no record", want: "none none"},
		{name: "SPF passes", record: reject, spf: spf(Pass, "example.org"), want: "pass none"},
		{name: "SPF passes for a subdomain", record: reject, spf: spf(Pass, "bounces.example.org"), want: "pass none"},
		{name: "the same, strict", record: reject + "; aspf=s", spf: spf(Pass, "bounces.example.org"), want: "fail reject 550 5.7.26"},
		{name: "SPF passes for another", record: reject, spf: spf(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "SPF softfail", record: reject, spf: spf(SoftFail, "example.org"), want: "fail reject 550 5.7.26"},
		{name: "DKIM passes", record: reject, spf: spf(Fail, "example.org"), dkim: dkim(Pass, "example.org"), want: "pass none"},
		{name: "DKIM passes for a subdomain", record: reject, dkim: dkim(Pass, "mail.example.org"), want: "pass none"},
		{name: "the same, strict", record: reject + "; adkim=s", dkim: dkim(Pass, "mail.example.org"), want: "fail reject 550 5.7.26"},
		{name: "one of three signatures", record: reject, dkim: []DKIM{{Result: Fail, Domain: "example.org"}, {Result: Pass, Domain: "example.net"}, {Result: Pass, Domain: "example.org"}}, want: "pass none"},
		{name: "DKIM passes for another", record: reject, dkim: dkim(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "DKIM policy", record: reject, dkim: dkim(Policy, "example.org"), want: "fail reject 550 5.7.26"},
		{name: "a public suffix signs", record: reject, dkim: dkim(Pass, "org"), want: "fail reject 550 5.7.26"},
		{name: "quarantine", record: quarantine, want: "fail quarantine"},
		{name: "none", record: none, want: "fail none"},

		{name: "subdomain, sp", record: "v=DMARC1; p=none; sp=reject", from: "a@x.example.org", want: "fail reject 550 5.7.26"},
		{name: "subdomain, p", record: reject, from: "a@x.example.org", want: "fail reject 550 5.7.26"},
		{name: "subdomain with its own", record: reject, sub: none + "; sp=reject", from: "a@x.example.org", want: "fail none"},
		{name: "deep subdomain", record: reject, from: "a@" + strings.Repeat("x.", 100) + "example.org", want: "fail reject 550 5.7.26"},

		{name: "SPF temporary", record: reject, spf: spf(TempError, "example.org"), want: "temperror none 451 4.7.24"},
		{name: "DKIM temporary", record: reject, dkim: dkim(TempError, "example.org"), want: "temperror none 451 4.7.0"},
		{name: "SPF of another temporary", record: reject, spf: spf(TempError, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "temporary, but signed", record: reject, spf: spf(TempError, "example.org"), dkim: dkim(Pass, "example.org"), want: "pass none"},
		{name: "temporary, quarantine", record: quarantine, spf: spf(TempError, "example.org"), want: "temperror none 451 4.7.24"},
		{name: "temporary, none", record: none, spf: spf(TempError, "example.org"), want: "temperror none"},
		{name: "no answer for the record", record: "!", want: "temperror none 451 4.7.0"},
		{name: "no answer, aligned", record: "!", spf: spf(Pass, "example.org"), want: "pass none"},
		{name: "no answer, aligned when relaxed", record: "!", spf: spf(Pass, "x.example.org"), want: "temperror none 451 4.7.0"},

		{name: "pct", record: reject + "; pct=30", sample: 30, want: "fail quarantine sampled_out"},
		{name: "pct, hit", record: reject + "; pct=30", sample: 29, want: "fail reject 550 5.7.26"},
		{name: "pct, quarantine", record: quarantine + "; pct=30", sample: 30, want: "fail none sampled_out"},
		{name: "pct=0", record: reject + "; pct=0", want: "fail quarantine sampled_out"},

		{name: "trusted network", record: reject, exempt: true, want: "fail none local_policy"},
		{name: "trusted network, temporary", record: "!", exempt: true, want: "temperror none"},
		{name: "a list that signs", record: reject, header: list, dkim: dkim(Pass, "example.net"), want: "fail quarantine mailing_list"},
		{name: "a list, SPF", record: reject, header: list, spf: spf(Pass, "bounces.example.net"), want: "fail quarantine mailing_list"},
		{name: "a list that nobody answers for", record: reject, header: list, want: "fail reject 550 5.7.26"},
		{name: "a list that another answers for", record: reject, header: list, dkim: dkim(Pass, "evil.example"), want: "fail reject 550 5.7.26"},
		{name: "a list twice", record: reject, header: list + list, dkim: dkim(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "a list of the author's", record: reject + "; aspf=s", header: "List-Id: <talk.example.org>\r\n", spf: spf(Pass, "lists.example.org"), want: "fail reject 550 5.7.26"},
		{name: "a list, quarantine", record: quarantine, header: list, dkim: dkim(Pass, "example.net"), want: "fail quarantine"},

		{name: "sends no mail", spf: SPF{Result: Fail, Domain: "silent.example", NoMail: true}, want: "none none 550 5.7.23"},
		{name: "sends no mail, exempt", spf: SPF{Result: Fail, Domain: "silent.example", NoMail: true}, exempt: true, want: "none none"},
		{name: "sends no mail, but signs", record: none, spf: SPF{Result: Fail, Domain: "example.org", NoMail: true}, dkim: dkim(Pass, "example.org"), want: "pass none"},
		{name: "SPF fails, no policy", spf: spf(Fail, "example.org"), want: "none none"},

		{name: "two authors, one with a policy", record: reject, from: "x@example.net, a@example.org", spf: spf(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "two From fields", record: reject, from: "x@example.net\r\nFrom: a@example.org", spf: spf(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "two angles", record: reject, from: "<x@example.net> <a@example.org>", spf: spf(Pass, "example.net"), want: "fail reject 550 5.7.26"},
		{name: "a name like an address", record: reject, from: `"a@example.org" <x@example.net>`, spf: spf(Pass, "example.net"), want: "none none"},
		{name: "capitals and a dot", record: reject, from: "a@EXAMPLE.org.", want: "fail reject 550 5.7.26"},
		{name: "U-labels", record: reject, from: "a@ＥＸＡＭＰＬＥ.org", want: "fail reject 550 5.7.26"},
		{name: "more authors than anybody has", record: reject, from: "a@a.example, a@b.example, a@c.example, a@d.example, a@e.example, a@example.org", want: "permerror reject 550 5.7.1"},
		{name: "dots that hide a domain", record: reject, from: "a@example.org..", want: "fail reject 550 5.7.26"},
		{name: "an octet that hides a domain", record: reject, from: "x@example.net, a@example\x01.org", spf: spf(Pass, "example.net"), want: "permerror quarantine"},
		{name: "hidden, exempt", record: reject, from: "a@example\x01.org", exempt: true, want: "permerror none"},
		{name: "no author", from: "nobody", want: "permerror none"},
		{name: "literal", from: "a@[192.0.2.1]", want: "permerror none"},
	} {
		f := newFakeDNS()
		switch c.record {
		case "":
		case "!":
			f.broken["_dmarc.example.org"] = ""
		default:
			f.txt["_dmarc.example.org"] = []string{"hello", c.record}
		}
		if c.sub != "" {
			f.txt["_dmarc.x.example.org"] = []string{c.sub}
		}
		h := parse(t, "From: "+cmp.Or(c.from, "Alice <alice@example.org>")+"\r\n"+c.header+"\r\n")
		r := Results{SPF: c.spf, DKIM: c.dkim}
		from := authorsOf(h)
		r.DMARC = checkDMARC(from, findPolicies(t.Context(), f, from.domains), r.SPF, r.DKIM)
		facts := Facts{IP: netip.MustParseAddr("192.0.2.1"), Exempt: c.exempt}
		r.judge(facts, h, nil, c.sample)
		got := fmt.Sprintf("%s %s", r.DMARC.Result, r.DMARC.Disposition)
		if r.DMARC.Override != "" {
			got += " " + r.DMARC.Override
		}
		if err := r.Refusal(facts); err != nil {
			got += fmt.Sprintf(" %d %s", fault.As(err).Code, fault.As(err).Enhanced())
		}
		if got != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, got, r.DMARC.Reason, c.want)
		}
		if r.Junk() != (r.DMARC.Disposition == Quarantine) {
			t.Errorf("%s: junk %t", c.name, r.Junk())
		}
	}
}

// TestSeveralRecords: of two records none counts (RFC 7489 6.6.3), and no record above
// is asked for.
func TestSeveralRecords(t *testing.T) {
	f := newFakeDNS()
	f.txt["_dmarc.x.example.org"] = []string{"v=DMARC1; p=reject", "v=DMARC1; p=reject"}
	f.txt["_dmarc.example.org"] = []string{"v=DMARC1; p=reject"}
	if r, ok := findRecord(t.Context(), f, "x.example.org"); !ok || r.Domain != "" {
		t.Errorf("%+v", r)
	}
	if r, ok := findRecord(t.Context(), f, "y.x.example.org"); !ok || r.Domain != "example.org" || len(f.asked) != 3 {
		t.Errorf("%+v, %q", r, f.asked)
	}
}

// TestARCTrust: the whole way, a trusted sealer's chain against a policy of reject.
func TestARCTrust(t *testing.T) {
	w := newWorld(t, "example.org") // who seals in these tests
	w.dns.txt["_dmarc.author.example"] = []string{"v=DMARC1; p=reject"}
	m := strings.Replace(letter, "alice@example.org", "a@author.example", 1)
	sealed := w.chain(m, 1, at(1, func(c *crafted) { c.results = "i=1; lists.example.org; dmarc=pass header.from=author.example" }))
	facts := Facts{IP: netip.MustParseAddr("192.0.2.1"), ReversePath: address.MustParse("bounce@lists.example.org")}
	check := func(name, m, want string) {
		t.Helper()
		r := w.verifyFrom(m, facts)
		got := fmt.Sprintf("%s %s %s", r.DMARC.Result, r.DMARC.Disposition, r.DMARC.Override)
		if err := r.Refusal(facts); err != nil {
			got += fmt.Sprint(fault.As(err).Code)
		}
		if got != want {
			t.Errorf("%s: %s (%s)", name, got, r.ARC.Reason)
		}
	}
	check("trusted", sealed, "fail none trusted_forwarder")
	check("changed since", strings.Replace(sealed, "Dear Bob", "Dear all", 1), "fail reject 550")
	w.dns.broken[recordName(inUse(w.keys.list("example.org"))[0].selector, "example.org")] = ""
	check("no answer for the sealer's key", sealed, "temperror none 451")
	delete(w.dns.broken, recordName(inUse(w.keys.list("example.org"))[0].selector, "example.org"))
	w.Apply(Settings{Resolver: w.dns, Sealers: []address.Domain{"lists.example.org"}})
	check("another is trusted", sealed, "fail reject 550")
}

func FuzzDMARC(f *testing.F) {
	f.Add("v=DMARC1; p=reject; pct=7; rua=mailto:a@b!10m, ://; fo=1:d", "Alice <a@example.org>")
	f.Add("v=DMARC1;", "a@b.c.d.e.co.uk, us: x@y;")
	f.Add("v=DMARC1; p=none; ri=99999999999", "=?utf-8?q?a=40b?= <@x:y@z>")
	f.Fuzz(func(t *testing.T, record, from string) {
		r, ok := parseRecord(record)
		if ok && (r.Policy == "" || r.Subdomains == "" || r.Percent < 0 || r.Percent > 100) {
			t.Errorf("%+v", r)
		}
		zone := newFakeDNS()
		zone.txt["_dmarc.example.org"] = []string{record}
		h := parse(t, "From: "+strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, from)+"\r\n\r\n")
		a := authorsOf(h)
		d := checkDMARC(a, findPolicies(t.Context(), zone, a.domains), SPF{}, nil)
		if d.Result == "" || d.Disposition == "" || len(zone.asked) > 2*maxAuthorDomains {
			t.Errorf("%+v", d)
		}
	})
}

// TestManyAuthors: an author's domain can't hide behind more authors than are looked at.
func TestManyAuthors(t *testing.T) {
	crowd := strings.Repeat("a@example.net, ", message.MaxAuthors)
	for _, c := range []struct {
		header string
		want   string
	}{
		{"From: a@example.net, b@example.net\r\n\r\n", "pass none"},
		{"From: " + crowd + "boss@example.org\r\n\r\n", "permerror reject"},
		{"From: " + crowd + "b@example.net\r\nFrom: boss@example.org\r\n\r\n", "permerror reject"},
		{"From: a@a.example, b@b.example, c@c.example, d@d.example, e@e.example, f@f.example\r\n\r\n", "permerror reject"},
	} {
		h, err := message.ParseHeader([]byte(c.header))
		if err != nil {
			t.Fatal(err)
		}
		from := authorsOf(h)
		var policies []policyOf
		for _, d := range from.domains {
			policies = append(policies, policyOf{d, Record{Domain: d, Policy: Reject, Percent: 100}, true})
		}
		r := Results{DMARC: checkDMARC(from, policies, SPF{Result: Pass, Domain: "example.net"}, nil)}
		if got := fmt.Sprint(r.DMARC.Result, " ", r.DMARC.Disposition); got != c.want {
			t.Errorf("%.60q: %s, want %s", c.header, got, c.want)
		}
		if refused := r.Refusal(Facts{}) != nil; refused != (c.want != "pass none") {
			t.Errorf("%.60q: refused %v", c.header, refused)
		}
	}
}
