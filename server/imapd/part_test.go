package imapd

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"facteur/server/envelope"
)

func crlf(s string) envelope.Bytes { return envelope.Bytes(strings.ReplaceAll(s, "\n", "\r\n")) }

func parse(t *testing.T, b envelope.Body) *part {
	t.Helper()
	p, err := parseParts(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outline shows the tree of parts: type, and the body of leaves.
func outline(b envelope.Bytes, p *part) string {
	s := p.kind + "/" + p.subtype
	if len(p.children) == 0 {
		return s + fmt.Sprintf(" %q", b[p.body:p.end])
	}
	var inner []string
	for _, c := range p.children {
		inner = append(inner, outline(b, c))
	}
	return s + " (" + strings.Join(inner, ", ") + ")"
}

const mixed = `From: a@example.org
Content-Type: multipart/mixed; boundary="b1"

preamble
--b1

first
--b1
Content-Type: multipart/alternative; boundary=b2

--b2
Content-Type: text/plain

plain

--b2
Content-Type: text/html

<p>html
--b2--
epilogue of b2
--b1
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/digest; boundary=b3

--b3

Subject: in digest

digest text
--b3--
--b1--
epilogue
`

func TestParts(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":           {"Subject: x\n\nbody\n", `text/plain "body\r\n"`},
		"empty":           {"", `text/plain ""`},
		"no body":         {"Subject: x\n", `text/plain ""`},
		"no header":       {"\nbody", `text/plain "body"`},
		"bad type":        {"Content-Type: nonsense\n\nbody", `text/plain "body"`},
		"bad parameter":   {"Content-Type: multipart/mixed; x; boundary=\"b\"\n\n--b\n\nx\n--b--\n", `multipart/mixed (text/plain "x")`},
		"no boundary":     {"Content-Type: multipart/mixed\n\nbody", `text/plain "body"`},
		"no part":         {"Content-Type: multipart/mixed; boundary=b\n\nbody", `multipart/mixed (text/plain "")`},
		"never closed":    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", `multipart/mixed (text/plain "x\r\n")`},
		"cut in a header": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n--b\n\nx\n--b--", `multipart/mixed (text/plain "", text/plain "x")`},
		"boundary in boundary": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
			`multipart/mixed (multipart/mixed (text/plain "x"))`},
		"outer ends inner": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b--\n",
			`multipart/mixed (multipart/mixed (text/plain "x"))`},
		"padding": {"Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n", `multipart/mixed (text/plain "x")`},
		"empty parts": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n--b--\n",
			`multipart/mixed (text/plain "", text/plain "")`},
		"mixed": {mixed, `multipart/mixed (text/plain "first", ` +
			`multipart/alternative (text/plain "plain\r\n", text/html "<p>html"), ` +
			`message/rfc822 (multipart/digest (message/rfc822 (text/plain "digest text"))))`},
	} {
		b := crlf(c.in)
		if got := outline(b, parse(t, b)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}

func TestPartLongLines(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	b := crlf("Content-Type: multipart/mixed; boundary=b\nX: " + long + "\n\n--b\n\n" + long + "--b\n--b--\n")
	p := parse(t, b)
	if len(p.children) != 1 || p.children[0].end-p.children[0].body != int64(len(long)+3) || p.children[0].lines != 0 {
		t.Errorf("%+v", p.children[0])
	}
	// A line that is cut just before its line end is no empty line.
	head := "X: " + strings.Repeat("x", 32<<10-3)
	if p := parse(t, crlf(head+"\nY: y\n\nbody")); p.end-p.body != 4 {
		t.Errorf("the body has %d octets", p.end-p.body)
	}
}

func TestPartLimits(t *testing.T) {
	nested := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 100_000)
	p := parse(t, envelope.Bytes(nested))
	depth := 0
	for ; len(p.children) > 0; p = p.children[0] {
		depth++
	}
	if depth != maxDepth || p.kind != "application" {
		t.Errorf("depth %d, %s", depth, p.kind)
	}
	var many strings.Builder
	many.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 5000 {
		many.WriteString("--b\r\n\r\nx\r\n")
	}
	if p := parse(t, envelope.Bytes(many.String())); len(p.children) != maxParts-1 {
		t.Errorf("%d parts", len(p.children))
	}
	if p := parse(t, envelope.Bytes("A: "+strings.Repeat("x", 2<<20)+"\r\n\r\nbody")); p.end-p.body != 4 {
		t.Errorf("header of 2 MiB: %+v", p)
	}
}

