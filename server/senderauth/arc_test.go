package senderauth

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/envelope"
)

// crafted is the values of the fields of a set, before b= is filled in.
type crafted struct{ results, message, seal string }

// chain puts sets on top of a message that are signed as they should be; craft may make
// their form another one.
func (w *world) chain(m string, sets int, craft func(instance int, c *crafted)) string {
	w.Helper()
	w.publish("example.org")
	key := inUse(w.keys.list("example.org"))[0]
	h := parse(w, m)
	hash, err := bodyHash(h, envelope.Bytes(m))
	if err != nil {
		w.Fatal(err)
	}
	covered := placesOf(h).appendSigned(nil, h, relaxed, []string{"from", "subject"})
	fill := strings.NewReplacer("BH", hash, "SEL", key.selector)
	var sealed []byte
	top := ""
	for i := 1; i <= sets; i++ {
		cv := "pass"
		if i == 1 {
			cv = "none"
		}
		c := crafted{
			results: fmt.Sprintf("i=%d; mail.example.org; dmarc=pass header.from=example.org", i),
			message: fmt.Sprintf("i=%d; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=SEL; t=1; h=from:subject; bh=BH; b=", i),
			seal:    fmt.Sprintf("i=%d; a=rsa-sha256; cv=%s; d=example.org; s=SEL; t=1; b=", i, cv),
		}
		if craft != nil {
			craft(i, &c)
		}
		results := "ARC-Authentication-Results: " + c.results + "\r\n"
		message, err := key.seal(covered, "ARC-Message-Signature: "+fill.Replace(c.message))
		if err != nil {
			w.Fatal(err)
		}
		sealed = appendField(sealed, relaxed, []byte(results))
		sealed = appendField(sealed, relaxed, []byte(message))
		seal, err := key.seal(sealed, "ARC-Seal: "+fill.Replace(c.seal))
		if err != nil {
			w.Fatal(err)
		}
		sealed = appendField(sealed, relaxed, []byte(seal))
		top = seal + message + results + top
	}
	return top + m
}

// arcCase is a message with the result of its chain.
type arcCase struct {
	name, message, want string
	// alone: the second implementation is known to see it otherwise, for the reason that
	// stands here.
	alone string
}

// at makes a craft that changes one field of one set.
func at(instance int, change func(c *crafted)) func(int, *crafted) {
	return func(i int, c *crafted) {
		if i == instance {
			change(c)
		}
	}
}

// swap replaces the first old in all fields of a set.
func swap(old, new string) func(*crafted) {
	return func(c *crafted) {
		for _, f := range []*string{&c.results, &c.message, &c.seal} {
			*f = strings.Replace(*f, old, new, 1)
		}
	}
}

func sealOf(old, new string) func(*crafted) {
	return func(c *crafted) { c.seal = strings.Replace(c.seal, old, new, 1) }
}

func messageOf(old, new string) func(*crafted) {
	return func(c *crafted) { c.message = strings.Replace(c.message, old, new, 1) }
}

