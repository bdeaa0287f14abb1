package imapsearch

import (
	"time"

	"facteur/server/imapwire"
)

// Program is what a message must be like to be found: the search keys of a
// command (RFC 9051 6.4.4). It is immutable, and may be run more than once.
type Program struct {
	root key
	uses uses
}

// uses tells which keys a Program holds, wherever they stand.
type uses struct {
	modSeq, numbers, saved, texts bool
}

// ModSeq tells whether MODSEQ is among the keys: then the answer has a MODSEQ as
// well (RFC 7162 3.1.5), and the command enables CONDSTORE.
func (p *Program) ModSeq() bool { return p.uses.modSeq }

// Numbers tells whether message numbers are among the keys (RFC 9586 3).
func (p *Program) Numbers() bool { return p.uses.numbers }

// Saved tells whether "$" is among the keys (RFC 5182).
func (p *Program) Saved() bool { return p.uses.saved }

// op is what a key asks for.
type op uint8

const (
	opAll         op = iota
	opNone           // a key that no message here can match
	opAnd            // all of keys
	opOr             // one of keys
	opNot            // not keys[0]
	opNumbers        // message number in set
	opUIDs           // UID in set
	opSaved          // in the saved result
	opFlag           // system flag or keyword in word
	opRecent         // \Recent
	opBefore         // internal date before date
	opOn             // internal date on date
	opSince          // internal date on or after date
	opOlder          // internal date number seconds ago or before (RFC 5032)
	opYounger        // internal date at most number seconds ago (RFC 5032)
	opSavedBefore    // save date (RFC 8514 4.3)
	opSavedOn
	opSavedSince
	opSentBefore // Date field
	opSentOn
	opSentSince
	opLarger  // more octets than number
	opSmaller // fewer octets than number
	opModSeq  // mod-sequence of number or above (RFC 7162 3.1.5)
	opEmailID // EMAILID is word (RFC 8474 4.2)
	opField   // a header field named word holds text
	opBody    // the texts of the body hold text
	opText    // header or body holds text
)

// key is one search key.
type key struct {
	op     op
	keys   []key
	set    imapwire.NumSet
	word   string
	text   []byte // as message.Fold returns it
	number uint64
	date   time.Time // midnight, UTC
}

func not(k key) key { return key{op: opNot, keys: []key{k}} }
