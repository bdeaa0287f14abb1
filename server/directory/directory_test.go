package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
)

func to(targets ...string) []Target {
	var list []Target
	for _, t := range targets {
		if strings.Contains(t, "@") {
			list = append(list, Target{Address: address.MustParse(t)})
		} else {
			list = append(list, Target{Login: t})
		}
	}
	return list
}

func account(a string) Account {
	return Account{Key: a, Address: address.MustParse(a), Keep: true}
}

func alias(a string, targets ...string) Alias {
	return Alias{Key: a, Address: address.MustParse(a), To: to(targets...)}
}

// sample is a small association.
func sample() Options {
	alice, bob, carol, dora, eve := account("Alice@example.org"), account("bob@example.org"), account("carol@example.org"), account("dora@other.example"), account("eve@example.org")
	alice.Login, alice.Quota, alice.Scripts = "example0001", 500, []string{"alice.lua"}
	alice.SendAs = []address.Address{address.MustParse("newsletter@example.com"), address.MustParse("alice@elsewhere.net")}
	bob.Redirect = to("bob@elsewhere.net")
	carol.Redirect, carol.Keep = to("carol@elsewhere.net", "example0001"), false
	dora.Quota = Unlimited
	eve.Disabled = true
	return Options{
		Hostname:   "mail.example.org",
		Postmaster: address.MustParse("alice@example.org"),
		Quota:      5000,
		Domains: []Domain{
			{Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com", "example.net"}, Quota: 2000, Separator: "+", Scripts: []string{"domain.lua"}},
			{Key: "other.example", Name: "other.example", CatchAll: to("dora@other.example")[0], Separator: "-"},
			{Key: "plain.example", Name: "plain.example", CatchAll: to("lost@elsewhere.net")[0]},
		},
		Accounts: []Account{alice, bob, carol, dora, eve},
		Aliases: []Alias{
			alias("info@example.org", "alice@example.org"),
			alias("contact@example.org", "info@example.org", "alice+contact@example.com"),
			alias("board@example.org", "example0001", "bob@example.org", "carol@elsewhere.net"),
			alias("all@example.org", "board@example.org", "info@example.org", "office@example.org"),
			alias("desk@example.org", "office@example.org"),
			alias("support@example.org", "help@elsewhere.net"),
			alias("stray@example.org", "whoever@other.example"),
			alias("webmaster@example.org", "postmaster@example.org"),
			alias("bob+news@example.org", "alice@example.org"),
			alias("abuse@other.example", "dora@other.example"),
		},
		Shared: []Shared{{
			Key: "office@example.org", Address: address.MustParse("office@example.org"), Quota: 0,
			Owners: to("alice@example.org"), Members: to("bob@example.com"), Readers: to("carol@example.org"),
		}},
	}
}

func TestSampleIsGood(t *testing.T) {
	for _, p := range Check(sample()) {
		t.Errorf("%v: %s (%s)", p.Path, p.Text, p.Hint)
	}
}

func show(r Resolution) string {
	var list []string
	for _, d := range r.Destinations {
		s := d.Address.String()
		if d.Detail != "" {
			s += "/" + d.Detail
		}
		if d.Kind == Remote {
			s += " from " + d.Forwarder.String()
		}
		list = append(list, s)
	}
	if r.Fault != nil {
		list = append(list, fmt.Sprint(r.Fault.Code, " ", r.Fault.Enhanced()))
	}
	return strings.Join(list, ", ")
}

func TestResolve(t *testing.T) {
	d := New(sample())
	for _, c := range []struct{ forwardPath, want string }{
		{"alice@example.org", "Alice@example.org"},
		{"ALICE@Example.COM", "Alice@example.org"},
		{"alice+Shop@example.net", "Alice@example.org/Shop"},
		{"alice+@example.org", "Alice@example.org"},
		{"bob@example.org", "bob@example.org, bob@elsewhere.net from bob@example.org"},
		{"bob+shop@example.org", "bob@example.org/shop, bob@elsewhere.net/shop from bob@example.org"},
		{"bob+news@example.org", "Alice@example.org"}, // exact before subaddress
		{"carol@example.org", "carol@elsewhere.net from carol@example.org, Alice@example.org"},
		{"eve@example.org", "eve@example.org"}, // disabled: mail is kept
		{"office@example.org", "office@example.org"},
		{"desk+x@example.com", "office@example.org/x"},
		{"info@example.org", "Alice@example.org"},
		{"info+a+b@example.org", "Alice@example.org/a+b"},
		{"contact@example.org", "Alice@example.org"},
		{"support@example.net", "help@elsewhere.net from support@example.org"},
		{"board@example.org", "Alice@example.org, bob@example.org, bob@elsewhere.net from bob@example.org, carol@elsewhere.net from board@example.org"},
		{"all@example.org", "Alice@example.org, bob@example.org, bob@elsewhere.net from bob@example.org, carol@elsewhere.net from board@example.org, office@example.org"},
		{"nobody@example.org", "550 5.1.1"},
		{"nobody+alice@example.org", "550 5.1.1"},
		{"dora-shop@other.example", "dora@other.example/shop"},
		{"dora+shop@other.example", "dora@other.example"}, // by the catch-all
		{"nobody@other.example", "dora@other.example"},
		{"stray@example.org", "dora@other.example"},
		{"x+y@plain.example", "lost@elsewhere.net from x+y@plain.example"},
		{"Postmaster@example.org", "Alice@example.org"},
		{"abuse@example.com", "Alice@example.org"},
		{"DMARC-Reports@example.com", "Alice@example.org"},
		{"tls-reports@other.example", "Alice@example.org"},
		{"postmaster@plain.example", "Alice@example.org"}, // before the catch-all
		{"abuse@other.example", "dora@other.example"},     // the exact address first
		{"webmaster@example.org", "Alice@example.org"},
		{"postmaster@mail.example.org", "Alice@example.org"},
		{"alice@mail.example.org", "550 5.1.1"},
		{"alice@elsewhere.net", "550 5.7.1"},
		{"postmaster@elsewhere.net", "550 5.7.1"},
	} {
		r := d.Resolve(address.MustParse(c.forwardPath))
		if got := show(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.forwardPath, got, c.want)
		}
		if r.Local == strings.HasSuffix(c.forwardPath, "elsewhere.net") {
			t.Errorf("%s: local is %v", c.forwardPath, r.Local)
		}
		if len(r.Steps) == 0 {
			t.Errorf("%s: no steps", c.forwardPath)
		}
	}
	if got := show(d.Resolve(address.Address{Local: "PostMaster"})); got != "Alice@example.org" {
		t.Errorf("bare postmaster: %s", got)
	}
	if r := d.Resolve(address.Address{Local: "alice"}); r.Local || !fault.Is(r.Fault, fault.NotLocal) {
		t.Errorf("an address without a domain: %+v", r)
	}
}

