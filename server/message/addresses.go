package message

import (
	"strings"
	"unicode/utf8"

	"facteur/server/address"
)

// MaxAddresses is how many addresses are read from the fields of one name.
const MaxAddresses = 10_000

// Addresses returns the addresses in all fields of that name, each as often as it
// stands there. Display names don't matter, and groups are looked into.
//
// ok is false when something in them is no address or can be read in more than
// one way; addresses then holds all that look like one. So whoever must know every
// address (the right to send as From) refuses what is not ok, and whoever only
// looks for some may ignore it. An address in a comment, in angle brackets within a
// display name, or unquoted in one, is in the result too: some readers show it as
// the author.
func (h *Header) Addresses(name string) (addresses []address.Address, ok bool) {
	ok = true
	for _, v := range h.RawValues(name) {
		found, good := ParseAddresses(v)
		addresses = append(addresses, found...)
		ok = ok && good
		if len(addresses) > MaxAddresses {
			return addresses[:MaxAddresses], false
		}
	}
	return addresses, ok
}

// ParseAddresses reads an unfolded address-list (RFC 5322 3.4 and 4.4, RFC 6532
// 3.2); its results are those of Header.Addresses.
func ParseAddresses(list string) (addresses []address.Address, ok bool) {
	tokens, comments, ok := lex(list)
	if !ok {
		return scanAddresses(nil, list), false
	}
	p := listParser{tokens: tokens, ok: true}
	p.list()
	for _, c := range comments {
		p.found = scanAddresses(p.found, c)
	}
	return p.found, p.ok
}

// token is a word, or a special character.
type token struct {
	kind  byte   // 'a' atom with dots, '"' quoted-string, '[' domain-literal, or one of <>:;,@
	text  string // as written
	space bool   // white space or a comment stands before it
}

// word tells whether the token may be part of a display name or be a local-part.
func (t token) word() bool { return t.kind == 'a' || t.kind == '"' }

// maxTokens leaves room for a display name with each address.
const maxTokens = 8 * MaxAddresses

// lex splits a list into tokens and the texts of comments (RFC 5322 3.2).
func lex(s string) (tokens []token, comments []string, ok bool) {
	space := false
	for i := 0; i < len(s); {
		if len(tokens)+len(comments) > maxTokens {
			return nil, nil, false
		}
		n := 1
		switch c := s[i]; {
		case isWSP(c):
			space = true
		case c == '(':
			if n = CommentLen(s[i:]); n < 0 {
				return nil, nil, false
			}
			if text := s[i+1 : i+n-1]; strings.IndexByte(text, '@') >= 0 {
				comments = append(comments, text)
			}
			space = true
		case c == '"' || c == '[':
			if n = delimitedLen(s[i:], closing(c)); n < 0 {
				return nil, nil, false
			}
			tokens, space = append(tokens, token{c, s[i : i+n], space}), false
		case strings.IndexByte("<>:;,@", c) >= 0:
			tokens, space = append(tokens, token{c, s[i : i+1], space}), false
		default:
			if n = atomLen(s[i:]); n == 0 {
				return nil, nil, false // ")", "]", "\" or a control character
			}
			tokens, space = append(tokens, token{'a', s[i : i+n], space}), false
		}
		i += n
	}
	return tokens, comments, true
}

func closing(c byte) byte {
	if c == '[' {
		return ']'
	}
	return c
}

// CommentLen returns the length of the comment that s begins with, parentheses included,
// or -1 when it has no end (RFC 5322 3.2.2).
func CommentLen[T string | []byte](s T) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// delimitedLen returns the length of the quoted-string or domain-literal that s
// begins with, or -1.
func delimitedLen(s string, end byte) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == end:
			return i + 1
		case isControl(c) && c != '\t':
			return -1
		}
	}
	return -1
}

// atomLen returns the length of the run of atoms and dots that s begins with. Octets
// over 127 count: UTF-8 (RFC 6532), or old 8-bit text in a display name.
func atomLen(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; isControl(c) || strings.IndexByte(" ()<>[]:;@\\,\"", c) >= 0 {
			return i
		}
	}
	return len(s)
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// listParser reads an address-list from its tokens.
type listParser struct {
	tokens []token
	found  []address.Address
	ok     bool
}

// list reads elements, which are separated by commas. Semicolons outside a group
// separate too, as some programs write it.
func (p *listParser) list() {
	group := false
	start := 0
	for i := 0; i < len(p.tokens); i++ {
		switch p.tokens[i].kind {
		case '<':
			i = p.closeAngle(i)
		case ':': // the name of a group
			p.ok = p.ok && !group
			p.phrase(p.tokens[start:i])
			group, start = true, i+1
		case ';':
			p.element(p.tokens[start:i])
			group, start = false, i+1
		case ',':
			p.element(p.tokens[start:i])
			start = i + 1
		}
	}
	p.element(p.tokens[start:])
	p.ok = p.ok && !group
}