func read(t *testing.T, s section, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(io.LimitReader(s, s.size))
	if err != nil || int64(len(data)) != s.size {
		t.Fatalf("read %d of %d: %v", len(data), s.size, err)
	}
	return string(data)
}

func TestBodySection(t *testing.T) {
	plain := "From: a\nX-A: 1\n  2\nSubject: s\n\nbody\n"
	for _, c := range []struct {
		in   string
		item imap.FetchItemBodySection
		want string
	}{
		{plain, imap.FetchItemBodySection{}, plain},
		{plain, imap.FetchItemBodySection{Specifier: imap.PartSpecifierText}, "body\n"},
		{plain, imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader}, "From: a\nX-A: 1\n  2\nSubject: s\n\n"},
		{plain, imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"x-a", "to"}}, "X-A: 1\n  2\n\n"},
		{plain, imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFieldsNot: []string{"X-A"}}, "From: a\nSubject: s\n\n"},
		{plain, imap.FetchItemBodySection{Part: []int{1}}, "body\n"},
		{plain, imap.FetchItemBodySection{Part: []int{2}}, ""},
		{plain, imap.FetchItemBodySection{Part: []int{1, 1}}, ""},
		{plain, imap.FetchItemBodySection{Part: []int{0}}, ""},
		{plain, imap.FetchItemBodySection{Part: []int{1}, Specifier: imap.PartSpecifierHeader}, ""},
		{plain, imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 1, Size: 3}}, "rom"},
		{plain, imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 1000, Size: 3}}, ""},
		{plain, imap.FetchItemBodySection{Part: []int{1}, Partial: &imap.SectionPartial{Offset: 2, Size: 1 << 40}}, "dy\n"},
		{mixed, imap.FetchItemBodySection{Part: []int{1}}, "first"},
		{mixed, imap.FetchItemBodySection{Part: []int{2, 2}}, "<p>html"},
		{mixed, imap.FetchItemBodySection{Part: []int{2, 2}, Specifier: imap.PartSpecifierMIME}, "Content-Type: text/html\n\n"},
		{mixed, imap.FetchItemBodySection{Part: []int{3}, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"subject"}}, "Subject: inner\n\n"},
		{mixed, imap.FetchItemBodySection{Part: []int{3, 1}, Specifier: imap.PartSpecifierHeader}, "Subject: in digest\n\n"},
		{mixed, imap.FetchItemBodySection{Part: []int{3, 1}, Specifier: imap.PartSpecifierText}, "digest text"},
		{mixed, imap.FetchItemBodySection{Part: []int{3, 1, 1}}, "digest text"},
		{mixed, imap.FetchItemBodySection{Part: []int{2}, Specifier: imap.PartSpecifierText}, ""},
		{mixed, imap.FetchItemBodySection{Part: []int{4}}, ""},
	} {
		m := openMessage{Body: crlf(c.in)}
		s, err := m.bodySection(&c.item)
		if got := read(t, s, err); got != strings.ReplaceAll(c.want, "\n", "\r\n") {
			t.Errorf("%+v: %q, want %q", c.item, got, c.want)
		}
	}
}

func TestBinarySection(t *testing.T) {
	in := crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: BASE64\n\nAAEC\nAwQ=\n" +
		"--b\nContent-Transfer-Encoding: quoted-printable\n\nca=66=C3=A9=\n!\n--b\nContent-Transfer-Encoding: x-strange\n\nx\n" +
		"--b\nContent-Transfer-Encoding: base64\n\n****\n--b--\n")
	for _, c := range []struct {
		part    []int
		partial *imap.SectionPartial
		want    string
	}{
		{[]int{1}, nil, "\x00\x01\x02\x03\x04"},
		{[]int{1}, &imap.SectionPartial{Offset: 1, Size: 2}, "\x01\x02"},
		{[]int{1}, &imap.SectionPartial{Offset: 9, Size: 2}, ""},
		{[]int{2}, nil, "café!"},
		{[]int{9}, nil, ""},
		{nil, nil, string(in)},
	} {
		m := openMessage{Body: in}
		s, err := m.binarySection(c.part, c.partial)
		if got := read(t, s, err); got != c.want {
			t.Errorf("%v: %q, want %q", c.part, got, c.want)
		}
	}
	for _, n := range []int{3, 4} {
		m := openMessage{Body: in}
		if _, err := m.binarySection([]int{n}, nil); err != errUnknownCTE {
			t.Errorf("part %d: %v", n, err)
		}
	}
}

