package message

import (
	"bytes"
	"io"
	"reflect"
	"testing"

	"facteur/server/envelope"
)

// awkward are messages as they come in real life, and some that only an enemy sends.
var awkward = []string{
	mixed,
	"",
	"\n\n",
	"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n----\n",
	"Content-Type: multipart/digest; boundary=b\n\n--b\n--b\nX: y\n--b--",
	"From nobody Tue Nov  3 10:00:00 2026\nSubject: mbox\n\nbody\n",
	"To: g: \"a\\\"b\" <a@b>, c@d (x (y)); <@r:e@f>\nCc: \xe9 <\x00@>\nSubject: \x00\"\\\nDate: x\n\n",
	"Content-Type: text/html; charset=iso-2022-jp; name*0*=x'y'%41; name*1=b\nContent-Transfer-Encoding: base64\n\nPGI+eA==\n",
	"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: quoted-printable\n\n=FE=FF=00a= \n",
	"Content-Type: message/rfc822\nContent-Disposition: attachment; filename=\"=?utf-8?q?=C3=A9?=\"\n\nContent-Type: message/global\n\nFrom: x\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b--\n--b--\n",
}

func addAwkward(f *testing.F) {
	for _, s := range awkward {
		f.Add([]byte(crlf(s)))
		f.Add([]byte(s))
	}
}

func FuzzSummarize(f *testing.F) {
	addAwkward(f)
	f.Fuzz(func(t *testing.T, data []byte) { checkSummary(t, envelope.Bytes(data)) })
}

func FuzzReadParts(f *testing.F) {
	addAwkward(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := envelope.Bytes(data)
		root := mustParts(t, b)
		if root.Start != 0 || root.End != b.Size() {
			t.Fatalf("[%d, %d) of %d", root.Start, root.End, b.Size())
		}
		checkPart(t, root, b, 0, b.Size())
		checkWire(t, root)
		top, err := ReadTop(b, b.Size())
		if err != nil || top.Body != root.Body || !bytes.Equal(top.AppendEnvelope(nil), root.AppendEnvelope(nil)) {
			t.Fatalf("%+v, %v", top, err)
		}
		for _, path := range [][]int{nil, {1}, {2}, {1, 1}, {1, 1, 1}, {0}, {-1}} {
			for kind := SectionBody; kind <= SectionFieldsNot; kind++ {
				sectionText(t, root, b, Section{Path: path, Kind: kind, Names: []string{"Subject", ""}})
			}
		}
		header := sectionText(t, root, b, Section{Kind: SectionHeader})
		text := sectionText(t, root, b, Section{Kind: SectionText})
		if header+text != string(data) {
			t.Fatalf("%q + %q", header, text)
		}
		slow, err := ReadParts(slowAt{b}, b.Size())
		if err != nil || !reflect.DeepEqual(slow, root) {
			t.Fatalf("a second time: %v", err)
		}
	})
}

// slowAt reads by a range of its own.
type slowAt struct{ b envelope.Bytes }

func (s slowAt) ReadAt(p []byte, off int64) (int, error) {
	return io.NewSectionReader(s.b, 0, s.b.Size()).ReadAt(p, off)
}

func checkPart(t *testing.T, p *Part, b envelope.Bytes, from, to int64) {
	t.Helper()
	if p.Start < from || p.Body < p.Start || p.End < p.Body || p.End > to || p.Lines < 0 {
		t.Fatalf("part [%d %d %d] in [%d %d]", p.Start, p.Body, p.End, from, to)
	}
	if n := int64(bytes.Count(b[p.Body:p.End], newline)); n != p.Lines {
		t.Fatalf("%d lines, counted %d", n, p.Lines)
	}
	if p.Multipart() && len(p.Children) == 0 {
		t.Fatal("multipart without parts")
	}
	body, ok := p.Decoded(b)
	n, err := io.Copy(io.Discard, body)
	size, ok2, err2 := p.DecodedSize(b)
	if n != size || ok != ok2 || err != nil || err2 != nil {
		t.Fatalf("decoded %d of %d: %v %v", n, size, err, err2)
	}
	at := p.Body
	for _, c := range p.Children {
		checkPart(t, c, b, at, p.End)
		at = c.End
	}
}

func FuzzParseSummary(f *testing.F) {
	for _, s := range awkward {
		sum := mustSummarize(f, crlf(s))
		b, err := sum.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSummary(data)
		if err != nil {
			return
		}
		s.AppendFields(nil, []string{"Subject", "From"})
		s.Field("Subject")
		again, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseSummary(again); err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%+v, %v, want %+v", back, err, s)
		}
	})
}

func FuzzWords(f *testing.F) {
	addAwkward(f)
	f.Fuzz(func(t *testing.T, data []byte) { words(t, envelope.Bytes(data)) })
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Straße É\u0301 ﬁ\u00ad\u0345", "İI\xff\u200b\xfe", "カ\u3099\u1112\u1161\u11abᾼ", "a\u00ad\u0301"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkIdempotent(t, data) })
}

func FuzzMailbox(f *testing.F) {
	for _, s := range []string{"g: a@b, \"c\" <d@e>; (x) <@r:f@g", "a@b (c), <<d@e>;", ":;:;,<"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		FirstMailbox(data)
		MessageIDs(data)
		parseDate(data)
		checkWire(t, mustParts(t, append(append(envelope.Bytes("To: "), data...), "\r\n\r\n"...)))
	})
}
