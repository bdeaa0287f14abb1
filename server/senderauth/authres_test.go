package senderauth

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/authres"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

func TestFieldText(t *testing.T) {
	r := Results{
		SPF: SPF{Result: Pass, Domain: "example.org", Reason: "ip4 of example.org"},
		DKIM: []DKIM{
			{Result: Pass, Domain: "example.org", Selector: "s1", Algorithm: "rsa-sha256", Mark: "Abc+/123"},
			{Result: Fail, Domain: "example.net", Selector: "s2", Algorithm: "rsa-sha256", Mark: "x", Reason: "the body has changed"},
		},
		DMARC: DMARC{Result: Fail, Domain: "example.org", Policy: Reject, Disposition: Quarantine, Override: overrideList},
		ARC:   ARC{Result: Pass, Instance: 2, Sealer: "example.net"},
		IPRev: IPRev{Result: Pass, IP: netip.MustParseAddr("2001:db8::1"), Name: "mail.example.org"},
	}
	const want = "Authentication-Results: mx.example.com;\r\n" +
		"\tspf=pass reason=\"ip4 of example.org\" smtp.mailfrom=example.org;\r\n" +
		"\tdkim=pass header.d=example.org header.s=s1 header.a=rsa-sha256 header.b=\"Abc+/123\";\r\n" +
		"\tdkim=fail reason=\"the body has changed\" header.d=example.net header.s=s2 header.a=rsa-sha256 header.b=x;\r\n" +
		"\tdmarc=fail (p=reject override=mailing_list) header.from=example.org policy.dmarc=quarantine;\r\n" +
		"\tarc=pass (i=2 d=example.net);\r\n" +
		"\tiprev=pass (mail.example.org) policy.iprev=\"2001:db8::1\"\r\n"
	if got := string(r.Field("mx.example.com")); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := string(Results{}.Field("mx.example.com")); got != "Authentication-Results: mx.example.com;\r\n\tnone\r\n" {
		t.Error(got)
	}
	again := Recorded(parse(t, "Authentication-Results: other.example; spf=fail\r\n"+want+"\r\n"), "MX.example.com")
	if got := string(again.Field("mx.example.com")); !again.Junk() || again.SPF.Domain != "example.org" || len(again.DKIM) != 2 || again.DMARC.Domain != "example.org" || again.ARC.Result != Pass {
		t.Errorf("read again:\n%s", got)
	}
	if r := Recorded(parse(t, want+"\r\n"), "mail.example.org"); r.SPF.Result != "" || r.Junk() || r.Hook() != nil {
		t.Errorf("another's: %+v", r)
	}
	if got := fmt.Sprint(*r.Hook()); got != "{pass pass fail pass [example.org]  false}" {
		t.Error(got)
	}
}

