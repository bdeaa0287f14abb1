package message

import (
	"bytes"
	"io"
	"strings"
)

// Part is one entity of a message (RFC 2045 2.4), as offsets into the message.
// It holds no text, and is not changed once made.
type Part struct {
	Start, Body, End int64   // the header is [Start, Body), with its empty line; the body [Body, End)
	Lines            int64   // line ends in the body
	Type, Subtype    string  // in lower case
	Charset          string  // parameter of Content-Type, in lower case, "" when there is none
	Encoding         string  // Content-Transfer-Encoding in lower case (RFC 2045 6.1), "7bit" when there is none
	Disposition      string  // RFC 2183, in lower case
	FileName         string  // decoded, of Content-Disposition or the name of Content-Type
	Children         []*Part // the parts of a multipart, or the message in a message/rfc822

	boundary string
	head     []byte // wire form before the size, of a multipart its subtype
	tail     []byte // wire form of the extension data behind the lines
	envelope []byte // wire form, of messages
}

// Multipart tells whether p holds parts that are numbered.
func (p *Part) Multipart() bool { return p.Type == "multipart" }

// Encapsulates tells whether the body of p is a message, its only child.
func (p *Part) Encapsulates() bool { return p.Type == "message" && len(p.Children) == 1 }

// Attachment tells whether p is marked as an attachment or has a file name.
func (p *Part) Attachment() bool { return p.Disposition == "attachment" || p.FileName != "" }

// ReadParts finds the parts of a message, in one pass and through a window of
// bounded size. What is over a limit (50 levels, 1,000 parts, a header of 256 KiB)
// is served as an opaque part, not numbered, or counts as empty. The error is that
// of reading.
func ReadParts(r io.ReaderAt, size int64) (*Part, error) {
	return readParts(newScanner(r, size))
}

func readParts(s *scanner) (*Part, error) {
	defer s.release()
	p, _ := s.entity("text/plain", 0, true)
	if s.err != nil {
		return nil, s.err
	}
	return p, nil
}

// ReadTop reads the header of a message only: the result has no children and no
// line count. It does for what Section.Top is true of, and for AppendEnvelope.
func ReadTop(r io.ReaderAt, size int64) (*Part, error) {
	s := newScanner(r, size)
	defer s.release()
	p := &Part{End: size}
	raw, _, _ := s.header()
	p.Body = s.pos
	s.describe(p, raw, "text/plain", true)
	if s.err != nil {
		return nil, s.err
	}
	return p, nil
}

// Find returns the part with that number (RFC 9051 6.4.5.1), nil when there is
// none; p is the message. In a message that is no multipart, part 1 is its body.
func (p *Part) Find(path []int) *Part {
	message := true
	for _, n := range path {
		switch {
		case !message && p.Encapsulates():
			p = p.Children[0]
		case !message && !p.Multipart():
			return nil
		}
		switch {
		case p.Multipart() && n >= 1 && n <= len(p.Children):
			p = p.Children[n-1]
		case p.Multipart() || n != 1:
			return nil
		}
		message = false
	}
	return p
}

// entity reads one part and what ended it; message: its header is that of a
// message.
func (s *scanner) entity(defaultType string, depth int, message bool) (*Part, delimiter) {
	s.entities++
	p := &Part{Start: s.pos}
	lines := s.lines
	raw, d, body := s.header()
	h := s.describe(p, raw, defaultType, message)
	if s.summary != nil && depth == 0 {
		s.summary.header(h, s.kinds, s.pos-p.Start)
	}
	if !body {
		d.notBefore(p.Start, lines)
		p.Body, p.End = d.end, d.end
	} else {
		p.Body, lines = s.pos, s.lines
		d = s.content(p, depth)
		d.notBefore(p.Body, lines)
		p.End, p.Lines = d.end, d.lines-lines
	}
	s.complete(p)
	return p, d
}

// complete gives p the children that its type needs: a multipart has at least one
// (RFC 9051 9, body-type-mpart: 1*body).
func (s *scanner) complete(p *Part) {
	if len(p.Children) > 0 || !p.Multipart() && !p.container() {
		return
	}
	child := &Part{Start: p.End, Body: p.End, End: p.End}
	s.describe(child, nil, "text/plain", !p.Multipart())
	p.Children = []*Part{child}
}

// container tells whether the body of p is a message (RFC 2046 5.2.1, RFC 6532 3.7).
func (p *Part) container() bool {
	return p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global")
}

// content reads the body of p.
func (s *scanner) content(p *Part, depth int) delimiter {
	container := p.Multipart() || p.container()
	switch {
	case container && (depth >= maxNesting || s.entities >= maxEntities):
		s.makeOpaque(p)
		return s.skip()
	case !container:
		return s.leaf(p)
	case !p.Multipart():
		child, d := s.entity("text/plain", depth+1, true)
		p.Children = []*Part{child}
		return d
	}
	return s.multipart(p, depth)
}

