package imapd

import (
	"strings"
	"sync/atomic"
	"testing"

	"facteur/server/address"
)

func TestCopyMove(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(5)
	r, o := w.login("INBOX"), w.login("Drafts")
	r.talk(`
		C: 1 STORE 2 +FLAGS.SILENT (\Flagged work)
		S: * FLAGS (... work)
		S: * OK [PERMANENTFLAGS ...
		S: 1 OK STORE completed
		C: 2 COPY 4,2 Drafts
		S: 2 OK [COPYUID ... 2,4 1:2] COPY completed
		C: 3 UID COPY 9:20 Drafts
		S: 3 OK UID COPY completed
		C: 4 UID MOVE 1:2,5 Drafts
		S: * OK [COPYUID ... 1:2,5 3:5] ...
		S: * 5 EXPUNGE
		S: * 2 EXPUNGE
		S: * 1 EXPUNGE
		S: 4 OK UID MOVE completed
		C: 5 MOVE 3 Drafts
		S: 5 BAD ...
		C: 6 MOVE 1 Nowhere
		S: 6 NO [TRYCREATE] ...
		C: 7 COPY 1 Nowhere
		S: 7 NO [TRYCREATE] ...
		C: 8 COPY 1 INBOX
		S: * 3 EXISTS
		S: * 3 RECENT
		S: 8 OK [COPYUID ... 3 6] COPY completed
		C: 9 COPY 1
		S: 9 BAD ...
		C: 10 FETCH 1:* (UID)
		S: * 1 FETCH (UID 3)
		S: * 2 FETCH (UID 4)
		S: * 3 FETCH (UID 6)
		S: 10 OK FETCH completed
	`)
	o.talk(`
		C: 1 FETCH 1 FLAGS
		S: 1 BAD ...
		C: 2 NOOP
		S: * FLAGS (... work)
		S: * OK [PERMANENTFLAGS ...
		S: * 5 EXISTS
		S: * 5 RECENT
		S: 2 OK NOOP completed
		C: 3 FETCH 1,4 FLAGS
		S: * 1 FETCH (FLAGS (\Flagged work \Recent))
		S: * 4 FETCH (FLAGS (\Flagged work \Recent))
		S: 3 OK FETCH completed
	`)
}

