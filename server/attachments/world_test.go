package attachments

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/files"
	"facteur/server/homes"
	"facteur/server/retention"
	"facteur/server/safefile"
)

var alice, office = address.MustParse("alice@example.org"), address.MustParse("office@example.org")

// world is a Store over real ones.
type world struct {
	testing.TB
	dir   string
	fs    safefile.FS
	keep  time.Duration
	past  atomic.Int64 // how much time has passed, in ns
	room  error
	kept  *collection.Store
	files *files.Store
	homes *homes.Homes
	*Store
}

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), fs: safefile.Unsynced{FS: safefile.OS}, keep: 24 * time.Hour}
	for _, c := range change {
		c(w)
	}
	w.open()
	return w
}

// open starts the world, or starts it again on the same data.
func (w *world) open() {
	w.Helper()
	domains, tmp := filepath.Join(w.dir, "domains"), filepath.Join(w.dir, "tmp")
	keep := func(address.Address) (time.Duration, int64) { return w.keep, 0 }
	now := func() time.Time { return time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(w.past.Load())) }
	bins := retention.New(retention.Options{Dir: domains, FS: w.fs, Keep: keep, Now: now})
	w.Cleanup(bins.Close)
	var err error
	w.kept, err = collection.Open(collection.Options{
		FS: w.fs, Dir: domains, Tmp: tmp, Index: homes.Index, IndexVersion: homes.IndexVersion, Defaults: homes.Defaults(), Bins: bins, Now: now,
	})
	w.ok(err)
	w.files, err = files.Open(files.Options{
		FS: w.fs, Dir: domains, Tmp: tmp, Folder: Folder, MaxSize: MaxSize, Bins: bins, Now: now,
		Room: func(address.Address, int64) error { return w.room },
	})
	w.ok(err)
	dir := directory.New(directory.Options{
		Domains:  []directory.Domain{{Key: "example.org", Name: "example.org"}},
		Accounts: []directory.Account{{Key: "alice@example.org", Address: alice}},
		Aliases:  []directory.Alias{{Key: "old@example.org", Address: address.MustParse("old@example.org"), To: []directory.Target{{Address: alice}}}},
		Shared:   []directory.Shared{{Key: "office@example.org", Address: office, Owners: []directory.Target{{Address: alice}}}},
	})
	current := func() *directory.Directory { return dir }
	w.homes = homes.New(homes.Options{Store: w.kept, Directory: current})
	w.Store = New(Options{Files: w.files, Homes: w.homes, Directory: current, Now: now})
	kept, held := w.kept, w.files
	w.Cleanup(func() {
		held.Close()
		kept.Close() // again, maybe
	})
}

// pass lets time pass.
func (w *world) pass(d time.Duration) { w.past.Add(int64(d)) }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) calendar() *homes.Collection {
	w.Helper()
	home, err := w.homes.Own(alice)
	w.ok(err)
	c, err := home.Open("calendar")
	w.ok(err)
	return c
}

// add adds an attachment, which is held.
func (w *world) add(octets string) Attachment {
	w.Helper()
	a, err := w.Add(alice, Content{Name: "a.txt", Type: "text/plain", Size: int64(len(octets)), Body: strings.NewReader(octets)})
	w.ok(err)
	return a
}

func uri(a Attachment) string {
	return "https://x/dav/" + a.Owner.String() + "/.attachments/" + a.ID + "/" + a.Name
}

// object is an event that names attachments.
func object(list ...Attachment) string {
	lines := ""
	for _, a := range list {
		lines += "ATTACH;MANAGED-ID=" + a.ID + ":" + uri(a) + "\r\n"
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\n" + lines + "END:VEVENT\r\nEND:VCALENDAR\r\n"
}

func (w *world) put(list ...Attachment) {
	w.Helper()
	_, _, err := w.calendar().Put("1.ics", []byte(object(list...)), collection.Condition{})
	w.ok(err)
}

// attached are the attachments of alice that are there, by their octets.
func (w *world) attached() string {
	w.Helper()
	tree, err := w.files.Tree(alice)
	w.ok(err)
	list, err := tree.List(nil)
	w.ok(err)
	out := ""
	for _, i := range list {
		out += w.octets(i.Name) + " "
	}
	return strings.TrimSpace(out)
}

// octets are those of an attachment, "-" when there is none.
func (w *world) octets(id string) string {
	w.Helper()
	f, a, err := w.Open(alice, id)
	if err != nil {
		return "-"
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	w.ok(err)
	if a.Size != int64(len(b)) || a.Type != "text/plain" {
		w.Errorf("%+v of %q", a, b)
	}
	return string(b)
}

var errBroken = errors.New("broken")
