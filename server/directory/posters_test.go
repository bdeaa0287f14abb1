package directory

import (
	"testing"

	"facteur/server/address"
)

func TestClosedLists(t *testing.T) {
	o := sample()
	list := func(a string, p Posters, targets ...string) {
		l := alias(a, targets...)
		l.Posters = p
		o.Aliases = append(o.Aliases, l)
	}
	list("members@example.org", Posters{Rule: PostersMembers}, "board@example.org", "eve@example.org", "office@example.org", "x@elsewhere.net")
	list("house@example.org", Posters{Rule: PostersDomain}, "alice@example.org")
	list("news@example.org", Posters{Rule: PostersListed, List: to("example0001", "press@elsewhere.net", "board@example.org")}, "bob@example.org", "eve@example.org")
	list("open@example.org", Posters{}, "members@example.org")
	if problems := Check(o); len(problems) > 0 {
		t.Fatal(problems)
	}
	d := New(o)
	for _, c := range []struct {
		to, author string
		want       bool
	}{
		{"members@example.org", "alice@example.org", true},
		{"MEMBERS+x@example.com", "ALICE+y@example.net", true},
		{"members@example.org", "bob@example.com", true},
		{"members@example.org", "carol@elsewhere.net", true},
		{"members@example.org", "info@example.org", true}, // leads to alice@ alone
		{"members@example.org", "office@example.org", true},
		{"members@example.org", "board@example.org", true},
		{"members@example.org", "carol@example.org", false}, // no member under this address
		{"members@example.org", "dora@other.example", false},
		{"members@example.org", "x@elsewhere.net", true},
		{"members@example.org", "y@elsewhere.net", false},
		{"members@example.org", "all@example.org", false},
		{"members@example.org", "nobody@example.org", false},
		{"members@example.org", "", false},
		{"house@example.org", "bob@example.org", true},
		{"house@example.org", "bob@example.com", true},
		{"house@example.org", "dora@other.example", false},
		{"house@example.org", "bob@sub.example.org", false},
		{"house@example.org", "", false},
		{"news@example.org", "alice@example.org", true},
		{"news@example.org", "press@elsewhere.net", true},
		{"news@example.org", "PRESS@Elsewhere.NET", true},
		{"news@example.org", "carol@elsewhere.net", true}, // of the board
		{"news@example.org", "eve@example.org", false},
	} {
		l, closed := d.Closed(address.MustParse(c.to))
		var author address.Address
		if c.author != "" {
			author = address.MustParse(c.author)
		}
		if !closed || l.Admits(author) != c.want {
			t.Errorf("%s to %s: closed %v, admitted %v", c.author, c.to, closed, l.Admits(author))
		}
	}
	for _, open := range []string{"open@example.org", "alice@example.org", "nobody@example.org", "x@elsewhere.net", "postmaster@example.org"} {
		if _, closed := d.Closed(address.MustParse(open)); closed {
			t.Errorf("%s is closed", open)
		}
	}
}
