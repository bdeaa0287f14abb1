package imapd

import (
	"fmt"
	"strings"
	"testing"
)

// TestMessageLimit follows RFC 9738 with a small limit: commands work on the
// newest messages, and say which was the last of them.
func TestMessageLimit(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessageLimit = 3 })
	inbox := w.box("INBOX")
	for i := range 5 {
		w.add(inbox, fmt.Sprintf("Subject: %d\n\nx\n", i))
	}
	r := w.login("INBOX")
	if got := r.do("CAPABILITY", "OK"); !strings.Contains(got, " MESSAGELIMIT=3") {
		t.Errorf("%q", got)
	}
	r.talk(`
		C: 1 FETCH 1:* UID
		S: * 5 FETCH (UID 5)
		S: * 4 FETCH (UID 4)
		S: * 3 FETCH (UID 3)
		S: 1 OK [MESSAGELIMIT 3 3] ...
		C: 2 UID FETCH 1:2,4 UID
		S: * 1 FETCH (UID 1)
		S: * 2 FETCH (UID 2)
		S: * 4 FETCH (UID 4)
		S: 2 OK UID FETCH completed
		C: 3 SEARCH ALL
		S: * SEARCH 3 4 5
		S: 3 OK [MESSAGELIMIT 3 3] ...
		C: 4 UID SEARCH UIDBEFORE 3
		S: * SEARCH 1 2
		S: 4 OK UID SEARCH completed
		C: 5 UID SEARCH UIDAFTER 2 UIDBEFORE 6
		S: * SEARCH 3 4 5
		S: 5 OK UID SEARCH completed
		C: 6 SEARCH RETURN (SAVE COUNT) ALL
		S: * ESEARCH (TAG "6") COUNT 3
		S: 6 OK [MESSAGELIMIT 3 3] ...
		C: 7 FETCH $ UID
		S: * 3 FETCH (UID 3)
		S: * 4 FETCH (UID 4)
		S: * 5 FETCH (UID 5)
		S: 7 OK FETCH completed
		C: 8 SORT (SUBJECT) UTF-8 ALL
		S: 8 NO [MESSAGELIMIT 3 3] ...
		C: 9 THREAD REFERENCES UTF-8 1:4
		S: 9 NO [MESSAGELIMIT 3 2] ...
		C: 10 SORT (SUBJECT) UTF-8 UIDAFTER 2
		S: * SORT 3 4 5
		S: 10 OK SORT completed
		C: 11 COPY 1:* Drafts
		S: 11 NO [MESSAGELIMIT 3 3] ...
		C: 12 COPY 1:3 Drafts
		S: 12 OK [COPYUID ... 1:3 1:3] COPY completed
		C: 13 STORE 1:4 +FLAGS.SILENT (\Flagged)
		S: 13 OK [MESSAGELIMIT 3 2] ...
		C: 14 STORE 1:4 (UNCHANGEDSINCE 1) +FLAGS (\Deleted)
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * NO [MESSAGELIMIT 3 2] ...
		S: 14 OK [MODIFIED 2:4] ...
		C: 15 STORE 1:3 +FLAGS.SILENT (\Deleted)
		S: * 1 FETCH (...
		S: * 2 FETCH (...
		S: * 3 FETCH (...
		S: 15 OK STORE completed
		C: 16 STORE 4:5 +FLAGS.SILENT (\Deleted)
		S: * 4 FETCH (...
		S: * 5 FETCH (...
		S: 16 OK STORE completed
		C: 17 UID EXPUNGE 1:4
		S: * 4 EXPUNGE
		S: * 3 EXPUNGE
		S: * 2 EXPUNGE
		S: 17 OK [MESSAGELIMIT 3 2] ...
		C: 18 APPEND INBOX {1+}
		C: a {1+}
		C: b {1+}
		C: c {1+}
		C: d
		S: 18 NO [MESSAGELIMIT 3] ...
	`)
	// EXPUNGE and CLOSE have no limit (RFC 9738 3.1).
	for range 3 {
		w.add(inbox, goodDay, `\Deleted`)
	}
	r.do("NOOP", "OK")
	if got := r.do("MOVE 1:* Trash", "OK [MESSAGELIMIT 3 6]"); strings.Count(got, " EXPUNGE") != 3 {
		t.Errorf("%q", got)
	}
	for range 3 {
		w.add(inbox, goodDay, `\Deleted`)
	}
	r.do("NOOP", "OK")
	if got := r.do("EXPUNGE", "OK EXPUNGE"); strings.Count(got, " EXPUNGE\r\n") != 5 {
		t.Errorf("%q", got)
	}
}
