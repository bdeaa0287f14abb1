package homes

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/retention"
)

// world is Homes over stores in a directory, which a test may open again.
type world struct {
	*Homes
	t         testing.TB
	dir       string
	options   directory.Options
	directory *directory.Directory
	keep      bool // what is deleted
	more      func(*Options)
}

func target(s string) directory.Target { return directory.Target{Address: address.MustParse(s)} }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	account := func(s, name string) directory.Account {
		return directory.Account{Key: s, Address: address.MustParse(s), Name: name}
	}
	w.options = directory.Options{
		Hostname: "mail.example.org",
		Domains:  []directory.Domain{{Key: "example.org", Name: "example.org", Separator: "+"}, {Key: "example.net", Name: "example.net"}},
		Accounts: []directory.Account{account("alice@example.org", "Alice Martin"), account("bob@example.org", "Bob Peeters"),
			account("carol@example.org", "Carol"), account("dave@example.net", "Dave")},
		Shared: []directory.Shared{{Key: "office@example.org", Address: address.MustParse("office@example.org"), Name: "The office",
			Owners: []directory.Target{target("alice@example.org")}, Members: []directory.Target{target("bob@example.org")}, Readers: []directory.Target{target("carol@example.org")}}},
	}
	w.open()
	return w
}

// open begins anew over what is on disk, as after a restart.
func (w *world) open() {
	w.t.Helper()
	w.directory = directory.New(w.options)
	kept := w.store("domains", Index, Defaults())
	derived := w.store("derived", DerivedIndex, nil)
	o := Options{Store: kept, Derived: derived, Directory: func() *directory.Directory { return w.directory }}
	if w.more != nil {
		w.more(&o)
	}
	w.Homes = New(o)
}

func (w *world) store(name string, index func(collection.Kind, []byte) (collection.Facts, error), defaults []collection.Default) *collection.Store {
	w.t.Helper()
	o := collection.Options{Dir: filepath.Join(w.dir, name), Tmp: filepath.Join(w.dir, "tmp"), Index: index, Defaults: defaults}
	if w.keep {
		o.Bins = retention.New(retention.Options{
			Dir: o.Dir, Keep: func(address.Address) (time.Duration, int64) { return time.Hour, 0 },
		})
	}
	s, err := collection.Open(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// restart stops and begins anew.
func (w *world) restart() {
	w.t.Helper()
	if err := errors.Join(w.opt.Store.Close(), w.opt.Derived.Close()); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// reload takes other options of the directory.
func (w *world) reload(change func(*directory.Options)) {
	change(&w.options)
	w.directory = directory.New(w.options)
}

func (w *world) home(viewer, owner string) *Home {
	w.t.Helper()
	h, err := w.Open(address.MustParse(viewer), address.MustParse(owner))
	if err != nil {
		w.t.Fatalf("the home of %s for %s: %v", owner, viewer, err)
	}
	return h
}

func (w *world) collection(viewer, owner, segment string) *Collection {
	w.t.Helper()
	c, err := w.home(viewer, owner).Open(segment)
	if err != nil {
		w.t.Fatalf("%s/%s for %s: %v", owner, segment, viewer, err)
	}
	return c
}

func (w *world) put(c *Collection, href, data string) {
	w.t.Helper()
	if _, _, err := c.Put(href, []byte(data), collection.Condition{}); err != nil {
		w.t.Fatalf("PUT %s: %v", href, err)
	}
}

func (w *world) segments(viewer, owner string) []string {
	w.t.Helper()
	all, err := w.home(viewer, owner).Collections()
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Segment)
	}
	return names
}

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n" }

func meeting(uid, method string) string {
	l := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//"}
	if method != "" {
		l = append(l, "METHOD:"+method)
	}
	return lines(append(l, "BEGIN:VEVENT", "UID:"+uid, "DTSTAMP:20260101T000000Z", "DTSTART:20260105T100000Z", "DTEND:20260105T110000Z",
		"SUMMARY:Meeting", "END:VEVENT", "END:VCALENDAR")...)
}

func TestInboxKeepsMessages(t *testing.T) {
	w := newWorld(t)
	h := w.home("alice@example.org", "alice@example.org")
	inbox, err := h.Inbox()
	if err != nil {
		t.Fatal(err)
	}
	if inbox.Segment != "inbox" || inbox.Origin != Inbox {
		t.Errorf("the inbox is %q, %v", inbox.Segment, inbox.Origin)
	}
	w.put(inbox, "1.ics", meeting("a", "REQUEST"))
	w.put(inbox, "2.ics", meeting("a", "CANCEL")) // RFC 6638 4.1: of the same UID
	e, err := inbox.Entry("2.ics")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"SUMMARY=MEETING", "uid=a", "method=CANCEL"}; !slices.Equal(e.Facts.Props, want) || e.Facts.UID != "" || e.Facts.First.IsZero() {
		t.Errorf("facts %+v, want the properties %q", e.Facts, want)
	}
	before, _ := inbox.Snapshot()
	w.restart()
	again, err := w.home("alice@example.org", "alice@example.org").Inbox()
	if err != nil {
		t.Fatal(err)
	}
	after, err := again.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if after.Token() != before.Token() || after.Len() != 2 {
		t.Errorf("after a restart the token is %s with %d objects, before %s", after.Token(), after.Len(), before.Token())
	}
	for _, name := range w.segments("alice@example.org", "alice@example.org") {
		if name == "inbox" || name == inboxName {
			t.Errorf("%s is among the calendars", name)
		}
	}
}

func TestInboxOfSharedMailbox(t *testing.T) {
	w := newWorld(t)
	own, err := w.Own(address.MustParse("office@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := own.Inbox()
	if err != nil {
		t.Fatal(err)
	}
	w.put(inbox, "1.ics", meeting("a", "REQUEST"))
	for viewer, want := range map[string]Rights{"bob@example.org": MemberRights, "carol@example.org": ReaderRights} {
		seen, err := w.home(viewer, "office@example.org").Inbox()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := seen.Entry("1.ics"); err != nil || seen.Rights != want {
			t.Errorf("%s: rights %b (%v), want %b", viewer, seen.Rights, err, want)
		}
	}
	if _, err := w.Open(address.MustParse("dave@example.net"), address.MustParse("office@example.org")); !fault.Is(err, fault.NotFound) {
		t.Errorf("dave sees the office: %v", err)
	}
}
