package message

import (
	"net/mail"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
)

func TestParseAddresses(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // separated by spaces
		ok   bool
	}{
		{"", "", true},
		{"alice@example.org", "alice@example.org", true},
		{"<alice@example.org>", "alice@example.org", true},
		{"Alice <alice@example.org>", "alice@example.org", true},
		{`"Martin, Alice" <alice@example.org>, bob@example.org`, "alice@example.org bob@example.org", true},
		{`Alice M. O'Neil <alice@example.org>`, "alice@example.org", true},
		{"alice@example.org (Alice)", "alice@example.org", true},
		{"(a (nested \\) one) b) alice@example.org", "alice@example.org", true},
		{`"a b"@example.org`, `"a b"@example.org`, true},
		{`"a@b"@example.org`, `"a@b"@example.org`, true},
		{`"x\"y" <alice@example.org>`, "alice@example.org", true},
		{"=?utf-8?q?J=C3=B6rg?= <joerg@example.org>", "joerg@example.org", true},
		{"Jörg <jörg@bücher.example>", "jörg@xn--bcher-kva.example", true},
		{"J\xf6rg <joerg@example.org>", "joerg@example.org", true},
		{"x@[192.0.2.1]", "x@[192.0.2.1]", true},
		{"x@[IPv6:2001:db8::1]", "x@[ipv6:2001:db8::1]", true},
		{", alice@example.org,, bob@example.org ,", "alice@example.org bob@example.org", true},
		{"alice@example.org; bob@example.org", "alice@example.org bob@example.org", true},
		{"Friends: alice@example.org, Bob <bob@example.org>;", "alice@example.org bob@example.org", true},
		{"undisclosed-recipients:;", "", true},
		{"A: a@example.org;, b@example.org, C: c@example.org;", "a@example.org b@example.org c@example.org", true},
		{"x:alice@example.org;", "alice@example.org", true},
		{"[tag] alice <alice@example.org>", "alice@example.org", true},

		// What could be read as someone else's address must not slip through.
		{"ceo@bank.example <alice@example.org>", "ceo@bank.example alice@example.org", true},
		{"alice@example.org (ceo@bank.example)", "alice@example.org ceo@bank.example", true},
		{"alice@example.org(,ceo@bank.example)", "alice@example.org ceo@bank.example", true},
		{`"<ceo@bank.example>" <alice@example.org>`, "ceo@bank.example alice@example.org", true},
		{"=?utf-8?q?=3Cceo=40bank.example=3E?= <alice@example.org>", "ceo@bank.example alice@example.org", true},
		{"=?utf-8?q?=3Cceo?= =?utf-8?q?=40bank.example=3E?= <alice@example.org>", "ceo@bank.example alice@example.org", true},
		{"=?utf-8?q?=3Cceo?= (x) =?utf-8?q?=40bank.example=3E?= <alice@example.org>", "ceo@bank.example alice@example.org", true},
		{"ceo@bank.example: alice@example.org;", "ceo@bank.example alice@example.org", true},
		{"<ceo@bank.example> <alice@example.org>", "ceo@bank.example alice@example.org", false},
		{"<alice@example.org> ceo@bank.example", "alice@example.org ceo@bank.example", false},
		{"<alice@example.org <ceo@bank.example>", "alice@example.org ceo@bank.example", false},
		{"alice@example.org ceo@bank.example", "alice@example.org ceo@bank.example", false},
		{"<@bank.example:alice@example.org>", "alice@example.org", false},
		{"<ceo@bank.example,@x:alice@example.org>", "ceo@bank.example alice@example.org", false},
		{"=?utf-8?q?ceo=00?= <alice@example.org>", "alice@example.org", false},
		{"=?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=@example.org", "=?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=@example.org", false},
		{"=?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?=", "", false},
		{"a@b@c.example", "a@b b@c.example", false},
		{`x"y"@example.org`, `y@example.org`, false},
		{"alice @ example.org", "alice@example.org", false},
		{"alice@(x)example.org", "alice@example.org", false},
		{"alice@example.org .evil", "alice@example.org", false},
		{"A: B: alice@example.org;", "alice@example.org", false},
		{"A: alice@example.org", "alice@example.org", false},
		{`"Alice <alice@example.org>`, "alice@example.org", false},
		{"(Alice <alice@example.org>", "alice@example.org", false},
		{"Alice <alice@example.org", "alice@example.org", false},
		{"alice@example.org>", "alice@example.org", false},
		{"alice\x00@example.org, bob@example.org", "bob@example.org", false},
		{"alice@example.org\r, bob@example.org", "alice@example.org bob@example.org", false},
		{"alice@example.org.", "alice@example.org", false},
		{"<>", "", false},
		{"Alice", "", false},
		{"@", "", false},
		{"alice@", "", false},
		{"@example.org", "", false},
		{"Foo, Bar <alice@example.org>", "alice@example.org", false},
		{strings.Repeat("a", 65) + "@example.org", "", false},
		{strings.Repeat("a", 5000) + "@" + strings.Repeat("b", 5000), "", false},
	} {
		got, ok := ParseAddresses(c.in)
		if s := join(got); s != c.want || ok != c.ok {
			t.Errorf("%q: %q, %v; want %q, %v", c.in, s, ok, c.want, c.ok)
		}
	}
}

