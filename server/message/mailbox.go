package message

import (
	"bytes"
	"strings"
)

// Mailbox is an address as ENVELOPE shows it (RFC 9051 7.5.2): without quoting, its
// name not decoded.
type Mailbox struct{ Name, Local, Host string }

// FirstMailbox returns the first address in the raw value of a field: what SORT and
// its DISPLAY look at (RFC 5256 3, RFC 5957 3). Groups are looked into; of an empty
// group, the name is the Local.
func FirstMailbox(value []byte) (m Mailbox, ok bool) {
	p := mailboxParser{text: unfolded(value)}
	for p.next() {
		switch p.found {
		case groupStart:
			if !ok {
				m, ok = Mailbox{Local: string(p.name)}, true
			}
		case oneMailbox:
			return Mailbox{string(p.name), string(p.local), string(p.host)}, true
		}
	}
	return m, ok
}

// What mailboxParser finds.
const (
	oneMailbox = iota
	groupStart
	groupEnd
)

// mailboxParser reads an address-list (RFC 5322 3.4 and 4.4) for people to see, in
// one pass: whatever stands there is shown somehow. To know what addresses a
// field really has, see Header.Addresses.
type mailboxParser struct {
	text    []byte // what is left, unfolded
	buf     []byte // holds the results
	inGroup bool
	open    bool // a comment is never closed: no more are looked for
	ending  bool // a group ends before text
	found   int
	// The results, valid until the next call.
	name, route, local, host []byte
}

// element is what is read up to a special character.
type element struct {
	at      int // place of the last unquoted "@" in text, -1
	text    []byte
	comment []byte
}

// next finds the next mailbox, or the beginning or end of a group.
func (p *mailboxParser) next() bool {
	p.buf = p.buf[:0]
	for len(p.text) > 0 || p.ending {
		if p.ending {
			return p.closeGroup()
		}
		e, stop := p.element(p.stops())
		p.name, p.route, p.local, p.host = nil, nil, nil, nil
		p.found = oneMailbox
		switch stop {
		case ':':
			p.found, p.inGroup, p.name = groupStart, true, e.text
			return true
		case '<':
			p.name = e.text
			p.angle()
			if len(p.name) == 0 {
				p.name = e.comment
			}
			return true
		case ';':
			p.ending = p.inGroup
		}
		if len(e.text) > 0 {
			p.name = e.comment
			p.spec(e)
			return true
		}
	}
	return false
}

// closeGroup ends the group that is open.
func (p *mailboxParser) closeGroup() bool {
	was := p.inGroup
	p.inGroup, p.ending, p.found = false, false, groupEnd
	return was
}

// stops are the characters that end an element here. A colon within a group is none.
func (p *mailboxParser) stops() string {
	if p.inGroup {
		return ",;<"
	}
	return ",;<:"
}

// element reads words, "@" and comments up to one of stops, which it takes too
// (0 at the end). White space becomes one space.
func (p *mailboxParser) element(stops string) (e element, stop byte) {
	e.at = -1
	start := len(p.buf)
	space, i := false, 0
	for i < len(p.text) && stop == 0 {
		n := 1
		switch c := p.text[i]; {
		case isWSP(c):
			space = true
		case c == '(' && p.commentLen(i) > 0:
			n = p.commentLen(i)
			e.comment = p.text[i+1 : i+n-1]
			space = true
		case strings.IndexByte(stops, c) >= 0:
			stop = c
		default:
			if space && len(p.buf) > start && c != '@' && p.buf[len(p.buf)-1] != '@' {
				p.buf = append(p.buf, ' ')
			}
			space = false
			if c == '@' {
				e.at = len(p.buf) - start
			}
			n = p.word(p.text[i:])
		}
		i += n
	}
	p.text = p.text[i:]
	e.text = p.buf[start:]
	if e.comment != nil {
		e.comment = p.unescape(bytes.Trim(e.comment, " \t"))
	}
	return e, stop
}

func (p *mailboxParser) commentLen(i int) int {
	if p.open {
		return -1
	}
	n := CommentLen(p.text[i:])
	p.open = n < 0
	return n
}

// maxLiteral bounds a domain-literal.
const maxLiteral = 256

// word takes a quoted-string without its quotes, a domain-literal, or one octet of
// an atom, and returns its length.
func (p *mailboxParser) word(v []byte) int {
	switch v[0] {
	case '"':
		end := 1
		for ; end < len(v) && v[end] != '"'; end++ {
			if v[end] == '\\' && end+1 < len(v) { // quoted-pair
				end++
			}
			p.buf = append(p.buf, v[end])
		}
		return min(end+1, len(v))
	case '[':
		if end := bytes.IndexByte(v[:min(len(v), maxLiteral)], ']'); end > 0 {
			p.buf = append(p.buf, v[:end+1]...)
			return end + 1
		}
	}
	p.buf = append(p.buf, v[0])
	return 1
}

// unescape takes the backslashes of quoted-pairs away (RFC 5322 3.2.1).
func (p *mailboxParser) unescape(v []byte) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	start := len(p.buf)
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		p.buf = append(p.buf, v[i])
	}
	return p.buf[start:]
}

// angle reads an angle-addr behind its "<", and goes on behind the next comma.
func (p *mailboxParser) angle() {
	p.text = bytes.TrimLeft(p.text, "< \t")
	if len(p.text) > 0 && p.text[0] == '@' { // obs-route
		end := bytes.IndexAny(p.text, ":>")
		if end >= 0 && p.text[end] == ':' {
			p.route, p.text = bytes.TrimRight(p.text[:end], " \t"), p.text[end+1:]
		}
	}
	e, stop := p.element(">")
	p.spec(e)
	if stop == 0 {
		return
	}
	for stop = 1; stop != 0 && stop != ',' && stop != ';'; {
		_, stop = p.element(",;")
	}
	p.ending = stop == ';' && p.inGroup
}

// spec takes an addr-spec apart.
func (p *mailboxParser) spec(e element) {
	if e.at < 0 {
		p.local = e.text
		return
	}
	p.local, p.host = e.text[:e.at], e.text[e.at+1:]
	if i := bytes.IndexByte(p.host, ' '); i >= 0 {
		p.host = p.host[:i]
	}
}
