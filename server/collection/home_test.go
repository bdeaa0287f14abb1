package collection

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

func TestCreateDelete(t *testing.T) {
	f := newFixture(t)
	c, err := f.home.Create("Été/2026", Calendar, Props{DisplayName: "Été", Color: "#ff0000", Other: map[string]string{"{x}y": "<z/>"}})
	f.ok(err)
	f.cal = c
	f.put("a.ics", "UID:a")
	for _, name := range []string{"Été/2026", "contacts", "inbox", "outbox", "", ".x", strings.Repeat("x", 300)} {
		if _, err := f.home.Create(name, AddressBook, Props{}); err == nil {
			t.Errorf("%q was made again", name)
		}
	}
	f.reopen()
	c = f.collection("Été/2026")
	p, err := c.Props()
	f.ok(err)
	f.want("properties", p, "{Été #ff0000 map[{x}y:<z/>]}")
	b, err := os.ReadFile(filepath.Join(c.at.Load().dir, "color"))
	f.want("vdir", fmt.Sprint(string(b), err), "#ff0000<nil>")

	f.ok(f.home.Delete("Été/2026"))
	_, err = c.Snapshot()
	f.isFault("the deleted one", err, fault.NotFound)
	f.isFault("again", f.home.Delete("Été/2026"), fault.NotFound)
	_, err = f.home.Create("Été/2026", Calendar, Props{})
	f.ok(err)
	f.want("a new one is empty", f.list(f.collection("Été/2026")), "")
	n, err := f.store.Undelete(alice, time.Time{}, "Été/2026")
	f.want("brought back into it", fmt.Sprint(n, err), "1 <nil>")
	f.ok(f.home.Delete("Été/2026"))
	n, err = f.store.Undelete(alice, time.Time{}, "")
	f.want("brought back whole", fmt.Sprint(n, err), "1 <nil>")
	f.want("its object", f.text(f.collection("Été/2026"), "a.ics"), "UID:a")
}

// The defaults are made once: one that was deleted stays deleted.
func TestDefaults(t *testing.T) {
	f := newFixture(t)
	f.ok(f.home.Delete("contacts"))
	f.reopen()
	_, err := f.home.Open("contacts")
	f.isFault("contacts", err, fault.NotFound)
	u, err := f.store.Usage(bob)
	f.want("usage of one that has nothing", fmt.Sprint(u, err), "{0 0} <nil>")
	if _, err := os.Stat(filepath.Join(f.opt.Dir, "example.org/bob")); err == nil {
		t.Error("asking made a home")
	}
}

func TestRename(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	_, token := f.changes("")
	f.isFault("to one that is there", f.home.Rename("calendar", "contacts"), fault.Exists)
	f.ok(f.home.Rename("calendar", "work"))
	f.put("b.ics", "UID:b")
	got, _ := f.changes(token)
	f.want("the token stays", got, "+b.ics")
	f.ok(f.store.Close())
	f.opt.Defaults = nil
	var err error
	f.store, err = Open(f.opt)
	f.ok(err)
	f.home, err = f.store.Home(alice)
	f.ok(err)
	f.cal = f.collection("work")
	got, _ = f.changes(token)
	f.want("after a restart", got, "+b.ics")
	f.ok(f.home.Rename("work", "calendar"))
}

func TestProps(t *testing.T) {
	f := newFixture(t)
	f.ok(f.cal.SetProps(func(p *Props) error {
		p.DisplayName, p.Color, p.Other["{a}b"] = "Ma vie", "#00FF00", "1"
		return nil
	}))
	f.ok(f.cal.SetProps(func(p *Props) error {
		p.Color = ""
		p.Other["{a}c"] = "2"
		delete(p.Other, "{a}b")
		return nil
	}))
	f.is("an error leaves them", f.cal.SetProps(func(p *Props) error { p.DisplayName = "x"; return ErrToken }), ErrToken)
	f.isFault("too many", f.cal.SetProps(func(p *Props) error {
		p.Other["{a}d"] = strings.Repeat("x", maxProps)
		return nil
	}), fault.TooLarge)
	f.reopen()
	p, err := f.cal.Props()
	f.want("properties", fmt.Sprint(p, err), "{Ma vie  map[{a}c:2]} <nil>")
	f.ok(os.WriteFile(filepath.Join(f.cal.at.Load().dir, "color"), []byte("#0000FF\n"), 0o600))
	p, err = f.cal.Props()
	f.want("of another program", fmt.Sprint(p, err), "{Ma vie #0000FF map[{a}c:2]} <nil>")
}

