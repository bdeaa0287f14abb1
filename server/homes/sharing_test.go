package homes

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

func (w *world) invitees(c *Collection) string {
	w.t.Helper()
	all, err := c.Invitees()
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, i := range all {
		out = append(out, fmt.Sprintf("%s write=%v declined=%v fixed=%v", i.Name, i.Write, i.Declined, i.Fixed))
	}
	return strings.Join(out, "; ")
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestShareWithPerson(t *testing.T) {
	w := newWorld(t)
	choir, err := w.home(alice, alice).Create("choir", collection.Calendar, collection.Props{DisplayName: "Choir"})
	w.must(err)
	before, err := choir.Snapshot()
	w.must(err)
	w.must(choir.Share(address.MustParse("BOB@example.org"), true))
	w.must(choir.Share(address.MustParse(dave), false))
	const mountName = alice + "~choir"
	if got, want := w.segments(dave, dave), own(mountName); !slices.Equal(got, want) {
		t.Errorf("dave sees %q, want %q", got, want)
	}
	if got, want := w.segments(dave, alice), []string{"choir"}; !slices.Equal(got, want) {
		t.Errorf("dave sees %q in the home of alice, want %q", got, want)
	}
	if r := w.home(dave, alice).Rights; r != 0 {
		t.Errorf("dave has rights %b in the home of alice", r)
	}
	for viewer, want := range map[string]Rights{bob: WriterRights, dave: ReaderRights} {
		if got := w.collection(viewer, viewer, mountName).Rights; got != want {
			t.Errorf("%s has rights %b, want %b", viewer, got, want)
		}
		if got := w.collection(viewer, alice, "choir"); got.Rights != want || !got.Personal {
			t.Errorf("%s has rights %b in the home of alice, want %b", viewer, got.Rights, want)
		}
		for _, name := range []string{"calendar", "~birthdays", "~book"} {
			if _, err := w.home(viewer, alice).Open(name); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s opens %s of alice: %v", viewer, name, err)
			}
		}
	}
	if p, err := w.collection(dave, dave, mountName).Props(); err != nil || p.DisplayName != "Choir (Alice Martin)" {
		t.Errorf("dave sees it as %q, %v", p.DisplayName, err)
	}
	w.restart()
	if got := w.segments(bob, bob); !slices.Contains(got, mountName) {
		t.Errorf("after a restart bob sees %q", got)
	}
	w.must(w.home(dave, dave).Delete(mountName))
	choir = w.collection(alice, alice, "choir")
	if got, want := w.invitees(choir), "Bob Peeters write=true declined=false fixed=false; Dave write=false declined=true fixed=false"; got != want {
		t.Errorf("invitees %q, want %q", got, want)
	}
	if got := w.segments(dave, dave); !slices.Equal(got, own()) {
		t.Errorf("dave took it out and sees %q", got)
	}
	w.must(choir.Unshare(address.MustParse(bob)))
	if _, err := w.Open(address.MustParse(bob), address.MustParse(alice)); !fault.Is(err, fault.NotFound) {
		t.Errorf("bob still sees the home of alice: %v", err)
	}
	for with, kind := range map[string]fault.Kind{"nobody@example.org": fault.NotFound, office: fault.NotFound, alice: fault.NotPossible} {
		if err := choir.Share(address.MustParse(with), true); !fault.Is(err, kind) {
			t.Errorf("shared with %s: %v", with, err)
		}
	}
	if after, err := choir.Snapshot(); err != nil || after.Token() != before.Token() {
		t.Errorf("sharing changes the sync-token: %v", err)
	}
	p, err := choir.Props()
	w.must(err)
	for name := range p.Other {
		t.Errorf("the properties show %s", name)
	}
}

func TestSharesGoWithTheCollection(t *testing.T) {
	w := newWorld(t)
	h := w.home(alice, alice)
	c, err := h.Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	w.must(c.Share(address.MustParse(dave), false))
	w.must(h.Rename("choir", "chorus", false))
	if got, want := w.segments(dave, dave), own(alice+"~chorus"); !slices.Equal(got, want) {
		t.Errorf("renamed: dave sees %q, want %q", got, want)
	}
	// Who sets properties for all takes no share away.
	w.must(w.collection(alice, alice, "chorus").SetProps(func(p *collection.Props) error { p.Other = nil; p.Color = "#123456"; return nil }))
	w.restart()
	if got, want := w.segments(dave, dave), own(alice+"~chorus"); !slices.Equal(got, want) {
		t.Errorf("described: dave sees %q, want %q", got, want)
	}
	w.must(w.home(alice, alice).Delete("chorus"))
	if got := w.segments(dave, dave); !slices.Equal(got, own()) {
		t.Errorf("deleted: dave sees %q", got)
	}
	w.reload(func(o *directory.Options) { o.Accounts = o.Accounts[1:] })
	if got := w.segments(dave, dave); !slices.Equal(got, own()) {
		t.Errorf("without alice: dave sees %q", got)
	}
}

