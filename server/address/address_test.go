package address

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, out, key string }{
		{"Alice@Example.ORG", "Alice@example.org", "alice@example.org"},
		{"bob+Shop@example.org", "bob+Shop@example.org", "bob+shop@example.org"},
		{`"a b"@example.org`, `"a b"@example.org`, "a b@example.org"},
		{`"plain"@example.org`, `plain@example.org`, "plain@example.org"},
		{"jörg@bücher.example", "jörg@xn--bcher-kva.example", "jörg@xn--bcher-kva.example"},
		{"JO\u0308RG@example.org", "JÖRG@example.org", "jörg@example.org"},
		{"x@[192.0.2.1]", "x@[192.0.2.1]", "x@[192.0.2.1]"},
		{"x@[IPv6:2001:db8::1]", "x@[ipv6:2001:db8::1]", "x@[ipv6:2001:db8::1]"},
		{"x@_srv.example", "x@_srv.example", "x@_srv.example"},
	} {
		a, err := Parse(c.in)
		if err != nil || a.String() != c.out || string(a.Key()) != c.key {
			t.Errorf("%s: %q, %q, %v", c.in, a.String(), a.Key(), err)
		}
	}
	for _, bad := range []string{
		"", "alice", "@example.org", "alice@", ".a@example.org", "a..b@example.org", "a b@example.org",
		`"a@example.org`, `"a"b"@example.org`, "a@ex ample.org", "a@-x.org", "a@x..org", "a@[300.1.1.1]", "a@[x]",
		"a\x00@example.org", "\"a\r\n\"@example.org", "a@\xff.org", "a\xff@example.org", "<a@b>",
		"0123456789012345678901234567890123456789012345678901234567890123456789@example.org",
	} {
		if a, err := Parse(bad); err == nil {
			t.Errorf("%q parsed as %v", bad, a)
		}
	}
}

func TestStringWithoutDomain(t *testing.T) {
	for want, a := range map[string]Address{"": {}, "postmaster": {Local: "postmaster"}} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDetail(t *testing.T) {
	base, detail, ok := MustParse("alice+shop+x@example.org").Detail("+")
	if !ok || base.String() != "alice@example.org" || detail != "shop+x" {
		t.Errorf("%v %q %v", base, detail, ok)
	}
	for _, s := range []string{"alice@example.org", "+x@example.org"} {
		if _, _, ok := MustParse(s).Detail("+"); ok {
			t.Errorf("%s has a detail", s)
		}
	}
	if _, _, ok := MustParse("alice+shop@example.org").Detail(""); ok {
		t.Error("separator off, and yet a detail")
	}
}

func TestDir(t *testing.T) {
	for in, want := range map[string]string{
		"Alice@Example.org":          "example.org/alice",
		`".hidden"@example.org`:      "example.org/%2Ehidden",
		`"a/../b"@example.org`:       "example.org/a%2F..%2Fb",
		"jörg@example.org":           "example.org/j%C3%B6rg",
		"o'neil@example.org":         "example.org/o%27neil",
		"a_b-c+d.e@xn--p1ai.example": "xn--p1ai.example/a_b-c+d.e",
	} {
		if got := MustParse(in).Dir(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"alice@example.org", `"a\"b"@example.org`, "jörg@bücher.example", "x@[IPv6:::1]", "a@b@c", "İ@example.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(a.String())
		if err != nil {
			t.Fatalf("%q: %q does not parse again: %v", s, a.String(), err)
		}
		if again.Key() != a.Key() {
			t.Fatalf("%q: key %q, then %q", s, a.Key(), again.Key())
		}
	})
}
