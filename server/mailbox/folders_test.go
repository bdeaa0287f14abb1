package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// folders describes the folders: "INBOX+ Sent\Sent+ (Lists) Lists/Go", with +
// for subscribed, in brackets what is no mailbox.
func (f *fixture) folders() string {
	f.Helper()
	list, err := f.home.Folders()
	f.ok(err)
	var out []string
	for _, x := range list {
		s := x.Name + x.Use
		if !x.Exists {
			s = "(" + s + ")"
		}
		if x.Subscribed {
			s += "+"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

const usual = `INBOX+ Archive\Archive+ Drafts\Drafts+ Junk\Junk+ Sent\Sent+ Trash\Trash+`

func TestFolders(t *testing.T) {
	f := newFixture(t, nil)
	f.want("a new home", f.folders(), usual)
	changed := f.home.Changed().Subscribe()
	defer changed.Close()
	f.ok(f.home.Create("Lists/Go", ""))
	<-changed.C
	f.ok(f.home.Create("Lists/Entwürfe", `\Drafts`))
	f.ok(f.home.Create("Lists-2", ""))
	f.ok(f.home.Subscribe("Lists/Go", true))
	f.ok(f.home.Subscribe("Lists/Go", true))
	f.ok(f.home.Subscribe("Nowhere/at all", true))
	f.ok(f.home.Subscribe("inbox", false))
	all := strings.Replace(usual, "INBOX+", "INBOX", 1)
	all = strings.Replace(all, "Sent", `(Lists) Lists/Entwürfe\Drafts Lists/Go+ Lists-2 (Nowhere/at all)+ Sent`, 1)
	f.want("folders", f.folders(), all)
	f.reopen()
	f.want("opened again", f.folders(), all)
	if !f.home.Exists("iNbOx") || f.home.Exists("Lists") || f.home.Exists("a.b") || !f.home.Exists("Lists/Go") {
		t.Error("Exists")
	}
	if f.mailbox("inbox") != f.inbox {
		t.Error("two mailboxes of one folder")
	}
	for name, kind := range map[string]fault.Kind{
		"Sent": fault.Exists, "inbox": fault.Exists, "a.b": fault.NotPossible, "a//b": fault.NotPossible, "": fault.NotPossible,
	} {
		f.wantFault("Create "+name, f.home.Create(name, ""), kind)
	}
	f.wantFault("a use that is none", f.home.Create("x", `\Sent\n`), fault.NotPossible)
	_, err := f.home.Mailbox("Lists")
	f.wantFault("a level", err, fault.NotFound)
	_, err = f.home.Mailbox("a..b")
	f.wantFault("a bad name", err, fault.NotFound)
}

func TestDelete(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.home.Create("Lists", ""))
	f.ok(f.home.Create("Lists/Go", ""))
	lists := f.mailbox("Lists")
	f.add(lists, "one\r\n")
	v := f.view(lists)
	f.ok(f.home.Delete("Lists"))
	<-v.C
	if !v.Gone() {
		t.Error("the view is not gone")
	}
	f.want("folders", f.folders(), strings.Replace(usual, " Sent", " (Lists) Lists/Go Sent", 1))
	_, err := lists.Add(f.draft("x"), AddOptions{})
	f.wantFault("Add", err, fault.NotFound)
	_, err = lists.Open(1)
	f.wantFault("Open", err, fault.NotFound)
	f.wantFault("a level", f.home.Delete("Lists"), fault.NotPossible)
	f.wantFault("INBOX", f.home.Delete("Inbox"), fault.NotPossible)
	f.wantFault("nothing", f.home.Delete("Nothing"), fault.NotFound)
	f.wantFault("a bad name", f.home.Delete("a.b"), fault.NotFound)

	f.ok(f.home.Create("Lists", ""))
	again := f.mailbox("Lists")
	if again == lists || again.validity <= lists.validity {
		t.Error("UIDVALIDITY", again.validity, "after", lists.validity)
	}
	f.want("made again", f.show(again), "")
	f.ok(f.home.Delete("Sent"))
	f.reopen()
	if f.home.Exists("Sent") {
		t.Error("a folder that was deleted is made again")
	}
	if left, _ := filepath.Glob(filepath.Join(f.home.dir, deletedPrefix+"*")); len(left) != 0 {
		t.Error("left behind:", left)
	}
	f.add(f.mailbox("Lists/Go"), "x\r\n")
}

func TestRename(t *testing.T) {
	f := newFixture(t, nil)
	for _, name := range []string{"A", "A/B", "A/B/C", "AB", "X"} {
		f.ok(f.home.Create(name, ""))
	}
	a := f.mailbox("A")
	f.add(a, "one\r\n")
	v := f.view(a)
	validity := a.validity
	f.ok(f.home.Rename("A", "Y/Z"))
	f.want("renamed", f.folders(), strings.Replace(usual, "Archive", "AB Archive", 1)+" X (Y) Y/Z Y/Z/B Y/Z/B/C")
	if a.Name() != "Y/Z" || f.mailbox("Y/Z") != a || v.Gone() {
		t.Error("another mailbox than before")
	}
	f.add(a, "two\r\n")
	f.want("its view", f.next(v), "+2[recent]")
	f.want("its messages", f.show(a), "1:one 2:two")
	f.ok(f.home.Rename("Y", "W")) // a level
	f.want("a level renamed", f.folders(), strings.Replace(usual, "Archive", "AB Archive", 1)+" (W) W/Z W/Z/B W/Z/B/C X")
	f.reopen()
	f.want("kept", f.show(f.mailbox("W/Z")), "1:one 2:two")
	if got := f.mailbox("W/Z").validity; got != validity {
		t.Error("UIDVALIDITY", got, "before", validity)
	}
	f.wantFault("onto a folder", f.home.Rename("X", "Sent"), fault.Exists)
	f.wantFault("onto INBOX", f.home.Rename("X", "inbox"), fault.Exists)
	f.wantFault("of nothing", f.home.Rename("Nothing", "Q"), fault.NotFound)
	f.wantFault("below itself", f.home.Rename("X", "X/Y"), fault.NotPossible)
	f.wantFault("to a bad name", f.home.Rename("X", "a.b"), fault.NotPossible)
	f.wantFault("to a name too long", f.home.Rename("W", strings.Repeat("x", 250)), fault.NotPossible)
	f.ok(f.home.Create("V/Z/B", ""))
	f.wantFault("onto one below", f.home.Rename("W", "V"), fault.Exists)
	f.want("nothing changed", f.show(f.mailbox("W/Z")), "1:one 2:two")
}

func TestRenameInbox(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.home.Create("INBOX/below", ""))
	f.add(f.inbox, "one\r\n", "$Work")
	f.add(f.inbox, "two\r\n")
	v := f.view(f.inbox)
	f.ok(f.home.Rename("inbox", "Old"))
	f.want("INBOX", f.show(f.inbox), "")
	f.want("events", f.next(v), "-1 -2")
	f.want("Old", f.show(f.mailbox("Old")), "1:one[$Work] 2:two[recent]")
	if !f.home.Exists("INBOX/below") {
		t.Error("what is below INBOX is gone")
	}
}

// When one of several directories can't be renamed, none is.
func TestRenameFails(t *testing.T) {
	faulty := &safefile.Faulty{FS: safefile.OS}
	f := newFixture(t, func(string) safefile.FS { return faulty })
	for _, name := range []string{"A", "A/B", "A/C"} {
		f.ok(f.home.Create(name, ""))
	}
	before := f.folders()
	broken := errors.New("broken")
	faulty.Fail = func(op safefile.Op) error {
		if op.Kind == "rename" && strings.HasSuffix(op.To, ".Z.C") {
			return broken
		}
		return nil
	}
	if err := f.home.Rename("A", "Z"); !errors.Is(err, broken) {
		t.Error(err)
	}
	faulty.Fail = nil
	f.want("folders", f.folders(), before)
	f.add(f.mailbox("A/B"), "x\r\n")
}

// Folders that another program makes are seen, and those that it copies get a
// UIDVALIDITY of their own.
func TestForeignFolders(t *testing.T) {
	f := newFixture(t, nil)
	sent := f.mailbox("Sent")
	f.add(sent, "one\r\n")
	f.ok(os.CopyFS(filepath.Join(f.home.dir, ".Sent copy"), os.DirFS(sent.at.Load().dir)))
	for _, dir := range []string{".Bücher/cur", ".Bücher/new", ".Bücher/tmp", ".no folder", ".a..b/cur"} {
		f.ok(os.MkdirAll(filepath.Join(f.home.dir, dir), 0o700))
	}
	f.want("folders", f.folders(), strings.Replace(usual, " Drafts", " Bücher Drafts", 1)[:len(usual)+len(" Bücher")-len(`Trash\Trash+`)]+`Sent copy Trash\Trash+`)
	double := f.mailbox("Sent copy")
	if double.validity == sent.validity || double.use != "" {
		t.Error("the copy has the UIDVALIDITY of the original")
	}
	f.want("the copy", f.show(double), "1:one[recent]")
	f.want("the original", f.show(sent), "1:one[recent]")
	f.add(f.mailbox("Bücher"), "x\r\n")
	f.ok(f.home.Rename("Bücher", "Livres"))
	f.want("renamed", f.show(f.mailbox("Livres")), "1:x[recent]")
}

// A Maildir++ that was there before is taken over as it is.
func TestTakeOver(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.store.Close())
	f.ok(os.RemoveAll(f.home.dir))
	for _, dir := range []string{"", ".Sent", ".Mine"} {
		for _, sub := range []string{"cur", "new", "tmp"} {
			f.ok(os.MkdirAll(filepath.Join(f.home.dir, dir, sub), 0o700))
		}
	}
	f.ok(os.WriteFile(filepath.Join(f.home.dir, ".Mine/cur/1.a.h,S=3,W=4:2,Sa"), []byte("ab\n"), 0o600))
	f.ok(os.WriteFile(filepath.Join(f.home.dir, ".Mine/dovecot-keywords"), []byte("0 $Work\n"), 0o600))
	f.open()
	f.want("folders", f.folders(), strings.Replace(usual, " Sent", " Mine+ Sent", 1))
	f.want("messages", f.show(f.mailbox("Mine")), "1:ab[$Work \\Seen]")
}

