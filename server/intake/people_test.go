package intake

import (
	"context"
	"path/filepath"
	"testing"

	"facteur/server/address"
	"facteur/server/people"
	"facteur/server/statedb"
)

func TestPeople(t *testing.T) {
	w := newWorld(t)
	db, err := statedb.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if w.Intake.opts.People, err = people.Open(db, nil); err != nil {
		t.Fatal(err)
	}
	known := func(box, who string) bool {
		t.Helper()
		c, err := w.Intake.opts.People.Contact(context.Background(), address.MustParse(box), address.MustParse(who))
		if err != nil {
			t.Fatal(err)
		}
		return !c.Written.IsZero()
	}
	if err := w.send(mail{as: "alice@example.org", listener: "submission", from: "alice@example.org", to: []string{"x@example.net", "bob@example.org"},
		header: "From: alice@example.org\r\nMessage-ID: <1@example.org>\r\n", text: "x"}).first(); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]bool{"x@example.net": true, "bob@example.org": true, "y@example.net": false} {
		if known("alice@example.org", who) != want {
			t.Errorf("written to %s: %v", who, !want)
		}
	}
	for id, want := range map[string]bool{"1@example.org": true, "2@example.org": false} {
		ok, err := w.Intake.opts.People.HasSent(context.Background(), address.MustParse("alice@example.org"), []string{id})
		if err != nil || ok != want {
			t.Errorf("sent %s: %v, %v", id, ok, err)
		}
	}
	if err := w.send(mail{to: []string{"bob@example.org"}, from: "x@example.net", text: "y"}).first(); err != nil {
		t.Fatal(err)
	}
	if known("bob@example.org", "bob@example.org") || known("x@example.net", "bob@example.org") {
		t.Error("mail of others counts as ours")
	}
}
