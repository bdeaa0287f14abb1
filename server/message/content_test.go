package message_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

var _ hook.Content = (*message.Content)(nil)

func content(t testing.TB, raw string) *message.Content {
	t.Helper()
	c, err := message.ReadContent(envelope.Bytes(strings.ReplaceAll(raw, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const alternative = `Content-Type: multipart/mixed; boundary="out"

preamble
--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/html

<p>the html</p>
--in
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9 =
au lait
--in--
--out
Content-Type: text/plain
Content-Disposition: attachment; filename=notes.txt

attached
--out--
`

func TestText(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"no MIME", "Subject: x\n\nhello\nworld\n", "hello\nworld\n"},
		{"empty", "Subject: x\n\n", ""},
		{"no body", "Subject: x\n", ""},
		{"malformed type", "Content-Type: ;;;\n\nhello\n", "hello\n"},
		{"quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\na=3Db\n", "a=b\n"},
		{"base64", "Content-Transfer-Encoding: BASE64\n\naGVs\nbG8=\n", "hello"},
		{"broken base64", "Content-Transfer-Encoding: base64\n\naGVsbG8g!!!!\n", "hello "},
		{"unknown encoding", "Content-Transfer-Encoding: x-gzip64\n\nhello\n", "hello\n"},
		{"charset", "Content-Type: text/plain; charset=koi8-r\n\n\xf0\xd2\xc9\n", "При\n"},
		{"unknown charset", "Content-Type: text/plain; charset=x-y\n\nhello\n", "hello\n"},
		{"raw Latin-1", "Subject: x\n\ncaf\xe9", "café"},
		{"alternative", alternative, "café au lait"},
		{"html", "Content-Type: text/html; charset=utf-8\n\n<head><title>no</title><style>p{}</style></head><p>One &amp;\n two<br>three<p>four <b>five</b><script>x()</script>", "One & two\nthree\nfour five"},
		{"html alone in a multipart", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<div>a</div><div>b</div>\n--b--\n", "a\nb"},
		{"attachment alone", "Content-Type: text/plain\nContent-Disposition: attachment\n\nx\n", ""},
		{"other type", "Content-Type: image/png\n\nx\n", ""},
		{"no end of multipart", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello", "hello"},
		{"no boundary", "Content-Type: multipart/mixed\n\n--b\n\nhello", "--b\n\nhello"}, // RFC 2045 5.2
		{"enclosed message", "Content-Type: message/rfc822\n\nSubject: y\n\nx\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := content(t, c.raw).Text(1000); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	c := content(t, "Subject: x\n\n"+strings.Repeat("äöü", 1000))
	for _, limit := range []int{-1, 0, 1, 2, 3, 100, 101} {
		got := c.Text(limit)
		if len(got) > max(limit, 0) || len(got) < limit-1 || !utf8.ValidString(got) {
			t.Errorf("%d: %d octets", limit, len(got))
		}
	}
	if got := c.Text(1 << 62); len(got) != 6000 {
		t.Error(len(got))
	}
	if got := content(t, "Content-Type: text/html\n\n<p>"+strings.Repeat("ä", 1000)).Text(9); got != "ääää" {
		t.Errorf("%q", got)
	}
	deep := strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	if got := content(t, deep.String()+"\nhello\n").Text(100); got != "" {
		t.Errorf("%q", got)
	}
	wide := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: image/png\n\nx\n", 2000) + "--b\n\nhello\n--b--\n"
	if got := content(t, wide).Text(100); got != "" {
		t.Errorf("%q", got)
	}
}

func TestContentAddresses(t *testing.T) {
	c := content(t, "To: nonsense, a@example.org\nSubject: s\n\n")
	if got := c.Addresses("to"); len(got) != 1 || got[0].String() != "a@example.org" || c.Subject() != "s" {
		t.Error(got)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(alternative, "\n", "\r\n")), 100)
	f.Add([]byte("Content-Type: text/html; charset=gbk\nContent-Transfer-Encoding: base64\n\nPHA+aGVsbG88L3A+"), 10)
	f.Add([]byte("Content-Type: text/plain; charset=utf-16\n\n\xff\xfea\x00"), 3)
	f.Fuzz(func(t *testing.T, raw []byte, limit int) {
		c, err := message.ReadContent(envelope.Bytes(raw))
		if err != nil {
			return
		}
		if got := c.Text(limit); len(got) > max(limit, 0) || !utf8.ValidString(got) {
			t.Fatalf("limit %d: %q", limit, got)
		}
	})
}