// arcCases is the rules of RFC 8617 4 and 5.2, one by one. The public suite of ValiMail
// tells them apart in the same way; its data may not be shipped here.
func arcCases(w *world) []arcCase {
	one, two, three := w.chain(letter, 1, nil), w.chain(letter, 2, nil), w.chain(letter, 3, nil)
	place := func(m, name string) (start, end int) {
		start = strings.Index(m, name)
		end = start + strings.Index(m[start:], "\r\n") + 2
		for m[end] == ' ' || m[end] == '\t' {
			end += strings.Index(m[end:], "\r\n") + 2
		}
		return start, end
	}
	without := func(m, name string) string {
		start, end := place(m, name)
		return m[:start] + m[end:]
	}
	field := func(m, name string) string {
		start, end := place(m, name)
		return m[start:end]
	}
	replace := func(m, old, new string) string { return strings.Replace(m, old, new, 1) }
	changed := func(instance int, f func(*crafted)) string { return w.chain(letter, 2, at(instance, f)) }
	const brokenIsNone, passes = "takes a chain that ended for none", "lets it pass"
	return []arcCase{
		{"no chain", letter, "none", ""},
		{"one set", one, "pass", ""},
		{"two sets", two, "pass", ""},
		{"three sets", three, "pass", ""},
		{"fifty sets", w.chain(letter, 50, nil), "pass", ""},
		{"fifty-one sets", w.chain(letter, 51, nil), "fail", "knows no most"},

		{"no results", without(one, "ARC-Authentication-Results"), "fail", ""},
		{"no message signature", without(one, "ARC-Message-Signature"), "fail", ""},
		{"no seal", without(one, "ARC-Seal"), "fail", ""},
		{"no seal in the first of two", without(two, "ARC-Seal: i=1"), "fail", ""},
		{"results twice", field(one, "ARC-Authentication-Results") + one, "fail", ""},
		{"message signature twice", field(one, "ARC-Message-Signature") + one, "fail", ""},
		{"seal twice", field(one, "ARC-Seal") + one, "fail", ""},
		{"a hole", without(without(without(three, "ARC-Seal: i=2"), "ARC-Message-Signature: i=2"), "ARC-Authentication-Results: i=2"), "fail", ""},
		{"the first is gone", without(without(without(two, "ARC-Seal: i=1"), "ARC-Message-Signature: i=1"), "ARC-Authentication-Results: i=1"), "fail", ""},

		{"instance 0", w.chain(letter, 1, at(1, swap("i=1", "i=0"))), "fail", "does not see such a set"},
		{"instance 51", w.chain(letter, 1, at(1, swap("i=1", "i=51"))), "fail", ""},
		{"instance in words", w.chain(letter, 1, at(1, sealOf("i=1", "i=one"))), "fail", ""},
		{"no instance in the seal", w.chain(letter, 1, at(1, sealOf("i=1; ", ""))), "fail", ""},
		{"no instance in the results", w.chain(letter, 1, at(1, func(c *crafted) { c.results = "mail.example.org; none" })), "fail", ""},
		{"comments in the results", w.chain(letter, 1, at(1, func(c *crafted) { c.results = "i=1 (first); mail.example.org (us) 1; none" })), "pass", ""},

		{"cv=pass in the first", changed(1, sealOf("cv=none", "cv=pass")), "fail", ""},
		{"cv=none in the second", changed(2, sealOf("cv=pass", "cv=none")), "fail", ""},
		{"cv=fail in the first", changed(1, sealOf("cv=none", "cv=fail")), "fail", brokenIsNone},
		{"cv=fail in the second", changed(2, sealOf("cv=pass", "cv=fail")), "fail", brokenIsNone},
		{"cv=fail in one set", w.chain(letter, 1, at(1, sealOf("cv=none", "cv=fail"))), "fail", brokenIsNone},
		{"no cv", changed(2, sealOf("cv=pass; ", "")), "fail", ""},
		{"cv in capitals", changed(2, sealOf("cv=pass", "cv=PASS")), "pass", "compares cv= with case"},
		{"unknown cv", changed(2, sealOf("cv=pass", "cv=maybe")), "fail", ""},

		{"h= in a seal", changed(2, sealOf("t=1", "t=1; h=from")), "fail", ""},
		{"a seal among the signed fields", changed(2, messageOf("h=from:subject", "h=from:subject:arc-seal")), "fail", ""},
		{"From is not signed", changed(2, messageOf("h=from:subject", "h=subject")), "fail", ""},
		{"no h", changed(2, messageOf("h=from:subject; ", "")), "fail", ""},
		{"no body hash", changed(2, messageOf("bh=BH; ", "")), "fail", ""},
		{"no domain in a seal", changed(2, sealOf("d=example.org; ", "")), "fail", ""},
		{"no selector in a seal", changed(2, sealOf("s=SEL; ", "")), "fail", ""},
		{"a tag twice", changed(2, sealOf("t=1", "t=1; t=1")), "fail", ""},
		{"unknown tags", changed(2, sealOf("t=1", "t=1; w=catparty")), "pass", ""},
		{"SHA-1 in a seal", changed(2, sealOf("rsa-sha256", "rsa-sha1")), "fail", ""},
		{"SHA-1 in a message signature", changed(2, messageOf("rsa-sha256", "rsa-sha1")), "fail", ""},
		{"a part of the body", w.chain(letter[:strings.Index(letter, "\r\n\r\n")+4], 1, at(1, messageOf("t=1", "t=1; l=0"))) + "Send money.\r\n", "fail", "lets l= leave out the body"},
		{"no key", changed(1, sealOf("s=SEL", "s=none")), "fail", ""},

		{"time without a value", changed(2, sealOf("t=1", "t=")), "fail", ""},
		{"time in words", changed(2, sealOf("t=1", "t=now")), "fail", ""},
		{"no time", changed(2, sealOf("t=1; ", "")), "pass", ""},
		{"expired", changed(2, messageOf("t=1", "t=1; x=2")), "fail", ""},
		{"expired since", changed(1, messageOf("t=1", "t=1; x=2")), "pass", "holds older message signatures against a chain"},
		{"time in words, message signature", changed(2, messageOf("t=1", "t=now")), "fail", ""},
		{"no canonicalization", changed(2, messageOf("c=relaxed/relaxed", "c=")), "fail", ""},
		{"a name that was left empty", changed(2, messageOf("h=from:subject", "h=from::subject")), "pass", ""},
		{"a name that is none", changed(2, messageOf("h=from:subject", "h=from:subject:da te")), "fail", passes},
		{"names in capitals, spaces", changed(2, messageOf("h=from:subject", "h= From : SUBJECT ")), "pass", ""},
		{"a message signature among the signed fields, not there yet", changed(1, messageOf("h=from:subject", "h=from:subject:arc-message-signature")), "pass", ""},
		{"name of a tag in capitals", changed(2, sealOf("d=example.org", "D=example.org")), "fail", ""},
		{"name of a tag that is none", changed(2, sealOf("t=1", "t=1; _=1")), "fail", ""},
		{"empty tag", changed(2, sealOf("t=1;", "t=1;;")), "fail", ""},
		{"white space around", changed(2, sealOf("t=1; b=", "t = 1 ;\r\n b = ")), "pass", ""},
		{"no algorithm", changed(2, sealOf("a=rsa-sha256; ", "")), "fail", ""},
		{"no algorithm, message signature", changed(2, messageOf("a=rsa-sha256; ", "")), "fail", ""},
		{"unknown algorithm", changed(2, sealOf("rsa-sha256", "rsa-md5")), "fail", ""},
		{"selector without a value", changed(2, messageOf("s=SEL", "s=")), "fail", ""},
		{"instance of the results behind", w.chain(letter, 1, at(1, func(c *crafted) { c.results = "mail.example.org; none; i=1" })), "fail", passes},
		{"instance of the results without an end", w.chain(letter, 1, at(1, func(c *crafted) { c.results = "i=1 mail.example.org; none" })), "fail", passes},
		{"another instance in the results", w.chain(letter, 1, at(1, func(c *crafted) { c.results = "i=2; mail.example.org; none" })), "fail", ""},
		{"body hash that is none", changed(2, messageOf("bh=BH", "bh=&&")), "fail", ""},

		{"subject changed", replace(two, "Subject: Fees", "Subject: No fees"), "fail", ""},
		{"white space changed", replace(two, "Subject: Fees", "Subject:  Fees\r\n "), "pass", ""},
		{"body changed", replace(two, "Dear Bob", "Dear Mallory"), "fail", ""},
		{"results changed", replace(two, "i=1; mail.example.org; dmarc=pass", "i=1; mail.example.org; dmarc=fail"), "fail", ""},
		{"results refolded", replace(two, "i=1; mail.example.org; dmarc", "i=1; mail.example.org;\r\n dmarc"), "pass", ""},
		{"message signature of the first changed", replace(two, "ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org", "ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com"), "fail", ""},
		{"newest set is gone", without(without(without(two, "ARC-Seal: i=2"), "ARC-Message-Signature: i=2"), "ARC-Authentication-Results: i=2"), "pass", ""},
		{"in another order", field(one, "ARC-Authentication-Results") + without(one, "ARC-Authentication-Results"), "pass", ""},
		{"names in capitals", replace(one, "ARC-Seal", "ARC-SEAL"), "pass", ""},
		{"a field between", replace(two, "ARC-Authentication-Results: i=2", "Received: x\r\nARC-Authentication-Results: i=2"), "pass", ""},
	}
}