func TestSharingOfMailToml(t *testing.T) {
	w := newWorld(t)
	_, err := w.home(alice, alice).Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	w.reload(func(o *directory.Options) {
		o.Sharing = []directory.Sharing{
			{Key: "x", Owner: address.MustParse(alice), Collection: "choir", Members: []directory.Target{target(bob)}, Readers: []directory.Target{target(dave)}, Published: "secret-of-mail-toml"},
			{Key: "y", Owner: address.MustParse(alice), Collection: "not-there", Readers: []directory.Target{target(dave)}},
			{Key: "z", Owner: address.MustParse(office), Collection: "calendar", Members: []directory.Target{target(carol), target(dave)}},
		}
	})
	if got, want := w.segments(dave, dave), own(alice+"~choir", office+"~calendar"); !slices.Equal(got, want) {
		t.Errorf("dave sees %q, want %q", got, want)
	}
	if got := w.collection(carol, carol, office+"~calendar").Rights; got != WriterRights {
		t.Errorf("a reader of the office who may change one calendar has rights %b", got)
	}
	choir := w.collection(alice, alice, "choir")
	w.must(choir.Share(address.MustParse(dave), true))
	if got := w.collection(dave, dave, alice+"~choir").Rights; got != WriterRights {
		t.Errorf("both ways together give dave %b", got)
	}
	if got, want := w.invitees(choir), "Bob Peeters write=true declined=false fixed=true; Dave write=true declined=false fixed=false"; got != want {
		t.Errorf("invitees %q, want %q", got, want)
	}
	if err := w.home(bob, bob).Delete(alice + "~choir"); !fault.Is(err, fault.Policy) {
		t.Errorf("bob took out what mail.toml gives: %v", err)
	}
	c, err := w.Published("secret-of-mail-toml")
	if err != nil || c.Owner.String() != alice || c.Collection.Name() != "choir" || c.Rights != ReaderRights {
		t.Errorf("published: %+v, %v", c, err)
	}
	w.reload(func(o *directory.Options) { o.Sharing = nil })
	if _, err := w.Published("secret-of-mail-toml"); !fault.Is(err, fault.NotFound) {
		t.Errorf("published no more: %v", err)
	}
}

func TestPublish(t *testing.T) {
	w := newWorld(t)
	c := w.collection(alice, alice, "calendar")
	secret, err := c.Publish()
	w.must(err)
	again, err := c.Publish()
	if err != nil || again != secret || len(secret) != 32 {
		t.Errorf("published as %q, then as %q, %v", secret, again, err)
	}
	w.restart()
	c, err = w.Published(secret)
	if err != nil || c.Owner.String() != alice || c.Collection.Name() != "calendar" {
		t.Fatalf("after a restart: %+v, %v", c, err)
	}
	for _, s := range []string{"", secret[:31], "x"} {
		if _, err := w.Published(s); !fault.Is(err, fault.NotFound) {
			t.Errorf("the secret %q opens something: %v", s, err)
		}
	}
	c = w.collection(alice, alice, "calendar")
	w.must(c.Unpublish())
	if _, err := w.Published(secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("still published: %v", err)
	}
	if _, err := w.collection(alice, alice, bookSegment).Publish(); !fault.Is(err, fault.Policy) {
		t.Errorf("the book is published: %v", err)
	}
}

// TestUndeletedIsSharedAgain: a collection that is brought back has its shares.
func TestUndeletedIsSharedAgain(t *testing.T) {
	w := newWorld(t)
	w.keep = true
	w.restart()
	h := w.home(alice, alice)
	c, err := h.Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	w.put(c, "1.ics", meeting("a", ""))
	w.must(c.Share(address.MustParse(dave), false))
	w.must(h.Delete("choir"))
	if _, err := w.opt.Store.Undelete(address.MustParse(alice), time.Time{}, "choir"); err != nil {
		t.Fatal(err)
	}
	w.Refresh(address.MustParse(alice))
	if got, want := w.segments(dave, dave), own(alice+"~choir"); !slices.Equal(got, want) {
		t.Errorf("dave sees %q, want %q", got, want)
	}
}

