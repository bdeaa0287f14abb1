package collection

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
)

// What other programs put, change and remove is seen at once, and told.
func TestForeign(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	f.put("b.ics", "UID:b")
	_, token := f.changes("")
	f.foreign("c.ics", "UID:c")
	f.foreign("Réunion 100%.x.ics", "UID:d")
	f.foreign("a.ics", "UID:a\nPROP:foreign")
	f.ok(os.Remove(f.cal.path("b.ics")))
	f.later()
	got, next := f.changes(token)
	f.want("changes", got, "+Réunion 100%.x.ics +a.ics +c.ics -b.ics")
	f.want("by its name", f.text(f.cal, "Réunion 100%.x.ics"), "UID:d")
	f.want("changed", f.text(f.cal, "a.ics"), "UID:a\nPROP:foreign")

	// Our own changes go to that file too.
	f.put("Réunion 100%.x.ics", "UID:d\nPROP:ours")
	b, err := os.ReadFile(f.cal.path("Réunion 100%.x.ics"))
	f.want("its file", fmt.Sprint(string(b), err), "UID:d\nPROP:ours<nil>")
	f.ok(f.cal.Remove("Réunion 100%.x.ics", Condition{}))
	got, _ = f.changes(next)
	f.want("our own", got, "-Réunion 100%.x.ics")
}

// Changes while the server was down.
func TestForeignWhileDown(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	f.put("b.ics", "UID:b")
	_, token := f.changes("")
	f.ok(f.store.Close())
	f.foreign("c.ics", "UID:c")
	f.ok(os.Remove(f.cal.path("b.ics")))
	file, err := os.OpenFile(f.cal.path("a.ics"), os.O_WRONLY|os.O_APPEND, 0)
	f.ok(err)
	fmt.Fprint(file, "\nPROP:in place")
	f.ok(file.Close())
	f.open()
	got, _ := f.changes(token)
	f.want("changes", got, "+a.ics +c.ics -b.ics")
}

// A conditional change never overwrites what another program wrote, even when no
// scan has seen it.
func TestForeignBeforeChange(t *testing.T) {
	f := newFixture(t)
	e := f.put("a.ics", "UID:a")
	f.list(f.cal)
	f.ok(os.WriteFile(f.cal.path("a.ics"), []byte("UID:a\nPROP:in place"), 0o600)) // leaves the mtime of the directory
	_, _, err := f.cal.Put("a.ics", []byte("UID:a\nPROP:ours"), Condition{Match: []ETag{e.ETag}})
	f.is("put", err, ErrCondition)
	f.is("remove", f.cal.Remove("a.ics", Condition{Match: []ETag{e.ETag}}), ErrCondition)
	_, _, err = f.cal.Move("a.ics", MoveOptions{Condition: Condition{Match: []ETag{e.ETag}}, To: f.cal, Href: "b.ics"})
	f.is("move", err, ErrCondition)
	f.want("kept", f.text(f.cal, "a.ics"), "UID:a\nPROP:in place")

	f.foreign("n.ics", "UID:n")
	_, _, err = f.cal.Put("n.ics", []byte("UID:n\nPROP:ours"), Condition{Absent: true})
	f.is("put of a new one", err, ErrCondition)
	f.ok(os.Remove(f.cal.path("a.ics")))
	_, _, err = f.cal.Put("a.ics", []byte("UID:a"), Condition{Exists: true})
	f.is("put of one that is gone", err, ErrCondition)
	f.isFault("remove of one that is gone", f.cal.Remove("a.ics", Condition{}), fault.NotFound)
	_, _, err = f.cal.Get("a.ics")
	f.isFault("get", err, fault.NotFound)
}

// A directory that another program filled is read in several batches.
func TestForeignMany(t *testing.T) {
	f := newFixture(t)
	f.cal.unload(-1)
	f.ok(os.RemoveAll(filepath.Join(f.home.dir, "index")))
	for i := range 2500 {
		f.ok(os.WriteFile(f.cal.path(fmt.Sprintf("%d.ics", i)), fmt.Appendf(nil, "UID:%d", i), 0o600))
	}
	f.want("all", f.snapshot(f.cal).Len(), "2500")
	_, token := f.changes("")
	f.check()
	f.reopen()
	got, _ := f.changes(token)
	f.want("after a restart", got, "")
}

// A file that is written in place is read when it is opened.
func TestForeignGet(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a")
	_, token := f.changes("")
	f.ok(os.WriteFile(f.cal.path("a.ics"), []byte("UID:a\nPROP:in place"), 0o600))
	f.want("get", f.text(f.cal, "a.ics"), "UID:a\nPROP:in place")
	got, _ := f.changes(token)
	f.want("changes", got, "+a.ics")
	f.foreign("new.ics", "UID:new")
	f.want("get of a new one", f.text(f.cal, "new.ics"), "UID:new")
}

