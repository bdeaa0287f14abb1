package homes

import (
	"testing"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// TestShareBusy: who may know when a calendar takes time has that right alone, and no mount; and an
// address book takes none.
func TestShareBusy(t *testing.T) {
	w := newWorld(t)
	choir, err := w.home(alice, alice).Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	w.must(choir.ShareBusy(address.MustParse(dave)))
	if got := w.collection(dave, alice, "choir").Rights; got != Busy {
		t.Errorf("dave has rights %b", got)
	}
	if got := w.segments(dave, dave); len(got) != len(own()) {
		t.Errorf("dave's home has %q", got)
	}
	if _, err := w.home(dave, dave).Open(alice + "~choir"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a mount: %v", err)
	}
	all, err := choir.Invitees()
	w.must(err)
	if len(all) != 1 || !all[0].Busy || all[0].Write {
		t.Errorf("%+v", all)
	}
	w.restart()
	if got := w.collection(dave, alice, "choir").Rights; got != Busy {
		t.Errorf("after a restart dave has rights %b", got)
	}
	choir = w.collection(alice, alice, "choir")
	w.must(choir.Share(address.MustParse(dave), false))
	if got := w.collection(dave, dave, alice+"~choir").Rights; got != ReaderRights {
		t.Errorf("as a reader dave has rights %b", got)
	}

	contacts := w.collection(alice, alice, "contacts")
	if err := contacts.ShareBusy(address.MustParse(dave)); !fault.Is(err, fault.NotPossible) {
		t.Errorf("of an address book: %v", err)
	}
	w.addCard(alice, "contacts", "1", "FN:Zoé Martin", "EMAIL:zoe@example.com")
	w.reload(func(o *directory.Options) {
		o.Sharing = []directory.Sharing{{Key: alice + "/contacts", Owner: address.MustParse(alice), Collection: "contacts",
			FreeBusy: []directory.Target{{Address: address.MustParse(dave)}}}}
	})
	if _, err := w.home(dave, alice).Open("contacts"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an address book of mail.toml: %v", err)
	}
	if name, ok, err := w.Contact(address.MustParse(dave), address.MustParse("zoe@example.com")); ok || err != nil {
		t.Errorf("dave knows %q, %v", name, err)
	}
}

// TestBusyAndShared: where mail.toml lets somebody know when a calendar takes time and its owner lets
// him write it, too, the owner is told of that and can take it back, and he can leave it.
func TestBusyAndShared(t *testing.T) {
	w := newWorld(t)
	_, err := w.home(alice, alice).Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	grant := func(busy, readers []directory.Target) {
		w.reload(func(o *directory.Options) {
			o.Sharing = []directory.Sharing{{Key: alice + "/choir", Owner: address.MustParse(alice), Collection: "choir", FreeBusy: busy, Readers: readers}}
		})
	}
	daves := []directory.Target{{Address: address.MustParse(dave)}}
	for _, c := range []struct {
		name          string
		busy, readers []directory.Target
		left          Rights
	}{{"freebusy", daves, nil, Busy}, {"readers", nil, daves, ReaderRights}} {
		grant(c.busy, c.readers)
		choir := w.collection(alice, alice, "choir")
		w.must(choir.Share(address.MustParse(dave), true))
		if got := w.collection(dave, alice, "choir").Rights; got != WriterRights {
			t.Errorf("%s: dave has rights %b", c.name, got)
		}
		all, err := choir.Invitees()
		w.must(err)
		if len(all) != 1 || !all[0].Write || all[0].Busy || all[0].Fixed {
			t.Errorf("%s: alice is told %+v", c.name, all)
		}
		w.must(choir.Unshare(address.MustParse(dave)))
		if all, _ := choir.Invitees(); len(all) != 1 || all[0].Write || !all[0].Fixed {
			t.Errorf("%s: then alice is told %+v", c.name, all)
		}
		if got := w.collection(dave, alice, "choir").Rights; got != c.left {
			t.Errorf("%s: then dave has rights %b", c.name, got)
		}
	}

	grant(daves, nil)
	w.must(w.collection(alice, alice, "choir").Share(address.MustParse(dave), true))
	w.must(w.home(dave, dave).Delete(alice + "~choir"))
	if got := w.collection(dave, alice, "choir").Rights; got != Busy {
		t.Errorf("after he left dave has rights %b", got)
	}
	if all, _ := w.collection(alice, alice, "choir").Invitees(); len(all) != 1 || !all[0].Busy || !all[0].Fixed {
		t.Errorf("after he left alice is told %+v", all)
	}
}