// closeAngle returns the place of the ">" that belongs to the "<" at i.
func (p *listParser) closeAngle(i int) int {
	for j := i + 1; j < len(p.tokens); j++ {
		switch p.tokens[j].kind {
		case '>':
			return j
		case '<':
			p.ok = false
			return j - 1
		}
	}
	p.ok = false
	return len(p.tokens) - 1
}

// element reads one mailbox: addr-spec, or a phrase with an angle-addr. An empty
// element is allowed (RFC 5322 4.4).
func (p *listParser) element(t []token) {
	if len(t) == 0 {
		return
	}
	open := index(t, '<')
	if open < 0 {
		p.spec(t)
		return
	}
	p.phrase(t[:open])
	rest := t[open+1:]
	end := index(rest, '>')
	if end < 0 {
		p.ok = false
		p.triples(rest)
		return
	}
	inside := rest[:end]
	if route := lastIndex(inside, ':'); route >= 0 { // obs-route
		p.ok = false
		p.triples(inside[:route])
		inside = inside[route+1:]
	}
	p.spec(inside)
	if rest = rest[end+1:]; len(rest) > 0 {
		p.ok = false
		p.element(rest)
	}
}

// spec reads what must be one addr-spec and nothing else.
func (p *listParser) spec(t []token) {
	n := p.triples(t)
	exact := n == 1 && len(t) == 3 && !t[1].space && !t[2].space
	if !exact || strings.Contains(t[0].text, "=?") { // RFC 2047 5: no encoded word here
		p.ok = false
	}
}

// phrase reads a display name.
func (p *listParser) phrase(t []token) {
	n := p.triples(t)
	encoded := 0
	var whole strings.Builder
	for _, tok := range t {
		if strings.Contains(tok.text, "=?") {
			encoded++
		}
		whole.WriteString(" " + tok.text)
		switch {
		case tok.kind == '@':
			n--
		case tok.word():
			p.display(tok.text)
		case tok.kind != '[':
			p.ok = false
		}
	}
	p.ok = p.ok && n == 0 // no "@" that is not part of an address
	if encoded > 1 {
		p.display(whole.String()) // encoded words side by side are one text (RFC 2047 6.2)
	}
}

// display looks at a display name, or a word of one, as a reader does that
// decodes first and parses then.
func (p *listParser) display(name string) {
	text := DecodeText(name)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		p.ok = false
	}
	if strings.ContainsRune(text, '<') && strings.ContainsRune(text, '@') {
		p.found = scanAddresses(p.found, text)
	}
}

// triples takes each local-part "@" domain from the tokens and returns how many
// there were. One that is no address makes the list not ok.
func (p *listParser) triples(t []token) int {
	n := 0
	for i := 1; i+1 < len(t); i++ {
		if len(p.found) >= MaxAddresses {
			p.ok = false
			return n
		}
		left, right := t[i-1], t[i+1]
		if t[i].kind != '@' || !left.word() || right.kind != 'a' && right.kind != '[' {
			continue
		}
		n++
		if len(left.text)+len(right.text) > maxSpec {
			p.ok = false
			continue
		}
		a, err := address.Parse(left.text + "@" + right.text)
		if err != nil {
			p.ok = false
			p.found = scanAddresses(p.found, left.text+"@"+right.text)
			continue
		}
		p.found = append(p.found, a)
	}
	return n
}

// maxSpec bounds what is worth parsing as an address: RFC 5321 4.5.3.1.3, with
// room for quoting and for U-labels.
const maxSpec = 2048

func index(t []token, kind byte) int {
	for i := range t {
		if t[i].kind == kind {
			return i
		}
	}
	return -1
}

func lastIndex(t []token, kind byte) int {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].kind == kind {
			return i
		}
	}
	return -1
}

// scanAddresses adds to found all that looks like an address in s.
func scanAddresses(found []address.Address, s string) []address.Address {
	for i := 0; i < len(s) && len(found) < MaxAddresses; i++ {
		if s[i] != '@' {
			continue
		}
		left := s[max(i-maxSpec/2, 0):i]
		right := s[i+1 : min(i+1+maxSpec/2, len(s))]
		left = strings.TrimLeft(left[strings.LastIndexFunc(left, notAtext)+1:], ".")
		if end := strings.IndexFunc(right, notAtext); end >= 0 {
			right = right[:end]
		}
		if a, err := address.Parse(left + "@" + strings.Trim(right, ".")); err == nil {
			found = append(found, a)
		}
	}
	return found
}

func notAtext(r rune) bool {
	return r <= ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune("()<>[]:;@\\,\"", r)
}