// TestForget: what was shared with an account that is gone is not for the next of its name.
func TestForget(t *testing.T) {
	w := newWorld(t)
	c := w.collection(alice, alice, "calendar")
	w.must(c.Share(address.MustParse(dave), true))
	w.must(c.Share(address.MustParse(bob), true))
	w.must(w.collection(dave, dave, alice+"~calendar").SetProps(func(p *collection.Props) error { p.Color = "#123456"; return nil }))
	w.must(w.Forget(address.MustParse("Dave@example.net")))
	if got := w.segments(dave, dave); !slices.Equal(got, own()) {
		t.Errorf("dave sees %q", got)
	}
	if got, want := w.invitees(c), "Bob Peeters write=true declined=false fixed=false"; got != want {
		t.Errorf("invitees %q, want %q", got, want)
	}
	p, err := c.described.Props()
	if _, ok := p.Other[viewPrefix+dave]; ok || err != nil {
		t.Errorf("his colour stays: %v, %v", p.Other, err)
	}
}

// TestReloadSeesIdleFolders: an account that comes back shares what it shared.
func TestReloadSeesIdleFolders(t *testing.T) {
	w := newWorld(t)
	w.must(w.collection(alice, alice, "calendar").Share(address.MustParse(dave), false))
	accounts := w.options.Accounts
	w.reload(func(o *directory.Options) { o.Accounts = o.Accounts[1:] })
	w.restart()
	if got := w.segments(dave, dave); !slices.Equal(got, own()) {
		t.Errorf("without alice dave sees %q", got)
	}
	w.reload(func(o *directory.Options) { o.Accounts = accounts })
	w.Apply(Settings{})
	if got, want := w.segments(dave, dave), own(alice+"~calendar"); !slices.Equal(got, want) {
		t.Errorf("dave sees %q, want %q", got, want)
	}
}

// TestSharingOfNothing: the log says which names there are, and what an address book has no use for.
func TestSharingOfNothing(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	w.more = func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) }
	w.restart()
	_, err := w.home(alice, alice).Create("5B1C", collection.Calendar, collection.Props{DisplayName: "Choir"})
	w.must(err)
	w.reload(func(o *directory.Options) {
		o.Sharing = []directory.Sharing{{Key: "alice@example.org/choir", Owner: address.MustParse(alice), Collection: "choir"},
			{Key: "alice@example.org/calendar", Owner: address.MustParse(alice), Collection: "calendar", FreeBusy: []directory.Target{target(dave)}},
			{Key: "alice@example.org/contacts", Owner: address.MustParse(alice), Collection: "contacts", FreeBusy: []directory.Target{target(dave)}}}
	})
	w.Apply(Settings{})
	if got := log.String(); !strings.Contains(got, "5B1C (Choir)") || !strings.Contains(got, "an address book takes no time") || strings.Count(got, "homes.sharing") != 2 {
		t.Errorf("the log says %s", got)
	}
}

// TestManyAtOnce has people look, share, describe and reload at the same time.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	d := w.directory
	var newest atomic.Pointer[directory.Directory]
	newest.Store(d)
	w.more = func(o *Options) { o.Directory = newest.Load }
	w.restart()
	contacts := w.collection(alice, alice, "contacts")
	var all sync.WaitGroup
	do := func(f func(i int) error) {
		all.Go(func() {
			for i := range 15 {
				if err := f(i); err != nil && !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
			}
		})
	}
	for _, viewer := range []string{alice, bob, dave} {
		do(func(int) error {
			h, err := w.Open(address.MustParse(viewer), address.MustParse(viewer))
			if err != nil {
				return err
			}
			list, err := h.Collections()
			for _, c := range list {
				if _, perr := c.Props(); perr != nil {
					err = errors.Join(err, perr)
				}
			}
			return err
		})
	}
	do(func(i int) error {
		c, err := w.home(alice, alice).Open("calendar")
		if err == nil && i%2 == 0 {
			return c.Share(address.MustParse(dave), true)
		} else if err == nil {
			return c.Unshare(address.MustParse(dave))
		}
		return err
	})
	do(func(i int) error {
		_, _, err := contacts.Put(fmt.Sprint(i%3, ".vcf"), []byte(person(fmt.Sprint(i%3), "P", fmt.Sprintf("BDAY:1980-01-%02d", i+1))), collection.Condition{})
		return err
	})
	do(func(int) error {
		newest.Store(directory.New(w.options))
		w.Apply(Settings{})
		return nil
	})
	all.Wait()
	if got, want := w.birthdays(alice, birthdaysSegment), []string{"P (1980) 19800113", "P (1980) 19800114", "P (1980) 19800115"}; !slices.Equal(got, want) {
		t.Errorf("birthdays %q, want %q", got, want)
	}
}

