package imapsearch

import (
	"math"
	"strings"
	"time"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/message"
)

// The bounds of a program.
const (
	maxNesting = 100
	maxKeys    = 2000
	maxStrings = 200     // that are looked for
	maxString  = 4 << 10 // octets of one of them, in UTF-8
)

// parser reads search keys.
type parser struct {
	d       *imapwire.Decoder
	opt     Options
	decoder decoder // of the CHARSET, nil: UTF-8
	keys    int
	strings int
	uses    uses
}

// program reads one or more keys, all of which must match.
func (p *parser) program() *Program {
	root := key{op: opAnd}
	for {
		root.keys = append(root.keys, p.key(0))
		if !p.d.TrySP() {
			break
		}
	}
	return &Program{root: root, uses: p.uses}
}

// key reads a search-key (RFC 9051 9).
func (p *parser) key(depth int) key {
	d := p.d
	if p.keys++; p.keys > maxKeys || depth > maxNesting {
		d.FailWith(fault.New(fault.TooMany, "The search has too many keys or is nested too deep"))
	}
	if d.Err() != nil {
		return key{op: opNone}
	}
	switch c := d.Peek(); {
	case c == '(':
		k := key{op: opAnd}
		d.List(func() { k.keys = append(k.keys, p.key(depth+1)) })
		if len(k.keys) == 0 {
			d.Fail("The parentheses hold no search key")
		}
		return k
	case c == '$' || c == '*' || c >= '0' && c <= '9':
		return p.numbers(opNumbers)
	}
	word := d.Keyword()
	if flag, ok := strings.CutPrefix(word, "UN"); ok && systemFlag(flag) {
		return not(key{op: opFlag, word: `\` + flag})
	}
	if systemFlag(word) {
		return key{op: opFlag, word: `\` + word}
	}
	if op, ok := dateOps[word]; ok {
		d.SP()
		return key{op: op, date: p.date()}
	}
	return p.keyOf(word, depth)
}

// keyOf reads what follows the name of a key.
func (p *parser) keyOf(word string, depth int) key {
	d := p.d
	switch word {
	case "ALL", "SAVEDATESUPPORTED": // RFC 8514 4.3
		return key{op: opAll}
	case "NOT":
		d.SP()
		return not(p.key(depth + 1))
	case "OR":
		return p.or(depth)
	case "UID":
		d.SP()
		return p.numbers(opUIDs)
	case "UIDAFTER": // RFC 9738 3.2
		d.SP()
		return uidsBetween(uint64(d.NzNumber())+1, math.MaxUint32)
	case "UIDBEFORE":
		d.SP()
		return uidsBetween(1, uint64(d.NzNumber())-1)
	case "RECENT":
		return key{op: opRecent}
	case "OLD":
		return not(key{op: opRecent})
	case "NEW":
		return key{op: opAnd, keys: []key{{op: opRecent}, not(key{op: opFlag, word: `\SEEN`})}}
	case "KEYWORD":
		d.SP()
		return key{op: opFlag, word: d.Atom()}
	case "UNKEYWORD":
		d.SP()
		return not(key{op: opFlag, word: d.Atom()})
	case "LARGER":
		d.SP()
		return key{op: opLarger, number: d.Number64()}
	case "SMALLER":
		d.SP()
		return key{op: opSmaller, number: d.Number64()}
	case "OLDER":
		d.SP()
		return key{op: opOlder, number: uint64(d.NzNumber())}
	case "YOUNGER":
		d.SP()
		return key{op: opYounger, number: uint64(d.NzNumber())}
	case "MODSEQ":
		return p.modSeq()
	case "EMAILID":
		d.SP()
		return key{op: opEmailID, word: p.objectID()}
	case "THREADID": // RFC 8474 5.3: there are none here
		d.SP()
		p.objectID()
		return key{op: opNone}
	}
	return p.textKey(word)
}

// textKey reads a key that looks for a string.
func (p *parser) textKey(word string) key {
	d := p.d
	switch word {
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		d.SP()
		return key{op: opField, word: word, text: p.text()}
	case "HEADER":
		d.SP()
		name := d.AString()
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) || name == "" {
			d.Fail("%q is no name of a header field", clip(name))
		}
		d.SP()
		return key{op: opField, word: name, text: p.text()}
	case "BODY", "TEXT":
		d.SP()
		k := key{op: opBody, text: p.text()}
		if word == "TEXT" {
			k.op = opText
		}
		if len(k.text) == 0 { // every text holds it
			return key{op: opAll}
		}
		p.uses.texts = true
		return k
	}
	d.Fail("%s is no search key", clip(word))
	return key{op: opNone}
}

func systemFlag(word string) bool {
	switch word {
	case "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN":
		return true
	}
	return false
}

var dateOps = map[string]op{
	"BEFORE": opBefore, "ON": opOn, "SINCE": opSince,
	"SENTBEFORE": opSentBefore, "SENTON": opSentOn, "SENTSINCE": opSentSince,
	"SAVEDBEFORE": opSavedBefore, "SAVEDON": opSavedOn, "SAVEDSINCE": opSavedSince,
}

// or reads what follows OR. An OR that is the second key of another is read
// without a step down: clients chain hundreds of them.
func (p *parser) or(depth int) key {
	k := key{op: opOr}
	for {
		p.d.SP()
		k.keys = append(k.keys, p.key(depth+1))
		p.d.SP()
		if !p.d.TryKeyword("OR") {
			break
		}
	}
	k.keys = append(k.keys, p.key(depth+1))
	return k
}

func (p *parser) numbers(of op) key {
	set := p.d.NumSet()
	if set.Saved() {
		p.uses.saved = true
		return key{op: opSaved}
	}
	if of == opNumbers {
		if p.uses.numbers = true; p.opt.UIDOnly {
			p.d.FailWith(&imapwire.SyntaxError{Code: "UIDREQUIRED", Text: "Message numbers are off since ENABLE UIDONLY"})
		}
	}
	return key{op: of, set: set}
}

// uidsBetween is a key for the UIDs from one to another, both in it.
func uidsBetween(from, to uint64) key {
	if from > to {
		return key{op: opNone}
	}
	return key{op: opUIDs, set: imapwire.NumSet{{Start: uint32(from), Stop: uint32(to)}}}
}

func (p *parser) date() time.Time { return p.d.Date() }

// modSeq reads what follows MODSEQ: a value, or an entry, its type and a value.
// There is one mod-sequence a message here, so the entry makes no difference
// (RFC 7162 3.1.5).
func (p *parser) modSeq() key {
	d := p.d
	p.uses.modSeq = true
	d.SP()
	if d.Peek() == '"' {
		if entry := d.String(); !strings.HasPrefix(strings.ToLower(entry), "/flags/") {
			d.Fail("%q is no entry with a mod-sequence", clip(entry))
		}
		d.SP()
		switch word := d.Keyword(); word {
		case "PRIV", "SHARED", "ALL":
		default:
			d.Fail("%s is no entry type", clip(word))
		}
		d.SP()
	}
	return key{op: opModSeq, number: d.Number64()}
}

// objectID reads an objectid (RFC 8474 7).
func (p *parser) objectID() string {
	id := p.d.Atom()
	bad := func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if len(id) > 255 || strings.ContainsFunc(id, bad) {
		p.d.Fail("%q is no object identifier", clip(id))
	}
	return id
}

// text reads a string that is looked for, in the form in which texts are compared.
func (p *parser) text() []byte {
	d := p.d
	s := d.AString()
	if d.Err() != nil {
		return nil
	}
	if p.strings++; p.strings > maxStrings {
		d.FailWith(fault.New(fault.TooMany, "The search looks for too many strings"))
		return nil
	}
	utf8, ok := p.decoder.decode(s)
	if !ok {
		d.Fail("A string is not in the charset of the search")
		return nil
	}
	if len(utf8) > maxString {
		d.FailWith(fault.New(fault.TooMany, "The search looks for too long a string"))
		return nil
	}
	return message.Fold(nil, []byte(utf8))
}