func TestARC(t *testing.T) {
	w := newWorld(t)
	for _, c := range arcCases(w) {
		r := w.verify(c.message)
		if string(r.ARC.Result) != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, r.ARC.Result, r.ARC.Reason, c.want)
		}
	}
	two := w.chain(letter, 2, nil)
	w.dns.broken[recordName(inUse(w.keys.list("example.org"))[0].selector, "example.org")] = ""
	if r := w.verify(two); r.ARC.Result != TempError || !strings.Contains(string(r.Field("x")), "arc=fail") {
		t.Errorf("no answer: %s (%s)", r.ARC.Result, r.ARC.Reason)
	}
}

// TestSeal passes a message on from host to host.
func TestSeal(t *testing.T) {
	w := newWorld(t)
	m := w.sign("example.org", letter)
	seal := func(host string, m string) string {
		t.Helper()
		r := w.verify(m)
		w.publish("example.net")
		set, err := w.keys.Seal("example.net", host, r, parse(t, m), envelope.Bytes(m))
		if err != nil {
			t.Fatal(err)
		}
		return string(set) + m
	}
	expect := func(step, m, want string, instance int) {
		t.Helper()
		a := w.verify(m).ARC
		if string(a.Result) != want || a.Instance != instance {
			t.Errorf("%s: %s (%s), instance %d", step, a.Result, a.Reason, a.Instance)
		}
	}
	m = seal("a.example.net", m)
	expect("first", m, "pass", 1)
	m = seal("b.example.net", "Received: from x\r\n"+m)
	expect("second", m, "pass", 2)
	if a := w.verify(m).ARC; !strings.Contains(a.chain[1].Results, "arc=pass") || a.Sealer != "example.net" {
		t.Errorf("%+v", a.chain)
	}
	broken := seal("c.example.net", strings.Replace(m, "Dear Bob", "Dear all", 1)) // a list that changes the message, and then seals
	if !strings.Contains(broken, "cv=fail") {
		t.Error("a broken chain was vouched for")
	}
	expect("broken", broken, "fail", 3)
	if again := seal("d.example.net", broken); again != broken {
		t.Error("sealed after cv=fail")
	}
	full := w.chain(letter, 50, nil)
	if again := seal("d.example.net", full); again != full {
		t.Error("a 51st set")
	}
	w.dns.broken[recordName(inUse(w.keys.list("example.net"))[0].selector, "example.net")] = ""
	if again := seal("d.example.net", m); again != m {
		t.Error("sealed without knowing")
	}
}

