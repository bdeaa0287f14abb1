package imapd

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
)

func TestAppend(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.AppendLimit = 1000 })
	r := w.login("")
	if got := r.do("CAPABILITY", "OK"); !strings.Contains(got, " APPENDLIMIT=1000") {
		t.Errorf("%q", got)
	}
	r.talk(`
		C: 1 APPEND INBOX (\Seen work \Recent) " 7-Feb-1994 21:52:25 -0800" {4}
		S: + ...
		C: a: b
		S: 1 OK [APPENDUID ... 1] APPEND completed
		C: 2 APPEND INBOX {4+}
		C: a: b
		S: 2 OK [APPENDUID ... 2] APPEND completed
		C: 3 APPEND Nowhere {4}
		S: 3 NO [TRYCREATE] ...
		C: 4 APPEND INBOX {1001}
		S: 4 NO [TOOBIG] ...
		C: 5 APPEND INBOX {0}
		S: + ...
		C: ""
		S: 5 NO ...
		C: 6 APPEND INBOX () {4+}
		C: a: b
		S: 6 OK [APPENDUID ... 3] APPEND completed
		C: 7 APPEND INBOX ~{4+}
		C: a: b
		S: 7 OK [APPENDUID ... 4] APPEND completed
		C: 8 APPEND INBOX (\Nonsense) {4}
		S: 8 BAD ...
		C: 9 APPEND INBOX
		S: 9 BAD ...
		C: 10 APPEND INBOX "not a date" {4}
		S: 10 BAD ...
		C: 11 APPEND INBOX {4+}
		C: a: b more
		S: 11 BAD ...
		C: 12 APPEND INBOX UTF8 (~{4+}
		C: a: b)
		S: 12 BAD ...
		C: 13 ENABLE UTF8=ACCEPT
		S: * ENABLED UTF8=ACCEPT
		S: 13 OK ENABLE completed
		C: 14 APPEND INBOX UTF8 (~{4+}
		C: a: b)
		S: 14 OK [APPENDUID ... 5] APPEND completed
	`)
	r.do("SELECT INBOX", "OK")
	r.talk(`
		C: 1 FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])
		S: * 1 FETCH (FLAGS (\Seen work...) INTERNALDATE " 8-Feb-1994 05:52:25 +0000" BODY[] {4}
		S: a: b)
		S: 1 OK FETCH completed
		C: 2 APPEND INBOX {4+}
		C: a: b
		S: * 6 EXISTS
		S: * 6 RECENT
		S: 2 OK [APPENDUID ... 6] APPEND completed
	`)
}

// TestMultiAppend: all or none (RFC 3502).
func TestMultiAppend(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.AppendLimit = 1000 })
	r := w.login("INBOX")
	r.talk(`
		C: 1 APPEND INBOX (\Seen) {5+}
		C: a: 12 "07-Feb-1994 22:43:04 -0800" {4+}
		C: abcd (\Flagged) {3}
		S: + ...
		C: xyz
		S: * 3 EXISTS
		S: * 3 RECENT
		S: 1 OK [APPENDUID ... 1:3] APPEND completed
		C: 2 APPEND INBOX {5+}
		C: a: 12 {0+}
		C: ""
		S: 2 NO ...
		C: 3 APPEND INBOX {5+}
		C: a: 12 {1500+}
		C: ` + strings.Repeat("x", 1500) + ` {1+}
		C: x
		S: 3 NO [TOOBIG] ...
		C: 4 APPEND INBOX {5+}
		C: a: 12 (\Nonsense) {5+}
		C: a: 12
		S: 4 BAD ...
		C: 5 SEARCH ALL
		S: * SEARCH 1 2 3
		S: 5 OK SEARCH completed
	`)
	var many bytes.Buffer
	many.WriteString("6 APPEND INBOX")
	for i := range maxMulti {
		fmt.Fprintf(&many, " {8+}\r\nx: %05d", i)
	}
	r.send("%s\r\n", many.String())
	r.until("6 OK [APPENDUID")
	fmt.Fprintf(&many, " {8+}\r\nx: 12345")
	r.send("%s\r\n", many.String())
	r.expect("6 NO [LIMIT]")
}

