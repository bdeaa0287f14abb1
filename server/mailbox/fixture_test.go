package mailbox

import (
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
	"facteur/server/safefile"
)

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

// fixture is a store in a temporary directory whose clock can be put forward.
type fixture struct {
	*testing.T
	dir   string
	fs    safefile.FS
	ahead atomic.Int64 // of the clock, in nanoseconds
	store *Store
	home  *Home
	inbox *Mailbox
}

// newFixture opens a store. When the test ends, its homes are checked, and
// once more after they were opened anew. fs makes the file system, nil: the
// real one.
func newFixture(t *testing.T, fs func(dir string) safefile.FS) *fixture {
	f := &fixture{T: t, dir: t.TempDir()}
	if fs != nil {
		f.fs = fs(f.dir)
	}
	f.open()
	t.Cleanup(func() {
		f.check()
		f.reopen()
		f.check()
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) open() {
	f.Helper()
	var err error
	f.store, err = Open(Options{
		Dir: filepath.Join(f.dir, "domains"), Tmp: filepath.Join(f.dir, "tmp"), FS: f.fs,
		Now: func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) },
		Log: slog.New(slog.NewTextHandler(f.Output(), nil)),
	})
	if err != nil {
		f.Fatal(err)
	}
	if f.home, err = f.store.Home(alice); err != nil {
		f.Fatal(err)
	}
	f.inbox = f.mailbox("INBOX")
}

func (f *fixture) reopen() {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	f.open()
}

func (f *fixture) check() {
	f.Helper()
	for _, h := range f.store.homes {
		if err := h.Check(); err != nil {
			f.Errorf("%s: %v", h.dir, err)
		}
	}
}

// later puts the clock forward, by enough for directories to have settled and
// every pause between scans to be over.
func (f *fixture) later() { f.ahead.Add(int64(time.Minute)) }

func (f *fixture) mailbox(name string) *Mailbox {
	f.Helper()
	m, err := f.home.Mailbox(name)
	if err != nil {
		f.Fatalf("%s: %v", name, err)
	}
	return m
}

func (f *fixture) draft(text string) *safefile.Draft {
	f.Helper()
	d, err := f.store.Draft()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(d.Discard)
	if _, err := d.Write([]byte(text)); err != nil {
		f.Fatal(err)
	}
	return d
}

// add puts a message into a mailbox, durably.
func (f *fixture) add(m *Mailbox, text string, flags ...string) UID {
	f.Helper()
	uid, err := m.Add(f.draft(text), AddOptions{Flags: flags, Last: true})
	if err == nil {
		err = m.Sync()
	}
	if err != nil {
		f.Fatal(err)
	}
	return uid
}

func (f *fixture) text(m *Mailbox, uid UID) string {
	f.Helper()
	c, err := m.Open(uid)
	if err != nil {
		f.Fatalf("UID %d: %v", uid, err)
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()+100))
	if err != nil || int64(len(b)) != c.Size() {
		f.Errorf("UID %d: read %d octets of %d: %v", uid, len(b), c.Size(), err)
	}
	return string(b)
}

// show describes the messages of a mailbox: "1:text[\Seen] 2:...".
func (f *fixture) show(m *Mailbox) string {
	f.Helper()
	var out []string
	for _, msg := range f.messages(m) {
		out = append(out, fmt.Sprintf("%d:%s%s", msg.UID, strings.TrimSuffix(f.text(m, msg.UID), "\r\n"), flagText(msg)))
	}
	return strings.Join(out, " ")
}

func flagText(msg Message) string {
	flags := slices.Clone(msg.Flags)
	slices.Sort(flags)
	if msg.Recent {
		flags = append(flags, "recent")
	}
	if len(flags) == 0 {
		return ""
	}
	return fmt.Sprint(flags)
}

// messages returns the messages without taking the recent ones.
func (f *fixture) messages(m *Mailbox) []Message {
	f.Helper()
	v, err := m.Examine()
	if err != nil {
		f.Fatal(err)
	}
	defer v.Close()
	return v.Messages()
}

func (f *fixture) view(m *Mailbox) *View {
	f.Helper()
	v, err := m.View()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	return v
}

// next describes the events of a view: "+1[recent] -2 3[\Seen]".
func (f *fixture) next(v *View) string {
	f.Helper()
	var out []string
	for _, e := range v.Next() {
		by := ""
		if e.By != nil {
			by = "*"
		}
		switch e.Kind {
		case Added:
			out = append(out, fmt.Sprintf("+%d%s%s", e.UID, flagText(e.Message), by))
		case Expunged:
			out = append(out, fmt.Sprintf("-%d%s", e.UID, by))
		case Flags:
			out = append(out, fmt.Sprintf("%d%s%s", e.UID, flagText(e.Message), by))
		}
		if e.Kind != Expunged && e.Message.UID != e.UID {
			f.Errorf("an event of %d about %d", e.UID, e.Message.UID)
		}
	}
	return strings.Join(out, " ")
}

func (f *fixture) want(what, got, want string) {
	f.Helper()
	if got != want {
		f.Errorf("%s: %s\nwant: %s", what, got, want)
	}
}

func (f *fixture) wantFault(what string, err error, kind fault.Kind) {
	f.Helper()
	if !fault.Is(err, kind) {
		f.Errorf("%s: %v, want a fault of kind %d", what, err, kind)
	}
}

// files lists new and cur of a mailbox: "new/... cur/...", with the parts of
// the names before the first comma left out.
func (f *fixture) files(m *Mailbox) []string {
	f.Helper()
	var out []string
	for _, dir := range []string{m.newDir, m.curDir} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, filepath.Join(filepath.Base(dir), e.Name()))
		}
	}
	return out
}

// file returns the path of the only file whose name holds a text.
func (f *fixture) file(m *Mailbox, part string) string {
	f.Helper()
	var found []string
	for _, name := range f.files(m) {
		if strings.Contains(name, part) {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		f.Fatalf("%d files with %q: %v", len(found), part, f.files(m))
	}
	return filepath.Join(m.dir, found[0])
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// put writes a file as another program would.
func (f *fixture) put(m *Mailbox, name, text string) {
	f.Helper()
	f.ok(os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600))
}