// Read is Get in one piece: of what was read, the octets and the tag.
func TestRead(t *testing.T) {
	f := newFixture(t)
	f.put("a.ics", "UID:a\nPROP:"+strings.Repeat("long ", 100))
	f.put("b.ics", "UID:b")
	_, token := f.changes("")
	var buf []byte
	read := func(what, href, want string) {
		t.Helper()
		var e *Entry
		var err error
		if buf, e, err = f.cal.Read(href); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		f.want(what, string(buf), want)
		if e.ETag != hash(buf) || e.Size != int64(len(buf)) {
			t.Errorf("%s: the entry is %+v", what, e)
		}
	}
	read("short", "b.ics", "UID:b")
	read("in a buffer that is too small", "a.ics", "UID:a\nPROP:"+strings.Repeat("long ", 100))
	read("in one that is too large", "b.ics", "UID:b")
	f.ok(os.WriteFile(f.cal.path("a.ics"), []byte("UID:a\nPROP:in place"), 0o600))
	read("written in place", "a.ics", "UID:a\nPROP:in place")
	f.foreign("new.ics", "UID:new")
	if _, err := f.cal.Known("new.ics"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a file is known before anybody looked: %v", err)
	}
	read("a new one", "new.ics", "UID:new")
	got, _ := f.changes(token)
	f.want("changes", got, "+a.ics +new.ics")

	f.ok(os.Remove(f.cal.path("b.ics")))
	f.ok(unix.Mkfifo(f.cal.path("b.ics"), 0o600))
	if _, _, err := f.cal.Read("b.ics"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a pipe in the place of an object: %v", err)
	}
}

// What is no object is not shown, not opened, and not in the way of the rest.
func TestStrangeFiles(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.opt.MaxSize = 1000 })
	f.put("a.ics", "UID:a")
	dir := f.cal.at.Load().dir
	f.ok(os.Mkdir(filepath.Join(dir, "dir.ics"), 0o700))
	f.ok(os.Symlink("/etc/passwd", filepath.Join(dir, "link.ics")))
	f.ok(os.Symlink(dir, filepath.Join(dir, "loop.ics")))
	f.ok(unix.Mkfifo(filepath.Join(dir, "fifo.ics"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "large.ics"), make([]byte, 1001), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "note.txt"), []byte("UID:x"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, ".hidden.ics"), []byte("UID:x"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "bad.ics"), []byte("BAD"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "same.ics"), []byte("UID:a"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "x%41.ics"), []byte("UID:1"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "x%2541.ics"), []byte("UID:2"), 0o600))
	f.later()
	f.want("list", f.list(f.cal), "a.ics bad.ics! same.ics x%41.ics")
	f.want("of two files with one href the usual", f.text(f.cal, "x%41.ics"), "UID:2")
	for _, href := range []string{"dir.ics", "link.ics", "loop.ics", "fifo.ics", "large.ics"} {
		if _, _, err := f.cal.Get(href); err == nil {
			t.Errorf("%s was opened", href)
		}
		_, _, err := f.cal.Put(href, []byte("UID:"+href), Condition{})
		f.isFault("put "+href, err, fault.NotPossible)
	}
	f.put("bad.ics", "UID:good")
	f.ok(os.WriteFile(filepath.Join(dir, "a.ics"), make([]byte, 2000), 0o600))
	f.later()
	f.want("one that grew too large", f.list(f.cal), "bad.ics same.ics x%41.ics")
	f.ok(os.Remove(filepath.Join(dir, "x%41.ics")))
}

// Collections that other programs make, remove and rename.
func TestForeignCollections(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(f.home.dir, "calendars")
	f.ok(os.MkdirAll(filepath.Join(dir, "work"), 0o700))
	f.ok(os.WriteFile(filepath.Join(dir, "work/displayname"), []byte("Work\n"), 0o600))
	f.ok(os.WriteFile(filepath.Join(dir, "work/a.ics"), []byte("UID:a"), 0o600))
	f.ok(os.MkdirAll(filepath.Join(dir, "outbox"), 0o700))
	f.ok(os.MkdirAll(filepath.Join(dir, ".hidden"), 0o700))
	names := func() string {
		all, err := f.home.Collections()
		f.ok(err)
		var s []string
		for _, c := range all {
			s = append(s, c.Name())
		}
		return strings.Join(s, " ")
	}
	f.want("made", names(), "calendar contacts work")
	work := f.collection("work")
	p, err := work.Props()
	f.want("properties", fmt.Sprintf("%q %v", p.DisplayName, err), `"Work" <nil>`)
	f.want("objects", f.list(work), "a.ics")
	f.ok(os.Rename(filepath.Join(dir, "work"), filepath.Join(dir, "play")))
	f.want("renamed", names(), "calendar contacts play")
	f.want("objects", f.list(f.collection("play")), "a.ics")
	_, err = work.Snapshot()
	f.isFault("the old one", err, fault.NotFound)
	f.ok(os.RemoveAll(filepath.Join(dir, "play")))
	f.want("removed", names(), "calendar contacts")
}
