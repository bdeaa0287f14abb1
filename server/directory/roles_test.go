package directory

import (
	"strings"
	"testing"

	"facteur/server/address"
)

// roles is a directory where people have several parts in several mailboxes.
func roles() *Directory {
	o := sample()
	o.Shared = append(o.Shared,
		Shared{
			Key: "desk2@example.org", Address: address.MustParse("desk2@example.org"), Name: "The desk",
			Owners: to("bob@example.org"), Members: to("bob@example.org", "example0001", "eve@example.org"), Readers: to("Alice@example.net", "dora@other.example", "nobody@example.org"),
		},
		Shared{Key: "OFFICE@example.org", Address: address.MustParse("OFFICE@example.org"), Owners: to("dora@other.example")}, // a duplicate
	)
	return New(o)
}

func TestShared(t *testing.T) {
	d := roles()
	for account, want := range map[string]string{
		"alice@example.org":   "office@example.org lrswipkxtea, desk2@example.org lrswipkte",
		"ALICE@example.com":   "office@example.org lrswipkxtea, desk2@example.org lrswipkte", // under another name of the domain
		"bob@example.org":     "office@example.org lrswipkte, desk2@example.org lrswipkxtea", // twice: the most counts
		"carol@example.org":   "office@example.org lr",
		"dora@other.example":  "desk2@example.org lr",
		"eve@example.org":     "", // disabled
		"office@example.org":  "",
		"info@example.org":    "",
		"nobody@example.org":  "",
		"alice@elsewhere.net": "",
	} {
		var got []string
		for _, r := range d.Shared(address.MustParse(account)) {
			got = append(got, r.Address.String()+" "+r.Rights)
			if d.exact(r.Account) != d.exact(address.MustParse(account)) {
				t.Errorf("a role of %s is that of %s", account, r.Account)
			}
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s, want %s", account, s, want)
		}
	}
}

func TestMembers(t *testing.T) {
	d := roles()
	for box, want := range map[string]string{
		"office@example.org": "Alice@example.org lrswipkxtea, bob@example.org lrswipkte, carol@example.org lr",
		"office@example.net": "Alice@example.org lrswipkxtea, bob@example.org lrswipkte, carol@example.org lr",
		"desk2@example.org":  "bob@example.org lrswipkxtea, Alice@example.org lrswipkte, dora@other.example lr",
		"desk@example.org":   "", // an alias
		"alice@example.org":  "",
	} {
		var got []string
		for _, r := range d.Members(address.MustParse(box)) {
			got = append(got, r.Account.String()+" "+r.Rights)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s, want %s", box, s, want)
		}
	}
}

func TestRights(t *testing.T) {
	d := roles()
	for _, c := range []struct{ account, box, want string }{
		{"alice@example.org", "Alice@example.com", OwnerRights},
		{"alice@example.org", "office@example.net", OwnerRights},
		{"bob@example.com", "office@example.org", MemberRights},
		{"carol@example.org", "office@example.org", ReaderRights},
		{"carol@example.org", "desk2@example.org", ""},
		{"carol@example.org", "alice@example.org", ""},
		{"eve@example.org", "eve@example.org", ""},
		{"eve@example.org", "desk2@example.org", ""},
		{"office@example.org", "office@example.org", ""}, // has no login
		{"nobody@example.org", "nobody@example.org", ""},
		{"dora@other.example", "nobody@example.org", ""},
	} {
		if got := d.Rights(address.MustParse(c.account), address.MustParse(c.box)); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.account, c.box, got, c.want)
		}
	}
}
