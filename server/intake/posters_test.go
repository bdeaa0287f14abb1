package intake

import (
	"strings"
	"testing"

	"facteur/server/directory"
	"facteur/server/dns"
	"facteur/server/fault"
	"facteur/server/senderauth"
	"facteur/server/testkit"
)

// TestPosters asks who may write to an alias: at RCPT by the reverse-path, at DATA by the
// author, who must be shown to be one. Clients connect from 192.0.2.1.
func TestPosters(t *testing.T) {
	names := testkit.NewDNS(t, `
example.org. TXT "v=spf1 ip4:192.0.2.9 -all"
_dmarc.example.org. TXT "v=DMARC1; p=none"
member.example. TXT "v=spf1 ip4:192.0.2.1 -all"
forged.example. TXT "v=spf1 ip4:192.0.2.9 -all"
_dmarc.forged.example. TXT "v=DMARC1; p=none"
_dmarc.broken.example. TXT "v=DMARC1; p=none"
`)
	names.Fail("broken.example", true)
	resolver, err := dns.New(dns.Options{Servers: []string{names.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	o := everybody()
	alias := func(a string, p directory.Posters, list ...string) {
		o.Aliases = append(o.Aliases, directory.Alias{Address: addr(a), To: to(list...), Posters: p})
	}
	alias("members@example.org", directory.Posters{Rule: directory.PostersMembers},
		"alice@example.org", "m@member.example", "f@forged.example", "b@broken.example", "n@nothing.example")
	alias("house@example.org", directory.Posters{Rule: directory.PostersDomain}, "bob@example.org")
	alias("news@example.org", directory.Posters{Rule: directory.PostersListed, List: to("bob@example.org", "m@member.example")}, "alice@example.org")
	for _, c := range []struct {
		name, to, as, from, header, listener string
		want, words                          string
	}{
		{name: "a member who is logged in", to: "members@example.org", as: "alice@example.org"},
		{name: "a member, by another address", to: "members@example.org", as: "alice@example.org", from: "info@example.org"},
		{name: "no member", to: "members@example.org", as: "bob@example.org", want: "550 5.7.2", words: "Only its members may write to members@example.org"},
		{name: "of the domain", to: "house@example.org", as: "alice@example.org"},
		{name: "listed", to: "news@example.com", as: "bob@example.org"},
		{name: "not listed", to: "news@example.org", as: "alice@example.org", want: "550 5.7.2", words: "Only certain people"},
		{name: "a member elsewhere", to: "members@example.org", from: "m@member.example"},
		{name: "listed elsewhere", to: "news@example.org", from: "M@Member.Example"},
		{name: "a stranger", to: "members@example.org", from: "x@member.example", want: "550 5.7.2"},
		{name: "a stranger to the domain", to: "house@example.org", from: "x@example.net", want: "550 5.7.2", words: "Only addresses of example.org"},
		{name: "nobody", to: "members@example.org", from: "<>", header: "From: m@member.example\r\n", want: "550 5.7.2"},
		{name: "a stranger behind a member's reverse-path", to: "members@example.org", from: "m@member.example", header: "From: x@member.example\r\n", want: "550 5.7.2"},
		{name: "two authors", to: "members@example.org", from: "m@member.example", header: "From: m@member.example, n@nothing.example\r\n", want: "550 5.7.2"},
		{name: "an author that can be read in two ways", to: "members@example.org", from: "m@member.example", header: "From: <m@member.example> <x@example.net>\r\n", want: "550 5.7.2"},
		{name: "no author", to: "members@example.org", from: "m@member.example", header: "Subject: x\r\n", want: "550 5.7.2"},
		{name: "forged, with a policy", to: "members@example.org", from: "f@forged.example", want: "550 5.7.2", words: "Nothing shows that this is from f@forged.example"},
		{name: "one of ours, forged", to: "members@example.org", from: "alice@example.org", want: "550 5.7.2"},
		{name: "one of ours, forged, to the domain", to: "house@example.org", from: "alice@example.org", want: "550 5.7.2"},
		{name: "not to be shown", to: "members@example.org", from: "n@nothing.example", want: "550 5.7.2"},
		{name: "not to be shown yet", to: "members@example.org", from: "b@broken.example", want: "451 4.7.0"},
		{name: "a program here", to: "members@example.org", from: "n@nothing.example", listener: "lmtp"},
		{name: "a stranger by a program here", to: "members@example.org", from: "x@nothing.example", listener: "lmtp", want: "550 5.7.2"},
		{name: "an open alias", to: "info@example.org", from: "n@nothing.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.opts.Verifier = senderauth.NewVerifier(senderauth.VerifierOptions{}, senderauth.Settings{Resolver: resolver})
			w.settings.Directory = directory.New(o)
			w.Apply(w.settings)
			header := c.header
			if header == "" && c.from != "" {
				header = "From: " + c.from + "\r\n"
			}
			err := w.send(mail{as: c.as, from: c.from, to: []string{c.to}, header: header, listener: c.listener}).first()
			if got := answer(err); got != c.want || c.words != "" && !strings.Contains(fault.As(err).Text, c.words) {
				t.Errorf("%q, want %q: %v", got, c.want, err)
			}
			boxes, spooled := w.everywhere()
			if (boxes+spooled > 0) != (c.want == "") {
				t.Errorf("%d messages, %d spooled", boxes, spooled)
			}
		})
	}
}
