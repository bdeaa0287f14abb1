package message

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"facteur/server/envelope"
)

func crlf(s string) envelope.Bytes { return envelope.Bytes(strings.ReplaceAll(s, "\n", "\r\n")) }

func mustParts(t testing.TB, b envelope.Bytes) *Part {
	t.Helper()
	p, err := ReadParts(b, b.Size())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outline shows the tree of parts: type, and the body of leaves.
func outline(b envelope.Bytes, p *Part) string {
	s := p.Type + "/" + p.Subtype
	if len(p.Children) == 0 {
		return s + fmt.Sprintf(" %q", b[p.Body:p.End])
	}
	var inner []string
	for _, c := range p.Children {
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
		"no semicolon":    {"Content-Type: multipart/mixed boundary=b\n\n--b\n\nx\n--b--\n", `multipart/mixed (text/plain "x")`},
		"comments":        {"Content-Type: multipart/mixed (a; b) ; (c) boundary=b (d)\n\n--b\n\nx\n--b--\n", `multipart/mixed (text/plain "x")`},
		"no boundary":     {"Content-Type: multipart/mixed\n\nbody", `text/plain "body"`},
		"no part":         {"Content-Type: multipart/mixed; boundary=b\n\nbody", `multipart/mixed (text/plain "")`},
		"message no body": {"Content-Type: message/rfc822\n", `message/rfc822 (text/plain "")`},
		"never closed":    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", `multipart/mixed (text/plain "x\r\n")`},
		"cut in a header": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n--b\n\nx\n--b--", `multipart/mixed (text/plain "", text/plain "x")`},
		"boundary in boundary": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
			`multipart/mixed (multipart/mixed (text/plain "x"))`},
		"outer ends inner": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b--\n",
			`multipart/mixed (multipart/mixed (text/plain "x"))`},
		"padding": {"Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\nx\n--b-- \n", `multipart/mixed (text/plain "x")`},
		"much padding": {"Content-Type: multipart/mixed; boundary=b\n\n--b" + strings.Repeat(" ", 2*maxDelimiter) + "\n\nx\n--b--\n",
			`multipart/mixed (text/plain "x")`},
		"empty parts": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n--b--\n",
			`multipart/mixed (text/plain "", text/plain "")`},
		"mixed": {mixed, `multipart/mixed (text/plain "first", ` +
			`multipart/alternative (text/plain "plain\r\n", text/html "<p>html"), ` +
			`message/rfc822 (multipart/digest (message/rfc822 (text/plain "digest text"))))`},
	} {
		b := crlf(c.in)
		if got := outline(b, mustParts(t, b)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
}

// TestPartsAcrossWindows moves a message over the edges of the window.
func TestPartsAcrossWindows(t *testing.T) {
	want := ""
	for pad := windowSize - 450; pad < windowSize+20; pad++ {
		b := crlf("X: " + strings.Repeat("x", pad) + "\n" + mixed)
		got := outline(b, mustParts(t, b))
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("%d:\n%s, want\n%s", pad, got, want)
		}
		b = append(crlf("Content-Type: multipart/mixed; boundary=b0\n\n"+strings.Repeat("x", pad)+"\n--b0\nContent-Type: message/rfc822\n\n"), crlf(mixed)...)
		if got := outline(b, mustParts(t, b)); got != "multipart/mixed (message/rfc822 ("+want+"))" {
			t.Fatalf("%d:\n%s", pad, got)
		}
	}
}

func TestPartLongLines(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	b := crlf("Content-Type: multipart/mixed; boundary=b\nX: " + long + "\n\n--b\n\n" + long + "--b\n--b--\n")
	p := mustParts(t, b)
	if len(p.Children) != 1 || p.Children[0].End-p.Children[0].Body != int64(len(long)+3) || p.Children[0].Lines != 0 {
		t.Errorf("%+v", p.Children[0])
	}
	for _, n := range []int{32<<10 - 3, 8<<10 - 4, 8<<10 - 3, 8<<10 - 5} { // cut just before its line end, a line is not empty
		head := "X: " + strings.Repeat("x", n)
		if p := mustParts(t, crlf(head+"\nY: y\n\nbody")); p.End-p.Body != 4 {
			t.Errorf("the body has %d octets", p.End-p.Body)
		}
	}
}

