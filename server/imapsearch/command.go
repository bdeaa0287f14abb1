package imapsearch

import (
	"facteur/server/imapwire"
)

// Verb is the command that a search came with.
type Verb uint8

// The verbs, each with or without UID; MultiSearch is ESEARCH (RFC 7377).
const (
	Search Verb = iota
	Sort
	Thread
	MultiSearch
)

// Command is one of the searching commands with its arguments.
type Command struct {
	Verb      Verb
	Return    Return
	Program   *Program
	SortKeys  []SortKey // of Sort
	Algorithm Algorithm // of Thread
	Sources   []Source  // of MultiSearch, never empty there
}

// Options are what of a session bears on the arguments.
type Options struct {
	// UTF8 is set when UTF8=ACCEPT is enabled: SEARCH has no CHARSET then (RFC
	// 6855 3).
	UTF8 bool
	// UIDOnly is set when UIDONLY is enabled: no message numbers among the keys
	// then (RFC 9586 3).
	UIDOnly bool
}

// Parse reads the arguments of a command, from the space behind its name to its
// CRLF. The error is that of d: a *imapwire.SyntaxError, a *CharsetError, a
// fault of kind TooMany when the program is over the bounds, or one of the
// connection. With it the command has what was read before the mistake.
func Parse(d *imapwire.Decoder, verb Verb, opt Options) (*Command, error) {
	c := &Command{Verb: verb}
	p := parser{d: d, opt: opt}
	d.SP()
	if verb == MultiSearch {
		c.Sources = parseSources(d)
	}
	if verb != Thread && d.TryKeyword("RETURN") {
		d.SP()
		c.Return = parseReturn(d)
		d.SP()
	} else if verb == MultiSearch {
		c.Return = Return{Given: true, All: true} // RFC 7377 2.1
	}
	switch verb {
	case Sort:
		c.SortKeys = parseSortKeys(d)
		d.SP()
		p.charset(d.AString()) // RFC 5256 5: it is mandatory
		d.SP()
	case Thread:
		c.Algorithm = parseAlgorithm(d)
		d.SP()
		p.charset(d.AString())
		d.SP()
	default:
		if d.TryKeyword("CHARSET") {
			if opt.UTF8 { // RFC 6855 3; SORT and THREAD can't go without
				d.Fail("With UTF8=ACCEPT a search has no charset")
			}
			d.SP()
			p.charset(d.AString())
			d.SP()
		}
	}
	c.Program = p.program()
	if c.Return.Save && c.Verb == MultiSearch && !onlySelected(c.Sources) { // RFC 7377 2.2
		d.Fail("SAVE is for the selected mailbox alone")
	}
	d.CRLF()
	return c, d.Err()
}