// TestTrustedSealers: whose word on DMARC counts.
func TestTrustedSealers(t *testing.T) {
	for _, c := range []struct {
		name    string
		sealers [2]string
		results [2]string // of the sets
		want    bool
	}{
		{"both trusted, first saw it", [2]string{"example.net", "example.com"}, [2]string{"a; dmarc=pass header.from=example.org", "b; arc=pass; dmarc=fail"}, true},
		{"the newest is not trusted", [2]string{"example.net", "evil.example"}, [2]string{"a; dmarc=pass", "b; dmarc=pass"}, false},
		{"the newest saw it", [2]string{"evil.example", "example.net"}, [2]string{"a; dmarc=fail", "b; dmarc=pass (p=reject) header.from=example.org"}, true},
		{"only a stranger saw it", [2]string{"evil.example", "example.net"}, [2]string{"a; dmarc=pass", "b; arc=pass; dmarc=fail"}, false},
		{"nobody saw it", [2]string{"example.net", "example.com"}, [2]string{"a; dmarc=fail", "b; spf=pass"}, false},
		{"for another author", [2]string{"example.net", "example.com"}, [2]string{"a; dmarc=pass header.from=evil.example", "b; none"}, false},
		{"with a version and spaces", [2]string{"example.net", "example.com"}, [2]string{"a 1; dmarc/1 = PASS header.from = Example.ORG", "b; none"}, true},
		{"in a comment", [2]string{"example.net", "example.com"}, [2]string{"a; dmarc=fail (; dmarc=pass)", "b; none"}, false},
		{"in quotes", [2]string{"example.net", "example.com"}, [2]string{`a; dmarc=fail reason="; dmarc=pass"`, "b; none"}, false},
	} {
		a := ARC{Result: Pass}
		for i := range c.sealers {
			d, _ := signingDomain(tagList{{name: "d", value: c.sealers[i]}})
			a.chain = append(a.chain, Set{Instance: i + 1, Sealer: d, Results: " " + c.results[i] + "\r\n"})
		}
		trusted := newTrust("example.net", "example.com")
		if got := a.vouched("example.org", trusted); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
		a.Result = Fail
		if a.vouched("example.org", trusted) {
			t.Errorf("%s: trusted although it fails", c.name)
		}
	}
}

// FuzzARC: any three fields, and what is made of them.
func FuzzARC(f *testing.F) {
	w := newWorld(f)
	m := w.chain(letter, 2, nil)
	f.Add([]byte(m))
	f.Add([]byte("ARC-Seal: i=1; cv=none\r\nARC-Seal:\r\nARC-Authentication-Results: i=1;(\r\nFrom: a@b\r\n\r\n"))
	f.Add([]byte("ARC-Authentication-Results: i=99\r\nARC-Message-Signature: i=1; h=from; a=rsa-sha256; d=x; s=y; b=AA==\r\n\r\n"))
	f.Fuzz(func(t *testing.T, m []byte) {
		if len(m) > 1<<16 {
			return
		}
		w := &world{t, w.dns, w.keys, w.Verifier}
		w.dns.asked = nil
		h := parse(t, string(m))
		r := w.Verify(t.Context(), Facts{}, h, envelope.Bytes(m))
		if r.ARC.Result == "" || r.ARC.Instance < 0 || r.ARC.Instance > maxSets {
			t.Errorf("%+v", r.ARC)
		}
		if set, err := w.keys.Seal("example.net", "mail.example.net", r, h, envelope.Bytes(m)); err == nil && set != nil {
			again := parseARC(parse(t, string(set)+string(m)), today)
			if r.ARC.Result != Fail && again.err != nil {
				t.Errorf("what we seal is malformed: %v", again.err)
			}
		}
	})
}