func TestPartLimits(t *testing.T) {
	nested := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 100_000)
	p := mustParts(t, envelope.Bytes(nested))
	if n := len(p.AppendBodyStructure(nil)); n > 20_000 {
		t.Errorf("a structure of %d octets", n)
	}
	depth := 0
	for ; len(p.Children) > 0; p = p.Children[0] {
		depth++
	}
	if depth != maxNesting || p.Type != "application" {
		t.Errorf("depth %d, %s", depth, p.Type)
	}
	var many strings.Builder
	many.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 5000 {
		many.WriteString("--b\r\n\r\nx\r\n")
	}
	if p := mustParts(t, envelope.Bytes(many.String())); len(p.Children) != maxEntities-1 {
		t.Errorf("%d parts", len(p.Children))
	}
	if p := mustParts(t, envelope.Bytes("A: "+strings.Repeat("x", 2<<20)+"\r\n\r\nbody")); p.End-p.Body != 4 {
		t.Errorf("header of 2 MiB: %+v", p)
	}
	var long strings.Builder
	long.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 500 {
		long.WriteString("--b\r\nContent-Type: message/rfc822; x=" + strings.Repeat("x", 5000) + "\r\n\r\nTo: " + strings.Repeat("a,", 1000) + "\r\n\r\n")
	}
	p = mustParts(t, envelope.Bytes(long.String()))
	if n := len(p.AppendBodyStructure(nil)); len(p.Children) != 500 || n > maxWire+500*300 {
		t.Errorf("a structure of %d octets for %d parts", n, len(p.Children))
	}
	checkWire(t, p)
}

func TestReadErrors(t *testing.T) {
	b := crlf(mixed)
	if _, err := ReadParts(b, b.Size()+1); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	for _, r := range []io.ReaderAt{failing{b}, failingAt{b, 40 << 10}} {
		size := int64(100 << 10)
		if _, err := ReadParts(r, size); err == nil {
			t.Error("ReadParts")
		}
		if _, err := Summarize(r, size); err == nil {
			t.Error("Summarize")
		}
		if err := Words(r, size, func(TextKind, []byte) error { return nil }); err == nil {
			t.Error("Words")
		}
	}
}

// failingAt is endless and fails behind an offset.
type failingAt struct {
	envelope.Bytes
	at int64
}

