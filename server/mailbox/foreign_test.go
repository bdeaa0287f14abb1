package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// Files of other programs, at the reading of a list, at Poll and for a view.
func TestForeignFiles(t *testing.T) {
	f := newFixture(t, nil)
	f.put(f.inbox, "cur/1000000002.b.host,U=7:2,FS", "two\nlines\n")
	f.put(f.inbox, "new/1000000001.a.host", "one\r\n")
	f.put(f.inbox, "cur/"+strings.Repeat("x", 250), "long\r\n")
	f.put(f.inbox, "cur/.hidden", "x")
	f.ok(os.Mkdir(filepath.Join(f.inbox.at.Load().curDir, "directory"), 0o700))
	defer os.Remove(filepath.Join(f.inbox.at.Load().curDir, "directory"))
	f.want("read", f.show(f.inbox), "1:long[recent] 2:one[recent] 3:two\r\nlines[\\Flagged \\Seen]")
	msgs := f.messages(f.inbox)
	if msgs[2].Size != 12 {
		t.Error("served size", msgs[2].Size)
	}
	if name := filepath.Base(f.file(f.inbox, "1000000002")); !strings.HasPrefix(name, "1000000002.b.host,U=7,S=10,W=12,F=") || !strings.HasSuffix(name, ".3:2,FS") {
		t.Error(name)
	}
	st, err := f.inbox.Status()
	f.ok(err)
	if st.Size != 6+5+12 || st.Unseen != 2 {
		t.Errorf("%+v", st)
	}

	v := f.view(f.inbox)
	f.want("nothing new", f.next(v), "")
	f.put(f.inbox, "new/1000000003.c.host", "three\r\n")
	f.put(f.inbox, "new/1000000004.d.host,S=6:2,T", "four\r\n")
	f.later()
	f.inbox.Poll()
	<-v.C
	f.want("events", f.next(v), `+4[recent] +5[\Deleted]`)
	f.want("all", f.show(f.inbox), "1:long 2:one 3:two\r\nlines[\\Flagged \\Seen] 4:three 5:four[\\Deleted]")
}

func TestForeignFlags(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n", `\Seen`)
	f.add(f.inbox, "two\r\n")
	v := f.view(f.inbox)
	rename := func(part string, to func(name string) string) {
		path := f.file(f.inbox, part)
		f.ok(os.Rename(path, filepath.Join(f.inbox.at.Load().curDir, to(filepath.Base(path)))))
	}
	rename(".1:2,S", func(name string) string { return maildir.WithFlags(name, maildir.Flagged|maildir.Keyword(3)) })
	rename(".2", func(name string) string { // what mbsync does
		return name + ",U=1:2,"
	})
	f.later()
	f.inbox.Poll()
	f.want("events", f.next(v), `1[\Flagged]`)
	f.want("list", f.show(f.inbox), `1:one[\Flagged] 2:two`)
	// A letter without a name stays, and gets none by accident.
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1, 2}, Op: Set, Flags: []string{`\Seen`, "$New"}})
	f.ok(err)
	f.want("after SetFlags", f.show(f.inbox), `1:one[$New \Seen] 2:two[$New \Seen]`)
	if name := f.file(f.inbox, ".1:2"); !strings.HasSuffix(name, ":2,Sad") {
		t.Error(name)
	}
	if name := f.file(f.inbox, ".2,U=1:2"); !strings.HasSuffix(name, ":2,Sa") {
		t.Error(name)
	}
	// Another program gives the letter a name.
	f.put(f.inbox, "dovecot-keywords", "0 $New\n3 Named\n")
	rename(".2,U=1:2", func(name string) string { return maildir.WithFlags(name, maildir.Keyword(3)) })
	f.later()
	f.inbox.Poll()
	f.want("named", f.show(f.inbox), `1:one[$New Named \Seen] 2:two[Named]`)
}

