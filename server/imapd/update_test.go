package imapd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fill adds n messages to INBOX.
func (w *world) fill(n int) {
	w.t.Helper()
	for range n {
		w.add(w.box("INBOX"), small)
	}
}

// TestUpdates has two sessions on a mailbox: what one does the other is told of,
// at the right moment (RFC 9051 7.5.1).
func TestUpdates(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(4)
	a, b := w.login("INBOX"), w.login("INBOX")
	a.do("STORE 2 +FLAGS (\\Flagged)", "OK")
	b.talk(`
		C: 1 NOOP
		S: * 2 FETCH (UID 2 FLAGS (\Flagged))
		S: 1 OK NOOP completed
		C: 2 NOOP
		S: 2 OK NOOP completed
	`)
	w.fill(1)
	b.talk(`
		C: 3 NOOP
		S: * 5 EXISTS
		S: * 1 RECENT
		S: 3 OK NOOP completed
	`)
	a.talk(`
		C: 3 NOOP
		S: * 5 EXISTS
		S: * 4 RECENT
		S: 3 OK NOOP completed
		C: 4 UID STORE 1,3 +FLAGS.SILENT (\Deleted)
		S: 4 OK UID STORE completed
		C: 5 EXPUNGE
		S: * 3 EXPUNGE
		S: * 1 EXPUNGE
		S: 5 OK EXPUNGE completed
		C: 6 STORE 3 +FLAGS (new)
		S: * FLAGS (... new)
		S: * OK [PERMANENTFLAGS (... new \*)] ...
		S: * 3 FETCH (FLAGS (new))
		S: 6 OK STORE completed
	`)
	// b knows 5 messages as yet: no EXPUNGE may come in FETCH, STORE and SEARCH.
	b.talk(`
		C: 4 FETCH 1:5 (UID)
		S: * 2 FETCH (UID 2)
		S: * 4 FETCH (UID 4)
		S: * 5 FETCH (UID 5)
		S: * FLAGS (... new)
		S: * OK [PERMANENTFLAGS (...
		S: * 5 FETCH (UID 5 FLAGS (new...))
		S: 4 OK [EXPUNGEISSUED] Some messages are gone
		C: 5 STORE 4 +FLAGS (\Answered)
		S: * 4 FETCH (FLAGS (\Answered))
		S: 5 OK STORE completed
		C: 6 FETCH 5 FLAGS
		S: * 5 FETCH (FLAGS (new...))
		S: 6 OK FETCH completed
		C: 7 SEARCH UID 1:*
		S: * SEARCH 2 4 5
		S: 7 OK SEARCH completed
		C: 7b SEARCH OR ANSWERED KEYWORD new
		S: * SEARCH 4 5
		S: 7b OK SEARCH completed
		C: 7c SEARCH SUBJECT small
		S: * SEARCH 2 4 5
		S: 7c OK SEARCH completed
		C: 8 UID FETCH 4 (FLAGS)
		S: * 3 EXPUNGE
		S: * 1 EXPUNGE
		S: * 2 FETCH (UID 4 FLAGS (\Answered))
		S: 8 OK UID FETCH completed
		C: 9 NOOP
		S: 9 OK NOOP completed
	`)
	a.talk(`
		C: 7 STORE 1:3 +FLAGS.SILENT (\Deleted)
		S: * 2 FETCH (FLAGS (\Answered \Deleted...))
		S: 7 OK STORE completed
	`)
}

// TestUpdatesPendingExpunge has changes of flags while an EXPUNGE waits: each is
// told once, under the number that the client knows.
func TestUpdatesPendingExpunge(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(4)
	a, b := w.login("INBOX"), w.login("INBOX")
	a.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	a.do("EXPUNGE", "OK")
	a.do("STORE 2 +FLAGS.SILENT (\\Seen)", "OK") // UID 3
	w.fill(1)
	b.talk(`
		C: 1 FETCH 2 (UID)
		S: * 2 FETCH (UID 2)
		S: * 3 FETCH (UID 3 FLAGS (\Seen))
		S: 1 OK FETCH completed
		C: 2 FETCH 2 (UID)
		S: * 2 FETCH (UID 2)
		S: 2 OK FETCH completed
		C: 3 FETCH 1 (UID)
		S: 3 OK [EXPUNGEISSUED] Some messages are gone
		C: 4 COPY 1 Drafts
		S: 4 NO [EXPUNGEISSUED] The messages are gone
		C: 5 NOOP
		S: * 1 EXPUNGE
		S: * 4 EXISTS
		S: * 1 RECENT
		S: 5 OK NOOP completed
	`)
}