func (f failingAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, fmt.Errorf("disk on fire")
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestSections(t *testing.T) {
	plain := "From: a\nX-A: 1\n  2\nSubject: s\n\nbody\n"
	for _, c := range []struct {
		in   string
		s    Section
		want string
	}{
		{plain, Section{}, plain},
		{plain, Section{Kind: SectionText}, "body\n"},
		{plain, Section{Kind: SectionHeader}, "From: a\nX-A: 1\n  2\nSubject: s\n\n"},
		{plain, Section{Kind: SectionFields, Names: []string{"x-a", "to"}}, "X-A: 1\n  2\n\n"},
		{plain, Section{Kind: SectionFieldsNot, Names: []string{"X-A"}}, "From: a\nSubject: s\n\n"},
		{"A : 1\nno field\nB: 2", Section{Kind: SectionFields, Names: []string{"A", "b"}}, "A : 1\nB: 2\n\n"},
		{"A : 1\nno field\nB: 2", Section{Kind: SectionFieldsNot, Names: []string{"A", "b"}}, "no field\n\n"},
		{plain, Section{Path: []int{1}}, "body\n"},
		{plain, Section{Path: []int{2}}, ""},
		{plain, Section{Path: []int{1, 1}}, ""},
		{plain, Section{Path: []int{0}}, ""},
		{plain, Section{Path: []int{1}, Kind: SectionHeader}, ""},
		{plain, Section{Path: []int{1}, Kind: SectionMIME}, "From: a\nX-A: 1\n  2\nSubject: s\n\n"},
		{mixed, Section{Path: []int{1}}, "first"},
		{mixed, Section{Path: []int{2, 2}}, "<p>html"},
		{mixed, Section{Path: []int{2, 2}, Kind: SectionMIME}, "Content-Type: text/html\n\n"},
		{mixed, Section{Path: []int{3}, Kind: SectionFields, Names: []string{"subject"}}, "Subject: inner\n\n"},
		{mixed, Section{Path: []int{3}, Kind: SectionFieldsNot, Names: []string{"subject"}}, "Content-Type: multipart/digest; boundary=b3\n\n"},
		{mixed, Section{Path: []int{9}, Kind: SectionFields, Names: []string{"subject"}}, ""},
		{mixed, Section{Path: []int{3, 1}, Kind: SectionHeader}, "Subject: in digest\n\n"},
		{mixed, Section{Path: []int{3, 1}, Kind: SectionText}, "digest text"},
		{mixed, Section{Path: []int{3, 1, 1}}, "digest text"},
		{mixed, Section{Path: []int{2}, Kind: SectionText}, ""},
		{mixed, Section{Path: []int{4}}, ""},
	} {
		b := crlf(c.in)
		roots := []*Part{mustParts(t, b)}
		if c.s.Top() {
			top, err := ReadTop(b, b.Size())
			if err != nil {
				t.Fatal(err)
			}
			roots = append(roots, top)
		}
		for _, root := range roots {
			if got := sectionText(t, root, b, c.s); got != strings.ReplaceAll(c.want, "\n", "\r\n") {
				t.Errorf("%+v: %q, want %q", c.s, got, c.want)
			}
		}
	}
}

func sectionText(t testing.TB, root *Part, b envelope.Bytes, s Section) string {
	t.Helper()
	if s.Fields() {
		got, err := root.AppendSectionFields(nil, b, s)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	from, to, ok := root.Range(s)
	if !ok && (from != 0 || to != 0) {
		t.Errorf("%v: [%d, %d)", s, from, to)
	}
	return string(b[from:to])
}

func TestDecoded(t *testing.T) {
	in := crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: BASE64\n\nAAEC\nAwQ=\n" +
		"--b\nContent-Transfer-Encoding: quoted-printable (x)\n\nca=66=C3=A9=\n!= \n  \n=\n a=4 =ZZ \t\n=\n--b\nContent-Transfer-Encoding: x-strange\n\nx\n" +
		"--b\nContent-Transfer-Encoding: base64\n\n*A*A*E*=AQI=AA\n--b--\n")
	root := mustParts(t, in)
	for _, c := range []struct {
		part int
		want string
		ok   bool
	}{
		{1, "\x00\x01\x02\x03\x04", true},
		{2, "café!\r\n a=4 =ZZ\r\n", true},
		{3, "x", false},
		{4, "\x00\x01\x01\x02\x00", true},
	} {
		p := root.Find([]int{c.part})
		body, ok := p.Decoded(in)
		got, err := io.ReadAll(body)
		if err != nil || string(got) != c.want || ok != c.ok {
			t.Errorf("%d: %q, %v, %v", c.part, got, ok, err)
		}
		if size, ok, err := p.DecodedSize(in); err != nil || size != int64(len(c.want)) || ok != c.ok {
			t.Errorf("%d: size %d, %v, %v", c.part, size, ok, err)
		}
	}
}

// TestDecodersInPieces feeds decoders octet by octet.
func TestDecodersInPieces(t *testing.T) {
	for _, encoding := range []string{"base64", "quoted-printable"} {
		for _, in := range []string{"AAECAwQ=", "A A E\r\nC", "A===BC==", "a=\r\nb=3D c \t\r\n=", "x = \r\ny=4", "= ", "  ", strings.Repeat(" ", 1000) + "\r\n"} {
			want := decodeAll(encoding, []byte(in))
			for size := 1; size < 4; size++ {
				p := Part{Encoding: encoding, End: int64(len(in))}
				r, _ := p.Decoded(slowReader{strings.NewReader(in), size})
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s of %q in pieces of %d: %q, want %q (%v)", encoding, in, size, got, want, err)
				}
			}
		}
	}
}

type slowReader struct {
	io.ReaderAt
	size int
}

func (s slowReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p[:min(len(p), s.size)], off)
	return n, err
}