// A file whose name changed this very moment is found, not failed on.
func TestRenamedMeanwhile(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 4 {
		f.add(f.inbox, fmt.Sprintf("%d\r\n", i+1), `\Seen`)
	}
	archive := f.mailbox("Archive")
	v := f.view(f.inbox)
	rename := func(uid UID) {
		path := f.file(f.inbox, fmt.Sprintf(".%d:2,", uid))
		f.ok(os.Rename(path, maildir.WithFlags(path, maildir.Flagged)))
	}
	rename(1)
	f.want("Open", f.text(f.inbox, 1), "1\r\n")
	rename(2)
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{2}, Op: AddFlags, Flags: []string{`\Deleted`}})
	f.ok(err)
	rename(3)
	pairs, err := f.inbox.Move([]UID{3}, archive, nil)
	f.ok(err)
	f.want("moved", fmt.Sprint(pairs), "[{3 1}]")
	rename(4)
	gone, err := f.inbox.Expunge([]UID{4})
	f.ok(err)
	f.want("expunged", fmt.Sprint(gone), "[4]")
	f.want("events", f.next(v), `-3 -4 1[\Flagged] 2[\Deleted \Flagged]`)
	f.want("INBOX", f.show(f.inbox), `1:1[\Flagged] 2:2[\Deleted \Flagged]`)
	f.want("Archive", f.show(archive), `1:3[\Flagged]`)
}

// A message is gone when two scans did not show it, the second one settled.
func TestForeignRemoval(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	f.add(f.inbox, "two\r\n")
	v := f.view(f.inbox)
	path := f.file(f.inbox, ".1")
	f.ok(os.Rename(path, f.dir+"/aside"))
	f.inbox.mu.Lock()
	f.inbox.scan.pause = f.inbox.scan.ended
	f.inbox.mu.Unlock()
	f.inbox.Poll() // the directory changed this very second
	f.want("after one scan", f.next(v), "")
	for range 3 {
		_, err := f.inbox.Open(1)
		f.wantFault("Open", err, fault.NotFound)
	}
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1, 2}, Op: Set, Flags: []string{`\Seen`}})
	f.ok(err)
	f.later()
	f.inbox.Poll()
	f.want("after the second", f.next(v), `-1 2[\Seen]`)

	// It comes back: under its UID it can't.
	f.ok(os.Rename(f.dir+"/aside", path))
	f.later()
	f.inbox.Poll()
	f.want("back again", f.next(v), "+3[recent]")
	f.want("list", f.show(f.inbox), `2:two[\Seen] 3:one`)
}

// A file that was missing in one scan only is not gone.
func TestMissedOnce(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	v := f.view(f.inbox)
	path := f.file(f.inbox, ".1")
	f.ok(os.Rename(path, f.dir+"/aside"))
	f.later()
	f.inbox.Poll()
	f.ok(os.Rename(f.dir+"/aside", maildir.WithFlags(path, maildir.Seen)))
	f.later()
	f.inbox.Poll()
	f.later()
	f.inbox.Poll()
	f.want("events", f.next(v), `1[\Seen]`)
	f.want("text", f.text(f.inbox, 1), "one\r\n")
}

