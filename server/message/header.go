// Package message reads and writes Internet messages: header fields (RFC 5322,
// RFC 6532), encoded words (RFC 2047), address lists (RFC 5322 3.4), the text of
// a MIME body (RFC 2045, RFC 2046), trace fields (RFC 5321 4.4) and delivery
// status notifications (RFC 3461, RFC 3464, RFC 6522, RFC 6533).
//
// For IMAP it finds the parts of a message and their sections (RFC 9051 6.4.5, RFC
// 3516), makes ENVELOPE and BODYSTRUCTURE in wire form (RFC 9051 7.5.2, RFC 2231 6),
// previews (RFC 8970), searchable text and the form in which it is compared, base
// subjects and message ids (RFC 5256). Summarize makes what an index keeps, in one
// pass. These read from an io.ReaderAt through a window and hold no body. A body that is
// encoded is never looked into for parts, and signatures and encryption mean nothing
// here.
//
// For scripts Content finds what they ask about a message: its text, parts, attachments
// with the names in archives (zip, tar, gzip), web addresses, and what kind of message it
// is (RFC 2369, RFC 2919, RFC 3156, RFC 3834, RFC 6522, RFC 8551). Other archives are
// told from files, but not looked into.
//
// Reading is lenient, for mail is what it is, and bounded: what goes over a limit
// is a fault.Fault. Only Edit changes a message: whole fields of its header, and not an
// octet of the rest; else what is added to one goes in front of it.
//
// A Header and a Part are not changed once made, a Content finds each thing once; all may
// be used by several at once. There is no goroutine here; buffers that are not in use wait
// in a sync.Pool.
package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// The limits of a header.
const (
	MaxHeader = 256 << 10 // octets; many connections may hold one each
	MaxFields = 5000
)

// headerBlock is what is read at first: most headers fit.
const headerBlock = 4 << 10

// Header is the header of a message, kept as it came.
type Header struct {
	raw    []byte
	fields []field
}

// field is one header field, as offsets into Header.raw. A line that is no field
// has name == 0.
type field struct {
	start int32 // of the name
	name  int32 // length of the name
	value int32 // start of what follows the colon
	end   int32 // behind the line end of the last line
}

// ReadHeader reads the header of a message, in blocks, and no more of the body
// than the block in which the header ends. The error is a fault.Fault when the
// header is over a limit, else that of ReadAt.
func ReadHeader(b envelope.Body) (*Header, error) {
	raw, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	h := &Header{raw: raw, fields: make([]field, 0, 32)}
	if err := h.parse(); err != nil {
		return nil, err
	}
	return h, nil
}

// ParseHeader is ReadHeader for bytes in memory, which it keeps.
func ParseHeader(raw []byte) (*Header, error) {
	return ReadHeader(envelope.Bytes(raw))
}

func readHeader(b envelope.Body) ([]byte, error) {
	buf := make([]byte, min(headerBlock, b.Size()))
	n := 0
	for {
		m, err := b.ReadAt(buf[n:], int64(n))
		if m < len(buf)-n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // shorter than its Size
			}
			return nil, fmt.Errorf("reading the header: %w", err)
		}
		if end := headerEnd(buf, n); end >= 0 {
			return buf[:end:end], nil
		}
		n = len(buf)
		if int64(n) == b.Size() {
			return buf, nil // a header without a body
		}
		if n >= MaxHeader {
			return nil, fault.Newf(fault.TooLarge, "The header is larger than %d octets", MaxHeader)
		}
		buf = append(buf, make([]byte, min(int64(3*n), b.Size()-int64(n), int64(MaxHeader-n)))...)
	}
}

// headerEnd returns the offset behind the empty line that ends a header, or -1.
// What is before from holds none.
func headerEnd(b []byte, from int) int {
	at := max(from-3, 0)
	if from == 0 {
		if n := lineEnd(b); n > 0 {
			return n // an empty header
		}
	}
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		if n := lineEnd(b[at:]); n > 0 {
			return at + n
		}
	}
}

// lineEnd returns the length of the line end that b begins with, or 0. A bare LF
// counts: other programs write such files into a Maildir.
func lineEnd(b []byte) int {
	if len(b) > 0 && b[0] == '\n' {
		return 1
	}
	if len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
		return 2
	}
	return 0
}

// parse finds the fields. A line that is none (it has no colon, or begins the
// header with white space) is kept as such and the header goes on behind it, for
// that is what many readers do.
func (h *Header) parse() error {
	for at := 0; at < len(h.raw); {
		line := h.raw[at:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		switch {
		case lineEnd(line) > 0: // the empty line
			return nil
		case len(h.fields) > 0 && isWSP(line[0]): // RFC 5322 2.2.3
			h.fields[len(h.fields)-1].end = int32(at + len(line))
		case len(h.fields) == MaxFields:
			return fault.Newf(fault.TooLarge, "The header has more than %d fields", MaxFields)
		default:
			h.fields = append(h.fields, parseField(line, at))
		}
		at += len(line)
	}
	return nil
}

func parseField(line []byte, at int) field {
	f := field{start: int32(at), value: int32(at), end: int32(at + len(line))}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return f
	}
	name := bytes.TrimRight(line[:colon], " \t") // RFC 5322 4.5 allows it before the colon
	for _, c := range name {
		if c <= ' ' || c == 0x7f {
			return f
		}
	}
	f.name = int32(len(name))
	f.value = int32(at + colon + 1)
	return f
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// Size returns the octets of the header with the empty line that ends it: the
// body begins there.
func (h *Header) Size() int64 { return int64(len(h.raw)) }

// Bytes returns the header as it came, with the empty line if there is one. It
// must not be changed.
func (h *Header) Bytes() []byte { return h.raw }

// Len returns the number of fields.
func (h *Header) Len() int { return len(h.fields) }

// Malformed tells whether the header has lines that are no fields.
func (h *Header) Malformed() bool {
	for _, f := range h.fields {
		if f.name == 0 {
			return true
		}
	}
	return false
}

// Count returns how many fields of that name there are.
func (h *Header) Count(name string) int {
	n := 0
	for i := range h.fields {
		if h.is(i, name) {
			n++
		}
	}
	return n
}

// RawValues returns the values of all fields of that name, in order, unfolded
// (RFC 5322 2.2.3) but not decoded.
func (h *Header) RawValues(name string) []string {
	var values []string
	for i, f := range h.fields {
		if h.is(i, name) {
			values = append(values, unfold(h.raw[f.value:f.end]))
		}
	}
	return values
}

// first returns the first value of that name, unfolded.
func (h *Header) first(name string) string {
	for i, f := range h.fields {
		if h.is(i, name) {
			return unfold(h.raw[f.value:f.end])
		}
	}
	return ""
}

// is tells whether field i has that name; names have no case (RFC 5322 1.2.2).
func (h *Header) is(i int, name string) bool {
	f := h.fields[i]
	if int(f.name) != len(name) || f.name == 0 {
		return false
	}
	for j := range len(name) {
		a, b := h.raw[int(f.start)+j], name[j]
		if a != b && (lower(a) != lower(b)) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// unfold takes the line ends out of a value and the white space around it.
func unfold(v []byte) string {
	v = bytes.Trim(v, " \t\r\n")
	if bytes.IndexByte(v, '\n') < 0 {
		return string(v)
	}
	out := make([]byte, 0, len(v))
	for i, c := range v {
		if c == '\n' || c == '\r' && v[i+1] == '\n' { // v does not end in CR
			continue
		}
		out = append(out, c)
	}
	return string(out)
}
