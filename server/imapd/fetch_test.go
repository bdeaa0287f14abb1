package imapd

import (
	"fmt"
	"strings"
	"testing"
)

// mixed is a message with parts in parts (RFC 9051 6.4.5.1).
const mixed = `From: Terry Gray <gray@cac.washington.edu>
To: imap@cac.washington.edu
Subject: IMAP4rev2 WG mtg summary and minutes
Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
Message-Id: <B27397-0100000@cac.washington.edu>
X-Odd (Name: one
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: text/plain; charset=us-ascii

Hello
--outer
Content-Type: message/rfc822

Subject: inner
From: a@b.example
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain

plain
--inner
Content-Type: text/html
Content-Transfer-Encoding: quoted-printable

<b>caf=C3=A9</b>
--inner--
--outer
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=x.bin

AAECAw==
--outer
Content-Type: application/x-odd
Content-Transfer-Encoding: x-uuencode

abc
--outer--
`

const small = "From: a@b.example\nSubject: small\n\nHello\n"

func TestFetchSections(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), mixed)
	r := w.login("INBOX")
	literal := func(s string) string {
		s = string(crlf(s))
		return fmt.Sprintf("{%d}\r\n%s", len(s), s)
	}
	inner := mixed[strings.Index(mixed, "Subject: inner"):strings.Index(mixed, "\n--outer\nContent-Type: application/octet")]
	head := mixed[:strings.Index(mixed, "preamble")]
	for _, c := range []struct{ item, want string }{
		{"BODY.PEEK[]", "BODY[] " + literal(mixed)},
		{"BODY.PEEK[HEADER]", "BODY[HEADER] " + literal(head)},
		{"BODY.PEEK[TEXT]", "BODY[TEXT] " + literal(mixed[len(head):])},
		{"BODY.PEEK[1]", "BODY[1] " + literal("Hello")},
		{"BODY.PEEK[1.MIME]", "BODY[1.MIME] " + literal("Content-Type: text/plain; charset=us-ascii\n\n")},
		{"BODY.PEEK[2]", "BODY[2] " + literal(inner)},
		{"BODY.PEEK[2.HEADER]", "BODY[2.HEADER] " + literal(inner[:strings.Index(inner, "--inner")])},
		{"BODY.PEEK[2.TEXT]", "BODY[2.TEXT] " + literal(inner[strings.Index(inner, "--inner"):])},
		{"BODY.PEEK[2.1]", "BODY[2.1] " + literal("plain")},
		{"BODY.PEEK[2.2]", "BODY[2.2] " + literal("<b>caf=C3=A9</b>")},
		{"BODY.PEEK[2.2.MIME]", "BODY[2.2.MIME] " + literal("Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n")},
		{"BODY.PEEK[2.HEADER.FIELDS (subject)]", "BODY[2.HEADER.FIELDS (subject)] " + literal("Subject: inner\n\n")},
		{"BODY.PEEK[2.HEADER.FIELDS.NOT (Content-Type MIME-Version)]", "BODY[2.HEADER.FIELDS.NOT (Content-Type MIME-Version)] " + literal("Subject: inner\nFrom: a@b.example\n\n")},
		{"BODY.PEEK[HEADER.FIELDS (SUBJECT Message-ID)]", "BODY[HEADER.FIELDS (SUBJECT Message-ID)] " + literal("Subject: IMAP4rev2 WG mtg summary and minutes\nMessage-Id: <B27397-0100000@cac.washington.edu>\n\n")},
		{`BODY.PEEK[HEADER.FIELDS ("X-Odd (Name")]`, `BODY[HEADER.FIELDS ("X-Odd (Name")] ` + literal("X-Odd (Name: one\n\n")},
		{"BODY.PEEK[HEADER.FIELDS (None)]", "BODY[HEADER.FIELDS (None)] " + literal("\n")},
		{"BODY.PEEK[]<6.5>", "BODY[]<6> {5}\r\nTerry"},
		{"BODY.PEEK[1]<2.100>", "BODY[1]<2> {3}\r\nllo"},
		{"BODY.PEEK[1]<5.1>", "BODY[1]<5> {0}\r\n"},
		{"BODY.PEEK[1]<4000000000.1>", "BODY[1]<4000000000> {0}\r\n"},
		{"BODY.PEEK[HEADER.FIELDS (Subject)]<9.9>", "BODY[HEADER.FIELDS (Subject)]<9> {9}\r\nIMAP4rev2"},
		{"BODY.PEEK[5]", "BODY[5] NIL"},
		{"BODY.PEEK[1.1]", "BODY[1.1] NIL"},
		{"BODY.PEEK[1.HEADER]", "BODY[1.HEADER] NIL"},
		{"BINARY.PEEK[2.2]", "BINARY[2.2] ~{12}\r\n<b>caf\xc3\xa9</b>"},
		{"BINARY.PEEK[3]", "BINARY[3] ~{4}\r\n\x00\x01\x02\x03"},
		{"BINARY.PEEK[3]<1.2>", "BINARY[3]<1> ~{2}\r\n\x01\x02"},
		{"BINARY.SIZE[3]", "BINARY.SIZE[3] 4"},
		{"BINARY.PEEK[9]", "BINARY[9] NIL"},
		{"BINARY.SIZE[2.2]", "BINARY.SIZE[2.2] 12"},
		{"RFC822.HEADER", "RFC822.HEADER " + literal(head)},
		{"RFC822.SIZE", fmt.Sprintf("RFC822.SIZE %d", len(crlf(mixed)))},
		{"THREADID", "THREADID NIL"},
		{"UID", "UID 1"},
	} {
		want := "* 1 FETCH (" + c.want + ")\r\n"
		if got := r.do("FETCH 1 ("+c.item+")", "OK"); !strings.HasPrefix(got, want) || !strings.HasPrefix(got[len(want):], "t OK") {
			t.Errorf("%s:\n%q\nwant\n%q", c.item, got, want)
		}
		if got := r.do("UID FETCH 1 "+c.item, "OK"); !strings.HasPrefix(got, "* 1 FETCH (UID 1 ") && c.item != "UID" {
			t.Errorf("%s: %q", c.item, got)
		}
	}
	for _, c := range []string{"BINARY.PEEK[4]", "BINARY.SIZE[4]"} {
		r.do("FETCH 1 "+c, "NO [UNKNOWN-CTE]") // RFC 3516 4.3
	}
	if got := r.do("FETCH 1 FLAGS", "OK"); !strings.Contains(got, "FLAGS (\\Recent)") {
		t.Errorf("peeking set flags: %q", got)
	}
}