func TestStructure(t *testing.T) {
	bs, ok := structureOf(parse(t, crlf(mixed))).(*imap.BodyStructureMultiPart)
	if !ok || bs.Subtype != "mixed" || len(bs.Children) != 3 || bs.Extended.Params["boundary"] != "b1" {
		t.Fatalf("%+v", bs)
	}
	first := bs.Children[0].(*imap.BodyStructureSinglePart)
	if first.Size != 5 || first.Text.NumLines != 0 || first.Encoding != "7bit" || first.Params["charset"] != "us-ascii" {
		t.Errorf("%+v %+v", first, first.Text)
	}
	enclosed := bs.Children[2].(*imap.BodyStructureSinglePart)
	if m := enclosed.MessageRFC822; m == nil || m.Envelope.Subject != "inner" || m.NumLines != 8 || m.BodyStructure.MediaType() != "multipart/digest" {
		t.Errorf("%+v", enclosed)
	}
	file := parse(t, crlf("Content-Type: application/pdf; name=x.pdf\nContent-Id: <1@x>\nContent-Description: d\nContent-Language: en, fr\n"+
		"Content-Location: /x\nContent-Transfer-Encoding: Base64\nContent-Disposition: attachment; filename*=utf-8''%C3%A9.pdf\n\nAAAA\n"))
	got := structureOf(file).(*imap.BodyStructureSinglePart)
	if got.Filename() != "é.pdf" || got.ID != "<1@x>" || got.Encoding != "base64" || len(got.Extended.Language) != 2 || got.Size != 6 {
		t.Errorf("%+v", got)
	}
}

func TestEnvelope(t *testing.T) {
	e := envelopeOf(parse(t, crlf("Date: Tue, 3 Nov 2026 10:00:00 +0100\nSubject: =?utf-8?q?caf=C3=A9?=\n lait\n"+
		"From: =?koi8-r?b?8NXbyyk=?= <a@example.org>\nTo: broken <<b@example.org>, c@example.org\nCc: g: d@example.org, E <e@example.org>;\n"+
		"In-Reply-To: your mail <1@x> <2@x>\nMessage-ID: <3@x>\n\n")).header)
	if !e.Date.Equal(time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)) || e.Subject != "café lait" || e.MessageID != "3@x" {
		t.Errorf("%+v", e)
	}
	if len(e.From) != 1 || e.From[0].Name == "" || e.From[0].Addr() != "a@example.org" {
		t.Errorf("From: %+v", e.From)
	}
	if len(e.To) != 2 || e.To[0].Addr() != "b@example.org" || e.To[1].Addr() != "c@example.org" {
		t.Errorf("To: %+v", e.To)
	}
	if len(e.Cc) != 2 || len(e.InReplyTo) != 2 || e.Bcc != nil {
		t.Errorf("%+v", e)
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte(mixed))
	f.Add(bytes.ReplaceAll([]byte(mixed), []byte("\n"), []byte("\r\n")))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := envelope.Bytes(data)
		p, err := parseParts(b)
		if err != nil {
			t.Fatal(err)
		}
		var walk func(p *part, from, to int64)
		walk = func(p *part, from, to int64) {
			if p.start < from || p.body < p.start || p.end < p.body || p.end > to || p.lines < 0 {
				t.Fatalf("part [%d %d %d] in [%d %d]", p.start, p.body, p.end, from, to)
			}
			for _, c := range p.children {
				walk(c, p.body, p.end)
			}
		}
		walk(p, 0, b.Size())
		structureOf(p)
		envelopeOf(p.header)
		m := openMessage{Body: b}
		for _, n := range [][]int{{1}, {2}, {1, 1}, {1, 1, 1}} {
			for _, spec := range []imap.PartSpecifier{"", "HEADER", "TEXT", "MIME"} {
				if _, err := m.bodySection(&imap.FetchItemBodySection{Part: n, Specifier: spec}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := all(textTests(&imap.SearchCriteria{Text: []string{"zzz"}, Body: []string{""}}))(&candidate{openMessage: m}); err != nil {
			t.Fatal(err)
		}
	})
}
