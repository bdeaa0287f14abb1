package message

import (
	"io"

	"facteur/server/envelope"
)

// Edits are what Edit changes of a header. Fields are told by their place, from 0, as
// Header.Field counts them.
type Edits struct {
	// Prepend stands above the header: whole fields, each with its line end.
	Prepend []byte
	// Drop tells which fields are left out; nil: none. The name of a line that is no
	// field is "".
	Drop func(i int, name string) bool
	// Replace has what stands in place of a field: whole fields, each with its line
	// end. It counts before Drop.
	Replace map[int][]byte
}

// Edit returns b with changes to its header h. All other octets are as they came: they
// are read from b, which must stay open as long as the result is used, and the body is
// not copied.
//
// A first line that begins with white space belongs to no field; it is left out when
// something is put above it, for there it would become part of that.
func Edit(b envelope.Body, h *Header, e Edits) envelope.Body {
	head := make([]byte, 0, len(e.Prepend)+len(h.raw))
	head = append(head, e.Prepend...)
	rest := 0 // of the header, behind the last field
	for i, f := range h.fields {
		rest = int(f.end)
		name, raw := h.Field(i)
		replaced, ok := e.Replace[i]
		switch {
		case ok:
			head = append(head, replaced...)
		case e.Drop != nil && e.Drop(i, name):
		case len(head) > 0 && isWSP(raw[0]):
		default:
			head = append(head, raw...)
		}
	}
	head = append(head, h.raw[rest:]...)
	return &edited{head: head, body: b, from: h.Size(), size: int64(len(head)) + b.Size() - h.Size()}
}

// Field returns the name of field i and all of its octets, with the line end, as they
// came. The name of a line that is no field is "". i is at least 0 and below Len.
func (h *Header) Field(i int) (name string, raw []byte) {
	f := h.fields[i]
	return string(h.raw[f.start : f.start+f.name]), h.raw[f.start:f.end:f.end]
}

// edited is a new header in front of the body of another message.
type edited struct {
	head []byte
	body envelope.Body
	from int64 // where the body begins in it
	size int64
}

// Size is that of envelope.Body.
func (m *edited) Size() int64 { return m.size }

// ReadAt is that of io.ReaderAt.
func (m *edited) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(m.head)) {
		n = copy(p, m.head[off:])
	}
	if n == len(p) {
		return n, nil
	}
	rest, err := m.body.ReadAt(p[n:], off+int64(n)-int64(len(m.head))+m.from)
	return n + rest, err
}

// WriteTo is that of io.WriterTo.
func (m *edited) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.head)
	if err != nil {
		return int64(n), err
	}
	// A body that fails short of its size must not look whole.
	rest, err := io.CopyN(w, io.NewSectionReader(m.body, m.from, m.size-int64(len(m.head))), m.size-int64(len(m.head)))
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return int64(n) + rest, err
}
