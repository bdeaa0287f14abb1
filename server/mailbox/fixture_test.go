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
	"facteur/server/msgindex"
	"facteur/server/retention"
	"facteur/server/safefile"
)

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

// fixture is a store in a temporary directory whose clock can be put forward.
type fixture struct {
	*testing.T
	dir   string
	fs    safefile.FS
	ahead atomic.Int64 // of the clock, in nanoseconds
	bins  *retention.Bins
	// What is expunged of alice is kept so long, and so much of it.
	retain time.Duration
	quota  int64
	store  *Store
	home   *Home
	inbox  *Mailbox
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
	now := func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }
	log := slog.New(slog.NewTextHandler(f.Output(), nil))
	domains := filepath.Join(f.dir, "domains")
	f.bins = retention.New(retention.Options{Dir: domains, FS: f.fs, Now: now, Log: log, Keep: f.kept})
	f.Cleanup(f.bins.Close)
	var err error
	f.store, err = Open(Options{Dir: domains, Tmp: filepath.Join(f.dir, "tmp"), FS: f.fs, Now: now, Log: log, Bins: f.bins})
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
	for _, h := range f.store.homes.All() {
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
	for _, x := range f.messages(m) {
		out = append(out, fmt.Sprintf("%d:%s%s", x.UID, strings.TrimSuffix(f.text(m, x.UID), "\r\n"), flagsText(x)))
	}
	return strings.Join(out, " ")
}

// msg is a message in the terms of tests.
type msg struct {
	UID    UID
	Flags  []string
	Size   int64
	Recent bool
}

func flagsText(m msg) string {
	flags := slices.Clone(m.Flags)
	slices.Sort(flags)
	if m.Recent && len(flags) == 0 {
		flags = append(flags, "recent")
	}
	if len(flags) == 0 {
		return ""
	}
	return fmt.Sprint(flags)
}

// messages returns the messages without claiming the recent ones.
func (f *fixture) messages(m *Mailbox) []msg {
	f.Helper()
	if _, err := m.Snapshot(); err != nil { // Poll looks only at what is in memory
		f.Fatal(err)
	}
	m.Poll()
	snap, err := m.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	return list(m, snap, m.Recent())
}

func (f *fixture) snapshot(m *Mailbox) *Snapshot {
	f.Helper()
	snap, err := m.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	return snap
}

// list returns the messages of a snapshot.
func list(m *Mailbox, snap *Snapshot, recent UID) []msg {
	var all []msg
	for _, r := range snap.Range(0, snap.Len()) {
		all = append(all, message1(m, r, recent))
	}
	return all
}

func message1(m *Mailbox, r *Record, recent UID) msg {
	return msg{UID: r.UID, Flags: m.Flags(r), Size: r.Size(), Recent: r.UID >= recent}
}

// session is what an IMAP session knows of a mailbox.
type session struct {
	*fixture
	*Watch
	m      *Mailbox
	seen   *Snapshot
	recent UID // the first that is recent for it
}

// view selects a mailbox.
func (f *fixture) view(m *Mailbox) *session {
	f.Helper()
	s, err := selectMailbox(f, m)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	return s
}

func selectMailbox(f *fixture, m *Mailbox) (*session, error) {
	w, err := m.Watch()
	if err != nil {
		return nil, err
	}
	m.Poll()
	s := &session{fixture: f, Watch: w, m: m}
	if s.seen, err = m.Snapshot(); err != nil {
		w.Close()
		return nil, err
	}
	s.recent = m.ClaimRecent()
	return s, nil
}

// next describes what changed since the session looked last: "-2 3[\\Seen]
// +4[recent]".
func (f *fixture) next(s *session) string {
	f.Helper()
	var out []string
	now, err := s.m.Snapshot()
	if err != nil {
		return ""
	}
	changes := msgindex.Diff(s.seen, now)
	for _, i := range changes.Gone {
		out = append(out, fmt.Sprintf("-%d", s.seen.At(i).UID))
	}
	for _, i := range changes.Changed {
		r := now.At(i)
		old, _ := s.seen.Find(r.UID)
		if r.ModSeq <= s.seen.At(old).ModSeq {
			f.Errorf("UID %d changed and has still MODSEQ %d", r.UID, r.ModSeq)
		}
		out = append(out, fmt.Sprintf("%d%s", r.UID, flagsText(message1(s.m, r, now.UIDNext()))))
	}
	if changes.Added > 0 {
		s.recent = s.m.ClaimRecent()
	}
	for _, r := range now.Range(now.Len()-changes.Added, now.Len()) {
		out = append(out, fmt.Sprintf("+%d%s", r.UID, flagsText(message1(s.m, r, s.recent))))
	}
	s.seen = now
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
	for _, dir := range []string{m.at.Load().newDir, m.at.Load().curDir} {
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
	return filepath.Join(m.at.Load().dir, found[0])
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
	f.ok(os.WriteFile(filepath.Join(m.at.Load().dir, name), []byte(text), 0o600))
}
