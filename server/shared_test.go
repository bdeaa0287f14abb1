package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/config"
	"facteur/server/directory"
	"facteur/server/homes"
)

// TestTellShared: a person is told what is shared with her, in the server's language, so often
// at most; rooms and accounts that are closed are not.
func TestTellShared(t *testing.T) {
	account := func(a, name string) directory.Account {
		return directory.Account{Key: a, Address: address.MustParse(a), Name: name}
	}
	hall, left := account("hall@example.org", "Hall"), account("left@example.org", "Left")
	hall.Room, left.Disabled = true, true
	d := directory.New(directory.Options{
		Hostname: "mail.example.org", Domains: []directory.Domain{{Key: "example.org", Name: "example.org"}},
		Accounts: []directory.Account{account("alice@example.org", "Alice Martin"), account("bob@example.org", ""), hall, left},
	})
	s := &Server{notices: make(chan notice, 100), log: slog.New(slog.DiscardHandler)}
	share := func(with, by string, kind collection.Kind, write bool) []notice {
		s.tellShared(homes.Sharing{With: address.MustParse(with), By: address.MustParse(by), Kind: kind, Write: write, Name: "Choir", Seen: "Choir (Alice Martin)"})
		var out []notice
		for len(s.notices) > 0 {
			out = append(out, <-s.notices)
		}
		return out
	}
	for _, c := range []struct {
		language, by  string
		kind          collection.Kind
		write         bool
		subject, text string
	}{
		{"en", "alice@example.org", collection.Calendar, false, `Alice Martin shares the calendar "Choir" with you`, "You can read it, and not change it."},
		{"en", "bob@example.org", collection.AddressBook, true, `bob@example.org shares the address book "Choir" with you`, "You can read and change what is in it."},
		{"fr", "alice@example.org", collection.Calendar, true, "Alice Martin partage l’agenda « Choir » avec vous", "en modifier le contenu"},
		{"fr", "alice@example.org", collection.AddressBook, false, "Alice Martin partage le carnet d’adresses « Choir » avec vous", "sans le modifier"},
	} {
		s.live.Store(&settings{Config: &config.Config{Language: c.language}, directory: d})
		got := share("bob@example.org", c.by, c.kind, c.write)
		if len(got) != 1 || got[0].subject != c.subject || got[0].to[0].String() != "bob@example.org" || !strings.Contains(got[0].text, c.text) ||
			!strings.Contains(got[0].text, "\n\n  Choir (Alice Martin)\n\n") || strings.Contains(got[0].text, "%!") {
			t.Errorf("%s: %+v", c.language, got)
		}
	}
	for _, with := range []string{"hall@example.org", "left@example.org", "nobody@example.org"} {
		if got := share(with, "alice@example.org", collection.Calendar, false); len(got) != 0 {
			t.Errorf("%s is told: %+v", with, got)
		}
	}
	told := 0
	for range 2 * maxSharedNotices {
		told += len(share("alice@example.org", "bob@example.org", collection.Calendar, false))
	}
	if told != maxSharedNotices {
		t.Errorf("told %d times in a day, want %d", told, maxSharedNotices)
	}
}

// TestTellSharedBy: what one account shares makes so many mails in a day at most, whoever gets them.
func TestTellSharedBy(t *testing.T) {
	o := directory.Options{Hostname: "mail.example.org", Domains: []directory.Domain{{Key: "example.org", Name: "example.org"}}}
	for i := range 2 * maxSharedBy {
		a := fmt.Sprintf("p%d@example.org", i)
		o.Accounts = append(o.Accounts, directory.Account{Key: a, Address: address.MustParse(a)})
	}
	s := &Server{notices: make(chan notice, len(o.Accounts)), log: slog.New(slog.DiscardHandler)}
	s.live.Store(&settings{Config: &config.Config{Language: "en"}, directory: directory.New(o)})
	tell := func(by, with address.Address) {
		s.tellShared(homes.Sharing{With: with, By: by, Kind: collection.Calendar, Name: "Choir", Seen: "Choir"})
	}
	for _, a := range o.Accounts[1:] {
		tell(o.Accounts[0].Address, a.Address)
	}
	if len(s.notices) != maxSharedBy {
		t.Errorf("%d are told, want %d", len(s.notices), maxSharedBy)
	}
	tell(o.Accounts[1].Address, o.Accounts[0].Address)
	if len(s.notices) != maxSharedBy+1 {
		t.Error("what another shares is not told")
	}
}