func TestMoveCopy(t *testing.T) {
	f := newFixture(t)
	work, err := f.home.Create("work", Calendar, Props{})
	f.ok(err)
	home2, err := f.store.Home(bob)
	f.ok(err)
	bobs, err := home2.Open("calendar")
	f.ok(err)
	a := f.put("a.ics", "UID:a")
	f.put("b.ics", "UID:b")
	_, token := f.changes("")
	e, created, err := f.cal.Move("a.ics", MoveOptions{To: work, Href: "x"})
	f.ok(err)
	f.want("moved", fmt.Sprint(created, e.ETag == a.ETag, f.text(work, "x")), "true trueUID:a")
	got, _ := f.changes(token)
	f.want("changes", got, "-a.ics")
	_, created, err = f.cal.Copy("b.ics", MoveOptions{To: bobs, Href: "b.ics"})
	f.want("copied", fmt.Sprint(created, err, f.text(bobs, "b.ics"), f.text(f.cal, "b.ics")), "true <nil>UID:bUID:b")
	_, _, err = f.cal.Copy("b.ics", MoveOptions{To: bobs, Href: "b.ics"})
	f.is("copy to one that is there", err, ErrCondition)
	_, _, err = f.cal.Copy("b.ics", MoveOptions{To: f.cal, Href: "b2.ics"})
	f.want("copy beside", err, `the UID is that of "b.ics"`)
	_, _, err = f.cal.Move("b.ics", MoveOptions{To: bobs, Href: "b.ics"})
	f.is("move to one that is there", err, ErrCondition)
	_, created, err = f.cal.Move("b.ics", MoveOptions{To: bobs, Href: "b.ics", Overwrite: true})
	f.want("move over", fmt.Sprint(created, err, f.list(f.cal)), "false <nil>")
	_, created, err = bobs.Move("b.ics", MoveOptions{To: bobs, Href: "renamed.ics"})
	f.want("renamed", fmt.Sprint(created, err, f.list(bobs)), "true <nil>renamed.ics")
	_, _, err = bobs.Move("none.ics", MoveOptions{To: f.cal, Href: "b.ics"})
	f.isFault("none", err, fault.NotFound)
	_, _, err = bobs.Move("renamed.ics", MoveOptions{To: bobs, Href: "renamed.ics"})
	f.isFault("to itself", err, fault.NotPossible)
	book := f.collection("contacts")
	_, _, err = bobs.Move("renamed.ics", MoveOptions{To: book, Href: "x.vcf"})
	f.isFault("to an address book", err, fault.NotPossible)
	_, _, err = bobs.Copy("renamed.ics", MoveOptions{To: book, Href: "x.vcf"})
	f.isFault("copied to an address book", err, fault.NotPossible)
	f.put("y.ics", "UID:b")
	_, _, err = bobs.Move("renamed.ics", MoveOptions{To: f.cal, Href: "z.ics"})
	f.want("UID in use", err, `the UID is that of "y.ics"`)
}

func TestDeleted(t *testing.T) {
	f := newFixture(t)
	long := strings.Repeat("x", 236) + ".ics"
	f.put("a.ics", "UID:a\nPROP:1")
	f.put(long, "UID:l")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.ahead.Add(int64(time.Second))
	f.put("a.ics", "UID:a\nPROP:2")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.ok(f.cal.Remove(long, Condition{}))
	all, err := f.store.Deleted(alice)
	f.ok(err)
	f.want("deleted", len(all), "3")
	n, err := f.store.Undelete(alice, time.Time{}, "calendar")
	f.want("brought back", fmt.Sprint(n, err, f.text(f.cal, "a.ics"), f.text(f.cal, long)), "2 <nil>UID:a\nPROP:2UID:l")
	f.ok(f.cal.Remove(long, Condition{}))
	f.quota = 10
	f.ok(f.bins.Purge(alice))
	all, err = f.store.Deleted(alice)
	f.ok(err)
	f.want("after the quota", len(all), "1")
	f.ok(f.home.Delete("contacts"))
	f.ahead.Add(int64(25 * time.Hour))
	f.ok(f.bins.Purge(alice))
	all, err = f.store.Deleted(alice)
	f.want("after the time", fmt.Sprint(len(all), err), "0 <nil>")
	left, _ := os.ReadDir(filepath.Join(f.home.dir, "deleted"))
	f.want("directories", len(left), "0")
}

