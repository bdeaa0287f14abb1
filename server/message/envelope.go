package message

import "bytes"

// emptyEnvelope is that of a message without a header.
const emptyEnvelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

// makeEnvelope makes ENVELOPE of p from its header (RFC 9051 7.5.2). Encoded words
// stay as they are; a field that is not there is NIL, an empty one "".
func (s *scanner) makeEnvelope(p *Part, h *Header) {
	b := append(s.scratch[:0], '(')
	b = append(s.appendText(b, h, kindDate), ' ')
	b = append(s.appendText(b, h, kindSubject), ' ')
	from := len(b)
	b = s.appendAddresses(b, h, kindFrom)
	end := len(b)
	for _, k := range []fieldKind{kindSender, kindReplyTo} {
		b = append(b, ' ')
		at := len(b)
		if b = s.appendAddresses(b, h, k); string(b[at:]) == "NIL" { // RFC 9051 7.5.2: defaults to From
			b = append(b[:at], b[from:end]...)
		}
	}
	for _, k := range []fieldKind{kindTo, kindCc, kindBcc} {
		b = s.appendAddresses(append(b, ' '), h, k)
	}
	b = s.appendText(append(b, ' '), h, kindInReplyTo)
	b = append(s.appendText(append(b, ' '), h, kindMessageID), ')')
	s.scratch = b
	if s.entities > 1 && s.wire+len(b) > maxWire {
		return
	}
	s.wire += len(b)
	p.envelope = bytes.Clone(b)
}

// appendText appends the first field of a kind.
func (s *scanner) appendText(dst []byte, h *Header, kind fieldKind) []byte {
	for i, f := range h.fields {
		if s.kinds[i] == kind {
			return appendString(dst, unfolded(h.raw[f.value:f.end]))
		}
	}
	return append(dst, "NIL"...)
}

// appendAddresses appends the addresses of all fields of a kind.
func (s *scanner) appendAddresses(dst []byte, h *Header, kind fieldKind) []byte {
	start, n := len(dst), 0
	dst = append(dst, '(')
	for i, f := range h.fields {
		if s.kinds[i] != kind {
			continue
		}
		p := mailboxParser{text: unfolded(h.raw[f.value:f.end]), buf: s.names[:0]}
		for n < MaxAddresses && p.next() {
			dst = p.append(dst)
			n++
		}
		if p.closeGroup() {
			dst = p.append(dst)
		}
		s.names = p.buf
	}
	if n == 0 {
		return append(dst[:start], "NIL"...)
	}
	return append(dst, ')')
}

// append appends the wire form of what next found.
func (p *mailboxParser) append(dst []byte) []byte {
	switch p.found {
	case groupStart:
		dst = append(dst, "(NIL NIL "...)
		return append(appendString(dst, p.name), " NIL)"...)
	case groupEnd:
		return append(dst, "(NIL NIL NIL NIL)"...)
	}
	dst = append(dst, '(')
	if len(p.name) == 0 {
		dst = append(dst, "NIL"...)
	} else {
		dst = appendString(dst, p.name)
	}
	dst = append(dst, ' ')
	if len(p.route) == 0 {
		dst = append(dst, "NIL"...)
	} else {
		dst = appendString(dst, p.route)
	}
	dst = appendString(append(dst, ' '), p.local) // never NIL: that is for groups
	dst = appendString(append(dst, ' '), p.host)
	return append(dst, ')')
}
