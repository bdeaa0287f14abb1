package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   []string // "path: text (hint)"
	}{
		{"duplicates", func(o *Options) {
			o.Aliases = append(o.Aliases, alias("ALICE@example.org", "bob@example.org"), alias("Office@example.org", "bob@example.org"))
			o.Accounts = append(o.Accounts, account("BOB@example.org"))
		}, []string{
			"accounts.BOB@example.org!: BOB@example.org is there twice: here and as \"bob@example.org\" in [accounts] (an address is one account, one shared mailbox or one alias; take one out)",
			"aliases.ALICE@example.org!: ALICE@example.org is there twice: here and as \"Alice@example.org\" in [accounts] (an address is one account, one shared mailbox or one alias; take one out)",
			"aliases.Office@example.org!: Office@example.org is there twice: here and as \"office@example.org\" in [shared] (an address is one account, one shared mailbox or one alias; take one out)",
		}},
		{"domains", func(o *Options) {
			o.Domains[2].Aliases = []address.Domain{"example.org", "example.com", "free.example"}
			o.Domains = append(o.Domains, Domain{Key: "EXAMPLE.org", Name: "example.org"})
			o.Accounts = append(o.Accounts, account("x@example.com"), account("x@exampel.org"), account("x@elsewhere.net"))
		}, []string{
			`accounts.x@elsewhere.net!: x@elsewhere.net is in no domain of this file (add the line [domains."elsewhere.net"])`,
			`accounts.x@exampel.org!: x@exampel.org is in no domain of this file (did you mean example.org? Else add the line [domains."exampel.org"])`,
			`accounts.x@example.com!: example.com is an alias of example.org: its addresses are written under example.org (write "x@example.org")`,
			`domains.EXAMPLE.org!: the domain example.org is there twice: as "example.org" and as "EXAMPLE.org" (put all its settings into one table)`,
			`domains.plain.example.aliases.0: example.org is already a name of the domain "example.org" (a name belongs to one domain; take it out of one of the two)`,
			`domains.plain.example.aliases.1: example.com is already a name of the domain "example.org" (a name belongs to one domain; take it out of one of the two)`,
		}},
		{"logins", func(o *Options) {
			o.Accounts[1].Login, o.Accounts[2].Login = "Example0001", "carol@example.org"
		}, []string{
			`accounts.bob@example.org.login: the login name "Example0001" is also that of Alice@example.org (choose another name)`,
			`accounts.carol@example.org.login: a login name has no @ (everybody may log in with their address anyway; take the line out, or choose a name without @)`,
		}},
		{"targets", func(o *Options) {
			o.Postmaster = address.MustParse("alcie@example.org")
			o.Aliases = append(o.Aliases, alias("a@example.org", "bob@example.org", "exampel0001", "zorro", "info+x@example.com", "quux@example.org"))
			o.Domains[1].CatchAll = to("dorra@other.example")[0]
			o.Accounts[0].Redirect = to("alice@mail.example.org")
		}, []string{
			`accounts.Alice@example.org.redirect.0: alice@mail.example.org is nobody: no account, shared mailbox or alias has this address (add it, or correct the spelling)`,
			`aliases.a@example.org.1: nobody has the login name "exampel0001" (did you mean "example0001"?)`,
			`aliases.a@example.org.2: nobody has the login name "zorro" (write an address, or the login of an account)`,
			`aliases.a@example.org.4: quux@example.org is nobody: no account, shared mailbox or alias has this address (add it, or correct the spelling)`,
			`domains.other.example.catch_all: dorra@other.example is nobody: no account, shared mailbox or alias has this address (did you mean "dora@other.example"?)`,
			`postmaster: alcie@example.org is nobody: no account, shared mailbox or alias has this address (did you mean "Alice@example.org"?)`,
		}},
		{"cycles", func(o *Options) {
			o.Aliases = append(o.Aliases,
				alias("a@example.org", "b@example.org"), alias("b@example.org", "bob@example.org", "c@example.com"), alias("c@example.org", "a+x@example.org"),
				alias("self@example.org", "self@example.net"))
			o.Accounts[4].Redirect = to("f@example.org")
			o.Aliases = append(o.Aliases, alias("f@example.org", "eve@example.org"))
			o.Postmaster = address.MustParse("abuse@example.org")
			o.Domains[1].CatchAll = to("dora@other.example")[0]
			o.Accounts[3].Redirect = to("typo@other.example")
		}, []string{
			`aliases.c@example.org.0: a@example.org leads back to itself: a@example.org -> b@example.org -> c@example.org -> a@example.org (take one of these steps out)`,
			`aliases.f@example.org.0: eve@example.org leads back to itself: eve@example.org -> f@example.org -> eve@example.org (take one of these steps out)`,
			`aliases.self@example.org.0: self@example.org leads back to itself: self@example.org -> self@example.org (take one of these steps out)`,
			`domains.other.example.catch_all: dora@other.example leads back to itself: dora@other.example -> the catch-all of other.example -> dora@other.example (take one of these steps out)`,
			`postmaster: the postmaster leads back to itself: the postmaster -> the postmaster (take one of these steps out)`,
		}},
		{"numbers", func(o *Options) {
			o.Domains[0].MaxAccounts = 3
			o.Accounts[0].Redirect = to("a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example")
		}, []string{
			`accounts.Alice@example.org.redirect: Alice@example.org redirects to 5 addresses, and at most 4 are allowed (make an alias with all of them, and redirect to the alias)`,
			`domains.example.org.accounts: example.org has 4 accounts, and at most 3 are allowed (raise the number, or remove accounts)`,
		}},
		{"shared", func(o *Options) {
			o.Shared[0].Members = to("bbo@example.org", "example0001", "info@example.org", "nobody")
			o.Shared = append(o.Shared, Shared{Key: "empty@example.org", Address: address.MustParse("empty@example.org")})
		}, []string{
			`shared.empty@example.org!: nobody could read empty@example.org: it has no owners, members or readers (add a line such as owners = ["alice@example.org"])`,
			`shared.office@example.org.members.0: bbo@example.org is no account (did you mean "bob@example.org"?)`,
			`shared.office@example.org.members.2: info@example.org is no account (only accounts can have a part in a shared mailbox)`,
			`shared.office@example.org.members.3: nobody is no account (only accounts can have a part in a shared mailbox)`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := sample()
			c.change(&o)
			var got []string
			for _, p := range Check(o) {
				mark := ""
				if p.OnKey {
					mark = "!"
				}
				got = append(got, fmt.Sprintf("%s%s: %s (%s)", strings.Join(p.Path, "."), mark, p.Text, p.Hint))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			everything(New(o)) // must end, whatever is wrong
		})
	}
}