func TestSteps(t *testing.T) {
	d := New(sample())
	for _, c := range []struct {
		forwardPath string
		want        []string
	}{
		{"info+x@example.com", []string{
			"info+x@example.com is info+x@example.org: example.com is an alias of example.org",
			`info+x@example.org is info@example.org with the detail "x"`,
			"info@example.org is an alias of alice@example.org",
			"Alice@example.org is an account: into its mailbox",
		}},
		{"carol@example.org", []string{
			"carol@example.org is an account: redirected to carol@elsewhere.net and Alice@example.org, without a copy",
			"carol@elsewhere.net is on another server",
			"Alice@example.org is an account: into its mailbox",
		}},
		{"bob@example.org", []string{
			"bob@example.org is an account: into its mailbox, and redirected to bob@elsewhere.net",
			"bob@elsewhere.net is on another server",
		}},
		{"eve@example.org", []string{"eve@example.org is a disabled account: mail is kept in its mailbox, nobody can log in"}},
		{"desk@example.org", []string{
			"desk@example.org is an alias of office@example.org",
			"office@example.org is a shared mailbox",
		}},
		{"abuse@example.org", []string{
			"abuse@example.org is for the postmaster, alice@example.org",
			"Alice@example.org is an account: into its mailbox",
		}},
		{"x@other.example", []string{
			"x@other.example is nobody's own: the catch-all of other.example is dora@other.example",
			"dora@other.example is an account: into its mailbox",
		}},
		{"x@example.org", []string{"x@example.org is nobody: no account, shared mailbox or alias has this address, and example.org has no catch-all"}},
		{"x@mail.example.org", []string{"x@mail.example.org is nobody: mail.example.org is the name of this server and no mail domain"}},
		{"x@elsewhere.net", []string{"x@elsewhere.net is on another server: only our own users may send there from here"}},
	} {
		if got := d.Resolve(address.MustParse(c.forwardPath)).Steps; !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.forwardPath, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestPath(t *testing.T) {
	d := New(sample())
	for forwardPath, want := range map[string]string{
		"BOB@example.org":         "BOB@example.org",
		"contact+x@example.com":   "contact+x@example.com > contact+x@example.org > contact@example.org > info@example.org > alice@example.org",
		"postmaster@example.org":  "postmaster@example.org > alice@example.org",
		"whoever@other.example":   "whoever@other.example > dora@other.example",
		"support@example.org":     "support@example.org > help@elsewhere.net",
		"alice+shop@example.org":  "alice+shop@example.org > Alice@example.org",
		"webmaster@example.org":   "webmaster@example.org > postmaster@example.org > alice@example.org",
		"someone@plain.example":   "someone@plain.example > lost@elsewhere.net",
		"postmaster@example.net":  "postmaster@example.net > postmaster@example.org > alice@example.org",
		"carol+x@example.org":     "carol+x@example.org > carol@example.org > carol@elsewhere.net",
		"bob+unknown@example.org": "bob+unknown@example.org > bob@example.org",
	} {
		r := d.Resolve(address.MustParse(forwardPath))
		if got := strings.Join(r.Destinations[0].Path, " > "); got != want {
			t.Errorf("%s: %s, want %s", forwardPath, got, want)
		}
	}
}

func TestLogin(t *testing.T) {
	d := New(sample())
	for name, want := range map[string]string{
		"alice@example.org":      "Alice@example.org",
		"ALICE@EXAMPLE.NET":      "Alice@example.org",
		"example0001":            "Alice@example.org",
		"EXAMPLE0001":            "Alice@example.org",
		"eve@example.org":        "eve@example.org",
		"alice+shop@example.org": "",
		"alice":                  "",
		"info@example.org":       "",
		"office@example.org":     "",
		"postmaster@example.org": "",
		"whoever@other.example":  "",
		"":                       "",
		"@":                      "",
	} {
		a, ok := d.Login(name)
		if a.Address.String() != want || ok != (want != "") {
			t.Errorf("%q: %v, %v", name, a.Address, ok)
		}
	}
}

func TestMaySendAs(t *testing.T) {
	d := New(sample())
	for _, c := range []struct {
		account string
		yes, no []string
	}{
		{
			"alice@example.org",
			[]string{
				"alice@example.org", "ALICE@example.net", "alice+shop@example.com", // her own
				"info@example.org", "info+x@example.net", "contact@example.org", "webmaster@example.org", "bob+news@example.org", // aliases
				"office@example.org", "office@example.com", "office+x@example.org", // owner
				"newsletter@example.org", "newsletter@example.net", "alice@elsewhere.net", // send_as
			},
			[]string{
				"bob@example.org", "board@example.org", "all@example.org", // others, lists
				"carol@example.org",      // redirects to her
				"desk@example.org",       // an alias, but not of an account
				"postmaster@example.org", // a rule, not an alias
				"newsletter+x@example.org", "newsletter@elsewhere.net", "mallory@elsewhere.net", "nobody@example.org",
			},
		},
		{"bob@example.org", []string{"bob@example.org", "bob+x@example.org", "office@example.org"}, []string{"bob+news@example.org", "bob@elsewhere.net", "info@example.org"}},
		{"carol@example.com", []string{"carol@example.org"}, []string{"office@example.org", "carol@elsewhere.net", "alice@example.org"}},
		{"dora@other.example", []string{"dora@other.example", "dora-x@other.example", "abuse@other.example"}, []string{"whoever@other.example", "stray@example.org", "dora+x@other.example"}},
		{"eve@example.org", nil, []string{"eve@example.org"}},
		{"office@example.org", nil, []string{"office@example.org"}},
		{"info@example.org", nil, []string{"info@example.org", "alice@example.org"}},
		{"nobody@example.org", nil, []string{"nobody@example.org"}},
	} {
		for _, as := range c.yes {
			if !d.MaySendAs(address.MustParse(c.account), address.MustParse(as)) {
				t.Errorf("%s may not send as %s", c.account, as)
			}
		}
		for _, as := range c.no {
			if d.MaySendAs(address.MustParse(c.account), address.MustParse(as)) {
				t.Errorf("%s may send as %s", c.account, as)
			}
		}
	}
}

func TestBox(t *testing.T) {
	d := New(sample())
	for a, want := range map[string]string{
		"alice@example.com": "Alice@example.org 500 [domain.lua alice.lua] [Alice@example.org Alice@example.com Alice@example.net " +
			"info@example.org info@example.com info@example.net contact@example.org contact@example.com contact@example.net " +
			"webmaster@example.org webmaster@example.com webmaster@example.net bob+news@example.org bob+news@example.com bob+news@example.net]",
		"bob@example.org":        "bob@example.org 2000 [domain.lua] [bob@example.org bob@example.com bob@example.net]",
		"dora@other.example":     "dora@other.example 0 [] [dora@other.example abuse@other.example]",
		"office@example.org":     "office@example.org 2000 [domain.lua] [office@example.org office@example.com office@example.net desk@example.org desk@example.com desk@example.net]",
		"info@example.org":       "",
		"nobody@example.org":     "",
		"alice+shop@example.org": "",
		"postmaster@example.org": "",
	} {
		b, ok := d.Box(address.MustParse(a))
		got := ""
		if ok {
			got = fmt.Sprintf("%v %d %v %v", b.Address, b.Quota, b.Scripts, b.Own)
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", a, got, want)
		}
	}
	o := sample()
	o.Domains[0].Quota = 0
	if b, _ := New(o).Box(address.MustParse("bob@example.org")); b.Quota != 5000 {
		t.Errorf("the quota of all is %d", b.Quota)
	}
}

// TestSoleBox: what leads to one mailbox alone, and what does not.
func TestSoleBox(t *testing.T) {
	d := New(sample())
	for a, want := range map[string]string{
		"alice@example.org":      "Alice@example.org",
		"ALICE+shop@example.com": "Alice@example.org", // under another name, with a subaddress
		"info@example.net":       "Alice@example.org",
		"contact@example.org":    "Alice@example.org", // through two aliases to the same
		"contact+x@example.org":  "Alice@example.org",
		"bob+news@example.org":   "Alice@example.org", // an alias that looks like a subaddress
		"bob+other@example.org":  "bob@example.org",   // who forwards, but that is his own business
		"desk@example.org":       "office@example.org",
		"eve@example.org":        "eve@example.org",
		"board@example.org":      "",
		"all@example.org":        "",
		"support@example.org":    "",
		"stray@example.org":      "",
		"whoever@other.example":  "", // for the catch-all
		"postmaster@example.org": "",
		"nobody@example.org":     "",
		"alice@elsewhere.net":    "",
		"alice-shop@example.org": "",
	} {
		got, ok := d.SoleBox(address.MustParse(a))
		if got.String() != want || ok != (want != "") {
			t.Errorf("%s: %q, %t, want %q", a, got, ok, want)
		}
	}
}

func TestDomains(t *testing.T) {
	d := New(sample())
	for name, want := range map[address.Domain]string{
		"example.org": "example.org true true", "example.net": "example.org true true",
		"mail.example.org": "mail.example.org false true", "elsewhere.net": "elsewhere.net false false", "": " false false",
	} {
		primary, ok := d.Primary(name)
		if got := fmt.Sprintf("%v %v %v", primary, ok, d.IsLocal(name)); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	d := New(sample())
	for _, s := range []string{"alice@example.org", "all@example.org"} {
		a := address.MustParse(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Resolve(a)
			}
		})
	}
}

// TestRewritten: a bounce to a rewritten reverse-path goes on to the sender, and one that
// was made up is refused even where there is a catch-all.
func TestRewritten(t *testing.T) {
	o := sample()
	o.Unwrap = func(a address.Address) (address.Address, error) {
		switch strings.ToLower(a.Local) {
		case "srs0=good":
			return address.MustParse("far@elsewhere.net"), nil
		case "srs0=home":
			return address.MustParse("alice@example.com"), nil
		case "srs0=twice":
			return address.MustParse("SRS0=good@example.com"), nil
		case "srs0=round":
			return address.MustParse("SRS0=round@example.org"), nil
		case "srs0=broken":
			return address.Address{}, errors.New("broken")
		}
		return address.Address{}, fault.New(fault.NoSuchAddress, "Forged")
	}
	o.Aliases = append(o.Aliases, alias("srs0=mine@example.org", "bob@example.org", "alice@example.org"))
	d := New(o)
	for _, c := range []struct{ forwardPath, want string }{
		{"SRS0=good@example.org", "far@elsewhere.net from SRS0=good@example.org"},
		{"srs0=GOOD@example.com", "far@elsewhere.net from srs0=GOOD@example.org"},
		{"SRS0=good@mail.example.org", "far@elsewhere.net from SRS0=good@mail.example.org"}, // the hostname forwards postmaster@
		{"SRS0=good@other.example", "far@elsewhere.net from SRS0=good@other.example"},
		{"SRS0=home@example.org", "Alice@example.org"},
		{"SRS0=twice@example.org", "far@elsewhere.net from SRS0=good@example.org"},
		{"SRS0=round@example.org", "550 5.1.1"},
		{"SRS0=bad@example.org", "550 5.1.1"},
		{"SRS1+bad@other.example", "550 5.1.1"},
		{"SRS0=broken@example.org", "451 4.3.0"},
		{"srs0=mine@example.org", "bob@example.org, bob@elsewhere.net from bob@example.org, Alice@example.org"},
		{"SRS2=x@other.example", "dora@other.example"},
		{"SRS0@other.example", "dora@other.example"},
		{"SRS0=good@elsewhere.net", "550 5.7.1"},
	} {
		if got := show(d.Resolve(address.MustParse(c.forwardPath))); got != c.want {
			t.Errorf("%s: %s, want %s", c.forwardPath, got, c.want)
		}
	}
	if !d.Resolve(address.MustParse("SRS0=good@example.org")).Back || d.Resolve(address.MustParse("srs0=mine@example.org")).Back {
		t.Error("it is not told what is a way back")
	}
	if d.MaySendAs(address.MustParse("alice@example.org"), address.MustParse("SRS0=home@example.org")) {
		t.Error("a rewritten address is one to send as")
	}
}

// TestLists tells which destinations are those of a list.
func TestLists(t *testing.T) {
	o := sample()
	o.Aliases = append(o.Aliases, alias("outer@example.org", "board@example.org", "support@example.org", "bob@example.org"))
	d := New(o)
	for _, c := range []struct{ forwardPath, want string }{
		{"board@example.org", "bob@elsewhere.net of  carol@elsewhere.net of board@example.org"},
		{"outer@example.com", "bob@elsewhere.net of  carol@elsewhere.net of outer@example.org help@elsewhere.net of outer@example.org"},
		{"support@example.org", "help@elsewhere.net of "},
		{"x@plain.example", "lost@elsewhere.net of "},
	} {
		var got []string
		for _, dest := range d.Resolve(address.MustParse(c.forwardPath)).Destinations {
			if dest.Kind == Remote {
				got = append(got, dest.Address.String()+" of "+dest.List.String())
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.forwardPath, got, c.want)
		}
	}
}