// TestShared has people with different rights in a shared mailbox (RFC 4314 4).
func TestSharedRights(t *testing.T) {
	office := address.MustParse("office@example.org")
	rights := map[string]string{"member@example.org": "lrswite", "reader@example.org": "lr", "writer@example.org": "lri"}
	w := newWorld(t, func(o *Options) {
		o.Roles = func(a address.Address) []Shared {
			if r := rights[a.String()]; r != "" {
				return []Shared{{Address: office, Rights: r}}
			}
			return nil
		}
		o.QuotaOf = func(a address.Address) int64 {
			if a == office {
				return 300
			}
			return 0
		}
	})
	home, err := w.store.Home(office)
	if err != nil {
		t.Fatal(err)
	}
	box, err := home.Mailbox("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.add(box, small)
	}
	const name = "Shared/office@example.org"
	stranger := w.loginAs("stranger@example.org", "")
	stranger.do("SELECT "+name, "NO [NONEXISTENT]")
	stranger.do("APPEND "+name+" {3+}\r\nabc", "NO [TRYCREATE]")

	reader := w.loginAs("reader@example.org", "")
	reader.do("SELECT "+name, "OK [READ-ONLY]")
	if got := reader.do("FETCH 1 BODY[1]", "OK"); strings.Contains(got, "Seen") {
		t.Errorf("a reader sets \\Seen: %q", got)
	}
	reader.do("STORE 1 +FLAGS (\\Seen)", "NO [NOPERM]")
	reader.do("COPY 1 INBOX", "OK [COPYUID")
	reader.do("MOVE 1 INBOX", "NO [NOPERM]")
	reader.do("EXPUNGE", "NO [NOPERM]")
	reader.do("APPEND "+name+" {3+}\r\nabc", "NO [NOPERM]")
	reader.do("SELECT INBOX", "OK [READ-WRITE]")
	reader.do("COPY 1 "+name, "NO [NOPERM]")

	writer := w.loginAs("writer@example.org", "")
	writer.do("SELECT "+name, "OK [READ-WRITE]")
	writer.do("STORE 1 +FLAGS (\\Seen)", "NO [NOPERM]")
	writer.do("REPLACE 1 "+name+" {3+}\r\nabc", "NO [NOPERM]")
	writer.do("APPEND "+name+" (\\Seen \\Deleted) {3+}\r\nabc", "OK")
	if got := writer.do("FETCH 4 FLAGS", "OK"); !strings.HasPrefix(got, "* 4 FETCH (FLAGS (\\Recent))") {
		t.Errorf("flags without a right: %q", got)
	}
	writer.do("APPEND INBOX (\\Seen \\Flagged $Label) {3+}\r\nabc", "OK")
	writer.do("SELECT INBOX", "OK")
	writer.do("COPY 1 "+name, "OK")
	writer.do("MOVE 1 "+name, "OK")
	writer.do("SELECT "+name, "OK")
	for _, i := range []string{"5", "6"} {
		if got := writer.do("FETCH "+i+" FLAGS", "OK"); !strings.Contains(got, "(FLAGS (\\Recent))") {
			t.Errorf("copied with flags without a right: %q", got)
		}
	}

	member := w.loginAs("member@example.org", "")
	if got := member.do("SELECT "+name, "OK [READ-WRITE]"); !strings.Contains(got, "\\Seen \\Deleted") {
		t.Errorf("%q", got)
	}
	member.do("FETCH 1 BODY[1]", "OK")
	if got := reader.do("EXAMINE "+name, "OK"); !strings.Contains(got, "[UNSEEN 2]") {
		t.Errorf("\\Seen is not shared: %q", got)
	}
	member.do("MOVE 1 INBOX", "OK")
	member.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	member.do("EXPUNGE", "OK")
	member.do("SELECT INBOX", "OK")
	member.do("UID MOVE 1:* "+name, "OK")
	member.do("APPEND "+name+" {290+}\r\n"+strings.Repeat("x", 290), "NO [OVERQUOTA]")
	member.do("SELECT "+name, "OK")

	rights["member@example.org"] = "lr" // a reload
	member.do("STORE 1 +FLAGS (\\Seen)", "NO [NOPERM]")
	member.do("EXPUNGE", "NO [NOPERM]")
	rights["member@example.org"] = "lrs"
	member.do("STORE 1 +FLAGS (\\Seen)", "OK")
	member.do("STORE 1 +FLAGS (\\Flagged)", "NO [NOPERM]")
	member.do("STORE 1 FLAGS (\\Seen)", "NO [NOPERM]")
}

// A role that a reload takes away ends at once, also for the selected mailbox.
func TestLostRole(t *testing.T) {
	office := address.MustParse("office@example.org")
	var gone atomic.Bool
	w := newWorld(t, func(o *Options) {
		o.Roles = func(address.Address) []Shared {
			if gone.Load() {
				return nil
			}
			return []Shared{{Address: office, Rights: "lrswite"}}
		}
	})
	home, err := w.store.Home(office)
	if err != nil {
		t.Fatal(err)
	}
	box, err := home.Mailbox("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	w.add(box, small)
	const name = "Shared/office@example.org"
	commands := []string{"FETCH 1 BODY[]", "SEARCH ALL", "COPY 1 INBOX", "APPEND INBOX CATENATE (URL \";UID=1\")", "APPEND INBOX {3+}\r\nabc", "NOOP"}
	sessions := make([]*rawConn, len(commands))
	for i := range commands {
		sessions[i] = w.login(name)
	}
	idle := w.login(name)
	idle.send("t IDLE\r\n")
	idle.expect("+")
	gone.Store(true)
	for i, r := range sessions {
		r.send("t %s\r\n", commands[i])
		r.expect("* BYE")
		r.closed()
	}
	w.add(box, small)
	idle.expect("* BYE")
	idle.closed()
}
