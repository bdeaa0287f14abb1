package collection

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

// index reads objects of lines "UID:x", "KIND:x", "FIRST:RFC 3339", "LAST:", "PROP:".
func index(_ Kind, data []byte) (Facts, error) {
	var f Facts
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "UID":
			f.UID = value
		case "KIND":
			f.Kind = value
		case "FIRST":
			f.First, _ = time.Parse(time.RFC3339, value)
		case "LAST":
			f.Last, _ = time.Parse(time.RFC3339, value)
		case "FOREVER":
			f.Infinite = true
		case "PROP":
			f.Props = append(f.Props, value)
		case "BAD":
			return Facts{}, fault.New(fault.Malformed, "line 1 is bad")
		}
	}
	return f, nil
}

// fixture is a store in a temporary directory whose clock can be put forward.
type fixture struct {
	*testing.T
	dir   string
	opt   Options
	ahead atomic.Int64 // of the clock, in nanoseconds
	bins  *retention.Bins
	// What is deleted is kept so long, and so much of it.
	retain time.Duration
	quota  int64
	boot   string // nil: the real one
	same   bool   // every directory has the same identity
	store  *Store
	home   *Home
	cal    *Collection
}

// newFixture opens a store. When the test ends its homes are checked, and once more
// after they were opened anew.
func newFixture(t *testing.T, change ...func(*fixture)) *fixture {
	f := &fixture{T: t, dir: t.TempDir(), retain: 24 * time.Hour}
	f.opt = Options{
		Dir: filepath.Join(f.dir, "domains"), Tmp: filepath.Join(f.dir, "tmp"), FS: safefile.Unsynced{FS: safefile.OS},
		Now:   func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) },
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
		Index: index,
		Defaults: []Default{
			{Name: "calendar", Kind: Calendar, Props: Props{DisplayName: "Calendar"}},
			{Name: "contacts", Kind: AddressBook},
		},
	}
	for _, c := range change {
		c(f)
	}
	f.open()
	t.Cleanup(func() {
		f.check()
		f.reopen()
		f.check()
		f.ok(f.store.Close())
		if left, _ := filepath.Glob(filepath.Join(f.opt.Tmp, "*")); len(left) > 0 {
			t.Errorf("left in tmp: %v", left)
		}
	})
	return f
}

func (f *fixture) open() {
	f.Helper()
	f.bins = retention.New(retention.Options{
		Dir: f.opt.Dir, FS: f.opt.FS, Now: f.opt.Now, Log: f.opt.Log,
		Keep: func(address.Address) (time.Duration, int64) { return f.retain, f.quota },
	})
	f.Cleanup(f.bins.Close)
	f.opt.Bins = f.bins
	var err error
	f.store, err = Open(f.opt)
	f.ok(err)
	if f.boot != "" {
		f.store.bootID = f.boot
	}
	if f.same {
		f.store.identity = func(dir string) (string, error) {
			_, err := identityOf(dir)
			return "same", err
		}
	}
	f.home, err = f.store.Home(alice)
	f.ok(err)
	f.cal = f.collection("calendar")
}

func (f *fixture) reopen() {
	f.Helper()
	f.ok(f.store.Close())
	f.open()
}

// crash opens the store anew without closing it: what a killed process leaves.
func (f *fixture) crash() {
	f.Helper()
	old := f.store
	f.Cleanup(func() {
		for _, h := range old.homes.All() {
			for _, c := range h.all() {
				c.mu.Lock()
				if c.journal != nil && c.journal.file != nil {
					c.journal.file.Close()
				}
				c.mu.Unlock()
			}
		}
		f.ok(old.homes.Close(func(*Home) error { return nil }))
	})
	f.open()
}

func (f *fixture) check() {
	f.Helper()
	for _, h := range f.store.homes.All() {
		if err := h.Check(); err != nil {
			f.Errorf("%s: %v", h.dir, err)
		}
	}
	f.ok(f.store.contents.check())
}

// later puts the clock forward, by enough for every pause between scans to be over.
func (f *fixture) later() { f.ahead.Add(int64(time.Minute)) }

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) is(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (f *fixture) isFault(what string, err error, kind fault.Kind) {
	f.Helper()
	if !fault.Is(err, kind) {
		f.Errorf("%s: %v, want a fault of kind %d", what, err, kind)
	}
}

func (f *fixture) want(what string, got any, want string) {
	f.Helper()
	if s := fmt.Sprint(got); s != want {
		f.Errorf("%s: %s\nwant: %s", what, s, want)
	}
}

func (f *fixture) collection(name string) *Collection {
	f.Helper()
	c, err := f.home.Open(name)
	if err != nil {
		f.Fatalf("%s: %v", name, err)
	}
	return c
}

func (f *fixture) put(href, data string) *Entry {
	f.Helper()
	e, _, err := f.cal.Put(href, []byte(data), Condition{})
	if err != nil {
		f.Fatalf("put %s: %v", href, err)
	}
	return e
}

func (f *fixture) text(c *Collection, href string) string {
	f.Helper()
	r, e, err := c.Get(href)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || hash(b) != e.ETag || int64(len(b)) != e.Size {
		f.Errorf("%s: read %q, entry %+v, %v", href, b, e, err)
	}
	return string(b)
}

func (f *fixture) snapshot(c *Collection) *Snapshot {
	f.Helper()
	s, err := c.Snapshot()
	f.ok(err)
	return s
}

// list describes a collection: the hrefs, sorted.
func (f *fixture) list(c *Collection) string {
	f.Helper()
	var all []string
	for e := range f.snapshot(c).All() {
		name := e.Href
		if e.Broken {
			name += "!"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// changes describes what changed since a token: "+a -b", and returns the next token.
func (f *fixture) changes(since SyncToken) (string, SyncToken) {
	f.Helper()
	c, err := f.snapshot(f.cal).Changes(since, 0)
	if err != nil {
		return err.Error(), ""
	}
	var all []string
	for _, e := range c.Changed {
		all = append(all, "+"+e.Href)
	}
	for _, href := range c.Removed {
		all = append(all, "-"+href)
	}
	return strings.Join(all, " "), c.Token
}

// foreign writes a file as another program does: beside, and then renamed.
func (f *fixture) foreign(file, data string) {
	f.Helper()
	path := f.cal.path(file)
	f.ok(os.WriteFile(path+".tmp", []byte(data), 0o600))
	f.ok(os.Rename(path+".tmp", path))
}