// F counts only in the folder that gave it, once, and below UIDNEXT.
func TestForeignUIDs(t *testing.T) {
	for _, when := range []string{"loaded", "not loaded"} {
		t.Run(when, func(t *testing.T) {
			f := newFixture(t, nil)
			sent := f.mailbox("Sent")
			f.add(f.inbox, "one\r\n", `\Seen`)
			f.add(sent, "sent 1\r\n")
			f.add(sent, "sent 2\r\n", `\Seen`)
			if when == "not loaded" {
				f.reopen()
				sent = f.mailbox("Sent")
			} else {
				f.messages(f.inbox)
			}
			// Moved from another folder, where the UID is that of another message.
			path := f.file(sent, ".1")
			f.ok(os.Rename(path, filepath.Join(f.inbox.at.Load().curDir, filepath.Base(path)+":2,F")))
			// Copied within the folder.
			path = f.file(f.inbox, ".1:2,S")
			name := filepath.Base(path)
			_, fields, _ := strings.Cut(name, ",")
			text, err := os.ReadFile(path)
			f.ok(err)
			f.put(f.inbox, "cur/copy,"+fields, string(text))
			// The same name in new: a copy of its own.
			base, _, _ := strings.Cut(name, ":")
			f.put(f.inbox, "new/"+base, string(text))
			// A UID that was never given.
			f.put(f.inbox, "cur/"+strings.Replace(name, ".1:", ".4000000000:", 1), "future\r\n")
			for range 2 {
				f.later()
				f.inbox.Poll()
				sent.Poll()
			}
			got := f.show(f.inbox)
			if !strings.HasPrefix(got, `1:one[\Seen] `) || len(f.messages(f.inbox)) != 5 {
				t.Error(got)
			}
			for _, want := range []string{`:sent 1[\Flagged]`, `:one[\Seen]`, `:one[recent]`, `:future[\Seen]`} {
				if !strings.Contains(strings.TrimPrefix(got, `1:one[\Seen]`), want) {
					t.Errorf("%s in %s", want, got)
				}
			}
			unique := make(map[string]bool)
			for _, name := range f.files(f.inbox) {
				unique[maildir.UniqueOf(filepath.Base(name))] = true
			}
			if len(unique) != 5 {
				t.Error("unique parts:", f.files(f.inbox))
			}
		})
	}
}

// A rename from new to cur that a crash left half done is one message.
func TestHalfRename(t *testing.T) {
	for _, when := range []string{"loaded", "not loaded"} {
		t.Run(when, func(t *testing.T) {
			f := newFixture(t, nil)
			f.add(f.inbox, "one\r\n")
			if when == "loaded" {
				f.messages(f.inbox)
			}
			path := f.file(f.inbox, ".1")
			f.ok(os.Link(path, filepath.Join(f.inbox.at.Load().curDir, filepath.Base(path)+":2,S")))
			f.later()
			f.inbox.Poll()
			f.want("list", f.show(f.inbox), `1:one[\Seen]`)
			if n := len(f.files(f.inbox)); n != 1 {
				t.Error(f.files(f.inbox))
			}
		})
	}
}

// Our own changes lead to no scan, those of others do.
func TestScanDue(t *testing.T) {
	f := newFixture(t, nil)
	f.messages(f.inbox)
	f.later()
	f.inbox.Poll()
	f.ahead.Add(int64(slowScan / 2))
	if f.inbox.scanDue() {
		t.Error("due after a settled scan")
	}
	uid := f.add(f.inbox, "one\r\n")
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{uid}, Op: Set, Flags: []string{`\Seen`}})
	f.ok(err)
	v := f.view(f.inbox)
	f.add(f.inbox, "two\r\n")
	if f.inbox.scanDue() {
		t.Error("due after a change of ours")
	}
	f.next(v)
	f.put(f.inbox, "new/x", "three\r\n")
	if !f.inbox.scanDue() {
		t.Error("not due after a change of another program")
	}
	f.inbox.Poll()
	f.want("events", f.next(v), "+3[recent]")
	f.later()
	f.inbox.Poll()
	f.add(f.inbox, "four\r\n")
	f.later()
	if !f.inbox.scanDue() {
		t.Error("not due a while after a change of ours")
	}
}

// The folder goes away under a mailbox: an error, not an empty mailbox.
func TestForeignFolderRemoval(t *testing.T) {
	f := newFixture(t, nil)
	junk := f.mailbox("Junk")
	f.add(junk, "one\r\n")
	v := f.view(junk)
	f.ok(os.RemoveAll(junk.at.Load().dir))
	f.later()
	junk.Poll()
	f.want("events", f.next(v), "")
	if _, err := junk.Add(f.draft("x"), AddOptions{}); err == nil {
		t.Error("added to a folder that is gone")
	}
	_, err := f.home.Folders()
	f.ok(err)
	<-v.C
	if !v.Gone() || f.home.Exists("Junk") {
		t.Error("not noticed")
	}
	// And made again by another program.
	for _, sub := range []string{"cur", "new", "tmp"} {
		f.ok(os.MkdirAll(filepath.Join(f.home.dir, ".Junk", sub), 0o700))
	}
	again := f.mailbox("Junk")
	if again == junk || again.validity == junk.validity {
		t.Error("the same UIDVALIDITY for another folder")
	}
	f.add(again, "two\r\n")
}

