package davxml

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func multiget(n int) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><C:calendar-multiget xmlns:D="DAV:" xmlns:C="` + CalDAV + `"><D:prop><D:getetag/><C:calendar-data/></D:prop>`)
	for i := range n {
		fmt.Fprintf(&b, "<D:href>/dav/alice@example.org/calendar/%08d-0123-4567-89ab-cdef01234567.ics</D:href>\n", i)
	}
	b.WriteString("</C:calendar-multiget>")
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	text := multiget(20_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(text), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	event := strings.Repeat("DESCRIPTION:something that is said about it, with \\n in it\r\n", 10)
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(io.Discard)
		w.Begin(D("multistatus"))
		for range 1000 {
			w.Begin(D("response"))
			w.Element(D("href"), "/dav/alice@example.org/calendar/01234567-0123-4567-89ab-cdef01234567.ics")
			w.Begin(D("propstat"))
			w.Begin(D("prop"))
			w.Element(D("getetag"), `"0123456789abcdef"`)
			w.Element(C("calendar-data"), event)
			w.End()
			w.Element(D("status"), "HTTP/1.1 200 OK")
			w.End()
			w.End()
		}
		w.End()
		b.SetBytes(w.Written())
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}
