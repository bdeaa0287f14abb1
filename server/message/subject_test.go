package message

import (
	"slices"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, c := range []struct {
		in, want string
		reply    bool
	}{
		{"", "", false},
		{"plain", "plain", false},
		{"  a \t b\r\n  c ", "a b c", false},
		{"Re: a", "a", true},
		{"RE : a", "a", true},
		{"Fw: a", "a", true},
		{"FWD:a", "a", true},
		{"re[2]: a", "a", true},
		{"Re [2] : a", "a", true},
		{"Re: Re: FW: a", "a", true},
		{"a (fwd)", "a", true},
		{"a (FWD) (fwd)  ", "a", true},
		{"[list] a", "a", false},
		{"[list] Re: a", "a", true},
		{"Re: [list] a", "a", true},
		{"[a][b] [c] re: d", "d", true},
		{"[list]", "[list]", false},
		{"[]", "[]", false},
		{"Re: [list]", "[list]", true},
		{"[a] [b]", "[b]", false},
		{"[Fwd: a]", "a", true},
		{"[fwd: [fwd: re: a] (fwd)]", "a", true},
		{"Re: [Fwd: [list] a]", "a", true},
		{"[fwd: a", "[fwd: a", false},
		{"[a[b] c", "[a[b] c", false},
		{"Re", "Re", false},
		{"Re:", "", true},
		{"Reply: a", "Reply: a", false},
		{"ref: a", "ref: a", false},
		{"(fwd)", "", true},
		{"AW: a", "AW: a", false},
		{"re:\u00a0a", "\u00a0a", true},
		{"Re: " + strings.Repeat("[]", 50_000), strings.Repeat("[]", 1)[:1], true},
	} {
		got, reply := BaseSubject(c.in)
		if len(c.in) > maxSubject {
			if len(got) > maxSubject || reply != c.reply {
				t.Errorf("long: %d octets, %v", len(got), reply)
			}
			continue
		}
		if got != c.want || reply != c.reply {
			t.Errorf("%q: %q %v, want %q %v", c.in, got, reply, c.want, c.reply)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for in, want := range map[string][]string{
		"":                              nil,
		" <a@b>\r\n <c@d>\r\n":          {"a@b", "c@d"},
		"your mail of 1 May <1@x>":      {"1@x"},
		"<\"01KF8J\"@x> <\"a\\\"b\"@x>": {"01KF8J@x", "a\"b@x"}, // RFC 5256 2.2
		"<a\r\n @b>":                    {"a@b"},
		"<a@b <c@d>":                    {"c@d"},
		"<> <a@b":                       nil,
		"a@b":                           nil,
		"<\"a@b>":                       {"\"a@b"},
	} {
		if got := MessageIDs([]byte(in)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, n := range []int{maxMessageIDs, maxMessageIDs + 1, 5*maxMessageIDs - 1, 5 * maxMessageIDs} {
		ids := MessageIDs([]byte(strings.Repeat("<a>", n-2) + "<b><c>"))
		if len(ids) != maxMessageIDs || ids[maxMessageIDs-3] != "a" || ids[maxMessageIDs-2] != "b" || ids[maxMessageIDs-1] != "c" {
			t.Errorf("of %d ids %d, the last %v", n, len(ids), ids[max(0, len(ids)-3):])
		}
	}
}

func FuzzBaseSubject(f *testing.F) {
	for _, s := range []string{"Re: [x] Fwd: [fwd: a (fwd)]", "[a][b]re[2]: ", "[[]] (fwd)(fwd)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, reply := BaseSubject(s)
		if len(base) > len(s) || !reply && base == "" && strings.Trim(s, " \t\r\n") != "" {
			t.Fatalf("%q: %q %v", s, base, reply)
		}
		if again, replied := BaseSubject(base); again != base || replied {
			t.Fatalf("%q: %q, then %q", s, base, again)
		}
	})
}
