package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

func TestAdd(t *testing.T) {
	f := newFixture(t, nil)
	if uid := f.add(f.inbox, "one\r\n"); uid != 1 {
		t.Error("the first UID is", uid)
	}
	f.add(f.inbox, "two\r\n", `\Seen`, "$Work")
	f.want("messages", f.show(f.inbox), `1:one[recent] 2:two[$Work \Seen]`)
	st, err := f.inbox.Status()
	f.ok(err)
	validity := st.UIDValidity
	st.UIDValidity = 0
	if st.ID != f.inbox.ID() || st.ID == "" || st.HighestModSeq != f.snapshot(f.inbox).At(1).ModSeq {
		t.Errorf("%+v", st)
	}
	st.ID, st.HighestModSeq = "", 0
	if want := (Status{Messages: 2, Unseen: 1, Recent: 2, UIDNext: 3, Size: 10}); st != want {
		t.Errorf("%+v, want %+v", st, want)
	}
	names := strings.Join(f.files(f.inbox), " ")
	pattern := fmt.Sprintf(`^new/\d+\.M\d+P\d+Q\d+\.[^ ,]+,S=5,F=%[1]s\.1 cur/\d+\.M\d+P\d+Q\d+\.[^ ,]+,S=5,F=%[1]s\.2:2,Sa$`, base36(validity))
	if !regexp.MustCompile(pattern).MatchString(names) {
		t.Errorf("%s\nwant %s", names, pattern)
	}
	f.reopen()
	f.want("after a clean stop", f.show(f.inbox), `1:one[recent] 2:two[$Work \Seen]`)
	st, err = f.inbox.Status()
	f.ok(err)
	if st.UIDNext != 3 || st.UIDValidity != validity {
		t.Errorf("after a clean stop: %+v", st)
	}
}

func base36(v UIDValidity) string {
	name := maildir.Name{Size: 0, Served: 0, Validity: uint32(v), UID: 1}.Format(maildir.New)
	return strings.TrimSuffix(strings.TrimPrefix(name, ",S=0,F="), ".1")
}

// A message to several mailboxes is one file.
func TestAddLinks(t *testing.T) {
	f := newFixture(t, nil)
	home, err := f.store.Home(bob)
	f.ok(err)
	other, err := home.Mailbox("INBOX")
	f.ok(err)
	d := f.draft("one\r\n")
	_, err = f.inbox.Add(d, AddOptions{})
	f.ok(err)
	if _, err := other.Add(d, AddOptions{InternalDate: time.Unix(1e9, 0)}); !errors.Is(err, safefile.ErrLinked) {
		t.Error("the date of a linked file was changed:", err)
	}
	_, err = other.Add(d, AddOptions{Last: true})
	f.ok(err)
	a, err := os.Stat(f.file(f.inbox, ".1"))
	f.ok(err)
	b, err := os.Stat(f.file(other, ".1"))
	f.ok(err)
	if !os.SameFile(a, b) {
		t.Error("two files")
	}
	f.want("alice", f.show(f.inbox), "1:one[recent]")
	f.want("bob", f.show(other), "1:one[recent]")
}

func TestAddUnique(t *testing.T) {
	f := newFixture(t, nil)
	add := func(unique string) UID {
		uid, err := f.inbox.Add(f.draft("x\r\n"), AddOptions{Unique: unique, Last: true})
		f.ok(err)
		return uid
	}
	for i, want := range []UID{1, 2, 1} {
		if uid := add([]string{"a", "a-b", "a"}[i]); uid != want {
			t.Errorf("%d: UID %d, want %d", i, uid, want)
		}
	}
	f.reopen()
	if uid := add("a-b"); uid != 2 {
		t.Error("after a stop: UID", uid)
	}
	_, err := f.inbox.Expunge([]UID{1})
	f.ok(err)
	if uid := add("a"); uid != 3 {
		t.Error("after an expunge: UID", uid)
	}
	_, err = f.inbox.Add(f.draft("x\r\n"), AddOptions{Unique: "a.b"})
	f.wantFault("a dot in it", err, fault.Internal)
	if n := len(f.files(f.inbox)); n != 2 {
		t.Error(n, "files")
	}
}