// UIDVALIDITYs go on when the file that counts them is lost.
func TestValidityLost(t *testing.T) {
	f := newFixture(t, nil)
	f.ok(f.home.Create("Last", ""))
	last := f.mailbox("Last").validity
	f.ok(f.store.Close())
	f.ok(os.Remove(filepath.Join(f.home.dir, "facteur-uidvalidity")))
	f.open()
	f.ok(f.home.Create("Next", ""))
	if next := f.mailbox("Next").validity; next <= last {
		t.Error(next, "after", last)
	}
	v, err := maildir.ReadValidity(f.home.dir)
	if v != f.mailbox("Next").validity || err != nil {
		t.Error(v, err)
	}
}

func TestTooManyFolders(t *testing.T) {
	f := newFixture(t, nil)
	f.home.mu.Lock()
	real := f.home.folders
	f.home.folders = make(map[string]*Mailbox)
	for i := range maxFolders {
		f.home.folders[fmt.Sprint("x", i)] = f.inbox
	}
	f.home.mu.Unlock()
	f.home.admin.Lock()
	_, err := f.home.create("one more", "")
	f.home.admin.Unlock()
	f.wantFault("one folder too many", err, fault.NotPossible)
	f.home.mu.Lock()
	f.home.folders = real
	f.home.mu.Unlock()
}
