package redirect

import (
	"io"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

func edited(t testing.TB, raw, list string) string {
	t.Helper()
	body := envelope.Bytes(raw)
	h, err := message.ReadHeader(body)
	if err != nil {
		t.Skip()
	}
	a, err := address.Parse(list)
	if err != nil {
		t.Skip()
	}
	out, err := io.ReadAll(envelope.NewReader(message.Edit(body, h, List(h, a, address.Address{Local: "postmaster", Domain: a.Domain}))))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestList(t *testing.T) {
	const own = "List-Id: <all.example.org>\r\nList-Unsubscribe:\r\n <mailto:postmaster@example.org?subject=unsubscribe%20all@example.org>\r\n"
	for _, c := range []struct{ name, list, in, want string }{
		{"an author", "", "To: x\r\nFrom: Ann Lee <ann@example.net>\r\nSubject: s\r\n\r\nText\r\n",
			"To: x\r\nFrom: \"Ann Lee via all\"\r\n <all@example.org>\r\nReply-To: Ann Lee <ann@example.net>\r\n" + own + "Subject: s\r\n\r\nText\r\n"},
		{"no name", "", "From: ann@example.net\r\n\r\n",
			"From: \"ann via all\"\r\n <all@example.org>\r\nReply-To: ann@example.net\r\n" + own + "\r\n"},
		{"folded", "", "FROM :\r\n \"Lee, Ann\"\r\n\t<ann@example.net>\r\n\r\n",
			"From: \"Lee, Ann via all\"\r\n <all@example.org>\r\nReply-To:\r\n \"Lee, Ann\"\r\n\t<ann@example.net>\r\n" + own + "\r\n"},
		{"Reply-To stays", "", "Reply-To: y@example.net\r\nFrom: ann@example.net\r\n\r\n",
			"Reply-To: y@example.net\r\nFrom: \"ann via all\"\r\n <all@example.org>\r\n" + own + "\r\n"},
		{"an empty Reply-To does not", "", "Reply-To: \r\nFrom: ann@example.net\r\n\r\n",
			"From: \"ann via all\"\r\n <all@example.org>\r\nReply-To: ann@example.net\r\n" + own + "\r\n"},
		{"another list's", "", "List-Id: <a.b>\r\nFrom: ann@example.net\r\nlist-unsubscribe: <https://a.example/>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Post: <mailto:a@b.example>\r\n\r\n",
			"From: \"ann via all\"\r\n <all@example.org>\r\nReply-To: ann@example.net\r\n" + own + "List-Post: <mailto:a@b.example>\r\n\r\n"},
		{"two From", "", "From: ann@example.net\r\nFrom: bob@example.net\r\n\r\n",
			"From: \"ann via all\"\r\n <all@example.org>\r\nReply-To: ann@example.net\r\n" + own + "\r\n"},
		{"no From", "", "To: x\r\n\r\n", "To: x\r\n\r\n"},
		{"no line end", "", "From: ann@example.net", "From: \"ann via all\"\r\n <all@example.org>\r\nReply-To: ann@example.net\r\n" + own},
		{"an encoded name", "", "From: =?utf-8?q?Zo=C3=A9?= <z@example.net>\r\n\r\n",
			"From: =?utf-8?b?Wm/DqSB2aWEgYWxs?=\r\n <all@example.org>\r\nReply-To: =?utf-8?q?Zo=C3=A9?= <z@example.net>\r\n" + own + "\r\n"},
		{"line ends in an encoded name", "", "From: =?utf-8?q?x=0D=0ABcc=3A_evil=40example.com=0D=0A=0D=0A?= <z@example.net>\r\n\r\n",
			"From: \"x Bcc: evil@example.com via all\"\r\n <all@example.org>\r\nReply-To: =?utf-8?q?x=0D=0ABcc=3A_evil=40example.com=0D=0A=0D=0A?= <z@example.net>\r\n" + own + "\r\n"},
		{"quotes", "", "From: \"a\\\"b\\\\\" <z@example.net>\r\n\r\n",
			"From: \"a\\\"b\\\\ via all\"\r\n <all@example.org>\r\nReply-To: \"a\\\"b\\\\\" <z@example.net>\r\n" + own + "\r\n"},
		{"a list with an odd name", `"all, of? us&x"@example.org`, "From: ann@example.net\r\nReply-To: x\r\n\r\n",
			"From: \"ann via all, of? us&x\"\r\n <\"all, of? us&x\"@example.org>\r\nList-Id: <all--of--us-x.example.org>\r\nList-Unsubscribe:\r\n <mailto:postmaster@example.org?subject=unsubscribe%20%22all%2C%20of%3F%20us&x%22@example.org>\r\nReply-To: x\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := c.list
			if list == "" {
				list = "all@example.org"
			}
			if got := edited(t, c.in, list); got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

// FuzzList: whatever the author's field and the list are named, the header gets the fields
// it must and no others, in lines that may be sent.
func FuzzList(f *testing.F) {
	for _, s := range []string{"Ann <ann@example.net>", "=?utf-8?q?=0D=0AX:_y?= <a@b>", "\"\\\"\" <a@b>", "g: a@b;", "\r\n\tx@y", "", "=?utf-8?b?//8=?= (c) <d@e>", strings.Repeat("é", 500) + " <a@b>"} {
		f.Add(s, "all@example.org")
		f.Add(s, `"all, \"us\""@example.org`)
	}
	f.Fuzz(func(t *testing.T, from, list string) {
		raw := "Subject: s\r\nFrom: " + from + "\r\nTo: t\r\n\r\nbody"
		if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(from, "\r\n ", ""), "\r\n\t", ""), "\n") {
			t.Skip() // more than one field
		}
		h, err := message.ParseHeader([]byte(edited(t, raw, list)))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Subject", "From", "Reply-To", "List-Id", "List-Unsubscribe", "To"}
		if h.Len() != len(want) || h.Malformed() {
			t.Fatalf("%q", h.Bytes())
		}
		for i, name := range want {
			if got, raw := h.Field(i); got != name || strings.ContainsAny(strings.ReplaceAll(string(raw), "\r\n", ""), "\n") && name != "Reply-To" {
				t.Fatalf("%q", raw)
			}
		}
		authors, ok := h.Addresses("From")
		if a, _ := address.Parse(list); !ok || len(authors) == 0 || authors[len(authors)-1].Key() != a.Key() {
			t.Fatalf("From is %v, %v of %q", authors, ok, h.Bytes())
		}
		for line := range strings.SplitSeq(string(h.Bytes()), "\r\n") {
			if len(line) > max(998, len("From: "+from)) {
				t.Fatalf("a line of %d octets", len(line))
			}
		}
	})
}
