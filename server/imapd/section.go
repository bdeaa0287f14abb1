package imapd

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/emersion/go-imap/v2"

	"facteur/server/envelope"
)

// section is what a FETCH item asks for: a range of the message, or bytes made
// from it.
type section struct {
	io.Reader
	size int64
	held int64 // octets of it in memory
}

func rangeOf(b envelope.Body, from, to int64) section {
	return section{Reader: io.NewSectionReader(b, from, to-from), size: to - from}
}

func bytesOf(data []byte) section {
	return section{Reader: bytes.NewReader(data), size: int64(len(data)), held: int64(len(data))}
}

// partial cuts s (RFC 9051 6.4.5, "<partial>"). A range behind the end is empty.
func (s section) partial(p *imap.SectionPartial) (section, error) {
	if p == nil {
		return s, nil
	}
	from := min(p.Offset, s.size)
	s.size = min(s.size-from, p.Size)
	if seeker, ok := s.Reader.(io.Seeker); ok {
		_, err := seeker.Seek(from, io.SeekStart)
		return s, err
	}
	_, err := io.CopyN(io.Discard, s, from)
	return s, err
}

// bodySection returns BODY[...] (RFC 9051 6.4.5.1). A part that is not there is
// empty.
func (m *openMessage) bodySection(item *imap.FetchItemBodySection) (section, error) {
	from, to := int64(0), m.Size()
	if len(item.Part) > 0 || item.Specifier != imap.PartSpecifierNone {
		p, err := m.find(item)
		if p == nil || err != nil {
			return bytesOf(nil), err
		}
		switch item.Specifier {
		case imap.PartSpecifierHeader, imap.PartSpecifierMIME:
			from, to = p.start, p.body
		default:
			from, to = p.body, p.end
		}
	}
	if len(item.HeaderFields) == 0 && len(item.HeaderFieldsNot) == 0 {
		return rangeOf(m, from, to).partial(item.Partial)
	}
	h, err := readHeader(m, from, to)
	if err != nil {
		return section{}, err
	}
	return bytesOf(selectFields(h.Bytes(), item)).partial(item.Partial)
}

// find returns the part that item names; HEADER and TEXT are those of the
// message, or of one that is encapsulated in a part.
func (m *openMessage) find(item *imap.FetchItemBodySection) (*part, error) {
	if len(item.Part) == 0 {
		return m.top()
	}
	root, err := m.parts()
	if err != nil {
		return nil, err
	}
	p := root.find(item.Part)
	if item.Specifier == imap.PartSpecifierHeader || item.Specifier == imap.PartSpecifierText {
		if p == nil || !p.encapsulates() {
			return nil, nil
		}
		p = p.children[0]
	}
	return p, nil
}

// find returns the part with that number (RFC 9051 6.4.5.1), nil when there is
// none. In a message that is no multipart, part 1 is its body.
func (p *part) find(number []int) *part {
	message := true
	for _, n := range number {
		switch {
		case !message && p.encapsulates():
			p = p.children[0]
		case !message && !p.multipart():
			return nil
		}
		switch {
		case p.multipart() && n >= 1 && n <= len(p.children):
			p = p.children[n-1]
		case p.multipart() || n != 1:
			return nil
		}
		message = false
	}
	return p
}

// selectFields returns the fields that HEADER.FIELDS or HEADER.FIELDS.NOT
// selects, as they came, and the empty line.
func selectFields(header []byte, item *imap.FetchItemBodySection) []byte {
	names, want := item.HeaderFields, true
	if len(names) == 0 {
		names, want = item.HeaderFieldsNot, false
	}
	listed := make(map[string]bool, len(names))
	for _, n := range names {
		listed[strings.ToLower(n)] = true
	}
	var out bytes.Buffer
	keep := false
	for line := range bytes.Lines(header) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := bytes.Cut(line, []byte(":"))
			keep = listed[strings.ToLower(string(bytes.TrimRight(name, " \t")))] == want
		}
		if keep {
			out.Write(line)
		}
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

// binarySection returns BINARY[...] (RFC 3516 4.2): the decoded body of a part.
// What holds other parts is never encoded.
func (m *openMessage) binarySection(number []int, partial *imap.SectionPartial) (section, error) {
	if len(number) == 0 {
		return rangeOf(m, 0, m.Size()).partial(partial)
	}
	root, err := m.parts()
	if err != nil {
		return section{}, err
	}
	p := root.find(number)
	if p == nil {
		return bytesOf(nil), nil
	}
	r, ok := decode(m, p)
	if !ok {
		return section{}, errUnknownCTE
	}
	size, err := io.Copy(io.Discard, r)
	if err != nil {
		return section{}, errUnknownCTE
	}
	r, _ = decode(m, p)
	return section{Reader: r, size: size}.partial(partial)
}

// decode returns the body of p without its content-transfer-encoding
// (RFC 2045 6); ok is false when that is unknown.
func decode(b envelope.Body, p *part) (r io.Reader, ok bool) {
	raw := io.NewSectionReader(b, p.body, p.end-p.body)
	switch p.encoding() {
	case "7bit", "8bit", "binary":
		return raw, true
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, raw), true
	case "quoted-printable":
		return quotedprintable.NewReader(raw), true
	}
	return raw, false
}