// TestAppendPipelined: replies come in order, and nothing overtakes an APPEND.
func TestAppendPipelined(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("INBOX")
	var all bytes.Buffer
	const n = 300
	for i := range n {
		fmt.Fprintf(&all, "%d APPEND INBOX {8+}\r\nx: %05d\r\n", i, i)
		if i%100 == 50 {
			fmt.Fprintf(&all, "bad%d APPEND Nowhere {8+}\r\nx: %05d\r\n", i, i)
		}
	}
	all.WriteString("s UID SEARCH RETURN (COUNT) ALL\r\n")
	go r.Write(all.Bytes())
	for i := range n {
		if got := r.until(fmt.Sprint(i, " ")); !strings.Contains(got, fmt.Sprintf("%d OK [APPENDUID", i)) || !strings.HasSuffix(got, fmt.Sprintf(" %d] APPEND completed\r\n", i+1)) {
			t.Fatalf("%q", got)
		}
		if i%100 == 50 {
			r.until(fmt.Sprintf("bad%d NO [TRYCREATE]", i))
		}
	}
	r.until(fmt.Sprintf(`* ESEARCH (TAG "s") UID COUNT %d`, n))
}

// TestAppendQuota counts what waits as well.
func TestAppendQuota(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.QuotaOf = func(address.Address) int64 { return 100 } })
	r := w.login("INBOX")
	forty := strings.Repeat("x", 40)
	r.talk(`
		C: 1 APPEND INBOX {40+}
		C: ` + forty + ` {40+}
		C: ` + forty + ` {40+}
		C: ` + forty + `
		S: 1 NO [OVERQUOTA] ...
	`)
	r.send("2 APPEND INBOX {40+}\r\n%[1]s\r\n3 APPEND INBOX {40+}\r\n%[1]s\r\n4 APPEND INBOX {40+}\r\n%[1]s\r\n", forty)
	r.until("2 OK")
	r.until("3 OK")
	r.until("4 NO [OVERQUOTA]")
	r.do("COPY 1 Drafts", "NO [OVERQUOTA]")
	r.do("MOVE 1 Drafts", "OK")
}

// TestAppendCut: a client that goes away in a literal leaves nothing, and what
// it sent before is there.
func TestAppendCut(t *testing.T) {
	w := newWorld(t, nil)
	for _, last := range []string{"2 APPEND INBOX {100+}\r\nabc", "2 APPEND INBOX {3+}\r\nabc {9+}\r\nabc", "2 APPEND INBOX {3+}\r\nabc"} {
		r := w.login("")
		r.send("1 APPEND INBOX {5+}\r\na: b\n\r\n%s", last)
		if err := r.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		r.until("1 OK")
		r.closed()
	}
	r := w.login("")
	if got := r.do("SELECT INBOX", "OK"); !strings.Contains(got, "* 3 EXISTS") {
		t.Errorf("%q", got)
	}
}

// TestCatenate has the example of RFC 4469 5.
func TestCatenate(t *testing.T) {
	w := newWorld(t, nil)
	draft := "Return-Path: <bar@example.org>\nFrom: foo@example.org\nSubject: old\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"----=_Part\"\n\n" +
		"------=_Part\nContent-Type: text/plain\n\nold text\n------=_Part\nContent-Type: image/png\n\nPNG\n------=_Part--\n"
	w.add(w.box("Drafts"), draft)
	r := w.login("")
	r.talk(`
		C: A003 APPEND Drafts (\Seen \Draft $MDNSent) CATENATE (URL "/Drafts/;UID=1/;section=HEADER" TEXT {40+}
		C: ------=_Part
		C: Content-Type: text/plain
		C:  URL "/Drafts;UIDVALIDITY=1/;UID=1/;section=1.MIME")
		S: A003 NO [BADURL "/Drafts;UIDVALIDITY=1/;UID=1/;section=1.MIME"] ...
		C: A004 APPEND Drafts (\Seen) CATENATE (URL "/Drafts/;UID=1/;section=HEADER" TEXT {5+}
		C: abcde URL "/Drafts/;UID=1/;SECTION=2" TEXT {2+}
		C: xy URL "/Drafts/;UID=1/;PARTIAL=0.6" URL "/Drafts/;UID=1/;SECTION=2/;PARTIAL=1.2")
		S: A004 OK [APPENDUID ... 2] APPEND completed
		C: 5 APPEND Drafts CATENATE (URL "/Drafts/;UID=9")
		S: 5 NO [BADURL "/Drafts/;UID=9"] ...
		C: 6 APPEND Drafts CATENATE (URL "imap://elsewhere/Drafts/;UID=1")
		S: 6 NO [BADURL ...
		C: 7 APPEND Drafts CATENATE (URL "/Nowhere/;UID=1" TEXT {3+}
		C: abc)
		S: 7 NO [BADURL ...
		C: 8 APPEND Drafts CATENATE ()
		S: 8 BAD ...
		C: 9 APPEND Drafts CATENATE (FOO "x")
		S: 9 BAD ...
		C: 10 APPEND Drafts CATENATE (URL ";UID=1")
		S: 10 NO [BADURL ...
	`)
	r.do("SELECT Drafts", "OK")
	want := string(crlf(draft[:strings.Index(draft, "------")])) + "abcdePNGxyReturnNG"
	if got := r.do("FETCH 2 BODY.PEEK[]", "OK"); !strings.HasPrefix(got, fmt.Sprintf("* 2 FETCH (BODY[] {%d}\r\n%s)\r\n", len(want), want)) {
		t.Errorf("%q, want %q", got, want)
	}
	r.do(`APPEND Drafts CATENATE (URL ";UID=1")`, "OK")
}

