package directory

import (
	"slices"
	"testing"

	"facteur/server/address"
)

func TestSharing(t *testing.T) {
	account := func(s string) Account { return Account{Key: s, Address: address.MustParse(s)} }
	to := func(all ...string) (list []Target) {
		for _, s := range all {
			list = append(list, Target{Address: address.MustParse(s)})
		}
		return list
	}
	carol := account("carol@example.org")
	carol.Disabled = true
	d := New(Options{
		Domains:  []Domain{{Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com"}}},
		Accounts: []Account{account("alice@example.org"), account("bob@example.org"), account("dave@example.org"), account("erin@example.org"), carol},
		Sharing: []Sharing{
			{Key: "alice@example.org/choir", Owner: address.MustParse("Alice@example.org"), Collection: "choir",
				Members: to("bob@example.com"), Readers: to("bob@example.org", "carol@example.org", "alice@example.org"), Published: "a-secret-of-alice"},
			{Key: "bob@example.org/x", Owner: address.MustParse("bob@example.org"), Collection: "x", Readers: to("alice@example.org")},
			{Key: "alice@example.org/calendar", Owner: address.MustParse("alice@example.org"), Collection: "calendar", Readers: to("dave@example.org"), FreeBusy: to("dave@example.org", "erin@example.org")},
		},
	})
	bob := address.MustParse("bob@example.org")
	want := []Grant{{Account: bob, Owner: address.MustParse("alice@example.org"), Collection: "choir", Rights: MemberRights}}
	if got := d.Granted(address.MustParse("BOB@example.com")); !slices.Equal(got, want) {
		t.Errorf("granted to bob: %v, want %v", got, want)
	}
	if got := d.Grants(address.MustParse("alice@example.com"), "choir"); !slices.Equal(got, want) {
		t.Errorf("grants: %v, want %v", got, want)
	}
	if got := d.Granted(address.MustParse("carol@example.org")); got != nil {
		t.Errorf("granted to a disabled account: %v", got)
	}
	for who, rights := range map[string]string{"dave@example.org": ReaderRights, "erin@example.org": BusyRights} {
		if got := d.Granted(address.MustParse(who)); len(got) != 1 || got[0].Rights != rights {
			t.Errorf("granted to %s: %v", who, got)
		}
	}
	for secret, key := range map[string]string{"a-secret-of-alice": "alice@example.org/choir", "": "", "a": ""} {
		if s, ok := d.Published(secret); s.Key != key || ok != (key != "") {
			t.Errorf("published as %q: %q, %v", secret, s.Key, ok)
		}
	}
	if s, ok := d.Sharing(bob, "x"); !ok || s.Published.String() != "" {
		t.Errorf("the entry of x: %v, %v", s, ok)
	}
}