// TestWithoutTheDerivedStore: when nothing can be made, people have what they keep.
func TestWithoutTheDerivedStore(t *testing.T) {
	w := newWorld(t)
	w.must(w.opt.Derived.Close())
	if got, want := w.segments(alice, alice), append([]string{"calendar", "contacts", "tasks"}, officeMounts()...); !slices.Equal(got, want) {
		t.Errorf("alice sees %q, want %q", got, want)
	}
}

// TestSharedIsTold: who has something in her home from now on is told, and not of what was there
// before, nor of what mail.toml or a role gives.
func TestSharedIsTold(t *testing.T) {
	w := newWorld(t)
	var told []string
	w.more = func(o *Options) {
		o.Shared = func(s Sharing) {
			told = append(told, fmt.Sprintf("%s by %s: %s as %s, write=%v", s.With, s.By, s.Name, s.Seen, s.Write))
		}
	}
	w.restart()
	w.reload(func(o *directory.Options) {
		o.Sharing = []directory.Sharing{{Key: alice + "/fixed", Owner: address.MustParse(alice), Collection: "fixed", Readers: []directory.Target{target(bob)}}}
	})
	make := func(owner, name, label string) *Collection {
		t.Helper()
		c, err := w.home(alice, owner).Create(name, collection.Calendar, collection.Props{DisplayName: label})
		w.must(err)
		return c
	}
	choir, fixed, desk := make(alice, "choir", "Choir"), make(alice, "fixed", ""), make(office, "desk", "")
	share := func(c *Collection, with string, write bool) func() {
		return func() { w.must(c.Share(address.MustParse(with), write)) }
	}
	for _, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"new", share(choir, bob, false), bob + " by " + alice + ": Choir as Choir (Alice Martin), write=false"},
		{"with more rights", share(choir, bob, true), ""},
		{"taken out", func() { w.must(w.home(bob, bob).Delete(alice + "~choir")) }, ""},
		{"again", share(choir, bob, true), bob + " by " + alice + ": Choir as Choir (Alice Martin), write=true"},
		{"taken away", func() { w.must(choir.Unshare(address.MustParse(bob))) }, ""},
		{"of mail.toml", share(fixed, bob, true), ""},
		{"by a role", share(desk, bob, true), ""},
		{"of a shared mailbox", share(desk, dave, false), dave + " by " + alice + ": desk as desk (The office), write=false"},
	} {
		told = nil
		c.do()
		if got := strings.Join(told, "; "); got != c.want {
			t.Errorf("%s: told %q, want %q", c.name, got, c.want)
		}
	}
}

// TestChangeSharesWhole: of several changes that are made at once none is made when one can't be, and nobody is told.
func TestChangeSharesWhole(t *testing.T) {
	w := newWorld(t)
	var told []string
	w.more = func(o *Options) { o.Shared = func(s Sharing) { told = append(told, s.With.String()) } }
	w.restart()
	choir, err := w.home(alice, alice).Create("choir", collection.Calendar, collection.Props{})
	w.must(err)
	w.must(choir.Share(address.MustParse(bob), true))
	told = nil
	to := func(who string, rights Rights) ShareChange { return ShareChange{address.MustParse(who), rights} }
	is := func(want string) {
		t.Helper()
		all, err := choir.Invitees()
		w.must(err)
		got := ""
		for _, i := range all {
			got += fmt.Sprintf("%s %v, ", i.Account, i.Write)
		}
		if got != want {
			t.Errorf("it is shared with %q, want %q", got, want)
		}
	}
	for _, bad := range [][]ShareChange{
		{to(bob, 0), to(dave, ReaderRights), to("nobody@example.org", ReaderRights)},
		{to(dave, ReaderRights), to(alice, ReaderRights)},
	} {
		if err := choir.ChangeShares(bad); err == nil {
			t.Errorf("%v is done", bad)
		}
		is(bob + " true, ")
	}
	if len(told) > 0 {
		t.Errorf("told: %q", told)
	}
	w.must(choir.ChangeShares([]ShareChange{to(bob, 0), to(dave, ReaderRights)}))
	is(dave + " false, ")
	if len(told) != 1 || told[0] != dave {
		t.Errorf("told: %q", told)
	}
}
