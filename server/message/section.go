package message

import (
	"io"
)

// SectionKind is the word in a section.
type SectionKind uint8

// The kinds of sections (RFC 9051 6.4.5.1).
const (
	SectionBody      SectionKind = iota // no word: the whole message, or the body of the part
	SectionHeader                       // HEADER
	SectionText                         // TEXT
	SectionMIME                         // MIME
	SectionFields                       // HEADER.FIELDS
	SectionFieldsNot                    // HEADER.FIELDS.NOT
)

// Section is what stands between the brackets of BODY[...] (RFC 9051 6.4.5.1).
type Section struct {
	Path  []int // the part number, empty for the message
	Kind  SectionKind
	Names []string // of SectionFields and SectionFieldsNot
}

// Top tells whether the header of the message is all that must be read to find the
// section: ReadTop does.
func (s Section) Top() bool { return len(s.Path) == 0 }

// Fields tells whether the section is made of fields of a header.
func (s Section) Fields() bool { return s.Kind == SectionFields || s.Kind == SectionFieldsNot }

// Range returns where a section lies in the message p, so that it can be copied
// from the file; of HEADER.FIELDS and HEADER.FIELDS.NOT, where the header lies. ok is
// false when there is no such part: the section is empty.
func (p *Part) Range(s Section) (from, to int64, ok bool) {
	part := p.Find(s.Path)
	if part == nil {
		return 0, 0, false
	}
	if s.Top() && s.Kind == SectionBody {
		return p.Start, p.End, true
	}
	if !s.Top() && s.Kind != SectionBody && s.Kind != SectionMIME {
		// HEADER and TEXT are those of an encapsulated message.
		if !part.Encapsulates() {
			return 0, 0, false
		}
		part = part.Children[0]
	}
	switch s.Kind {
	case SectionBody, SectionText:
		return part.Body, part.End, true
	}
	return part.Start, part.Body, true
}

// AppendSectionFields appends HEADER.FIELDS or HEADER.FIELDS.NOT of the message p,
// which r reads: the fields as they came and the empty line. Nothing when there is
// no such part. A header over MaxHeader counts as empty.
func (p *Part) AppendSectionFields(dst []byte, r io.ReaderAt, s Section) ([]byte, error) {
	from, to, ok := p.Range(s)
	if !ok {
		return dst, nil
	}
	if to-from <= MaxHeader {
		header := make([]byte, to-from)
		if n, err := r.ReadAt(header, from); n < len(header) {
			return dst, shortRead(err)
		}
		dst = appendSelected(dst, header, s)
	}
	return append(dst, "\r\n"...), nil
}

func appendSelected(dst, header []byte, s Section) []byte {
	for field := range splitFields(header) {
		if lineEnd(field) > 0 { // the empty line
			break
		}
		if named(field, s.Names) == (s.Kind == SectionFields) {
			dst = appendField(dst, field)
		}
	}
	return dst
}

// shortRead makes an error of reading less than the size told.
func shortRead(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
