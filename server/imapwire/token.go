package imapwire

import (
	"bytes"
	"strings"
)

// class of an octet in the grammar (RFC 9051 9).
type class uint8

const (
	atomChar    class = 1 << iota // ATOM-CHAR
	astringChar                   // ASTRING-CHAR
	listChar                      // list-char
	tagChar                       // of a tag
	wordChar                      // of a keyword: ATOM-CHAR, but no "["
)

var classes = func() (t [256]class) {
	for c := '!'; c <= '~'; c++ {
		if !strings.ContainsRune(`(){%*"\]`, c) {
			t[c] |= atomChar | wordChar
		}
	}
	t['['] &^= wordChar
	for c := range t {
		if t[c]&atomChar != 0 || c == ']' {
			t[c] |= astringChar | listChar
			if c != '+' {
				t[c] |= tagChar
			}
		}
	}
	t['%'] |= listChar
	t['*'] |= listChar
	return t
}()

// run takes the octets of a class.
func (d *Decoder) run(of class) []byte {
	if d.inLit && d.err == nil {
		d.afterLiteral()
	}
	if d.err != nil {
		return nil
	}
	i := d.pos
	for i < len(d.line) && classes[d.line[i]]&of != 0 {
		i++
	}
	b := d.line[d.pos:i]
	d.pos = i
	return b
}

func tagOf(line []byte) string {
	i := 0
	for i < len(line) && i < 64 && classes[line[i]]&tagChar != 0 {
		i++
	}
	return string(line[:i])
}

// Tag begins a command: it reads its first line, and returns the tag. With an
// error too, if there was one. An empty line, as some clients send behind a
// literal, is no command: it has no tag, and is no error.
func (d *Decoder) Tag() string {
	if d.err != nil {
		return ""
	}
	d.tag, d.held, d.depth = "", 0, 0
	d.readLine()
	if d.Broken() {
		return d.tag
	}
	d.inside = true
	if d.err != nil { // the line is bad, but may have a tag to answer
		if d.tag == "" {
			d.tag = tagOf(d.line)
		}
		return d.tag
	}
	if len(d.line) == 0 {
		d.finish()
		return ""
	}
	d.tag = string(d.run(tagChar))
	if d.tag == "" {
		d.Fail("A command begins with a tag")
	}
	return d.tag
}

// Peek returns the next octet without taking it, 0 at the end of the line and
// after an error.
func (d *Decoder) Peek() byte {
	if d.inLit && d.err == nil {
		d.afterLiteral()
	}
	if d.err != nil || d.pos >= len(d.line) {
		return 0
	}
	return d.line[d.pos]
}

// Try takes the octet c if it is the next.
func (d *Decoder) Try(c byte) bool {
	if c == 0 || d.Peek() != c {
		return false
	}
	d.pos++
	return true
}

// Expect takes the octet c.
func (d *Decoder) Expect(c byte) {
	if !d.Try(c) {
		d.Fail("%q is missing", string(rune(c)))
	}
}

// SP takes a space.
func (d *Decoder) SP() {
	if !d.Try(' ') {
		d.Fail("An argument is missing")
	}
}

// TrySP takes a space if it is the next octet.
func (d *Decoder) TrySP() bool { return d.Try(' ') }

// CRLF ends the command.
func (d *Decoder) CRLF() {
	if c := d.Peek(); c != 0 || d.err == nil && d.pos < len(d.line) {
		d.Fail("There is more than the command takes")
	}
	if d.err == nil {
		d.finish()
	}
}

// Atom reads an atom.
func (d *Decoder) Atom() string { return d.word(d.run(atomChar), "An atom") }

func (d *Decoder) word(b []byte, what string) string {
	if len(b) == 0 {
		d.Fail("%s is missing", what)
		return ""
	}
	return string(b)
}

// Keyword reads an atom up to a "[", in upper case: of commands and items.
func (d *Decoder) Keyword() string {
	b := d.run(wordChar)
	if len(b) == 0 {
		d.Fail("A keyword is missing")
		return ""
	}
	return upper(b)
}

// upper returns b in upper case, of the common words without an allocation.
func upper(b []byte) string {
	var small [24]byte
	if len(b) > len(small) {
		return strings.ToUpper(string(b))
	}
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		small[i] = c
	}
	if s, ok := words[string(small[:len(b)])]; ok {
		return s
	}
	return string(small[:len(b)])
}

// words are what clients say most.
var words = wordTable(`UID FETCH STORE SEARCH COPY MOVE EXPUNGE NOOP IDLE SELECT EXAMINE STATUS LIST LSUB APPEND LOGIN LOGOUT
	CAPABILITY AUTHENTICATE ENABLE CHECK CLOSE UNSELECT NAMESPACE ID SORT THREAD FLAGS INTERNALDATE ENVELOPE BODYSTRUCTURE BODY
	BODY.PEEK RFC822.SIZE RFC822 RFC822.HEADER RFC822.TEXT MODSEQ HEADER HEADER.FIELDS HEADER.FIELDS.NOT TEXT MIME ALL FULL FAST
	+FLAGS -FLAGS FLAGS.SILENT +FLAGS.SILENT -FLAGS.SILENT SEEN UNSEEN ANSWERED DELETED UNDELETED FLAGGED SUBJECT FROM TO CC SINCE
	BEFORE NOT OR RETURN CHARSET UTF-8 US-ASCII MESSAGES RECENT UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE CHANGEDSINCE VANISHED CONDSTORE QRESYNC`)