// What is no regular file is no message, though its name says so: a FIFO would
// hang who opens it, a symbolic link could show a file of somebody else.
func TestForeignKinds(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n", `\Seen`)
	own := filepath.Base(f.file(f.inbox, ".1:2,S"))
	secret := filepath.Join(t.TempDir(), "secret")
	f.ok(os.WriteFile(secret, []byte("secret\r\n"), 0o600))
	name := func(uid int) string {
		return filepath.Join(f.inbox.at.Load().curDir, strings.Replace(own, ".1:2,S", fmt.Sprintf(".%d:2,S", uid), 1))
	}
	f.add(f.inbox, "two\r\n")
	f.add(f.inbox, "three\r\n")
	f.add(f.inbox, "four\r\n")
	f.ok(os.Remove(f.file(f.inbox, ".2")))
	f.ok(os.Remove(f.file(f.inbox, ".3")))
	f.ok(os.Remove(f.file(f.inbox, ".4")))
	f.ok(unix.Mkfifo(name(2), 0o600))
	f.ok(os.Symlink(secret, name(3)))
	f.ok(os.Mkdir(name(4), 0o700))
	f.ok(os.Symlink(secret, filepath.Join(f.inbox.at.Load().curDir, "link")))
	defer func() {
		for _, path := range []string{name(2), name(3), name(4), filepath.Join(f.inbox.at.Load().curDir, "link")} {
			os.Remove(path)
		}
	}()
	f.later()
	f.reopen()
	f.want("read", f.show(f.inbox), `1:one[\Seen]`)

	// One that takes the place of a message between scan and reading.
	path := f.file(f.inbox, ".1:2,S")
	info, err := os.Stat(path)
	f.ok(err)
	f.ok(os.Remove(path))
	for _, place := range []func() error{
		func() error { return unix.Mkfifo(path, 0o600) },
		func() error { return os.Symlink(secret, path) },
	} {
		f.ok(place())
		if c, err := f.inbox.Open(1); err == nil {
			c.Close()
			t.Error("opened what is no regular file")
		}
		f.ok(os.Remove(path))
	}
	f.ok(os.WriteFile(path, []byte("one\r\n"), 0o600))
	f.ok(os.Chtimes(path, info.ModTime(), info.ModTime())) // its internal date
}

// A folder that is a symbolic link, or whose new is one, is left alone: the files
// behind it would be renamed.
func TestForeignLinkedFolders(t *testing.T) {
	f := newFixture(t, nil)
	elsewhere := t.TempDir()
	f.ok(os.MkdirAll(filepath.Join(elsewhere, "cur"), 0o700))
	victim := filepath.Join(elsewhere, "cur", "victim")
	f.ok(os.WriteFile(victim, []byte("x\r\n"), 0o600))
	f.ok(os.Symlink(elsewhere, filepath.Join(f.home.dir, ".Linked")))
	f.ok(os.MkdirAll(filepath.Join(f.home.dir, ".Half", "cur"), 0o700))
	f.ok(os.Symlink(filepath.Join(elsewhere, "cur"), filepath.Join(f.home.dir, ".Half", "new")))
	defer os.Remove(filepath.Join(f.home.dir, ".Linked"))
	f.reopen()
	if f.home.Exists("Linked") {
		t.Error("a symbolic link became a folder")
	}
	if half, err := f.home.Mailbox("Half"); err == nil {
		if _, err := half.Snapshot(); err == nil {
			t.Error("a folder was read whose new is a symbolic link")
		}
		f.ok(f.home.Delete("Half"))
		f.reopen() // all of it is removed
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
}