func TestFetchSeveral(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, small)
	w.add(box, small, "\\Flagged", "$work")
	r := w.login("INBOX")
	r.do("FETCH 1 (BODY.PEEK[1] UID BODY.PEEK[HEADER.FIELDS (Subject)] RFC822.SIZE BODY.PEEK[TEXT]<0.2>)", "OK")
	got := r.do("FETCH 1:2 (UID BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT]<0.2>)", "OK")
	one := "BODY[1] {7}\r\nHello\r\n BODY[HEADER.FIELDS (Subject)] {18}\r\nSubject: small\r\n\r\n BODY[TEXT]<0> {2}\r\nHe)\r\n"
	if want := "* 1 FETCH (UID 1 " + one + "* 2 FETCH (UID 2 " + one + "t OK FETCH completed\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.talk(`
		C: a FETCH 2 FAST
		S: * 2 FETCH (FLAGS (\Flagged $work \Recent) INTERNALDATE "... +0000" RFC822.SIZE 44)
		S: a OK FETCH completed
		C: b FETCH 2 ALL
		S: * 2 FETCH (FLAGS (\Flagged $work \Recent) INTERNALDATE "..." RFC822.SIZE 44 ENVELOPE (NIL "small" ((NIL NIL "a" "b.example")) ((NIL NIL "a" "b.example")) ((NIL NIL "a" "b.example")) NIL NIL NIL NIL NIL))
		S: b OK FETCH completed
		C: c FETCH 2 FULL
		S: * 2 FETCH (FLAGS ... BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1))
		S: c OK FETCH completed
		C: d FETCH 2 BODYSTRUCTURE
		S: * 2 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL))
		S: d OK FETCH completed
		C: e FETCH 2 (PREVIEW (LAZY) SAVEDATE EMAILID)
		S: * 2 FETCH (SAVEDATE "..." EMAILID (M...) PREVIEW "Hello")
		S: e OK FETCH completed
		C: f FETCH 2 PREVIEW (LAZY)
		S: * 2 FETCH (PREVIEW "Hello")
		S: f OK FETCH completed
		C: g FETCH 2 (PREVIEW)
		S: * 2 FETCH (PREVIEW "Hello")
		S: g OK FETCH completed
	`)
}

func TestFetchSeen(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for range 5 {
		w.add(box, small)
	}
	for i, item := range []string{"BODY[1]", "RFC822", "RFC822.TEXT", "BINARY[1]", "BODY[TEXT]"} {
		r := w.login("INBOX")
		got := r.do(fmt.Sprintf("FETCH %d %s", i+1, item), "OK")
		if !strings.HasPrefix(got, fmt.Sprintf("* %d FETCH (FLAGS (\\Seen", i+1)) || strings.Count(got, "FLAGS") != 1 {
			t.Errorf("%s: %q", item, got)
		}
		if got := r.do("NOOP", "OK"); got != "t OK NOOP completed\r\n" {
			t.Errorf("told again: %q", got)
		}
	}
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	r.do("STORE 1 -FLAGS (\\Seen)", "BAD")
	r.do("SELECT INBOX", "OK")
	r.do("STORE 1:* -FLAGS (\\Seen)", "OK")
	r.do("EXAMINE INBOX", "OK [READ-ONLY]")
	if got := r.do("FETCH 1 BODY[1]", "OK"); strings.Contains(got, "FLAGS") {
		t.Errorf("EXAMINE: %q", got)
	}
}

func TestFetchBad(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), small)
	r := w.login("INBOX")
	for _, items := range []string{
		"", "1", "1 ", "1 ()", "1 (UID", "1 (UID )", "1 BODY.PEEK", "1 BODY[", "1 BODY[]<0>", "1 BODY[]<0.0>", "1 BODY[]<1.2",
		"1 BODY[MIME]", "1 BODY[0]", "1 BODY[1.]", "1 BODY[.1]", "1 BODY[1..2]", "1 BODY[HEADER.FIELDS]", "1 BODY[HEADER.FIELDS ()]",
		"1 BINARY[HEADER]", "1 BINARY.SIZE[1]<0.1>", "1 BINARY[1.]", "1 (ALL)", "1 FOO", "1 (FLAGS FOO)", "2 FLAGS", "0 FLAGS", "1:2 FLAGS",
		"1:4294967295 FLAGS", "4294967296 FLAGS", "1,,1 FLAGS", "-1 FLAGS", "1 FLAGS FLAGS", "1 (FLAGS) (FOO 1)", "1 FLAGS (CHANGEDSINCE)",
		"1 FLAGS (PARTIAL 1:2)", "1 FLAGS (CHANGEDSINCE 1 VANISHED)", "1 PREVIEW (FOO)", "1 FLAGS (LAZY)", "1 BODY[2147483648]",
		"1 BODY[" + strings.Repeat("1.", 200) + "1]", "1 (" + strings.Repeat("BODY.PEEK[1] ", 101) + "UID)",
	} {
		r.do("FETCH "+items, "BAD")
	}
	r.do("FETCH 1 FLAGS", "OK")
}

// TestSets are sets that clients send, and those that nobody should.
func TestSets(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for range 4 {
		w.add(box, small)
	}
	r := w.login("INBOX")
	r.do("STORE 2 +FLAGS (\\Deleted)", "OK")
	r.do("EXPUNGE", "OK") // UIDs 1, 3, 4
	for _, c := range []struct{ set, want string }{
		{"1:*", "1 2 3"}, {"*:1", "1 2 3"}, {"*", "3"}, {"3:1", "1 2 3"}, {"2,2,1:2,2", "1 2"}, {"1,3", "1 3"}, {"9:*", "3"},
		{"UID 1:*", "1 2 3"}, {"UID 2", ""}, {"UID 2:3", "2"}, {"UID 9:*", "3"}, {"UID 1:4294967295", "1 2 3"},
		{"UID 4294967295:1", "1 2 3"}, {"UID 5:8", ""}, {"UID 4,3,1,4", "1 2 3"}, {"UID *", "3"}, {"UID *:*", "3"},
	} {
		verb := "FETCH"
		set, uid := strings.CutPrefix(c.set, "UID ")
		if uid {
			verb = "UID FETCH"
		}
		var got []string
		for line := range strings.Lines(r.do(verb+" "+set+" FLAGS", "OK")) {
			if f := strings.Fields(line); f[0] == "*" {
				got = append(got, f[1])
			}
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %q, want %q", c.set, g, c.want)
		}
	}
	r.do("SELECT Drafts", "OK")
	r.talk(`
		C: a FETCH 1:* FLAGS
		S: a OK FETCH completed
		C: b FETCH 1 FLAGS
		S: b BAD There is no message with this number
		C: c UID FETCH 1:* FLAGS
		S: c OK UID FETCH completed
		C: d STORE 1:* FLAGS (\Seen)
		S: d OK STORE completed
		C: e EXPUNGE
		S: e OK EXPUNGE completed
	`)
}

// TestFetchPages has the PARTIAL modifier (RFC 9394 3.3).
func TestFetchPages(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for range 10 {
		w.add(box, small)
	}
	r := w.login("INBOX")
	for _, c := range []struct {
		page  string
		first int
		n     int
	}{
		{"1:3", 1, 3}, {"3:1", 1, 3}, {"4:6", 4, 3}, {"9:20", 9, 2}, {"11:20", 0, 0}, {"-1:-3", 8, 3}, {"-9:-20", 1, 2}, {"-11:-12", 0, 0},
	} {
		got := r.do("UID FETCH 1:* (FLAGS) (PARTIAL "+c.page+")", "OK")
		if strings.Count(got, "FETCH (UID") != c.n || c.n > 0 && !strings.HasPrefix(got, fmt.Sprintf("* %d FETCH", c.first)) {
			t.Errorf("%s: %q", c.page, got)
		}
	}
	r.do("UID FETCH 1:* FLAGS (PARTIAL 1:-3)", "BAD")
	r.do("UID FETCH 1:* FLAGS (PARTIAL 0:3)", "BAD")
}

// TestFetchLarge has messages that go out piece by piece.
func TestFetchLarge(t *testing.T) {
	w := newWorld(t, nil)
	text := "Subject: large\n\n" + strings.Repeat("0123456789abcdef\n", 200_000)
	w.add(w.box("INBOX"), text)
	r := w.login("INBOX")
	want := string(crlf(text))
	if got := r.do("FETCH 1 BODY.PEEK[]", "OK"); got != fmt.Sprintf("* 1 FETCH (BODY[] {%d}\r\n%s)\r\nt OK FETCH completed\r\n", len(want), want) {
		t.Errorf("%d octets, want %d", len(got), len(want))
	}
	if got := r.do("FETCH 1 BODY.PEEK[]<1000000.500000>", "OK"); got != fmt.Sprintf("* 1 FETCH (BODY[]<1000000> {500000}\r\n%s)\r\nt OK FETCH completed\r\n", want[1000000:1500000]) {
		t.Errorf("%d octets", len(got))
	}
}

// TestNUL: a literal has no NUL (RFC 9051 9, CHAR8); a message may, that came as
// a literal8 (RFC 3516).
func TestNUL(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("INBOX")
	for _, padding := range []int{0, 100 << 10} { // by a buffer, and maybe by the kernel
		pad := strings.Repeat("x", padding)
		head := "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nX-A: \x00b\r\n\r\n"
		body := "\x00" + pad + "\x00\x00y\x00"
		text := head + body
		r.send("t APPEND INBOX ~{%d+}\r\n%s\r\n", len(text), text)
		r.until("t OK")
		shown := strings.ReplaceAll(text, "\x00", "\x80")
		for item, want := range map[string]string{
			"BODY.PEEK[]":                    fmt.Sprintf("BODY[] {%d}\r\n%s", len(text), shown),
			"BODY.PEEK[TEXT]":                fmt.Sprintf("BODY[TEXT] {%d}\r\n%s", len(body), shown[len(head):]),
			"BODY.PEEK[HEADER.FIELDS (X-A)]": "BODY[HEADER.FIELDS (X-A)] {11}\r\nX-A: \x80b\r\n\r\n",
			"BINARY.PEEK[1]":                 fmt.Sprintf("BINARY[1] ~{%d}\r\n%s", len(body), body),
			"BINARY.PEEK[]":                  fmt.Sprintf("BINARY[] ~{%d}\r\n%s", len(text), text),
		} {
			if got := r.do("FETCH * "+item, "OK"); !strings.Contains(got, "FETCH ("+want+")\r\n") {
				t.Errorf("%s with %d octets: %.200q, want %.200q", item, padding, got, want)
			}
		}
	}
}