func join(addresses []address.Address) string {
	var s []string
	for _, a := range addresses {
		s = append(s, a.String())
	}
	return strings.Join(s, " ")
}

func TestHeaderAddresses(t *testing.T) {
	h := mustHeader(t, "From: Alice\r\n <alice@example.org>\r\nfrom : ceo@bank.example\r\nTo: x\r\n\r\n")
	if got, ok := h.Addresses("From"); join(got) != "alice@example.org ceo@bank.example" || !ok {
		t.Error(got, ok)
	}
	if got, ok := h.Addresses("To"); got != nil || ok {
		t.Error(got, ok)
	}
	if got, ok := h.Addresses("Cc"); got != nil || !ok {
		t.Error(got, ok)
	}
	// An address cut in two by folding is none that we can tell.
	h = mustHeader(t, "From: ali\r\n ce@example.org\r\n\r\n")
	if got, ok := h.Addresses("From"); ok {
		t.Error(got, ok)
	}
}

func TestManyAddresses(t *testing.T) {
	for _, list := range []string{
		strings.Repeat("a@example.org,", MaxHeader/14),
		strings.Repeat("<a@example.org>", MaxHeader/15),
		strings.Repeat("a@", MaxHeader/2),
		strings.Repeat("(", MaxHeader),
		strings.Repeat("<", MaxHeader),
		strings.Repeat(":", MaxHeader),
		strings.Repeat("a@example.org:", 1000),
	} {
		if got, ok := ParseAddresses(list); ok || len(got) > MaxAddresses {
			t.Errorf("%.20s: %d, %v", list, len(got), ok)
		}
	}
}

// FuzzAddresses compares with net/mail: an address that it finds is one that we
// found, or the list is not ok.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		"Alice <alice@example.org>, bob@example.org", `"a\"b"@example.org (x)`, "A: a@b, c@d;", "<@a:b@c>", "=?utf-8?q?a?= <a@b>", `"<x@y>" <a@b>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseAddresses(s)
		theirs, err := mail.ParseAddressList(s)
		if err != nil || !ok {
			return
		}
		for _, their := range theirs {
			a, err := address.Parse(quoteLocal(their.Address))
			if err != nil {
				continue // no address in our terms
			}
			if !slices.ContainsFunc(got, func(b address.Address) bool { return a.Key() == b.Key() }) {
				t.Fatalf("%q: %v has no %v", s, got, a)
			}
		}
	})
}

// quoteLocal puts back the quotes that net/mail takes away.
func quoteLocal(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:at]) + `"` + s[at:]
}
