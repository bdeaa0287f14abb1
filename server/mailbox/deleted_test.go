package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// keep has what is expunged kept.
func (f *fixture) keep(retention time.Duration, quota int64) {
	f.retain, f.quota = retention, quota
}

// kept is that of retention.Options.
func (f *fixture) kept(a address.Address) (time.Duration, int64) {
	if a.Key() != alice.Key() {
		return 0, 0
	}
	return f.retain, f.quota
}

func (f *fixture) deleted() string {
	f.Helper()
	all, err := f.store.Deleted(alice)
	f.ok(err)
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprint(d.Folder, ":", d.Size))
	}
	return strings.Join(out, " ")
}

func TestUndelete(t *testing.T) {
	f := newFixture(t, nil)
	f.keep(time.Hour, 0)
	lists := "Lists/Go"
	f.ok(f.home.Create(lists, ""))
	f.add(f.inbox, "one\r\n", `\Seen`, `\Deleted`, "$Work")
	f.add(f.inbox, "three\r\n")
	f.add(f.mailbox(lists), "seven\r\n")
	_, err := f.inbox.Expunge([]UID{1, 2})
	f.ok(err)
	_, err = f.mailbox(lists).Expunge([]UID{1})
	f.ok(err)
	f.want("expunged", f.deleted(), "INBOX:5 INBOX:7 Lists/Go:7")
	u, err := f.home.Usage()
	f.ok(err)
	if u.Messages != 0 {
		t.Error("what was expunged counts:", u)
	}
	f.ok(f.home.Delete(lists))
	n, err := f.store.Undelete(alice, time.Now().Add(time.Hour), "")
	f.ok(err)
	if n != 0 {
		t.Error(n, "messages of the future")
	}
	n, err = f.store.Undelete(alice, time.Now().Add(-time.Hour), "inbox")
	f.ok(err)
	f.want("INBOX", fmt.Sprint(n, " ", f.show(f.inbox)), `2 3:one[$Work \Seen] 4:three[recent]`)
	n, err = f.store.Undelete(alice, time.Time{}, "")
	f.ok(err)
	f.want("a folder that was deleted", fmt.Sprint(n, " ", f.show(f.mailbox(lists))), "1 1:seven[recent]")
	f.want("left", f.deleted(), "")
	// Remove undoes a delivery: nothing of it is kept.
	uid := f.add(f.inbox, "half\r\n")
	f.ok(f.inbox.Remove(uid))
	f.want("removed", f.deleted(), "")
}

// The messages of a folder that is deleted can be brought back.
func TestUndeleteFolder(t *testing.T) {
	f := newFixture(t, nil)
	f.keep(time.Hour, 0)
	f.ok(f.home.Create("Old", ""))
	old := f.mailbox("Old")
	f.add(old, "one\r\n", `\Seen`)
	f.add(old, "two\r\n")
	f.ok(f.home.Delete("Old"))
	f.want("deleted at once", f.deleted(), "Old:5 Old:5")
	f.ok(f.store.Close()) // waits for what runs in the background
	f.open()
	f.keep(time.Hour, 0)
	f.want("deleted", f.deleted(), "Old:5 Old:5")
	if _, err := os.Stat(old.indexDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("its index is there still:", err)
	}
	_, err := f.store.Undelete(alice, time.Time{}, "Old")
	f.ok(err)
	f.want("Old", f.noUIDs(f.show(f.mailbox("Old"))), `one[\Seen] two[recent]`)
}

// Both bounds hold: the time, and the octets, of which the oldest go first.
func TestPurge(t *testing.T) {
	f := newFixture(t, nil)
	f.keep(48*time.Hour, 12)
	expunge := func(text string) {
		t.Helper()
		uid := f.add(f.inbox, text)
		_, err := f.inbox.Expunge([]UID{uid})
		f.ok(err)
	}
	expunge("1\r\n")
	expunge("22\r\n")
	expunge("333\r\n")
	f.ok(f.bins.Purge(alice))
	f.want("within the quota", f.deleted(), "INBOX:3 INBOX:4 INBOX:5")
	expunge("4444\r\n")
	f.ok(f.bins.Purge(alice))
	f.want("above it", f.deleted(), "INBOX:5 INBOX:6")
	f.ahead.Add(int64(47 * time.Hour))
	f.ok(f.bins.Purge(alice))
	f.want("young enough", f.deleted(), "INBOX:5 INBOX:6")
	f.ahead.Add(int64(2 * time.Hour))
	f.ok(f.bins.Purge(alice))
	f.want("too old", f.deleted(), "")
	left, err := os.ReadDir(filepath.Join(f.dir, "domains", alice.Dir(), "deleted"))
	f.ok(err)
	if len(left) != 0 {
		t.Error("empty directories are left:", left)
	}
}

// The new place is durable before the old one is given up.
func TestCrashOfExpunge(t *testing.T) {
	s := newStory(t)
	s.keep(time.Hour, 0)
	s.deliver("INBOX", "one\r\n")
	s.deliver("INBOX", "two\r\n", `\Seen`)
	s.expunge("one\r\n")
	s.expunge("two\r\n")
	for n := s.states[2].ops; n <= s.rec.Len(); n++ {
		dir := t.TempDir()
		s.ok(s.rec.Replay(dir, n, nil))
		s.verify(fmt.Sprintf("after operation %d", n), dir, n)
		texts := 0
		s.ok(filepath.WalkDir(filepath.Join(dir, "domains"), func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.Contains(e.Name(), ",S=5,") {
				texts++
			}
			return err
		}))
		if texts != 2 {
			t.Errorf("after operation %d: %d messages on disk", n, texts)
		}
	}
}

