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

func TestPutGetRemove(t *testing.T) {
	f := newFixture(t)
	e := f.put("a.ics", "UID:a\r\n")
	f.want("tag", len(e.ETag), "34")
	f.want("bytes", f.text(f.cal, "a.ics"), "UID:a\r\n")
	disk, err := os.ReadFile(filepath.Join(f.opt.Dir, "example.org/alice/calendars/calendar/a.ics"))
	f.ok(err)
	f.want("file", string(disk), "UID:a\r\n")

	for _, c := range []struct {
		what string
		cond Condition
		ok   bool
	}{
		{"If-None-Match: *", Condition{Absent: true}, false},
		{"If-Match: other", Condition{Match: []ETag{`"x"`}}, false},
		{"If-Match: weak", Condition{Match: []ETag{"W/" + e.ETag}}, false},
		{"If-None-Match: its own", Condition{NoneMatch: []ETag{e.ETag}}, false},
		{"If-None-Match: other", Condition{NoneMatch: []ETag{`"x"`}}, true},
		{"If-Match: *", Condition{Exists: true}, true},
		{"If-Match: one of two", Condition{Match: []ETag{`"x"`, e.ETag}}, true},
	} {
		_, created, err := f.cal.Put("a.ics", []byte("UID:a\r\n"), c.cond)
		if (err == nil) != c.ok || !c.ok && err != ErrCondition || created {
			t.Errorf("%s: %v, created %v", c.what, err, created)
		}
	}
	_, _, err = f.cal.Put("b.ics", []byte("UID:b"), Condition{Exists: true})
	f.is("If-Match: * on nothing", err, ErrCondition)
	_, created, err := f.cal.Put("b.ics", []byte("UID:b"), Condition{Absent: true})
	f.want("new", fmt.Sprint(created, err), "true <nil>")

	f.is("remove another", f.cal.Remove("a.ics", Condition{Match: []ETag{`"x"`}}), ErrCondition)
	f.ok(f.cal.Remove("a.ics", Condition{Match: []ETag{e.ETag}}))
	f.isFault("remove again", f.cal.Remove("a.ics", Condition{}), fault.NotFound)
	_, _, err = f.cal.Get("a.ics")
	f.isFault("get", err, fault.NotFound)
	f.want("list", f.list(f.cal), "b.ics")
}

func TestPutRefused(t *testing.T) {
	f := newFixture(t, func(f *fixture) {
		f.opt.MaxSize = 1000
		f.opt.Room = func(_ address.Address, octets int64) error {
			if octets > 500 {
				return fault.New(fault.OverQuota, "")
			}
			return nil
		}
	})
	f.put("a.ics", "UID:a")
	_, _, err := f.cal.Put("b.ics", []byte("BAD"), Condition{})
	f.isFault("malformed", err, fault.Malformed)
	_, _, err = f.cal.Put("b.ics", make([]byte, 1001), Condition{})
	f.isFault("too large", err, fault.TooLarge)
	_, _, err = f.cal.Put("b.ics", make([]byte, 900), Condition{})
	f.isFault("over quota", err, fault.OverQuota)
	_, _, err = f.cal.Put(strings.Repeat("é/", 100), []byte("UID:b"), Condition{})
	f.isFault("long name", err, fault.NotPossible)
	_, _, err = f.cal.Put("b.ics", []byte("UID:a"), Condition{})
	f.want("UID in use", err, `the UID is that of "a.ics"`)
	_, _, err = f.cal.Put("a.ics", []byte("UID:c"), Condition{})
	f.want("another UID", err, `the UID is that of "a.ics"`)
	f.put("a.ics", "UID:a\nPROP:new")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.put("b.ics", "UID:a")
	f.want("list", f.list(f.cal), "b.ics")
}

// Hostile names stay in the directory, and come back as they were.
func TestHostileNames(t *testing.T) {
	f := newFixture(t)
	names := []string{"..", ".", "../../x.ics", "/etc/passwd", ".facteur-properties", "displayname", "a\x00b.ics", "\xff\xfe", "%2e%2e", "a.ics/b.ics", "CON", " ", "\u202e.ics"}
	for i, name := range names {
		f.put(name, fmt.Sprintf("UID:%d", i))
	}
	f.reopen()
	for i, name := range names {
		f.want(fmt.Sprintf("%q", name), f.text(f.cal, name), fmt.Sprintf("UID:%d", i))
	}
	f.want("count", f.snapshot(f.cal).Len(), fmt.Sprint(len(names)))
	entries, err := os.ReadDir(f.cal.at.Load().dir)
	f.ok(err)
	f.want("files", len(entries), fmt.Sprint(len(names)+1)) // and displayname
	props, err := f.cal.Props()
	f.want("the properties are not those objects", fmt.Sprint(props.DisplayName, err), "Calendar<nil>")
}