func wordTable(s string) map[string]string {
	t := make(map[string]string)
	for _, w := range strings.Fields(s) {
		t[w] = w
	}
	return t
}

// TryKeyword takes a word, in any case, if it is the whole next keyword.
func (d *Decoder) TryKeyword(word string) bool {
	if d.Peek() == 0 {
		return false
	}
	from := d.pos
	b := d.run(wordChar)
	if len(b) == len(word) && equalFold(b, word) {
		return true
	}
	d.pos = from
	return false
}

func equalFold(b []byte, upper string) bool {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		u := upper[i]
		if u >= 'a' && u <= 'z' {
			u -= 'a' - 'A'
		}
		if c != u {
			return false
		}
	}
	return true
}

// AString reads an astring: an atom, in which "]" may stand, or a string.
func (d *Decoder) AString() string {
	if c := d.Peek(); c == '"' || c == '{' || c == '~' && d.literal8() {
		return d.String()
	}
	return d.word(d.run(astringChar), "A string")
}

// literal8 tells whether a "~" begins a literal8, and no atom.
func (d *Decoder) literal8() bool {
	return d.pos+1 < len(d.line) && d.line[d.pos+1] == '{'
}

// String reads a quoted string or a literal.
func (d *Decoder) String() string {
	switch d.Peek() {
	case '"':
		return d.quoted()
	case '{', '~':
		return d.literal()
	}
	d.Fail("A string is missing")
	return ""
}

// NString reads a string or NIL, for which ok is false.
func (d *Decoder) NString() (s string, ok bool) {
	if c := d.Peek(); c != '"' && c != '{' && d.TryKeyword("NIL") {
		return "", false
	}
	s = d.String()
	return s, d.err == nil
}

// quoted reads a quoted string. Octets over 0x7f are taken as they are
// (RFC 9051 9, QUOTED-CHAR; older clients send them in any charset).
func (d *Decoder) quoted() string {
	rest := d.line[d.pos+1:]
	i := bytes.IndexAny(rest, `"\`)
	if i >= 0 && rest[i] == '"' {
		d.pos += i + 2
		return string(rest[:i])
	}
	out := make([]byte, 0, 64)
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c == '"' {
			d.pos += i + 2
			return string(out)
		}
		if c == '\\' {
			i++
			if i == len(rest) || rest[i] != '"' && rest[i] != '\\' {
				d.Fail(`Only " and \ stand behind a \`)
				return ""
			}
			c = rest[i]
		}
		out = append(out, c)
	}
	d.Fail("A quoted string has no end")
	return ""
}

// number reads digits; leading zeros are allowed (RFC 9051 9, number).
func number(digits []byte, most uint64) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 20 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range digits {
		v := uint64(c - '0')
		if v > 9 || n > (most-v)/10 {
			return 0, false
		}
		n = n*10 + v
	}
	return n, true
}

func (d *Decoder) number(most uint64) uint64 {
	if d.Peek() == 0 {
		d.Fail("A number is missing")
		return 0
	}
	i := d.pos
	for i < len(d.line) && d.line[i]-'0' <= 9 {
		i++
	}
	n, ok := number(d.line[d.pos:i], most)
	if !ok {
		d.Fail("A number is missing or too large")
		return 0
	}
	d.pos = i
	return n
}

// Number reads a number of 32 bits.
func (d *Decoder) Number() uint32 { return uint32(d.number(1<<32 - 1)) }

// Number64 reads a number of 63 bits (RFC 9051 9, number64; RFC 7162, mod-sequence-valzer).
func (d *Decoder) Number64() uint64 { return d.number(1<<63 - 1) }

// NzNumber reads a number of 32 bits that is not 0.
func (d *Decoder) NzNumber() uint32 {
	n := d.Number()
	if n == 0 {
		d.Fail("A number must not be 0")
	}
	return n
}

// maxDepth bounds how lists may stand in each other.
const maxDepth = 32

// List reads "(", items with a space between them, and ")". An empty list is one
// as well. item reads one item.
func (d *Decoder) List(item func()) {
	d.Expect('(')
	if d.Try(')') {
		return
	}
	if d.depth++; d.depth > maxDepth {
		d.Fail("The parentheses are too deep")
	}
	for d.err == nil {
		item()
		if !d.TrySP() {
			break
		}
	}
	d.depth--
	d.Expect(')')
}

// Flags reads flags in parentheses or, as STORE may have them, without
// (RFC 9051 9, store-att-flags). The names are as the client wrote them.
func (d *Decoder) Flags() []string {
	flags := []string{}
	one := func() { flags = append(flags, d.Flag()) }
	if d.Peek() == '(' {
		d.List(one)
	} else {
		for one(); d.TrySP(); {
			one()
		}
	}
	if d.err != nil {
		return nil
	}
	return flags
}

// Flag reads a flag: a keyword, or one that begins with "\".
func (d *Decoder) Flag() string {
	if !d.Try('\\') {
		return d.word(d.run(atomChar), "A flag")
	}
	return `\` + d.word(d.run(atomChar), "A flag")
}