// Without room for a directory messages are removed for good: so room is made.
func TestExpungeOnFullDisk(t *testing.T) {
	faulty := &safefile.Faulty{FS: safefile.OS}
	f := newFixture(t, func(string) safefile.FS { return faulty })
	f.keep(time.Hour, 0)
	f.add(f.inbox, "one\r\n")
	faulty.Fail = func(op safefile.Op) error {
		if op.Kind == "mkdir" {
			return &os.PathError{Op: op.Kind, Path: op.Path, Err: syscall.ENOSPC}
		}
		return nil
	}
	gone, err := f.inbox.Expunge([]UID{1})
	f.ok(err)
	f.want("expunged", fmt.Sprint(gone), "[1]")
	f.want("kept", f.deleted(), "")
}

func TestExpire(t *testing.T) {
	f := newFixture(t, nil)
	trash := f.mailbox("Trash")
	f.add(trash, "old\r\n")
	f.add(f.inbox, "moved\r\n")
	f.ahead.Add(int64(10 * 24 * time.Hour))
	_, err := f.inbox.Move([]UID{1}, trash, nil) // renews its save date
	f.ok(err)
	f.add(f.inbox, "elsewhere\r\n")
	f.ahead.Add(int64(time.Hour))
	n, err := f.store.Expire(alice, `\Trash`, 24*time.Hour)
	f.ok(err)
	f.want("Trash", fmt.Sprint(n, " ", f.show(trash)), "1 2:moved[recent]")
}

func TestMetadata(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.inbox.SetMetadata(map[string][]byte{"/private/comment": []byte("a b\r\n\x00"), "/shared/comment": {}}))
	f.ok(f.home.SetMetadata(map[string][]byte{"/shared/admin": []byte("mailto:a@example.org")}))
	f.ok(f.inbox.SetMetadata(map[string][]byte{"/shared/comment": nil, "/shared/none": nil}))
	f.ok(f.home.Rename("Sent", "Outbox"))
	f.reopen()
	values, err := f.inbox.Metadata()
	f.ok(err)
	f.want("INBOX", fmt.Sprintf("%q", values), `map["/private/comment":"a b\r\n\x00"]`)
	values, err = f.home.Metadata()
	f.ok(err)
	f.want("account", fmt.Sprintf("%q", values), `map["/shared/admin":"mailto:a@example.org"]`)
	for _, bad := range []map[string][]byte{
		{"/private/Comment": {}}, {"private": {}}, {"/a b": {}}, {"/x": make([]byte, 1<<20)}, {"/private/ok": {}, "/no//t": {}},
	} {
		if err := f.inbox.SetMetadata(bad); err == nil {
			t.Error("accepted", len(bad))
		}
	}
	many := make(map[string][]byte)
	for i := range 300 {
		many[fmt.Sprint("/private/", i)] = []byte("x")
	}
	if err := f.inbox.SetMetadata(many); err == nil {
		t.Error("accepted 300")
	}
	values, err = f.inbox.Metadata()
	f.ok(err)
	if len(values) != 1 {
		t.Error("a change that failed did something:", values)
	}
}

func TestVerifyAndReindex(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 5 {
		f.add(f.inbox, fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i))
	}
	f.add(f.mailbox("Sent"), "Subject: sent\r\n\r\n")
	var last Progress
	progress := func(p Progress) { last = p }
	problems, err := f.store.Verify(alice, progress)
	f.ok(err)
	if len(problems) != 0 || last.Done != last.Total {
		t.Error(problems, last)
	}
	path := f.file(f.inbox, ".3")
	text, err := os.ReadFile(path)
	f.ok(err)
	info, err := os.Stat(path)
	f.ok(err)
	f.ok(os.WriteFile(path, []byte(strings.Replace(string(text), "Subject: 2", "Subject: X", 1)), 0o600))
	f.ok(os.Chtimes(path, info.ModTime(), info.ModTime()))
	problems, err = f.store.Verify(alice, nil)
	f.ok(err)
	if len(problems) != 1 || !strings.Contains(problems[0], "INBOX: UID 3") {
		t.Error(problems)
	}
	v := f.view(f.inbox)
	before := f.modSeqs(f.inbox)
	var folders []string
	f.ok(f.store.Reindex(alice, func(p Progress) { folders = append(folders, p.Folder) }))
	if !slices.Contains(folders, "Sent") {
		t.Error(folders)
	}
	for uid, modSeq := range f.modSeqs(f.inbox) {
		if modSeq <= before[uid] {
			t.Errorf("UID %d has MODSEQ %d as before", uid, modSeq)
		}
	}
	f.want("to a session", f.next(v), "1 2 3 4 5")
	problems, err = f.store.Verify(alice, nil)
	f.ok(err)
	if len(problems) != 0 {
		t.Error(problems)
	}
}

// Annotations have a bound together, and large ones don't stay in memory.
func TestMetadataBounds(t *testing.T) {
	f := newFixture(t, nil)
	large := make([]byte, maildir.MaxMetadataValue)
	for i := range maildir.MaxMetadataTotal / len(large) {
		f.ok(f.inbox.SetMetadata(map[string][]byte{fmt.Sprint("/private/", i): large}))
	}
	if err := f.inbox.SetMetadata(map[string][]byte{"/private/more": []byte("x")}); !fault.Is(err, fault.TooMany) {
		t.Error(err)
	}
	f.ok(f.inbox.SetMetadata(map[string][]byte{"/private/0": nil, "/private/more": []byte("x")}))
	values, err := f.inbox.Metadata()
	f.ok(err)
	if len(values) != maildir.MaxMetadataTotal/len(large) || string(values["/private/more"]) != "x" {
		t.Error(len(values))
	}
	if f.inbox.metadata.values != nil {
		t.Error("they stay in memory")
	}
}