// everything asks a Directory about all that it has.
func everything(d *Directory) {
	for _, e := range d.entries {
		d.Resolve(e.address)
		d.Box(e.address)
		for _, other := range d.entries {
			d.MaySendAs(e.address, other.address)
		}
	}
	for name := range d.domains {
		d.Resolve(address.Address{Local: "postmaster", Domain: name})
		d.Resolve(address.Address{Local: "whoever", Domain: name})
	}
}

func TestCheckLong(t *testing.T) {
	const n = 20000
	o := sample()
	for i := range n {
		o.Aliases = append(o.Aliases, alias(fmt.Sprintf("a%d@example.org", i), fmt.Sprintf("a%d@example.org", (i+1)%n)))
	}
	problems := Check(o)
	if len(problems) != 2 || len(problems[0].Text) > 1000 {
		t.Errorf("%d problems: %+.3v", len(problems), problems)
	}
	o.Aliases = o.Aliases[:len(sample().Aliases)]
	for i := range 21 {
		next := fmt.Sprintf("a%d@example.org", i+1)
		if i == 20 {
			next = "alice@example.org"
		}
		o.Aliases = append(o.Aliases, alias(fmt.Sprintf("a%d@example.org", i), next))
	}
	problems = Check(o)
	if len(problems) != 1 || problems[0].Path[1] != "a0@example.org" || !strings.Contains(problems[0].Text, "more than 20 steps") {
		t.Errorf("%+v", problems)
	}
}

func TestNearest(t *testing.T) {
	names := slices.Values([]string{"catch_all", "quota", "separator", "scripts", "key", "aliases"})
	for word, want := range map[string]string{
		"catchall": "catch_all", "Catch-All": "catch_all", "quato": "quota", "script": "scripts", "seperator": "separator",
		"alias": "aliases", "kye": "key", "k": "", "colour": "", strings.Repeat("a", 1000): "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%.20q: %q, want %q", word, got, want)
		}
	}
}