func TestInternalDate(t *testing.T) {
	f := newFixture(t, nil)
	date := time.Unix(1234567890, 0)
	uid, err := f.inbox.Add(f.draft("x\r\n"), AddOptions{InternalDate: date, Last: true})
	f.ok(err)
	pairs, err := f.inbox.Copy([]UID{uid}, f.mailbox("Archive"), nil)
	f.ok(err)
	for range 2 { // from the disk, and from memory
		got, err := f.inbox.InternalDate(uid)
		f.ok(err)
		copied, err := f.mailbox("Archive").InternalDate(pairs[0].Dst)
		f.ok(err)
		if !got.Equal(date) || !copied.Equal(date) {
			t.Errorf("%v, copied %v", got, copied)
		}
	}
	_, err = f.inbox.InternalDate(99)
	f.wantFault("no such message", err, fault.NotFound)
}

func TestRemove(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	uid := f.add(f.inbox, "two\r\n")
	f.ok(f.inbox.Remove(uid))
	f.want("after Remove", f.show(f.inbox), "1:one[recent]")
	if uid := f.add(f.inbox, "three\r\n"); uid != 3 {
		t.Error("a UID given twice:", uid)
	}
}

// UIDs are reserved in blocks: after a crash they go on from the end of the
// block, without one a message was given twice.
func TestUIDsAfterCrash(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	state, err := maildir.ReadState(f.inbox.at.Load().dir)
	f.ok(err)
	if state.UIDNext < 1000 || state.UIDNext > 1100 {
		t.Error("reserved to", state.UIDNext)
	}
	crashed := f.store // not closed
	f.open()
	if uid := f.add(f.inbox, "two\r\n"); uid != UID(state.UIDNext) {
		t.Errorf("UID %d, want %d", uid, state.UIDNext)
	}
	f.want("after a crash", f.show(f.inbox), fmt.Sprintf("1:one[recent] %d:two[recent]", state.UIDNext))
	f.ok(kill(crashed))
}

