package message_test

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

const report = `From: mailer-daemon@example.net
Content-Type: multipart/report; report-type=delivery-status; boundary=r

--r
Content-Type: text/plain

It did not work.
--r
Content-Type: message/delivery-status

Reporting-MTA: dns; example.net
--r
Content-Type: message/rfc822
Content-ID: <the@original>

Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/html; charset=iso-8859-1

<p>caf` + "\xe9" + ` http://enclosed.example/
--m
Content-Type: application/octet-stream
Content-Disposition: attachment; filename*=utf-8''%C3%A9t%C3%A9.bin
Content-Transfer-Encoding: base64

AAEC
--m--
--r--
`

func TestParts(t *testing.T) {
	c := content(t, report)
	want := []hook.Part{
		{Type: "multipart/report"},
		{Type: "text/plain", Depth: 1},
		{Type: "message/delivery-status", Depth: 1},
		{Type: "message/rfc822", Depth: 1, ContentID: "<the@original>"},
		{Type: "multipart/mixed", Depth: 2},
		{Type: "text/html", Depth: 3, Charset: "iso-8859-1"},
		{Type: "application/octet-stream", Depth: 3, Disposition: "attachment", Name: "été.bin"},
	}
	got := c.Parts()
	for i := range got {
		if got[i].Size == 0 {
			t.Errorf("part %d is empty", i)
		}
		got[i].Size = 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, p := range []struct {
		part, limit int
		want        string
	}{
		{0, 100, ""}, {1, 100, "It did not work."}, {1, 6, "It did"}, {5, 8, "<p>café"}, {6, 100, "\x00\x01\x02"}, {6, 2, "\x00\x01"},
		{2, 14, "Reporting-MTA:"}, {3, 9, "Subject: "}, {1, 0, ""}, {7, 100, ""}, {-1, 100, ""},
	} {
		if got := c.PartText(p.part, p.limit); got != p.want {
			t.Errorf("part %d: %q, want %q", p.part, got, p.want)
		}
	}
	for _, f := range []struct {
		part       int
		name, want string
	}{
		{0, "from", "mailer-daemon@example.net"}, {4, "Subject", "grüße"}, {3, "content-id", "<the@original>"}, {3, "Subject", ""}, {4, "subject", "grüße"},
		{7, "Subject", ""}, {-1, "From", ""},
	} {
		if got := c.PartHeader(f.part, f.name); got != f.want {
			t.Errorf("%s of part %d: %q, want %q", f.name, f.part, got, f.want)
		}
	}
	raw, err := io.ReadAll(c.Raw())
	if err != nil || string(raw) != strings.ReplaceAll(report, "\n", "\r\n") {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestHTML(t *testing.T) {
	c := content(t, alternative)
	if got := c.HTML(1000); got != "<p>the html</p>" {
		t.Errorf("%q", got)
	}
	if got := c.HTML(5); got != "<p>th" {
		t.Errorf("%q", got)
	}
	if got := content(t, report).HTML(1000); got != "" {
		t.Errorf("that of an enclosed message: %q", got)
	}
	if got := content(t, "Content-Type: text/html; charset=koi8-r\n\n<b>\xf0\xd2\xc9\n").HTML(100); got != "<b>При\n" {
		t.Errorf("%q", got)
	}
}

// TestTextAgain asks for more, and for less, than before.
func TestTextAgain(t *testing.T) {
	c := content(t, "Subject: x\n\n"+strings.Repeat("äöü", 100))
	whole := strings.Repeat("äöü", 100)
	for _, limit := range []int{10, 3, 100, 1000, 2000, 7, 600, 599} {
		want := whole[:min(limit&^1, len(whole))]
		if got := c.Text(limit); got != want {
			t.Errorf("%d: %d octets, want %d", limit, len(got), len(want))
		}
	}
}

func TestIs(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      hook.Nature
	}{
		{"plain", "Subject: x\n\nhello\n", hook.Nature{}},
		{"report", report, hook.Nature{Bounce: true}},
		{"list", "List-Id: <a.example>\n\n", hook.Nature{List: true, Bulk: true}},
		{"other list field", "LIST-post: no\n\n", hook.Nature{List: true, Bulk: true}},
		{"no list", "List: a\nX-List-Id: b\nListen-To: c\n\n", hook.Nature{}},
		{"auto", "Auto-Submitted: auto-replied (vacation)\n\n", hook.Nature{Auto: true}},
		{"auto with parameters", "Auto-Submitted: (x) Auto-Generated; owner=a\n\n", hook.Nature{Auto: true}},
		{"not auto", "Auto-Submitted: No (really)\n\n", hook.Nature{}},
		{"bulk", "Precedence: Bulk\n\n", hook.Nature{Bulk: true}},
		{"junk", "Precedence: junk\n\n", hook.Nature{Bulk: true}},
		{"not bulk", "Precedence: first-class\n\n", hook.Nature{}},
		{"PGP/MIME", "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n\nx\n--b--\n", hook.Nature{Encrypted: true}},
		{"armor", "Subject: x\n\n\n-----BEGIN PGP MESSAGE-----\n\nabc\n", hook.Nature{Encrypted: true}},
		{"talks of armor", "Subject: x\n\nIt begins with -----BEGIN PGP MESSAGE-----\n", hook.Nature{}},
		{"S/MIME", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nx\n", hook.Nature{Encrypted: true}},
		{"S/MIME without a type", "Content-Type: application/x-pkcs7-mime; name=smime.p7m\n\nx\n", hook.Nature{Encrypted: true}},
		{"signed", "Content-Type: application/pkcs7-mime; smime-type=\"Signed-Data\"\n\nx\n", hook.Nature{}},
		{"invitation", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n", hook.Nature{Calendar: true}},
		{"empty", "", hook.Nature{}},
	} {
		if got := content(t, c.raw).Is(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      []string
	}{
		{"none", "Subject: http://x.example/\n\nnothing: // here ://", nil},
		{"text", "Subject: x\n\nSee http://a.example/, HTTPS://b.example/x?y=1&z=2. (https://c.example/w_(x)) <http://d.example>\nhttp://a.example/\n",
			[]string{"http://a.example/", "HTTPS://b.example/x?y=1&z=2", "https://c.example/w_(x)", "http://d.example"}},
		{"other schemes", "Subject: x\n\nftp://a.example xhttp://b.example/ mailto:c@d http://", []string{"http://b.example/"}},
		{"quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\nhttp://a.example/=3Fb=3D=\n1\n", []string{"http://a.example/?b=1"}},
		{"html", "Content-Type: text/html\n\n<base href='http://base.example/'><a href=\"https://a.example/?x=1&amp;y=2\">http://shown.example</a>" +
			"<IMG SRC=' http://i\n.example/ '><form action=http://f.example/><a href=\"javascript:x\"><a href=/relative><a title='http://no.example/'>" +
			"<a href='&#104;ttp://entity.example'>",
			[]string{"http://base.example/", "https://a.example/?x=1&y=2", "http://shown.example", "http://i.example/", "http://f.example/", "http://entity.example"}},
		{"attached", "Content-Type: text/plain\nContent-Disposition: attachment\n\nhttp://a.example/\n", nil},
		{"enclosed", report, nil},
		{"both", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhttp://a.example/\n--b\nContent-Type: text/html\n\n<a href=http://a.example/><a href=http://b.example/>\n--b--\n",
			[]string{"http://a.example/", "http://b.example/"}},
		{"Latin-1", "Subject: x\n\nhttp://a.example/\xe9\n", []string{"http://a.example/é"}},
	} {
		if got := content(t, c.raw).URLs(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestURLsAreBounded(t *testing.T) {
	var many strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, "http://%d.example/ ", i)
	}
	if got := content(t, "\n"+many.String()).URLs(); len(got) != 1000 || got[999] != "http://999.example/" {
		t.Errorf("%d, the last %q", len(got), got[len(got)-1])
	}
	got := content(t, "Content-Type: text/html\n\n<a href='http://"+strings.Repeat("ä", 100000)+"'><x "+strings.Repeat("y", 1<<20)+"><a href=http://b.example>").URLs()
	if len(got) != 2 || len(got[0]) > 2048 || !utf8.ValidString(got[0]) || got[1] != "http://b.example" {
		t.Errorf("%d", len(got))
	}
}

// TestFactsOfHostileMail asks all there is to ask of mail that only an enemy sends.
func TestFactsOfHostileMail(t *testing.T) {
	deep := strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, raw := range map[string]string{
		"deep":      deep.String(),
		"wide":      "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n", 5000),
		"messages":  strings.Repeat("Content-Type: message/rfc822\n\n", 2000),
		"same name": strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 2000),
		"brackets":  "Subject: x\n\n" + strings.Repeat("http://"+strings.Repeat(")", 60000)+"\n", 16),
		"schemes":   "Subject: x\n\n" + strings.Repeat("http://", 200000),
	} {
		c := content(t, raw)
		checkFacts(t, c)
		if n := len(c.Parts()); n > 1100 {
			t.Errorf("%s: %d parts", name, n)
		}
	}
}

// checkFacts asks c all there is to ask, and checks the bounds of the answers.
func checkFacts(t *testing.T, c *message.Content) {
	t.Helper()
	parts := c.Parts()
	for i, p := range parts {
		if text := c.PartText(i, 100); len(text) > 100 || strings.HasPrefix(p.Type, "text/") && !utf8.ValidString(text) {
			t.Fatalf("part %d, %s: %q", i, p.Type, text)
		}
		if got := c.PartHeader(i, "Content-Type"); !utf8.ValidString(got) {
			t.Fatalf("%q", got)
		}
		if p.Size < 0 || p.Depth < 0 || i == 0 != (p.Depth == 0) || !utf8.ValidString(p.Name) {
			t.Fatalf("%+v", p)
		}
	}
	for _, a := range c.Attachments() {
		if a.Part < 0 || a.Part >= len(parts) || a.Type != parts[a.Part].Type || a.Size < 0 {
			t.Fatalf("%+v", a)
		}
		checkFiles(t, a)
	}
	urls := c.URLs()
	for _, u := range urls {
		if len(u) < len("http://") || len(u) > 3*2048 || !utf8.ValidString(u) {
			t.Fatalf("%q", u)
		}
	}
	if len(urls) > 1000 {
		t.Fatalf("%d addresses", len(urls))
	}
	c.Is()
	if got := c.HTML(100); len(got) > 100 || !utf8.ValidString(got) {
		t.Fatalf("%q", got)
	}
}

func checkFiles(t *testing.T, a hook.Attachment) {
	t.Helper()
	if len(a.Files) > 5000 {
		t.Fatalf("%d files", len(a.Files))
	}
	for _, f := range a.Files {
		if !utf8.ValidString(f) || len(f) > 4096 {
			t.Fatalf("%q", f)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{report, alternative, "Content-Type: text/html\n\n<a href='http://a.example/&amp;'>http://b.example/"} {
		f.Add([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := message.ReadContent(envelope.Bytes(raw))
		if err != nil {
			return
		}
		checkFacts(t, c)
		c.Text(100)
	})
}

func FuzzURLs(f *testing.F) {
	f.Add("see http://a.example/(x). <https://b.example>", true)
	f.Add("<a href=http://a.example/?x&amp;y><img src=' HTTP://b.example'>", false)
	f.Fuzz(func(t *testing.T, text string, plain bool) {
		header := "Content-Type: text/html; charset=utf-8\r\n\r\n"
		if plain {
			header = "\r\n"
		}
		c, err := message.ReadContent(envelope.Bytes(header + text))
		if err != nil {
			return
		}
		for _, u := range c.URLs() {
			if lower := strings.ToLower(u); !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
				t.Fatalf("%q", u)
			}
		}
	})
}

const small = `Received: from a.example by b.example; Mon, 2 Nov 2026 10:00:00 +0000
From: Ann <ann@example.org>
To: Ben <ben@example.net>
Subject: =?utf-8?q?caf=C3=A9?=
Message-ID: <1@example.org>
Date: Mon, 2 Nov 2026 10:00:00 +0000
Content-Type: text/plain; charset=utf-8

See you at http://cafe.example/ at noon.
`

// BenchmarkFacts times what a script asks of a small message.
func BenchmarkFacts(b *testing.B) {
	body := envelope.Bytes(strings.ReplaceAll(small, "\n", "\r\n"))
	h, err := message.ReadHeader(body)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ask  func(*message.Content)
	}{
		{"none", func(*message.Content) {}},
		{"header", func(c *message.Content) { c.Values("Subject") }},
		{"is", func(c *message.Content) { c.Is() }},
		{"text", func(c *message.Content) { c.Text(1000) }},
		{"parts", func(c *message.Content) { c.Parts() }},
		{"urls", func(c *message.Content) { c.URLs() }},
		{"attachments", func(c *message.Content) { c.Attachments() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.ask(message.NewContent(h, body))
			}
		})
	}
}
