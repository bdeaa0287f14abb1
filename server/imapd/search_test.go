package imapd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"facteur/server/address"
	"facteur/server/envelope"
)

func quotaOf(n int64) func(address.Address) int64 { return func(address.Address) int64 { return n } }

func TestSearch(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("")
	day := func(d int) time.Time { return time.Date(2026, 11, d, 23, 30, 0, 0, time.Local) }
	for i, m := range []struct {
		text  string
		flags []imap.Flag
	}{
		{"From: Jörg <j@example.org>\nTo: b@example.org\nSubject: =?iso-8859-1?q?Caf=E9?= au lait\nDate: Mon, 2 Nov 2026 01:00:00 +0500\n\nplain text\n", []imap.Flag{imap.FlagSeen}},
		{"From: x@example.org\nCc: c@example.org\nSubject: two\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSTRA=DFE und caf=E9\n", []imap.Flag{imap.FlagFlagged, "Work"}},
		{mixed, []imap.Flag{imap.FlagDeleted, imap.FlagAnswered}},
		{"Subject: four\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\nX-Empty:\n\nWsO8cmljaA==\n" /* Zürich */, []imap.Flag{imap.FlagDraft}},
	} {
		_, err := c.append("INBOX", m.text, &imap.AppendOptions{Flags: m.flags, Time: day(i + 1)})
		c.must(err)
	}
	w.add(w.box("INBOX"), "")
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	r.do("SELECT INBOX", "OK")
	for _, tc := range []struct{ key, want string }{
		{"ALL", "1 2 3 4 5"}, {"2:3", "2 3"}, {"*", "5"}, {"UID 2,4:*", "2 4 5"}, {"NOT 1", "2 3 4 5"}, {"OR 1 4", "1 4"},
		{"(1:3 NOT (2))", "1 3"}, {"OR (1 SEEN) (4 SEEN)", "1"},
		{"SEEN", "1"}, {"UNSEEN", "2 3 4 5"}, {"FLAGGED", "2"}, {"KEYWORD work", "2"}, {"UNKEYWORD Work", "1 3 4 5"},
		{"DELETED", "3"}, {"UNDELETED ANSWERED", ""}, {"DRAFT", "4"}, {"RECENT", "5"}, {"NEW", "5"}, {"OLD", "1 2 3 4"},
		{"SINCE 3-Nov-2026 SEEN", ""}, {"SINCE 3-Nov-2026 BEFORE 1-Dec-2026 NOT NEW", "3 4"}, {"BEFORE 2-Nov-2026", "1"}, {"ON 2-Nov-2026", "2"},
		{"SENTON 2-Nov-2026", "1"}, {"SENTSINCE 1-Jan-2000", "1"}, {"SENTBEFORE 2-Nov-2026", ""},
		{"LARGER 300", "3"}, {"SMALLER 120", "4 5"},
		{`FROM "J@EXAMPLE"`, "1"}, {"FROM {5+}\r\njÖRG", "1"}, {`TO b@`, "1"}, {"CC c@example.org", "2"}, {"SUBJECT {5+}\r\ncAFÉ", "1"},
		{`HEADER X-Empty ""`, "4"}, {`HEADER Subject ""`, "1 2 4"}, {"HEADER Content-Type multipart", "3"},
		{"BODY plain", "1 3"}, {"BODY strasse", "2"}, {"BODY {7+}\r\nZÜRICH", "4"}, {"BODY {5+}\r\nCAFÉ", "2"}, {"BODY two", ""}, {"TEXT two", "2"},
		{"TEXT {5+}\r\ncafé", "1 2"}, {"BODY inner", "3"}, {"BODY digest", "3"}, {`TEXT ""`, "1 2 3 4 5"}, {"BODY preamble", ""},
		{"CHARSET UTF-8 SEEN", "1"},
	} {
		want := strings.TrimRight("* SEARCH "+tc.want, " ") + "\r\n"
		if s := r.do("SEARCH "+tc.key, "OK"); !strings.HasPrefix(s, want) {
			t.Errorf("%s: %q, want %q", tc.key, s, want)
		}
	}
	r.do("SEARCH CHARSET KOI8-R ALL", "NO [BADCHARSET]")
	r.do("SEARCH 9", "BAD")
	r.do("SEARCH"+strings.Repeat(" BODY x", 201), "NO [LIMIT]")
}

func TestSearchReturn(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for i := range 5 {
		w.add(box, fmt.Sprintf("Subject: %d\n\n", i))
	}
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	r.do("SELECT INBOX", "OK")
	for _, tc := range []struct{ command, want string }{
		{"UID SEARCH RETURN (MIN MAX COUNT) 2:4", `* ESEARCH (TAG "t") UID MIN 2 MAX 4 COUNT 3`},
		{"SEARCH RETURN (ALL) SEEN", "* ESEARCH (TAG \"t\")\r\n"},
		{"SEARCH RETURN (SAVE MIN) 2:4", "MIN 2"},
		{"FETCH $ UID", "* 2 FETCH (UID 2)\r\nt OK"},
		{"SEARCH RETURN (SAVE COUNT) 2:4", "COUNT 3"},
		{"STORE $ +FLAGS.SILENT (\\Deleted)", "t OK"},
		{"SEARCH UID $ 3", "* SEARCH 3\r\n"},
		{"UID EXPUNGE $", "* 2 EXPUNGE"},
		{"FETCH $ UID", "t OK"},
		{"SEARCH ALL", "* SEARCH 1 2\r\n"},
	} {
		if s := r.do(tc.command, "OK"); !strings.Contains(s, tc.want) {
			t.Errorf("%s: %q, want %q", tc.command, s, tc.want)
		}
	}
}

func TestContains(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		text, want string
		found      bool
	}{
		{"", "", true}, {"", "a", false}, {"abc", "bc", true}, {long + "needle" + long, "needle", true}, {long, "y", false},
		{long + "a", "a", true}, {long + "é" + long, "é", true},
	} {
		if got := contains(strings.NewReader(c.text), []byte(c.want)); got != c.found {
			t.Errorf("%.10q in %.10q: %v", c.want, c.text, got)
		}
	}
}

func BenchmarkBodySearch(b *testing.B) {
	text := envelope.Bytes("Subject: x\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog.\r\n", 20_000))
	matches := all(textTests(&imap.SearchCriteria{Body: []string{"Zebra"}}))
	b.SetBytes(text.Size())
	for b.Loop() {
		if ok, err := matches(&candidate{openMessage: openMessage{Body: text}}); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
