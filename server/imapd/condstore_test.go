package imapd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"facteur/server/imapwire"
)

// number returns the number behind a word of an answer.
func number(t *testing.T, answer, word string) uint64 {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(word) + `[ (]+(\d+)`).FindStringSubmatch(answer)
	if m == nil {
		t.Fatalf("%q has no %s", answer, word)
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCondstore follows RFC 7162 3.1.
func TestCondstore(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	a, b := w.login("INBOX"), w.login("")
	start := number(t, b.do("SELECT INBOX (CONDSTORE)", "OK [READ-WRITE]"), "HIGHESTMODSEQ")

	if got := a.do("STORE 1 +FLAGS (\\Seen)", "OK"); strings.Contains(got, "MODSEQ") {
		t.Errorf("MODSEQ without CONDSTORE: %q", got)
	}
	told := b.do("NOOP", "OK")
	if !like(strings.Split(told, "\r\n")[0], `* 1 FETCH (UID 1 FLAGS (\Seen) MODSEQ (...))`) {
		t.Errorf("%q", told)
	}
	first := number(t, told, "MODSEQ")
	if first <= start {
		t.Errorf("MODSEQ %d after %d", first, start)
	}
	// RFC 7162 3.1.3: message 1 is newer, message 2 is not.
	got := a.do(fmt.Sprintf("STORE 1:2 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Deleted)", start), "OK [MODIFIED 1]")
	if strings.Contains(got, "* 1 FETCH") || !strings.Contains(got, "* 2 FETCH (UID 2 MODSEQ (") || !strings.Contains(got, "[HIGHESTMODSEQ ") {
		t.Errorf("%q", got)
	}
	a.do(fmt.Sprintf("UID STORE 1:3 (UNCHANGEDSINCE %d) +FLAGS (\\Flagged)", start), "OK [MODIFIED 1:2]")
	a.do("STORE 3 (UNCHANGEDSINCE 0) FLAGS ()", "OK [MODIFIED 3]")
	// RFC 7162 3.1.4.1
	got = b.do(fmt.Sprintf("FETCH 1:* (FLAGS) (CHANGEDSINCE %d)", first), "OK")
	if strings.Contains(got, "* 1 FETCH") || !strings.Contains(got, "* 2 FETCH (FLAGS (\\Deleted) MODSEQ (") || !strings.Contains(got, "* 3 FETCH (FLAGS (\\Flagged) MODSEQ (") {
		t.Errorf("%q", got)
	}
	if got := b.do("FETCH 1 (MODSEQ)", "OK"); !strings.HasPrefix(got, fmt.Sprintf("* 1 FETCH (MODSEQ (%d))", first)) {
		t.Errorf("%q", got)
	}
	if got := b.do("NOOP", "OK"); got != "t OK NOOP completed\r\n" {
		t.Errorf("told twice: %q", got)
	}
	// A change of nothing takes no new MODSEQ.
	if got := b.do("STORE 1 +FLAGS (\\Seen)", "OK"); number(t, got, "MODSEQ") != first {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{
		"STORE 1 (UNCHANGEDSINCE) FLAGS ()", "STORE 1 (FOO 1) FLAGS ()", "SELECT INBOX (QRESYNC (1 2))", "SELECT INBOX (FOO)",
		"FETCH 1 FLAGS (CHANGEDSINCE x)", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
	} {
		b.do(bad, "BAD")
	}
}

// TestQresync follows RFC 7162 3.2.
func TestQresync(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(10)
	r := w.login("")
	r.do("ENABLE QRESYNC", "OK")
	answer := r.do("SELECT INBOX", "OK")
	validity, modSeq := number(t, answer, "UIDVALIDITY"), number(t, answer, "HIGHESTMODSEQ")
	o := w.login("INBOX")
	o.do("STORE 2,4:5,9 +FLAGS.SILENT (\\Deleted)", "OK")
	o.do("UID EXPUNGE 2:5", "OK")
	o.do("STORE 1 +FLAGS.SILENT (\\Answered)", "OK")
	w.fill(2)
	told := r.do("NOOP", "OK")
	for i, want := range []string{
		"* VANISHED 2,4:5", "* 9 EXISTS", "* ... RECENT", `* 1 FETCH (UID 1 FLAGS (\Answered...) MODSEQ (...))`, `* 6 FETCH (UID 9 FLAGS (\Deleted...) MODSEQ (...))`, "t OK NOOP completed",
	} {
		if line := strings.Split(told, "\r\n")[i]; !like(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if got := r.do("EXPUNGE", "OK [HIGHESTMODSEQ "); !strings.HasPrefix(got, "* VANISHED 9\r\n") {
		t.Errorf("%q", got)
	}
	if got := r.do("EXPUNGE", "OK EXPUNGE"); strings.Contains(got, "VANISHED") {
		t.Errorf("%q", got)
	}
	check := func(params string, want ...string) {
		t.Helper()
		got := r.do(fmt.Sprintf("SELECT INBOX (QRESYNC (%d %d%s))", validity, modSeq, params), "OK [READ-WRITE]")
		if !strings.Contains(got, "* OK [CLOSED]") {
			t.Errorf("no CLOSED: %q", got)
		}
		lines := strings.Split(got[strings.Index(got, "MAILBOXID"):], "\r\n")[1:]
		for i, wnt := range want {
			if !like(lines[i], wnt) {
				t.Errorf("%s: %q, want %q", params, lines[i], wnt)
			}
		}
		if !strings.HasPrefix(lines[len(want)], "t OK") {
			t.Errorf("%s: %q is too much", params, lines[len(want)])
		}
	}
	flags, new1, new2 := `* 1 FETCH (UID 1 FLAGS (\Answered...) MODSEQ (...))`, "* 7 FETCH (UID 11 ...", "* 8 FETCH (UID 12 ..."
	check("", "* VANISHED (EARLIER) 2,4:5,9", flags, new1, new2)
	check(" 1:4", "* VANISHED (EARLIER) 2,4", flags)
	check(" 6:8")
	check(" 1:10 (1,3 1,3)", "* VANISHED (EARLIER) 2,4:5,9", flags)
	check(" (1 1)", "* VANISHED (EARLIER) 2,4:5,9", flags, new1, new2)
	validity++
	check("") // RFC 7162 3.2.5: another mailbox, nothing to say
	for _, bad := range []string{"(1)", "(0 1)", "(1 1 *)", "(1 1 $)", "(1 1 1:2 (1))", "(1 1 1:2 (1 1)", "1 1"} {
		r.do("SELECT INBOX (QRESYNC "+bad+")", "BAD")
	}
	r.do("SELECT INBOX", "OK")
	got := r.do(fmt.Sprintf("UID FETCH 1:5 (FLAGS) (CHANGEDSINCE %d VANISHED)", modSeq), "OK")
	if lines := strings.Split(got, "\r\n"); lines[0] != "* VANISHED (EARLIER) 2,4:5" || !like(lines[1], flags) || !strings.HasPrefix(lines[2], "t OK") {
		t.Errorf("%q", got)
	}
	r.do("UID FETCH 1:5 FLAGS (VANISHED)", "BAD")
	r.do("FETCH 1:5 FLAGS (CHANGEDSINCE 1 VANISHED)", "BAD")
	r.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	if got := r.do("MOVE 1 Drafts", "OK [HIGHESTMODSEQ "); !like(strings.Split(got, "\r\n")[0], "* OK [COPYUID ... 1 1] ...") || !strings.Contains(got, "\r\n* VANISHED 1\r\n") {
		t.Errorf("%q", got)
	}
	r.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	r.do("CLOSE", "OK CLOSE") // and no HIGHESTMODSEQ (RFC 7162 3.2.8)
	r.do("SELECT INBOX", "OK")
	r.do("CLOSE", "OK CLOSE")
}

// TestUIDOnly follows RFC 9586.
func TestUIDOnly(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	r, o := w.login(""), w.login("INBOX")
	r.talk(`
		C: 1 ENABLE UIDONLY
		S: * ENABLED UIDONLY
		S: 1 OK ENABLE completed
	`)
	if got := r.do("SELECT INBOX", "OK"); strings.Contains(got, "UNSEEN") {
		t.Errorf("%q", got)
	}
	q := w.login("")
	q.do("ENABLE QRESYNC UIDONLY", "OK")
	q.do("SELECT INBOX (QRESYNC (1 1 1:2 (1 1)))", "BAD [UIDREQUIRED]")
	for _, command := range []string{"FETCH 1 FLAGS", "STORE 1 FLAGS ()", "COPY 1 Drafts", "MOVE 1 Drafts", "SEARCH ALL", "REPLACE 1 Drafts {1+}\r\nx", "SORT (DATE) UTF-8 ALL", "FETCH 1:* UID"} {
		r.do(command, "BAD [UIDREQUIRED]")
	}
	o.do("STORE 3 +FLAGS (\\Deleted)", "OK")
	r.talk(`
		C: 2 UID FETCH 1 (FLAGS UID)
		S: * 3 UIDFETCH (FLAGS (\Deleted))
		S: * 1 UIDFETCH (UID 1 FLAGS ())
		S: 2 OK UID FETCH completed
		C: 3 UID FETCH 1:2 FLAGS
		S: * 1 UIDFETCH (FLAGS ())
		S: * 2 UIDFETCH (FLAGS ())
		S: 3 OK UID FETCH completed
		C: 4 UID STORE 2 +FLAGS (\Seen)
		S: * 2 UIDFETCH (FLAGS (\Seen))
		S: 4 OK UID STORE completed
		C: 5 UID EXPUNGE 1:*
		S: * VANISHED 3
		S: 5 OK UID EXPUNGE completed
		C: 6 UID SEARCH UID 2
		S: * SEARCH 2
		S: 6 OK UID SEARCH completed
		C: 7 UID MOVE 2 Drafts
		S: * OK [COPYUID ... 2 1] ...
		S: * VANISHED 2
		S: 7 OK UID MOVE completed
	`)
}

// "*" in a set with VANISHED is the last that there was: that one may be gone.
func TestVanishedToTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	r := w.login("")
	r.do("ENABLE QRESYNC", "OK")
	modSeq := number(t, r.do("SELECT INBOX", "OK"), "HIGHESTMODSEQ")
	r.do("STORE 3 +FLAGS.SILENT (\\Deleted)", "OK")
	r.do("EXPUNGE", "OK")
	got := r.do(fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)", modSeq), "OK")
	if !strings.HasPrefix(got, "* VANISHED (EARLIER) 3\r\n") {
		t.Errorf("%q", got)
	}
}

// A list of known sequence numbers is followed as long as it ascends.
func TestMatchedAscends(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	snap, err := w.box("INBOX").Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		seqs, uids imapwire.NumSet
		want       uint32
	}{
		{imapwire.NumSet{{Start: 1, Stop: 3}}, imapwire.NumSet{{Start: 1, Stop: 3}}, 3},
		{imapwire.NumSet{{Start: 1, Stop: 2}, {Start: 1, Stop: 3}}, imapwire.NumSet{{Start: 1, Stop: 2}, {Start: 1, Stop: 3}}, 2},
	} {
		if got := (&resync{seqs: c.seqs, uids: c.uids}).matched(snap); got != c.want {
			t.Errorf("%v: %d", c.seqs, got)
		}
	}
}

// TestFirstCondstore: whatever turns CONDSTORE on while a mailbox is selected has
// its HIGHESTMODSEQ told, once (RFC 7162 3.1).
func TestFirstCondstore(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: x\n\nx\n")
	for _, command := range []string{
		"ENABLE CONDSTORE", "ENABLE QRESYNC", "STATUS Drafts (HIGHESTMODSEQ)", `LIST "" Drafts RETURN (STATUS (HIGHESTMODSEQ))`,
		"FETCH 1 MODSEQ", "FETCH 1 FLAGS (CHANGEDSINCE 1)", "SEARCH MODSEQ 1", `STORE 1 (UNCHANGEDSINCE 9999) +FLAGS (\Seen)`,
	} {
		r := w.login("INBOX")
		if got := r.do(command, "OK"); strings.Count(got, "* OK [HIGHESTMODSEQ ") != 1 {
			t.Errorf("%q", got)
		}
		if got := r.do("ENABLE QRESYNC CONDSTORE", "OK") + r.do("STATUS INBOX (HIGHESTMODSEQ)", "OK"); strings.Contains(got, "* OK [HIGHESTMODSEQ ") {
			t.Errorf("again, after %s: %q", command, got)
		}
		r.Close()
	}
	r := w.login("")
	if got := r.do("ENABLE CONDSTORE", "OK"); strings.Contains(got, "HIGHESTMODSEQ") {
		t.Errorf("without a mailbox: %q", got)
	}
}
