package imapd

import (
	"net"
	"strings"
	"testing"

	"facteur/server/imapwire"
)

func TestSearch(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, small, "\\Seen")
	w.add(box, mixed)
	w.add(box, "From: c@d.example\nSubject: Re: small\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\n\nother text\n", "\\Flagged")
	r := w.login("INBOX")
	r.talk(`
		C: 1 SEARCH ALL
		S: * SEARCH 1 2 3
		S: 1 OK SEARCH completed
		C: 2 UID SEARCH RETURN (MIN MAX COUNT) UNSEEN
		S: * ESEARCH (TAG "2") UID MIN 2 MAX 3 COUNT 2
		S: 2 OK UID SEARCH completed
		C: 3 SEARCH TEXT caf
		S: * SEARCH 2
		S: 3 OK SEARCH completed
		C: 4 SEARCH RETURN (SAVE) SUBJECT small
		S: 4 OK SEARCH completed
		C: 5 FETCH $ (UID)
		S: * 1 FETCH (UID 1)
		S: * 3 FETCH (UID 3)
		S: 5 OK FETCH completed
		C: 6 UID STORE $ +FLAGS.SILENT (\Answered)
		S: 6 OK UID STORE completed
		C: 7 SEARCH ANSWERED $
		S: * SEARCH 1 3
		S: 7 OK SEARCH completed
		C: 8 SEARCH CHARSET X-NONE ALL
		S: 8 NO [BADCHARSET (...)] ...
		C: 9 SORT (REVERSE SIZE) UTF-8 ALL
		S: * SORT 2 3 1
		S: 9 OK SORT completed
		C: 10 THREAD ORDEREDSUBJECT UTF-8 ALL
		S: * THREAD (...
		S: 10 OK THREAD completed
		C: 11 UID SEARCH RETURN (PARTIAL 1:2) ALL
		S: * ESEARCH (TAG "11") UID PARTIAL (1:2 1:2)
		S: 11 OK UID SEARCH completed
		C: 12 SEARCH MODSEQ 1
		S: * OK [HIGHESTMODSEQ ...] ...
		S: * SEARCH 1 2 3 (MODSEQ ...)
		S: 12 OK SEARCH completed
		C: 13 ESEARCH IN (mailboxes Drafts subtree-one INBOX selected) RETURN (COUNT) ALL
		S: * ESEARCH (TAG "13" MAILBOX INBOX UIDVALIDITY ...) UID COUNT 3
		S: 13 OK ESEARCH completed
		C: 14 SEARCH FOO
		S: 14 BAD ...
		C: 15 SEARCH RECENT
		S: * SEARCH 1 2 3
		S: 15 OK SEARCH completed
		C: 16 UID SEARCH UID 1,3 OLDER 1000000
		S: * SEARCH
		S: 16 OK UID SEARCH completed
		C: 17 UID EXPUNGE $
		S: 17 OK UID EXPUNGE completed
		C: 18 COPY $ Drafts
		S: 18 OK [COPYUID ... 1,3 1:2] COPY completed
		C: 19 ESEARCH IN (personal) SUBJECT small
		S: * ESEARCH (TAG "19" MAILBOX ...
		S: * ESEARCH (TAG "19" MAILBOX ...
		S: 19 OK ESEARCH completed
		C: 20 SELECT Drafts
	`)
	r.until("20 OK")
	if got := r.do("FETCH $ FLAGS", "OK"); strings.Contains(got, "FETCH (") {
		t.Errorf("$ stayed: %q", got) // RFC 5182 2.1
	}
	r.do("UNSELECT", "OK")
	r.do("ESEARCH IN (selected) ALL", "BAD")
	r.do("ESEARCH ALL", "BAD")
}

// Message numbers in ESEARCH are those that the client knows, whatever another
// session has removed.
func TestMultiSearchNumbers(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	r := w.login("INBOX")
	o := w.login("INBOX")
	o.do("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	o.do("EXPUNGE", "OK")
	r.talk(`
		C: 1 ESEARCH IN (selected) RETURN (ALL) 2
		S: * ESEARCH (TAG "1" MAILBOX INBOX UIDVALIDITY ...) UID ALL 2
		S: 1 OK ESEARCH completed
	`)
}

// brokenWriter is a connection whose client is gone.
type brokenWriter struct{}

// Write is that of io.Writer.
func (brokenWriter) Write([]byte) (int, error) { return 0, net.ErrClosed }

// A search ends when its client is gone, which its progress report finds out.
func TestSearchOfNobody(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	snap, err := box.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{srv: w.server, enc: imapwire.NewEncoder(brokenWriter{}, nil)}
	stopped := false
	s.searchEnv(&call{tag: "a"}, box, snap, func() { stopped = true }).Progress(1, 2)
	if !stopped {
		t.Error("it goes on")
	}
}