func TestStoreSilent(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	a, b := w.login("INBOX"), w.login("INBOX")
	a.talk(`
		C: 1 STORE 1 +FLAGS.SILENT (\Seen)
		S: 1 OK STORE completed
		C: 2 NOOP
		S: 2 OK NOOP completed
	`)
	// b does not know of \Seen yet: what it expects is not what comes out.
	b.talk(`
		C: 1 STORE 1:2 +FLAGS.SILENT (\Flagged)
		S: * 1 FETCH (FLAGS (\Flagged \Seen))
		S: 1 OK STORE completed
		C: 2 STORE 1:2 FLAGS.SILENT (\Draft)
		S: 2 OK STORE completed
		C: 3 STORE 1 -FLAGS (\Draft)
		S: * 1 FETCH (FLAGS ())
		S: 3 OK STORE completed
		C: 4 STORE 1 -FLAGS (\Draft)
		S: * 1 FETCH (FLAGS ())
		S: 4 OK STORE completed
		C: 5 UID STORE 2 FLAGS \Seen \Flagged
		S: * 2 FETCH (UID 2 FLAGS (\Flagged \Seen))
		S: 5 OK UID STORE completed
		C: 6 STORE 1 FLAGS ()
		S: * 1 FETCH (FLAGS ())
		S: 6 OK STORE completed
		C: 7 STORE 1 +FLAGS (\Recent \seen)
		S: * 1 FETCH (FLAGS (\Seen))
		S: 7 OK STORE completed
		C: 8 STORE 1 +FLAGS (\Nonsense)
		S: 8 BAD There is no such system flag
		C: 9 STORE 1 *FLAGS (\Seen)
		S: 9 BAD ...
		C: 10 STORE 1 +FLAGS
		S: 10 BAD ...
	`)
}

// TestRecent: one session is told of a message as \Recent, no other
// (RFC 3501 2.3.2).
func TestRecent(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(2)
	x := w.login("")
	if got := x.do("EXAMINE INBOX", "OK"); !strings.Contains(got, "* 2 RECENT") {
		t.Errorf("%q", got)
	}
	a := w.login("")
	if got := a.do("SELECT INBOX", "OK [READ-WRITE]"); !strings.Contains(got, "* 2 RECENT") {
		t.Errorf("EXAMINE took it: %q", got)
	}
	b := w.login("")
	if got := b.do("SELECT INBOX", "OK"); !strings.Contains(got, "* 0 RECENT") {
		t.Errorf("%q", got)
	}
	w.fill(1)
	b.do("NOOP", "OK")
	a.do("NOOP", "OK")
	if got := b.do("FETCH 1:* FLAGS", "OK"); strings.Count(got, "Recent") != 1 || !strings.Contains(got, "* 3 FETCH (FLAGS (\\Recent))") {
		t.Errorf("%q", got)
	}
	if got := a.do("FETCH 1:* FLAGS", "OK"); strings.Count(got, "Recent") != 2 {
		t.Errorf("%q", got)
	}
	b.do("ENABLE IMAP4rev2", "OK")
	if got := b.do("FETCH 3 FLAGS", "OK"); strings.Contains(got, "Recent") {
		t.Errorf("IMAP4rev2 has no \\Recent: %q", got)
	}
}

