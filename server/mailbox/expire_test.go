package mailbox

import (
	"fmt"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// TestExpireFolder: what is older goes to the deleted messages, whatever the folder.
func TestExpireFolder(t *testing.T) {
	f := newFixture(t, nil)
	f.keep(time.Hour, 0)
	f.add(f.inbox, "old\r\n")
	f.ahead.Add(int64(48 * time.Hour))
	f.add(f.inbox, "new\r\n")
	for _, c := range []struct {
		folder string
		want   int
	}{{"Nowhere", 0}, {"Archive", 0}, {"INBOX", 1}, {"INBOX", 0}} {
		n, err := f.store.ExpireFolder(alice, c.folder, 24*time.Hour)
		f.ok(err)
		f.want(c.folder, fmt.Sprint(n), fmt.Sprint(c.want))
	}
	f.want("INBOX", f.show(f.inbox), "2:new[recent]")
	f.want("deleted", f.deleted(), "INBOX:5")
	if _, err := f.store.ExpireFolder(alice, "a//b", time.Hour); err != nil && !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

// TestHolds: who asks what is on disk makes nothing.
func TestHolds(t *testing.T) {
	f := newFixture(t, nil)
	carol := address.MustParse("carol@example.org")
	f.ok(f.home.Create("A/B", ""))
	for what, got := range map[string]bool{
		"alice": f.store.Holds(alice, ""), "A/B": f.store.Holds(alice, "A/B"),
		"not A": !f.store.Holds(alice, "A"), "not carol": !f.store.Holds(carol, ""), "nor her folder": !f.store.Holds(carol, "Snoozed"),
	} {
		if !got {
			t.Error(what)
		}
	}
}