// TestFieldHolds: nothing that a peer chose breaks out of its place.
func TestFieldHolds(t *testing.T) {
	for _, evil := range []string{"a; dkim=pass", "a\r\nAuthentication-Results: x; spf=pass", `a" b`, `a\`, "a) b", "é\x00", strings.Repeat("x", 5000), "a (b", "a=b c=d"} {
		d := address.Domain(evil)
		r := Results{
			SPF: SPF{Result: Fail, Domain: d, Reason: evil}, DKIM: []DKIM{{Result: Fail, Domain: d, Selector: evil, Algorithm: evil, Mark: evil, Reason: evil}},
			DMARC: DMARC{Result: Fail, Domain: d, Policy: Reject, Disposition: Reject}, ARC: ARC{Result: Fail, Sealer: d, Reason: evil}, IPRev: IPRev{Result: Fail, Name: evil},
		}
		field := string(r.Field("mail.example.org"))
		h := parse(t, field+"\r\n")
		if h.Len() != 1 || h.Malformed() {
			t.Fatalf("%q: %d fields", evil, h.Len())
		}
		for line := range strings.Lines(field) {
			if len(line) > 998 && len(evil) < 1000 || len(line) > 2000 {
				t.Errorf("%q: a line of %d octets", evil[:10], len(line))
			}
		}
		again := Recorded(h, "mail.example.org")
		if len(again.DKIM) != 1 || again.DKIM[0].Result != Fail || again.SPF.Result != Fail || again.DMARC.Result != Fail {
			t.Errorf("%q: %+v in\n%s", evil, again, field)
		}
		_, results, err := authres.Parse(strings.ReplaceAll(h.RawValues("Authentication-Results")[0], "\t", " "))
		if err == nil {
			for _, r := range results {
				if d, ok := r.(*authres.DKIMResult); ok && d.Value == authres.ResultPass {
					t.Errorf("%q: the other implementation reads dkim=pass in\n%s", evil, field)
				}
			}
		}
	}
}

// TestForged: fields that speak in our name, in every disguise.
func TestForged(t *testing.T) {
	ours := func(d address.Domain) bool {
		return d == "mail.example.org" || d == "example.org" || d == "xn--bcher-kva.example"
	}
	for _, c := range []struct {
		field string
		want  bool
	}{
		{"Authentication-Results: mail.example.org; dkim=pass", true},
		{"authentication-RESULTS: MAIL.Example.ORG; dkim=pass", true},
		{"Authentication-Results:mail.example.org;dkim=pass", true},
		{"Authentication-Results : mail.example.org; dkim=pass", true},
		{"Authentication-Results\t:mail.example.org; dkim=pass", true},
		{"Authentication-Results:\r\n\tmail.example.org;\r\n dkim=pass", true},
		{"Authentication-Results: mail.example.org 1; dkim=pass", true},
		{"Authentication-Results: mail.example.org", true},
		{"Authentication-Results: mail.example.org.; dkim=pass", true},
		{"Authentication-Results: example.org; dkim=pass", true},
		{"Authentication-Results: \"mail.example.org\"; dkim=pass", true},
		{"Authentication-Results: \"mail\\.example.org\"; dkim=pass", true},
		{"Authentication-Results: (x) mail.example.org (y); dkim=pass", true},
		{"Authentication-Results: (a (b) \\) c) mail.example.org; dkim=pass", true},
		{"Authentication-Results: mail.example.org(x); dkim=pass", true},
		{"Authentication-Results: mail.example.org/x; dkim=pass", true},
		{"Authentication-Results: mail.example.org@x; dkim=pass", true},
		{"Authentication-Results: \x01mail.example.org; dkim=pass", true},
		{"Authentication-Results: ma\x01il.example.org; dkim=pass", true},
		{"Authentication-Results: =?utf-8?q?mail.example.org?=; dkim=pass", true},
		{"Authentication-Results: =?utf-8?b?bWFpbC5leGFtcGxlLm9yZw==?=; dkim=pass", true},
		{"Authentication-Results: ｍａｉｌ.example.org; dkim=pass", true},
		{"Authentication-Results: mail。example。org; dkim=pass", true},
		{"Authentication-Results: bücher.example; dkim=pass", true},
		{"Authentication-Results: BÜCHER.example; dkim=pass", true},
		{"Authentication-Results: xn--bcher-kva.example; dkim=pass", true},
		{"Authentication-Results: ; dkim=pass", true},
		{"Authentication-Results:", true},
		{"Authentication-Results: (mail.example.org; dkim=pass", true},
		{"Authentication-Results: \"mail.example.org; dkim=pass", true},
		{"X-Spam-Score: -100", true},
		{"x-spam-score: 5", true},

		{"Authentication-Results: mail.example.net; dkim=pass", false},
		{"Authentication-Results: xmail.example.org; dkim=pass", false},
		{"Authentication-Results: mx.google.com; dkim=pass header.d=mail.example.org", false},
		{"Authentication-Results: none", false},
		{"X-Authentication-Results: mail.example.org; dkim=pass", false},
		{"ARC-Authentication-Results: i=1; mail.example.org; dkim=pass", false}, // part of a chain
		{"Subject: Authentication-Results: mail.example.org", false},
	} {
		h := parse(t, c.field+"\r\n\r\n")
		name, _ := h.Field(0)
		if got := Forged(h, ours)(0, name); got != c.want {
			t.Errorf("%q: %t", c.field, got)
		}
	}
}

// TestOtherParser: another implementation reads what we write.
func TestOtherParser(t *testing.T) {
	w := newWorld(t)
	w.dns.txt["example.org"] = []string{"v=spf1 ip4:192.0.2.1 -all"}
	w.dns.txt["_dmarc.example.org"] = []string{"v=DMARC1; p=reject"}
	w.dns.ptr[netip.MustParseAddr("192.0.2.1")] = []string{"Mail.example.org."}
	w.dns.a["mail.example.org"] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	r := w.verify(w.sign("example.org", letter))
	h := parse(t, string(r.Field("mail.example.org"))+"\r\n")
	id, results, err := authres.Parse(strings.ReplaceAll(h.RawValues("Authentication-Results")[0], "\t", " "))
	if err != nil || id != "mail.example.org" || len(results) != 6 {
		t.Fatalf("%v, %s, %d results", err, id, len(results))
	}
	spf, _ := results[0].(*authres.SPFResult)
	rsa, _ := results[1].(*authres.DKIMResult)
	dmarc, _ := results[3].(*authres.DMARCResult)
	if spf == nil || spf.Value != "pass" || spf.From != "example.org" || rsa == nil || rsa.Value != "pass" || rsa.Domain != "example.org" || dmarc == nil || dmarc.Value != "pass" || dmarc.From != "example.org" {
		t.Errorf("%+v %+v %+v", spf, rsa, dmarc)
	}
	if r.IPRev.Result != Pass || r.IPRev.Name != "mail.example.org" || !r.Authenticated() || r.Temporary() {
		t.Errorf("%+v", r.IPRev)
	}
}

// TestIPRev is RFC 8601 3.
func TestIPRev(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.1")
	f := newFakeDNS()
	check := func(want Result) {
		t.Helper()
		if got := checkIPRev(t.Context(), f, ip); got.Result != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	check(PermError)
	f.ptr[ip] = []string{"a.example", "b.example"}
	check(Fail)
	f.broken["a.example"] = ""
	check(TempError)
	f.a["b.example"] = []netip.Addr{ip}
	check(Pass)
	f.broken[ip.String()] = ""
	check(TempError)
	ip = netip.MustParseAddr("127.0.0.1")
	check("")
}

// FuzzResults: any Authentication-Results field, forged or of an ARC set.
func FuzzResults(f *testing.F) {
	f.Add("mail.example.org; dkim=pass (x) header.d=a; dmarc = fail reason=\"a;b\" policy.dmarc=reject")
	f.Add("\"mail\\.example.org\" 1; spf=pass smtp.helo=x; ; arc=none")
	f.Add("(a (b) c; =?utf-8?q?mail.example.org?=(;")
	ours := func(d address.Domain) bool { return d == "mail.example.org" }
	f.Fuzz(func(t *testing.T, value string) {
		h, err := message.ParseHeader([]byte("Authentication-Results: " + value + "\r\n\r\n"))
		if err != nil || h.Len() == 0 {
			return
		}
		name, raw := h.Field(0)
		forged := Forged(h, ours)(0, name)
		_, text, _ := strings.Cut(string(raw), ":")
		id, rest, ok := cutAuthServ(text)
		if (!ok || strings.EqualFold(id, "mail.example.org")) && !forged {
			t.Errorf("%q is not taken for forged", raw)
		}
		for _, method := range parseResults(rest) {
			if len(method) == 0 || method[0].name == "" {
				t.Errorf("%q: an empty result", raw)
			}
		}
		r := Recorded(h, "mail.example.org")
		if r.SPF.Result != "" && !forged {
			t.Errorf("%q is believed, and would not be removed", raw)
		}
		r.Hook()
	})
}

// FuzzSignature: any DKIM-Signature field, any key record.
func FuzzSignature(f *testing.F) {
	w := newWorld(f)
	signed := w.sign("example.org", letter)
	value, err := w.keys.list("example.org")[0].value()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, value)
	f.Add("DKIM-Signature: v=1; a=ed25519-sha256; d=x.y; s=z; h=from; bh=;b=AA==\r\n\r\n", "k=ed25519; p=")
	f.Add("DKIM-Signature:;;b=\r\nFrom : x\r\n\r\n\r\n", "v=DKIM1; p=AAAA; t=y:s; h=:")
	f.Fuzz(func(t *testing.T, m, record string) {
		h, err := message.ParseHeader([]byte(m))
		if err != nil || len(m) > 1<<16 {
			return
		}
		key, err := parseKey(record)
		if err == nil && key.rsa == nil && key.ed == nil {
			t.Error("no key and no error")
		}
		keys, sums := make(keyring), new(bodySums)
		checks := dkimChecks(h, keys, sums, today)
		for name := range keys {
			keys[name] = &keyAnswer{key, err}
		}
		if err := sums.read(envelope.Bytes(m), h.Size()); err != nil {
			t.Fatal(err)
		}
		places := placesOf(h)
		for i := range checks {
			if d := checks[i].result(h, places, keys); d.Result == "" || d.Result == Pass && err != nil {
				t.Errorf("%+v", d)
			}
		}
	})
}