func TestDeletedForGood(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.retain = 0 })
	f.put("a.ics", "UID:a")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	c, err := f.home.Create("work", Calendar, Props{Color: "#000000"})
	f.ok(err)
	_, _, err = c.Put("a.ics", []byte("UID:a"), Condition{})
	f.ok(err)
	f.ok(f.home.Delete("work"))
	if _, err := os.Stat(filepath.Join(f.home.dir, "deleted")); err == nil {
		t.Error("something was kept")
	}
	left, err := os.ReadDir(filepath.Join(f.home.dir, "calendars"))
	f.want("left", fmt.Sprint(len(left), err), "2 <nil>") // calendar and the mark
}

func TestUsage(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	f.put("b.ics", "UID:bb")
	f.put("a.ics", "UID:a\nPROP:x")
	usage := func() string {
		u, err := f.home.Usage()
		f.ok(err)
		return fmt.Sprint(u)
	}
	f.want("usage", usage(), "{18 2}")
	f.reopen()
	f.want("after a restart", usage(), "{18 2}")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.want("after a removal", usage(), "{6 1}")
	f.ok(f.home.Delete("calendar"))
	f.want("after that of the collection", usage(), "{0 0}")
	_, err := f.home.Create("calendar", Calendar, Props{})
	f.ok(err)
}

// A collection that nobody uses is let go, and read again.
func TestUnload(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	_, token := f.changes("")
	f.cal.unload(0)
	if f.cal.snapshot() != nil || len(f.store.loaded.All()) != 0 {
		t.Error("it is still in memory")
	}
	f.put("b.ics", "UID:b")
	got, _ := f.changes(token)
	f.want("changes", got, "+b.ics")
	f.store.Forget(alice)
	_, err := f.cal.Snapshot()
	f.isFault("forgotten", err, fault.NotFound)
	f.home, err = f.store.Home(alice)
	f.ok(err)
	f.cal = f.collection("calendar")
	got, _ = f.changes(token)
	f.want("changes", got, "+b.ics")
}

// TestRoomCounts: who is asked for room may count what there is, while another program makes a
// collection.
func TestRoomCounts(t *testing.T) {
	var store *Store
	asked := 0
	f := newFixture(t, func(f *fixture) {
		f.opt.Room = func(a address.Address, _ int64) error {
			asked++
			_, err := store.Usage(a)
			return err
		}
	})
	store = f.store
	f.ok(os.Mkdir(filepath.Join(f.home.kindDir(Calendar), "other"), 0o700))
	f.ok(f.cal.SetProps(func(p *Props) error { p.DisplayName = "longer than before"; return nil }))
	f.ok(os.Mkdir(filepath.Join(f.home.kindDir(Calendar), "another"), 0o700))
	_, err := f.home.Create("third", Calendar, Props{DisplayName: "x"})
	f.ok(err)
	if asked < 2 {
		t.Errorf("asked %d times", asked)
	}
	f.ok(f.home.Check())
}

// TestReindex: the objects are the same, and old tokens are refused.
func TestReindex(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	before, err := f.cal.Snapshot()
	f.ok(err)
	f.ok(f.home.Reindex())
	after, err := f.cal.Snapshot()
	f.ok(err)
	_, err = after.Changes(before.Token(), 0)
	f.is("an old token", err, ErrToken)
	f.want("list", f.list(f.cal), "a.ics")
	f.put("b.ics", "UID:b")
	f.ok(f.home.Check())
}
