package davxml

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// FuzzParse: what Parse takes, encoding/xml takes too, and sees the same names;
// what Raw makes of it reads the same again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<a xmlns="DAV:" b="1" xmlns:c="u" c:d="2">x<b>&amp;&#10;</b>y<![CDATA[<]]><!-- --><?pi x?></a>`,
		"<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<D:propfind xmlns:D=\"DAV:\"><D:prop><D:getetag/></D:prop></D:propfind>",
		`<a xmlns:p="u"><p:b xmlns:p="v" xml:lang="fr"/><p:c/></a>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		"\xff\xfe<\x00a\x00/\x00>\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(strings.NewReader(text), Limits{Octets: 1 << 16, Elements: 1000})
		if err != nil {
			if e != nil {
				t.Fatal("an element and an error")
			}
			return
		}
		raw := e.Raw()
		again, err := Parse(bytes.NewReader(raw), Limits{})
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, raw, err)
		}
		if show(again) != show(e) {
			t.Fatalf("%q: %s became %s", text, show(e), show(again))
		}
		if !bytes.Equal(again.Raw(), raw) {
			t.Fatalf("%q was written as %q, then as %q", text, raw, again.Raw())
		}
		second(t, raw, e)
	})
}

// second compares with the names that encoding/xml finds, in order.
func second(t *testing.T, raw []byte, e *Element) {
	if !bytes.Equal(bytes.ToValidUTF8(raw, nil), raw) {
		t.Fatalf("not UTF-8: %q", raw)
	}
	var want []Name
	var walk func(*Element)
	walk = func(e *Element) {
		want = append(want, e.Name)
		for _, c := range e.Children {
			walk(c)
		}
	}
	walk(e)
	d := xml.NewDecoder(bytes.NewReader(raw))
	for i := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			if i != len(want) {
				t.Fatalf("%q: encoding/xml finds %d elements, not %d", raw, i, len(want))
			}
			return
		}
		if err != nil {
			// It knows the names of an older edition of XML only.
			if strings.Contains(err.Error(), "invalid XML name") {
				return
			}
			t.Fatalf("%q: encoding/xml: %v", raw, err)
		}
		if s, ok := token.(xml.StartElement); ok {
			if i == len(want) || s.Name.Local != want[i].Local || s.Name.Space != want[i].Space {
				t.Fatalf("%q: encoding/xml finds %v as element %d", raw, s.Name, i)
			}
			i++
		}
	}
}

// FuzzWriter: whatever text is written is XML, and reads the same but for what
// XML can't hold.
func FuzzWriter(f *testing.F) {
	f.Add("a<&>\"'\r\n\t", "b\r\n\x00\xff")
	f.Fuzz(func(t *testing.T, text, value string) {
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Begin(D("a"), Attribute("v", value))
		w.Text(text)
		w.End()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		e, err := Parse(&b, Limits{Octets: 1 << 24})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if e.Text != holdable(text) || e.Attr("v") != holdable(value) {
			t.Fatalf("%q, %q became %q, %q", text, value, e.Text, e.Attr("v"))
		}
	})
}

func holdable(s string) string {
	var b strings.Builder
	for _, r := range s { // an octet that is not UTF-8 is U+FFFD each
		if !isChar(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}
