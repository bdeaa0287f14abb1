package directory

import (
	"fmt"
	"slices"
	"testing"

	"facteur/server/address"
)

func TestListed(t *testing.T) {
	parse := address.MustParse
	to := func(s ...string) (list []Target) {
		for _, s := range s {
			list = append(list, Target{Address: parse(s)})
		}
		return list
	}
	d := New(Options{
		Domains: []Domain{{Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com"}}, {Key: "example.net", Name: "example.net"}},
		Accounts: []Account{{Key: "a", Address: parse("alice@example.org"), Name: "Alice"}, {Key: "b", Address: parse("bob@example.org"), Disabled: true},
			{Key: "h", Address: parse("hall@example.org"), Room: true}, {Key: "v", Address: parse("van@example.org"), Room: true, Disabled: true}, {Key: "d", Address: parse("dave@example.net")}},
		Shared: []Shared{{Key: "o", Address: parse("office@example.org"), Name: "The office"}},
		Aliases: []Alias{{Key: "i", Address: parse("info@example.org"), To: to("alice@example.org")}, {Key: "n", Address: parse("info@example.net"), To: to("alice@example.com")},
			{Key: "l", Address: parse("all@example.org"), To: to("alice@example.org", "bob@example.org")}, {Key: "s", Address: parse("help@example.org"), To: to("help@elsewhere.net")}},
	})
	var got []string
	for _, l := range d.Listed("example.com") {
		got = append(got, fmt.Sprintf("%s %q %v %v", l.Address, l.Name, l.Others, l.Person))
	}
	want := []string{`alice@example.org "Alice" [info@example.org info@example.net] true`, `hall@example.org "" [] false`, `van@example.org "" [] false`, `office@example.org "The office" [] false`,
		`all@example.org "" [] false`, `help@example.org "" [] false`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