func TestQuery(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a\nKIND:VEVENT\nFIRST:2026-01-10T10:00:00Z\nLAST:2026-01-10T11:00:00Z\nPROP:x=1\nPROP:y=2")
	f.put("b.ics", "UID:b\nKIND:VEVENT\nFIRST:2026-02-10T10:00:00Z\nLAST:2026-02-10T11:00:00Z")
	f.put("c.ics", "UID:c\nKIND:VEVENT\nFIRST:2025-02-10T10:00:00Z\nFOREVER:")
	f.put("d.ics", "UID:d\nKIND:VTODO")
	f.foreign("e.ics", "BAD")
	f.later()
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse(time.DateOnly, s)
		f.ok(err)
		return v
	}
	for range 2 {
		for _, c := range []struct{ from, to, kind, want string }{
			{"2026-01-01", "2026-02-01", "VEVENT", "a.ics c.ics"},
			{"2026-01-01", "2026-02-01", "", "a.ics c.ics d.ics"},
			{"2026-02-01", "2026-03-01", "VEVENT", "b.ics c.ics"},
			{"2024-01-01", "2024-03-01", "VEVENT", ""},
			{"2026-01-15", "", "VEVENT", "b.ics c.ics"},
			{"", "2026-01-15", "VEVENT", "a.ics c.ics"},
			{"", "", "VTODO", "d.ics"},
		} {
			var got []string
			for e := range f.snapshot(f.cal).Query(at(c.from), at(c.to), c.kind) {
				got = append(got, e.Href)
			}
			f.want(fmt.Sprint(c), strings.Join(got, " "), c.want)
		}
		all, err := f.cal.ByUID("a")
		f.ok(err)
		f.want("by UID", fmt.Sprint(len(all), all[0].Href, all[0].Facts.Props), "1a.ics[x=1 y=2]")
		f.reopen()
	}
}

func TestChanges(t *testing.T) {
	f := newFixture(t)
	_, t0 := f.changes("")
	f.put("a.ics", "UID:a")
	f.put("b.ics", "UID:b")
	got, t1 := f.changes(t0)
	f.want("two", got, "+a.ics +b.ics")
	f.put("a.ics", "UID:a\nPROP:2")
	f.ok(f.cal.Remove("b.ics", Condition{}))
	f.put("c.ics", "UID:c")
	got, t2 := f.changes(t1)
	f.want("after", got, "+a.ics +c.ics -b.ics")
	got, _ = f.changes(t2)
	f.want("none", got, "")
	got, _ = f.changes("")
	f.want("initial", got, "+a.ics +c.ics")

	old := f.snapshot(f.cal)
	f.put("d.ics", "UID:d")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.want("an older snapshot", fmt.Sprint(old.Len(), old.Token() == t2), "2 true")
	n := 0
	for range old.All() {
		n++
	}
	f.want("its objects", n, "2")

	// Restarts, clean and not, change nothing.
	want, t3 := f.changes(t1)
	for i, again := range []func(){f.reopen, f.crash, f.reopen, f.reopen, f.crash, f.crash} {
		again()
		got, token := f.changes(t1)
		f.want(fmt.Sprintf("after restart %d", i), got+" "+string(token), want+" "+string(t3))
	}

	// Page by page.
	var pages []string
	for since, more := t1, true; more; {
		c, err := f.snapshot(f.cal).Changes(since, 1)
		f.ok(err)
		for _, e := range c.Changed {
			pages = append(pages, "+"+e.Href)
		}
		for _, href := range c.Removed {
			pages = append(pages, "-"+href)
		}
		since, more = c.Token, c.Truncated
	}
	f.want("pages", strings.Join(pages, " "), "-b.ics +c.ics +d.ics -a.ics")

	for _, bad := range []SyncToken{"x", "-1", t3 + "0", "0000000000000000-1", SyncToken(strings.Replace(string(t3), "-", "-0", 1)), SyncToken(strings.ToUpper(string(t3)) + "-")} {
		if _, err := f.snapshot(f.cal).Changes(bad, 0); err != ErrToken {
			t.Errorf("token %q: %v", bad, err)
		}
	}
}