func TestMessageURL(t *testing.T) {
	for _, c := range []struct {
		link string
		ok   bool
	}{
		{"/INBOX/;UID=20", true}, {"/INBOX;UIDVALIDITY=385759045/;UID=20", true}, {"/INBOX/;uid=20/;section=1.2.MIME", true},
		{"/a%20b/c/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)/;PARTIAL=5", true}, {";UID=1/;PARTIAL=0.1", true},
		{"", false}, {"/", false}, {"/INBOX", false}, {"/INBOX/;UID=0", false}, {"/INBOX/;UID=x", false}, {"//host/INBOX/;UID=1", false},
		{"/INBOX;UIDVALIDITY=0/;UID=1", false}, {"/INBOX/;UID=1/;SECTION=FOO", false}, {"/INBOX/;UID=1/;PARTIAL=1.0", false}, {"/%zz/;UID=1", false},
		{"/INBOX/;UID=1/;FOO=1", false}, {"INBOX/;UID=1", false}, {"/%00/;UID=1", false},
	} {
		if _, ok := parseMessageURL(c.link); ok != c.ok {
			t.Errorf("%q: %v", c.link, ok)
		}
	}
}

// TestReplace follows RFC 8508.
func TestReplace(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(3)
	r := w.login("INBOX")
	r.talk(`
		C: 1 REPLACE 2 INBOX (\Seen \Draft) {3+}
		C: abc
		S: * OK [APPENDUID ... 4] ...
		S: * 2 EXPUNGE
		S: * 3 EXISTS
		S: * 3 RECENT
		S: 1 OK REPLACE completed
		C: 2 UID REPLACE 4 Drafts {3}
		S: + ...
		C: abc
		S: * OK [APPENDUID ... 1] ...
		S: * 3 EXPUNGE
		S: 2 OK UID REPLACE completed
		C: 3 UID REPLACE 4 Drafts {3+}
		C: abc
		S: 3 NO [NONEXISTENT] ...
		C: 4 REPLACE 9 Drafts {3+}
		C: abc
		S: 4 BAD ...
		C: 5 REPLACE 1 Nowhere {3}
		S: 5 NO [TRYCREATE] ...
		C: 6 REPLACE 1 Drafts {3+}
		C: abc {3+}
		C: abc
		S: 6 NO [LIMIT] ...
		C: 7 REPLACE 1 Drafts (\Seen)
		S: 7 BAD ...
		C: 8 UID REPLACE * Drafts {3+}
		C: abc
		S: 8 BAD ...
		C: 8 REPLACE * Nowhere {3}
		S: 8 NO [TRYCREATE] ...
		C: 9 SEARCH ALL
		S: * SEARCH 1 2
		S: 9 OK SEARCH completed
	`)
}

// No size of a part makes a sum that is over all bounds seem under them.
func TestCatenateSizes(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.QuotaOf = func(address.Address) int64 { return 1 << 20 } })
	r := w.login("")
	r.talk(`
		C: 1 APPEND INBOX CATENATE (TEXT {3+}
		C: abc TEXT {9223372036854775807}
		S: 1 NO [TOOBIG] ...
		C: 2 APPEND INBOX {4+}
		C: abcd
		S: 2 OK ...
		C: 3 APPEND INBOX CATENATE (URL "/INBOX;UIDVALIDITY=0")
		S: 3 NO [BADURL ...
		C: 4 APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;PARTIAL=1.9223372036854775807")
		S: 4 OK ...
		C: 5 SELECT INBOX
	`)
	r.until("5 OK")
	r.do("FETCH 2 BODY[]", "OK")
	r.talk(`
		C: 6 FETCH 2 BODY.PEEK[]
		S: * 2 FETCH (BODY[] {3}
		S: bcd)
		S: 6 OK FETCH completed
	`)
}

// A panic over a message ends no more than its APPEND.
func TestFinishPanics(t *testing.T) {
	in := &incoming{}
	if in.finish(time.Time{}); in.err == nil {
		t.Error("no error without a draft")
	}
}

// The BYE that comes with the reply to an APPEND, when the selected mailbox is
// gone, is the end of the session.
func TestAppendOfDeleted(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("Archive")
	w.login("").do("DELETE Archive", "OK")
	r.send("a APPEND INBOX {3+}\r\nabc\r\n")
	r.expect("* BYE")
	r.expect("a OK [APPENDUID")
	r.closed()
}
