package davxml

import "io"

// piece is how much of an answer is held before it is written.
const piece = 32 << 10

// Writer writes an answer as it comes. The first element is the root, which
// declares the prefixes of the namespaces that this package names. After an error
// of the io.Writer it writes nothing more; Flush tells the error.
type Writer struct {
	to      io.Writer
	buf     []byte
	open    []Name
	begun   bool
	written int64
	err     error
}

// NewWriter returns a Writer.
func NewWriter(w io.Writer) *Writer {
	return &Writer{to: w, buf: make([]byte, 0, piece+4096), open: make([]Name, 0, 16)}
}

// Begin writes a start tag.
func (w *Writer) Begin(n Name, attrs ...Attr) {
	w.start(n, attrs)
	w.buf = append(w.buf, '>')
	w.open = append(w.open, n)
}

// End writes the end tag of the element that was begun last.
func (w *Writer) End() {
	n := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.close(n)
}

// Empty writes an element without content.
func (w *Writer) Empty(n Name, attrs ...Attr) {
	w.start(n, attrs)
	w.buf = append(w.buf, '/', '>')
	w.spill()
}

// Element writes an element that has text.
func (w *Writer) Element(n Name, text string) {
	w.start(n, nil)
	w.buf = append(w.buf, '>')
	w.buf = appendEscaped(w.buf, text, false)
	w.close(n)
}

// Text writes character data. What XML can't hold becomes U+FFFD.
func (w *Writer) Text(s string) {
	w.buf = appendEscaped(w.buf, s, false)
	w.spill()
}

// TextBytes is Text of octets.
func (w *Writer) TextBytes(s []byte) {
	w.buf = appendEscaped(w.buf, s, false)
	w.spill()
}

// Raw writes XML as it stands: what Element.Raw returned.
func (w *Writer) Raw(xml []byte) {
	w.buf = append(w.buf, xml...)
	w.spill()
}

// RawString is Raw of a string.
func (w *Writer) RawString(xml string) {
	w.buf = append(w.buf, xml...)
	w.spill()
}

// Depth is the number of open elements.
func (w *Writer) Depth() int { return len(w.open) }

// Written is how many octets there are so far, of the whole answer.
func (w *Writer) Written() int64 { return w.written + int64(len(w.buf)) }

// Flush writes what is held, and tells the first error of the io.Writer. It does
// not end elements.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.to.Write(w.buf)
	}
	w.written += int64(len(w.buf))
	w.buf = w.buf[:0]
	return w.err
}

// Err tells the first error of the io.Writer so far.
func (w *Writer) Err() error { return w.err }

func (w *Writer) spill() {
	if len(w.buf) >= piece {
		w.Flush()
	}
}

// start writes a tag without its end.
func (w *Writer) start(n Name, attrs []Attr) {
	if !w.begun {
		w.buf = append(w.buf, `<?xml version="1.0" encoding="utf-8"?>`+"\n"...)
	}
	w.buf = append(w.buf, '<')
	prefix := prefixOf(n.Space)
	w.buf = appendName(w.buf, prefix, n)
	switch {
	case !w.begun:
		w.begun = true
		for _, p := range prefixes {
			w.buf = appendDeclaration(w.buf, p.prefix, p.space)
		}
		fallthrough
	case prefix == "":
		w.buf = declareOther(w.buf, prefix, n)
	}
	for i := range attrs {
		w.buf = append(w.buf, ' ')
		if attrs[i].Name.Space == XML {
			w.buf = append(w.buf, "xml:"...)
		}
		w.buf = append(w.buf, attrs[i].Name.Local...)
		w.buf = append(w.buf, '=', '"')
		w.buf = appendEscaped(w.buf, attrs[i].Value, true)
		w.buf = append(w.buf, '"')
	}
}

func (w *Writer) close(n Name) {
	w.buf = append(w.buf, '<', '/')
	w.buf = appendName(w.buf, prefixOf(n.Space), n)
	w.buf = append(w.buf, '>')
	w.spill()
}

// prefixes are those that the root declares. Clients in the field look for D: and
// C: with more luck than for anything else.
var prefixes = [...]struct{ prefix, space string }{
	{"D", DAV}, {"C", CalDAV}, {"CR", CardDAV}, {"CS", CalendarServer}, {"A", Apple},
}

// prefixOf returns the prefix that the root has for a namespace, "": none.
func prefixOf(space string) string {
	switch space {
	case DAV:
		return "D"
	case CalDAV:
		return "C"
	case CardDAV:
		return "CR"
	case CalendarServer:
		return "CS"
	case Apple:
		return "A"
	}
	return ""
}

// appendName writes a qualified name. What has no prefix at the root is in the
// default namespace, which its tag declares.
func appendName(dst []byte, prefix string, n Name) []byte {
	if prefix != "" {
		dst = append(dst, prefix...)
		dst = append(dst, ':')
	}
	return append(dst, n.Local...)
}

// declareOther declares the default namespace of an element without a prefix.
func declareOther(dst []byte, prefix string, n Name) []byte {
	if prefix != "" {
		return dst
	}
	return appendDeclaration(dst, "", n.Space)
}

func appendDeclaration(dst []byte, prefix, space string) []byte {
	dst = append(dst, " xmlns"...)
	if prefix != "" {
		dst = append(dst, ':')
		dst = append(dst, prefix...)
	}
	dst = append(dst, '=', '"')
	dst = appendEscaped(dst, space, true)
	return append(dst, '"')
}