// After the loss of the index, a power cut, or when another directory was put
// there, old tokens are refused; tags stay.
func TestNewEpoch(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(f *fixture)
	}{
		{"loss of the index", func(f *fixture) {
			f.ok(f.store.Close())
			f.ok(os.RemoveAll(filepath.Join(f.home.dir, "index")))
			f.open()
		}},
		{"loss of it while running", func(f *fixture) {
			f.ok(os.RemoveAll(filepath.Join(f.home.dir, "index")))
			f.put("c.ics", "UID:c")
			f.reopen()
		}},
		{"a flipped bit", func(f *fixture) {
			f.ok(f.store.Close())
			path := f.cal.at.Load().index
			b, err := os.ReadFile(path)
			f.ok(err)
			b[len(b)/2] ^= 1
			f.ok(os.WriteFile(path, b, 0o600))
			f.open()
		}},
		{"a cut index", func(f *fixture) {
			f.ok(f.store.Close())
			f.ok(os.Truncate(f.cal.at.Load().index, 100))
			f.open()
		}},
		{"a power cut", func(f *fixture) {
			f.boot = "another"
			f.crash()
		}},
		{"a backup brought back", func(f *fixture) {
			f.ok(f.store.Close())
			dir := f.cal.at.Load().dir
			f.ok(os.Rename(dir, dir+"2"))
			f.ok(os.CopyFS(dir, os.DirFS(dir+"2")))
			f.ok(os.RemoveAll(dir + "2"))
			f.open()
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := newFixture(t)
			tag := f.put("a.ics", "UID:a").ETag
			f.put("b.ics", "UID:b")
			_, token := f.changes("")
			c.do(f)
			got, _ := f.changes(token)
			f.want("old token", got, ErrToken.Error())
			got, token = f.changes("")
			f.want("all", got[:13], "+a.ics +b.ics")
			e, err := f.cal.Entry("a.ics")
			f.ok(err)
			f.want("tag", e.ETag, string(tag))
			f.put("z.ics", "UID:z")
			f.reopen()
			got, _ = f.changes(token)
			f.want("next token", got, "+z.ics")
		})
	}
}

// A clean stop before a power cut keeps the tokens: nothing was changed since.
func TestCleanThenBoot(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	_, token := f.changes("")
	f.ok(f.store.Close())
	f.boot = "another"
	f.open()
	got, _ := f.changes(token)
	f.want("after a reboot", got, "")
}

func TestIndexVersion(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a\nKIND:VEVENT")
	_, token := f.changes("")
	f.ok(f.store.Close())
	f.opt.IndexVersion = 2
	f.opt.Index = func(k Kind, data []byte) (Facts, error) {
		facts, err := index(k, data)
		facts.Kind = "NEW"
		return facts, err
	}
	f.open()
	e, err := f.cal.Entry("a.ics")
	f.ok(err)
	f.want("facts", e.Facts.Kind, "NEW")
	got, _ := f.changes(token)
	f.want("nothing changed", got, "")
}

func TestManyRemovals(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.retain = 0 })
	f.put("a.ics", "UID:a")
	_, first := f.changes("")
	f.ok(f.cal.lockWrite())
	for i := range maxGone {
		r := newRecord(fmt.Sprintf("x%d.ics", i), fmt.Sprintf("x%d.ics", i), ".ics", `"x"`, stat{})
		f.cal.commit(r)
		f.cal.commit(gone(r.Href))
	}
	f.cal.mu.Unlock()
	_, middle := f.changes("")
	f.put("b.ics", "UID:b")
	f.ok(f.cal.Remove("b.ics", Condition{}))
	got, _ := f.changes(middle)
	f.want("a newer token", got, "-b.ics")
	got, _ = f.changes(first)
	f.want("a token before what is forgotten", got, ErrToken.Error())
	if n := len(f.cal.tab.snap.order); n > 2*maxGone {
		t.Errorf("%d records are kept", n)
	}
	f.reopen()
	got, _ = f.changes(first)
	f.want("after a restart", got, ErrToken.Error())
}
