package message

import (
	"encoding/binary"

	"facteur/server/fault"
)

// summaryVersion is the first octet of what AppendBinary makes.
const summaryVersion = 1

// The marks of a summary on disk.
const (
	markAttachments = 1 << iota
	markFieldsOmitted
)

// AppendBinary appends s in a form for ParseSummary. The error is always nil
// (encoding.BinaryAppender).
func (s *Summary) AppendBinary(dst []byte) ([]byte, error) {
	marks := byte(0)
	if s.Attachments {
		marks |= markAttachments
	}
	if s.FieldsOmitted {
		marks |= markFieldsOmitted
	}
	dst = append(dst, summaryVersion, marks)
	dst = append(dst, s.EmailID[:]...)
	dst = binary.AppendUvarint(dst, uint64(s.Size))
	dst = binary.AppendVarint(dst, s.SentDate)
	dst = binary.AppendVarint(dst, int64(s.SentZone))
	for _, b := range [][]byte{s.Envelope, s.BodyStructure, s.Fields, s.Preview} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst, nil
}

// ParseSummary reads what AppendBinary made. The slices of the result point into b.
// The error is a fault.Fault when b is anything else, or of another version.
func ParseSummary(b []byte) (Summary, error) {
	const fixed = 2 + 16
	if len(b) < fixed || b[0] != summaryVersion || b[1] > markAttachments|markFieldsOmitted {
		return Summary{}, errSummary()
	}
	s := Summary{Attachments: b[1]&markAttachments != 0, FieldsOmitted: b[1]&markFieldsOmitted != 0}
	copy(s.EmailID[:], b[2:])
	r := summaryReader{b: b[fixed:]}
	s.Size = int64(r.uvarint())
	s.SentDate = r.varint()
	zone := r.varint()
	s.SentZone = int16(zone)
	s.Envelope, s.BodyStructure, s.Fields, s.Preview = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	if r.bad || len(r.b) > 0 || s.Size < 0 || int64(s.SentZone) != zone {
		return Summary{}, errSummary()
	}
	return s, nil
}

func errSummary() error {
	return fault.Newf(fault.Internal, "A summary of a message in the index is damaged")
}

// summaryReader reads the pieces of a summary; bad is set when one is not there.
type summaryReader struct {
	b   []byte
	bad bool
}

func (r *summaryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return took(r, v, n)
}

func (r *summaryReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return took(r, v, n)
}

func took[T any](r *summaryReader, v T, n int) T {
	if n <= 0 {
		r.bad, n = true, len(r.b)
	}
	r.b = r.b[n:]
	return v
}

// bytes returns nil for what has no octets.
func (r *summaryReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
	}
	if n == 0 || r.bad {
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