func TestSelect(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, small, "\\Seen")
	w.add(box, small, "work")
	r := w.login("")
	r.talk(`
		C: 1 SELECT INBOX
		S: * FLAGS (... work)
		S: * OK [PERMANENTFLAGS (... work \*)] Permanent flags
		S: * 2 EXISTS
		S: * 2 RECENT
		S: * OK [UNSEEN 2] ...
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 3] ...
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * OK [MAILBOXID (...)] ...
		S: 1 OK [READ-WRITE] SELECT completed
		C: 2 EXAMINE inbox
		S: * OK [CLOSED] ...
		S: * FLAGS (... work)
		S: * OK [PERMANENTFLAGS ()] Permanent flags
		S: * 2 EXISTS
		S: * 0 RECENT
		S: * OK [UNSEEN 2] ...
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 3] ...
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * OK [MAILBOXID (...)] ...
		S: 2 OK [READ-ONLY] EXAMINE completed
		C: 3 STORE 1 +FLAGS (\Seen)
		S: 3 NO [NOPERM] ...
		C: 4 EXPUNGE
		S: 4 NO [NOPERM] ...
		C: 5 MOVE 1 Drafts
		S: 5 NO [NOPERM] ...
		C: 6 COPY 1 Drafts
		S: 6 OK [COPYUID ...] COPY completed
		C: 7 SELECT Nowhere
		S: * OK [CLOSED] ...
		S: 7 NO [NONEXISTENT] ...
		C: 8 FETCH 1 FLAGS
		S: 8 BAD ...
		C: 9 ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: 9 OK ENABLE completed
		C: 10 SELECT INBOX
		S: * FLAGS (...)
		S: * OK [PERMANENTFLAGS ...
		S: * 2 EXISTS
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 3] ...
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * OK [MAILBOXID (...)] ...
		S: * LIST () "/" INBOX
		S: 10 OK [READ-WRITE] SELECT completed
		C: 11 SELECT Drafts
		S: * OK [CLOSED] ...
		S: * FLAGS (...)
		S: * OK [PERMANENTFLAGS ...
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 2] ...
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * OK [MAILBOXID (...)] ...
		S: * LIST () "/" Drafts
		S: 11 OK [READ-WRITE] SELECT completed
		C: 12 STORE 1 +FLAGS.SILENT (\Deleted)
		S: 12 OK STORE completed
		C: 13 UNSELECT
		S: 13 OK UNSELECT completed
		C: 14 CHECK
		S: 14 BAD ...
		C: 15 SELECT (Drafts)
		S: 15 BAD ...
	`)
	if got := r.do("SELECT Drafts", "OK"); !strings.Contains(got, "* 1 EXISTS") {
		t.Errorf("UNSELECT expunged: %q", got)
	}
	r.do("CLOSE", "OK CLOSE completed")
	if got := r.do("SELECT Drafts", "OK"); !strings.Contains(got, "* 0 EXISTS") {
		t.Errorf("CLOSE did not expunge: %q", got)
	}
}

// TestMailboxDeleted: the session ends, and its client finds out why.
func TestMailboxDeleted(t *testing.T) {
	w := newWorld(t, nil)
	home, err := w.store.Home(alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := home.Create("Old", ""); err != nil {
		t.Fatal(err)
	}
	w.add(w.box("Old"), small)
	r := w.login("Old")
	if err := home.Delete("Old"); err != nil {
		t.Fatal(err)
	}
	r.talk(`
		C: 1 FETCH 1 BODY.PEEK[]
		S: * BYE ...
		S: 1 NO [NONEXISTENT] ...
	`)
	r.closed()
}

// TestDeleteSelected: one's own DELETE only closes the mailbox.
func TestDeleteSelected(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	r.do("CREATE Old", "OK")
	r.do("SELECT Old", "OK")
	r.talk(`
		C: 1 DELETE Old
		S: * OK [CLOSED] ...
		S: 1 OK DELETE completed
		C: 2 CHECK
		S: 2 BAD ...
		C: 3 SELECT Old
		S: 3 NO [NONEXISTENT] ...
	`)
}

// TestForeignUpdates: another program delivers and removes.
func TestForeignUpdates(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(2)
	r := w.login("INBOX")
	dir := filepath.Join(w.dir, "domains", "example.org", "alice", "mail")
	if err := os.WriteFile(filepath.Join(dir, "new", "1700000000.M1.elsewhere"), []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	r.talk(`
		C: 1 IDLE
		S: + ...
		S: * 3 EXISTS
		S: * 3 RECENT
		C: DONE
		S: 1 OK IDLE completed
		C: 2 FETCH 3 (UID BODY.PEEK[1])
		S: * 3 FETCH (UID 3 BODY[1] {7}
		S: Hello
		S: )
		S: 2 OK FETCH completed
	`)
}

func TestIdleTells(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(1)
	a, b := w.login("INBOX"), w.login("INBOX")
	a.send("1 IDLE\r\n")
	a.expect("+ ")
	w.fill(1)
	a.expect("* 2 EXISTS")
	a.expect("* 2 RECENT")
	b.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	a.expect("* 1 FETCH (UID 1 FLAGS (\\Deleted")
	b.do("EXPUNGE", "OK")
	a.expect("* 1 EXPUNGE")
	a.send("DONE\r\n")
	a.expect("1 OK")
}