func (s *scanner) multipart(p *Part, depth int) delimiter {
	defaultType := "text/plain"
	if p.Subtype == "digest" { // RFC 2046 5.1.5
		defaultType = "message/rfc822"
	}
	level := len(s.boundaries)
	s.boundaries = append(s.boundaries, p.boundary)
	d := s.skip() // the preamble
	for d.level == level && !d.closing {
		if s.entities >= maxEntities {
			d = s.skip()
			continue
		}
		var child *Part
		child, d = s.entity(defaultType, depth+1, false)
		p.Children = append(p.Children, child)
	}
	s.boundaries = s.boundaries[:level]
	if d.level == level {
		d = s.skip() // the epilogue
	}
	return d
}

// leaf reads a body that holds no other part.
func (s *scanner) leaf(p *Part) delimiter {
	if s.summary == nil {
		return s.skip()
	}
	s.summary.begin(p)
	d := s.skip()
	s.summary.finish(p)
	return d
}

// contentFields are the values of the MIME fields of a header, nil when absent.
type contentFields struct {
	params      []param
	values      [fieldKinds][]byte
	disposition []byte
	dispParams  []param
}

// describe reads the header of p: its type and the wire forms made of it. A type
// that can't be read is text/plain (RFC 2045 5.2).
func (s *scanner) describe(p *Part, raw []byte, defaultType string, message bool) *Header {
	h := &Header{raw: raw, fields: s.fields[:0]}
	err := h.parse()
	s.fields = h.fields
	if err != nil { // too many fields: as if it were empty
		h.raw, raw, h.fields = nil, nil, nil
	}
	if s.kinds = s.kinds[:0]; cap(s.kinds) < len(h.fields) {
		s.kinds = make([]fieldKind, 0, cap(h.fields))
	}
	var c contentFields
	for _, f := range h.fields {
		k := kindOf(raw[f.start : f.start+f.name])
		if k >= kindContentType && c.values[k] == nil {
			c.values[k] = unfolded(raw[f.value:f.end])
		}
		s.kinds = append(s.kinds, k)
	}
	s.readType(p, &c, defaultType)
	s.readDisposition(p, &c)
	p.Encoding = encodingOf(c.values[kindContentEncoding])
	if s.bare {
		return h
	}
	s.makeWire(p, &c)
	if message {
		s.makeEnvelope(p, h)
	}
	return h
}

func (s *scanner) readType(p *Part, c *contentFields, defaultType string) {
	v := c.values[kindContentType]
	if len(v) == 0 {
		v = []byte(defaultType)
	}
	value, params := parseParams(v, nil)
	major, minor, ok := bytes.Cut(value, []byte("/"))
	boundary := find(params, "boundary")
	p.Type, p.Subtype = lowered(major), lowered(minor)
	if !ok || !isToken(major) || !isToken(minor) ||
		p.Type == "multipart" && (len(boundary) == 0 || len(boundary) > maxBoundary) {
		p.Type, p.Subtype, params, boundary = "text", "plain", nil, nil
	}
	c.params = params
	p.Charset = lowered(find(params, "charset"))
	if p.Multipart() {
		p.boundary = string(bytes.TrimRight(boundary, " \t"))
	}
}

func (s *scanner) readDisposition(p *Part, c *contentFields) {
	if v := c.values[kindContentDisposition]; len(v) > 0 {
		c.disposition, c.dispParams = parseParams(v, nil)
		p.Disposition = lowered(c.disposition)
	}
	if p.FileName = decoded(c.dispParams, "filename"); p.FileName == "" {
		p.FileName = decoded(c.params, "name")
	}
}

// encodingOf returns the content-transfer-encoding in a field (RFC 2045 6.1).
func encodingOf(v []byte) string {
	v = skipComments(v, " \t")
	if i := bytes.IndexAny(v, "; \t("); i >= 0 {
		v = v[:i]
	}
	if len(v) == 0 || len(v) > maxTypeName {
		return "7bit"
	}
	return lowered(v)
}

// maxTypeName bounds the names of types (RFC 6838 4.2).
const maxTypeName = 127

// isToken tells whether b can be the name of a type (RFC 2045 5.1).
func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxTypeName
}

// lowered returns b in lower case; what is common takes no memory.
func lowered(b []byte) string {
	var buf [maxListedName]byte
	if len(b) > len(buf) {
		return string(bytes.ToLower(b))
	}
	for i, c := range b {
		buf[i] = lower(c)
	}
	switch l := buf[:len(b)]; string(l) {
	case "text":
		return "text"
	case "plain":
		return "plain"
	case "html":
		return "html"
	case "multipart":
		return "multipart"
	case "mixed":
		return "mixed"
	case "alternative":
		return "alternative"
	case "utf-8":
		return "utf-8"
	case "us-ascii":
		return "us-ascii"
	case "7bit":
		return "7bit"
	case "8bit":
		return "8bit"
	case "base64":
		return "base64"
	case "quoted-printable":
		return "quoted-printable"
	case "attachment":
		return "attachment"
	case "inline":
		return "inline"
	default:
		return string(l)
	}
}

// unfolded returns the value of a field without line ends and white space around
// it (RFC 5322 2.2.3). It is not nil, and may share the memory of v.
func unfolded(v []byte) []byte {
	v = bytes.Trim(v, " \t\r\n")
	if v == nil {
		return []byte{}
	}
	if bytes.IndexByte(v, '\n') < 0 {
		return v
	}
	return []byte(unfold(v))
}
