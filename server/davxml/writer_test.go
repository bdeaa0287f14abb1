package davxml

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const root = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav"` +
	` xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`

func TestWriter(t *testing.T) {
	other := Name{Space: "x&y", Local: "o"}
	for _, c := range []struct {
		name  string
		write func(*Writer)
		want  string
	}{
		{"elements", func(w *Writer) {
			w.Begin(D("multistatus"))
			w.Element(D("href"), "/a&b<c>")
			w.Empty(C("comp"), Attribute("name", "a\"\n&"))
			w.Begin(CR("x"))
			w.Empty(CS("y"))
			w.Text("t\r\n")
			w.End()
			w.End()
		}, `<D:multistatus` + root + `><D:href>/a&amp;b&lt;c&gt;</D:href><C:comp name="a&quot;&#10;&amp;"/><CR:x><CS:y/>t&#13;` + "\n" + `</CR:x></D:multistatus>`},
		{"other namespaces", func(w *Writer) {
			w.Begin(D("prop"))
			w.Empty(other)
			w.Begin(other)
			w.Element(Name{Local: "none"}, "1")
			w.Empty(A("order"))
			w.End()
			w.Raw([]byte("<z/>"))
			w.End()
		}, `<D:prop` + root + `><o xmlns="x&amp;y"/><o xmlns="x&amp;y"><none xmlns="">1</none><A:order/></o><z/></D:prop>`},
		{"other root", func(w *Writer) { w.Begin(other); w.End() }, `<o` + root + ` xmlns="x&amp;y"></o>`},
		{"what XML can't hold", func(w *Writer) { w.Element(D("a"), "\x00é\xff\uFFFE😀\x1b\t\n\"'") },
			`<D:a` + root + ">\uFFFDé\uFFFD\uFFFD😀\uFFFD\t\n\"'</D:a>"},
		{"language", func(w *Writer) { w.Empty(D("a"), Attr{Name: Name{Space: XML, Local: "lang"}, Value: "fr"}) },
			`<D:a` + root + ` xml:lang="fr"/>`},
	} {
		var b bytes.Buffer
		w := NewWriter(&b)
		c.write(w)
		if err := w.Flush(); err != nil || w.Depth() != 0 || w.Written() != int64(b.Len()) {
			t.Errorf("%s: %v, depth %d, %d of %d octets", c.name, err, w.Depth(), w.Written(), b.Len())
		}
		want := `<?xml version="1.0" encoding="utf-8"?>` + "\n" + c.want
		if b.String() != want {
			t.Errorf("%s: got %s\nwant %s", c.name, b.String(), want)
		}
		parse(t, b.String())
	}
}

// counter notes how much comes at once, and fails after some octets.
type counter struct{ most, left int }

var errFull = errors.New("full")

func (c *counter) Write(p []byte) (int, error) {
	c.most = max(c.most, len(p))
	if c.left -= len(p); c.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriterStreams(t *testing.T) {
	to := &counter{left: 10 << 20}
	w := NewWriter(to)
	w.Begin(D("multistatus"))
	for range 20_000 {
		w.Element(D("href"), strings.Repeat("x", 100))
	}
	w.End()
	if err := w.Flush(); err != nil || to.most > piece+4096 {
		t.Errorf("%v, %d octets at once", err, to.most)
	}
}

func TestWriterError(t *testing.T) {
	w := NewWriter(&counter{left: 100})
	w.Begin(D("multistatus"))
	for range 2000 {
		w.Element(D("href"), strings.Repeat("x", 100))
	}
	w.End()
	if !errors.Is(w.Err(), errFull) || !errors.Is(w.Flush(), errFull) {
		t.Errorf("the error is %v", w.Err())
	}
}

func TestWriterAllocations(t *testing.T) {
	w := NewWriter(&counter{left: 1 << 40})
	w.Begin(D("multistatus"))
	href := "/dav/alice@example.org/calendar/0123456789.ics"
	n := testing.AllocsPerRun(1000, func() {
		w.Begin(D("response"))
		w.Element(D("href"), href)
		w.Empty(C("comp"), Attribute("name", "VEVENT"))
		w.End()
	})
	if n > 0 {
		t.Errorf("%v allocations a response", n)
	}
}

// Text is escaped eight octets at a time as it is one by one, wherever a character stands.
func TestEscape(t *testing.T) {
	chars := []string{"a", "~", " ", "&", "<", ">", "\"", "'", "$", ":", "=", "?", "\r", "\n", "\r\n", "\t", "\x00", "\x1f", "\x7f", "\x80", "é", "\xc3", "\uFFFE", "😀", "\xf0\x9f", "\xff"}
	for _, first := range chars {
		for _, second := range chars {
			for at := range 17 {
				for _, attribute := range []bool{false, true} {
					text := strings.Repeat("x", at) + first + second + "0123456789"[:at%11]
					var want []byte
					for i := 0; i < len(text); {
						want, i = appendOne(want, text, i, attribute)
					}
					got := appendEscaped([]byte("before"), text, attribute)
					octets := appendEscaped(nil, []byte(text), attribute)
					if string(got) != "before"+string(want) || !bytes.Equal(octets, want) {
						t.Fatalf("%q (attribute: %v): %q and %q, want %q", text, attribute, got, octets, want)
					}
				}
			}
		}
	}
}
