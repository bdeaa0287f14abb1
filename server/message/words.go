package message

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding/charmap"
)

// TextKind tells where searchable text stands.
type TextKind uint8

// The kinds of text, as SEARCH tells them apart (RFC 9051 6.4.4).
const (
	HeaderText TextKind = iota // fields of the message's header, as "Name: value" lines
	BodyText                   // text parts, fields of other headers, file names
)

// The sizes of what Words emits.
const (
	MaxPiece     = 64 << 10
	PieceOverlap = 256
)

// Words calls emit with all searchable text of a message, in UTF-8, without
// transfer encodings, encoded words and HTML markup: first HeaderText, then BodyText,
// each as one text in pieces of at most MaxPiece octets. A piece begins with about
// the last PieceOverlap octets of the one before it, so that a string that is not
// longer lies whole in one. The piece is valid during the call. What can't be decoded
// is given as it stands. The error is that of emit or of reading.
func Words(r io.ReaderAt, size int64, emit func(kind TextKind, text []byte) error) error {
	root, err := ReadParts(r, size)
	if err != nil {
		return err
	}
	buf := pieces.Get().(*[MaxPiece]byte)
	defer pieces.Put(buf)
	w := wordWriter{src: &source{r: r}, emit: emit, buf: buf[:0], kind: HeaderText}
	w.header(root.Start, root.Body)
	w.end()
	w.kind = BodyText
	w.part(root, false)
	w.end()
	return errors.Join(w.err, w.src.err)
}

// pieces are buffers not in use.
var pieces = sync.Pool{New: func() any { return new([MaxPiece]byte) }}

// source remembers an error of reading, which decoders hide.
type source struct {
	r   io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.r.ReadAt(p, off)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// wordWriter collects text into pieces.
type wordWriter struct {
	src   *source
	emit  func(TextKind, []byte) error
	kind  TextKind
	buf   []byte // the piece
	fresh int    // octets of buf that were not emitted
	rest  []byte // a character that is not yet complete
	err   error
}

func (w *wordWriter) failed() bool { return w.err != nil || w.src.err != nil }

// text adds text, which may end within a character.
func (w *wordWriter) text(b []byte) {
	if len(w.rest) > 0 {
		b = append(w.rest, b...)
		w.rest = nil
	}
	if n := len(trimPartial(string(b[max(0, len(b)-utf8Max):]))); n < min(len(b), utf8Max) {
		cut := len(b) - min(len(b), utf8Max) + n
		w.rest = bytes.Clone(b[cut:])
		b = b[:cut]
	}
	w.whole(b)
}

// whole adds text that ends with a character.
func (w *wordWriter) whole(b []byte) {
	if !utf8.Valid(b) {
		b = repaired(b)
	}
	for len(b) > 0 && !w.failed() {
		n := min(len(b), cap(w.buf)-len(w.buf))
		if n < len(b) {
			for n > 0 && !utf8.RuneStart(b[n]) {
				n--
			}
		}
		w.buf = append(w.buf, b[:n]...)
		w.fresh += n
		if b = b[n:]; len(b) > 0 {
			w.flush()
		}
	}
}

// repaired returns b with each octet that is not UTF-8 read as Windows-1252.
func repaired(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			r = charmap.Windows1252.DecodeByte(b[0])
		}
		out = utf8.AppendRune(out, r)
		b = b[size:]
	}
	return out
}

// flush emits a piece and keeps the end of it.
func (w *wordWriter) flush() {
	if w.fresh == 0 || w.failed() {
		return
	}
	w.err = w.emit(w.kind, w.buf)
	keep := max(len(w.buf)-PieceOverlap, 0)
	for keep > 0 && !utf8.RuneStart(w.buf[keep]) {
		keep--
	}
	w.buf = w.buf[:copy(w.buf, w.buf[keep:])]
	w.fresh = 0
}

// endPart ends a text within a text.
func (w *wordWriter) endPart() {
	if len(w.rest) > 0 {
		w.whole(w.rest)
		w.rest = nil
	}
	if len(w.buf) > 0 && w.buf[len(w.buf)-1] != '\n' {
		w.whole(newline)
	}
}

// end ends the text.
func (w *wordWriter) end() {
	w.endPart()
	w.flush()
	w.buf = w.buf[:0]
}

// header adds the fields of the header that lies at [from, to).
func (w *wordWriter) header(from, to int64) {
	if to == from || w.failed() {
		return
	}
	section := io.NewSectionReader(w.src, from, to-from)
	h, err := ReadHeader(section)
	if err != nil { // over a limit: as it stands
		w.stream(section)
		w.endPart()
		return
	}
	for _, f := range h.fields {
		w.whole(h.raw[f.start : f.start+f.name])
		if f.name > 0 {
			w.whole([]byte(": "))
		}
		w.whole([]byte(DecodeText(unfold(h.raw[f.value:f.end]))))
		w.endPart()
	}
}

// part adds the text of a part and of those in it; header: that of p too.
func (w *wordWriter) part(p *Part, header bool) {
	if w.failed() {
		return
	}
	if header {
		w.header(p.Start, p.Body)
	}
	if p.FileName != "" {
		w.whole([]byte(p.FileName))
		w.endPart()
	}
	for _, c := range p.Children {
		w.part(c, true)
	}
	if len(p.Children) == 0 && (p.Type == "text" || p.Type == "message") {
		w.body(p)
		w.endPart()
	}
}

// body adds the text of a leaf.
func (w *wordWriter) body(p *Part) {
	r := p.textReader(w.src)
	if p.Subtype == "html" {
		w.html(r)
		return
	}
	w.stream(r)
}

// readBlock is how much text is read at a time.
const readBlock = 8 << 10

// stream adds what r gives until it ends or fails.
func (w *wordWriter) stream(r io.Reader) {
	block := make([]byte, readBlock)
	for !w.failed() {
		n, err := r.Read(block)
		w.text(block[:n])
		if err != nil {
			return
		}
	}
}

// html adds the text of HTML. A tag that is too long is left out.
func (w *wordWriter) html(r io.Reader) {
	t := textWriter{limit: 2 * maxWordToken}
	eachTokenizer(r, func(z *html.Tokenizer) bool {
		w.tokens(z, &t)
		return !w.failed()
	})
	w.text(t.out)
}

// tokens adds the text of what z gives until it ends or fails.
func (w *wordWriter) tokens(z *html.Tokenizer, t *textWriter) {
	for !w.failed() && t.token(z) {
		if n := len(t.out) - 1; n >= readBlock { // the last octet tells whether white space is there
			w.text(t.out[:n])
			t.out = append(t.out[:0], t.out[n])
		}
	}
}