// The next block is reserved before the first is used up.
func TestUIDBlocks(t *testing.T) {
	var rec *safefile.Recorder
	f := newFixture(t, func(dir string) safefile.FS {
		rec = safefile.NewRecorder(dir)
		return rec
	})
	begin := rec.Len()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 400 {
				if _, err := f.inbox.Add(f.draft("x\r\n"), AddOptions{Last: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	writes := 0
	for _, op := range rec.Ops()[begin:] {
		if op.Kind == "rename" && strings.HasSuffix(op.To, "mail/facteur-state") {
			writes++
		}
	}
	if writes < 2 || writes > 3 {
		t.Error(writes, "writes for 1600 UIDs")
	}
	if st, err := f.inbox.Status(); err != nil || st.UIDNext != 1601 {
		t.Error(st, err)
	}
}

func TestNoUIDsLeft(t *testing.T) {
	f := newFixture(t, nil)
	state, err := maildir.ReadState(f.inbox.at.Load().dir)
	f.ok(err)
	f.ok(f.store.Close())
	state.UIDNext = 1<<32 - 3
	f.ok(maildir.WriteState(safefile.OS, f.inbox.at.Load().dir, state))
	f.open()
	_, err = f.inbox.Add(f.draft("x"), AddOptions{})
	f.wantFault("no UIDs left", err, fault.NotPossible)
}

func TestBrokenState(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.store.Close())
	path := filepath.Join(f.home.dir, ".Sent", "facteur-state")
	good, err := os.ReadFile(path)
	f.ok(err)
	f.ok(os.WriteFile(path, []byte("rubbish"), 0o600))
	f.open()
	sent := f.mailbox("Sent")
	_, err = sent.Add(f.draft("x"), AddOptions{})
	f.wantFault("a folder with a broken state", err, fault.Internal)
	_, err = sent.Snapshot()
	f.wantFault("a folder with a broken state", err, fault.Internal)
	f.add(f.inbox, "the others work\r\n")
	f.ok(os.WriteFile(path, good, 0o600))
	f.reopen()
	f.add(f.mailbox("Sent"), "x\r\n")
}

func TestAfterClose(t *testing.T) {
	f := newFixture(t, nil)
	v := f.view(f.inbox)
	d := f.draft("x")
	f.ok(f.store.Close())
	f.ok(f.store.Close())
	<-v.C
	if !v.Gone() {
		t.Error("the view is not gone")
	}
	_, err := f.inbox.Add(d, AddOptions{})
	f.wantFault("Add", err, fault.Unavailable)
	_, err = f.inbox.Status()
	f.wantFault("Status", err, fault.Unavailable)
	_, err = f.store.Home(alice)
	f.wantFault("Home", err, fault.Unavailable)
	f.wantFault("Create", f.home.Create("x", ""), fault.Unavailable)
	f.wantFault("Sync", f.inbox.Sync(), fault.Unavailable)
	f.open()
}

func TestForget(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	old, v := f.inbox, f.view(f.inbox)
	f.ok(f.store.Forget(alice))
	f.ok(f.store.Forget(bob)) // never asked for
	<-v.C
	if !v.Gone() {
		t.Error("the view is not gone")
	}
	_, err := old.Add(f.draft("x"), AddOptions{})
	f.wantFault("Add", err, fault.NotFound)
	f.ok(os.Rename(filepath.Dir(f.home.dir), f.dir+"/removed"))
	f.home, err = f.store.Home(alice)
	f.ok(err)
	f.inbox = f.mailbox("INBOX")
	f.want("a new home", f.show(f.inbox), "")
}

func TestUnload(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	v := f.view(f.inbox)
	f.later()
	f.inbox.unload(time.Second)
	if f.inbox.live.Load() == nil {
		t.Fatal("let go while it is watched")
	}
	e := f.inbox.Entries()
	v.Close()
	f.later()
	f.inbox.unload(time.Second)
	if f.inbox.live.Load() == nil {
		t.Fatal("let go while it is read")
	}
	e.Close()
	f.inbox.unload(time.Hour)
	if f.inbox.live.Load() == nil {
		t.Fatal("let go at once")
	}
	f.inbox.unload(time.Second)
	if f.inbox.live.Load() != nil || len(f.store.loaded.All()) != 0 {
		t.Fatal("kept")
	}
	f.add(f.inbox, "two\r\n")
	f.want("read again", f.show(f.inbox), "1:one 2:two[recent]")
}

func TestOpenStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(Options{Dir: file, Tmp: dir}); err == nil {
		s.Close()
		t.Error("opened a file")
	}
	if s, err := Open(Options{Dir: "/proc", Tmp: dir}); err == nil || !strings.Contains(err.Error(), "one file system") {
		s.Close()
		t.Error("opened over two file systems:", err)
	}
}

// A full disk is told apart from a broken one.
func TestDiskFull(t *testing.T) {
	faulty := &safefile.Faulty{FS: safefile.OS}
	f := newFixture(t, func(string) safefile.FS { return faulty })
	f.add(f.inbox, "one\r\n")
	d := f.draft("two\r\n")
	faulty.Fail = func(op safefile.Op) error {
		return &os.PathError{Op: op.Kind, Path: op.Path, Err: syscall.ENOSPC}
	}
	_, err := f.inbox.Add(d, AddOptions{})
	f.wantFault("Add", err, fault.Unavailable)
	_, err = f.store.Draft()
	f.wantFault("Draft", err, fault.Unavailable)
	faulty.Fail = nil
	f.want("INBOX", f.show(f.inbox), "1:one[recent]")
}

// A folder is renamed while messages are delivered to it.
func TestRenameMeanwhile(t *testing.T) {
	f := newFixture(t, nil)
	junk := f.mailbox("Junk")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			from, to := "Junk", "Spam"
			if i%2 == 1 {
				from, to = to, from
			}
			if err := f.home.Rename(from, to); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range 200 {
		f.add(junk, fmt.Sprintf("%d\r\n", i))
	}
	<-done
	if n := len(f.messages(f.mailbox("Junk"))); n != 200 {
		t.Error(n, "messages")
	}
}
