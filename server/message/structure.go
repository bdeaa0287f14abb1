package message

import (
	"bytes"
	"strconv"
)

// AppendBodyStructure appends BODYSTRUCTURE of p (RFC 9051 7.5.2), with its
// parentheses.
func (p *Part) AppendBodyStructure(dst []byte) []byte { return p.appendBody(dst, true) }

// AppendBody appends BODY: BODYSTRUCTURE without extension data.
func (p *Part) AppendBody(dst []byte) []byte { return p.appendBody(dst, false) }

// AppendEnvelope appends ENVELOPE (RFC 9051 7.5.2), with its parentheses. p is a
// message.
func (p *Part) AppendEnvelope(dst []byte) []byte {
	if p.envelope == nil {
		return append(dst, emptyEnvelope...)
	}
	return append(dst, p.envelope...)
}

func (p *Part) appendBody(dst []byte, extended bool) []byte {
	dst = append(dst, '(')
	if p.Multipart() {
		for _, c := range p.Children {
			dst = c.appendBody(dst, extended)
		}
		dst = append(dst, ' ')
	}
	dst = append(dst, p.head...)
	if !p.Multipart() {
		dst = strconv.AppendInt(append(dst, ' '), p.End-p.Body, 10)
	}
	if p.Encapsulates() { // body-type-msg
		dst = p.Children[0].AppendEnvelope(append(dst, ' '))
		dst = p.Children[0].appendBody(append(dst, ' '), extended)
	}
	if p.Encapsulates() || p.Type == "text" { // body-type-text
		dst = strconv.AppendInt(append(dst, ' '), p.Lines, 10)
	}
	if extended {
		dst = append(dst, p.tail...)
	}
	return append(dst, ')')
}

// makeWire makes what appendBody needs of the header of p. When the forms of a
// message grow too long, parts get no more than their type.
func (s *scanner) makeWire(p *Part, c *contentFields) {
	s.scratch = p.appendHead(s.scratch[:0], c)
	head := len(s.scratch)
	s.scratch = p.appendTail(s.scratch, c)
	if s.wire+len(s.scratch) > maxWire {
		*c = contentFields{}
		s.scratch = p.appendHead(s.scratch[:0], c)
		head = len(s.scratch)
		s.scratch = p.appendTail(s.scratch, c)
	}
	s.wire += len(s.scratch)
	wire := bytes.Clone(s.scratch)
	p.head, p.tail = wire[:head:head], wire[head:]
}

// makeOpaque turns a container whose parts are not looked at into a leaf.
func (s *scanner) makeOpaque(p *Part) {
	p.Type, p.Subtype, p.boundary = "application", "octet-stream", ""
	if !s.bare {
		s.makeWire(p, new(contentFields))
	}
}

// appendHead appends media type, and body-fields up to the encoding.
func (p *Part) appendHead(dst []byte, c *contentFields) []byte {
	if p.Multipart() {
		return appendWord(dst, p.Subtype)
	}
	dst = append(appendWord(dst, p.Type), ' ')
	dst = append(appendWord(dst, p.Subtype), ' ')
	params := c.params
	if p.Type == "text" && find(params, "charset") == nil && find(params, "charset*") == nil {
		params = append(params, usASCII) // RFC 2045 5.2
	}
	dst = append(appendParams(dst, params), ' ')
	dst = append(appendNString(dst, c.values[kindContentID]), ' ')
	dst = append(appendNString(dst, c.values[kindContentDescription]), ' ')
	return appendWord(dst, p.Encoding)
}

var usASCII = param{[]byte("charset"), []byte("us-ascii")}

// appendTail appends body-ext-1part or body-ext-mpart, each with a space before.
func (p *Part) appendTail(dst []byte, c *contentFields) []byte {
	dst = append(dst, ' ')
	if p.Multipart() {
		dst = appendParams(dst, c.params)
	} else {
		dst = appendNString(dst, c.values[kindContentMD5])
	}
	dst = append(dst, ' ')
	if len(c.disposition) == 0 {
		dst = append(dst, "NIL"...)
	} else {
		dst = append(dst, '(')
		dst = append(appendWord(dst, p.Disposition), ' ')
		dst = append(appendParams(dst, c.dispParams), ')')
	}
	dst = appendLanguages(append(dst, ' '), c.values[kindContentLanguage])
	return appendNString(append(dst, ' '), c.values[kindContentLocation])
}

// appendWord appends a name as a quoted string, or as a literal when it has to be.
func appendWord(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return appendString(dst, []byte(s))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendParams appends body-fld-param.
func appendParams(dst []byte, params []param) []byte {
	if len(params) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i, p := range params {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(appendString(dst, p.name), ' ')
		dst = appendString(dst, p.value)
	}
	return append(dst, ')')
}

// appendLanguages appends body-fld-lang: the tags of Content-Language (RFC 3282).
func appendLanguages(dst, v []byte) []byte {
	n := 0
	for tag := range bytes.SplitSeq(v, []byte(",")) {
		if tag = bytes.Trim(tag, " \t"); len(tag) == 0 {
			continue
		}
		if n == 0 {
			dst = append(dst, '(')
		} else {
			dst = append(dst, ' ')
		}
		dst = appendString(dst, tag)
		n++
	}
	if n == 0 {
		return append(dst, "NIL"...)
	}
	return append(dst, ')')
}
