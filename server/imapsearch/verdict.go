package imapsearch

import (
	"strings"

	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// verdict is what is known of a message with what was read of it so far. AND is
// the least of its parts, OR the greatest.
type verdict uint8

const (
	no verdict = iota
	unknown
	yes
)

func of(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// candidate is a message that is looked at, with what was read of it: first its
// record alone, then its summary, then its file.
type candidate struct {
	place   int
	rec     *msgindex.Record
	summary *message.Summary // nil: not read
	file    *reading         // nil: not read
}

// judge evaluates a plan. It belongs to one goroutine.
type judge struct {
	*plan
	src   source
	words []map[wordKey]bool // what is known of keywords, by slot
	fold  []byte             // room for folded text
}

func newJudge(p *plan, src source) *judge {
	return &judge{plan: p, src: src, words: make([]map[wordKey]bool, len(p.words))}
}

// verdict tells whether c matches n.
func (j *judge) verdict(n *node, c *candidate) verdict {
	switch n.kind {
	case nodeAll:
		return yes
	case nodeFacts:
		return of(n.facts.hold(c.rec))
	case nodePlaces:
		return of(within(n.set, c.place))
	case nodeWord:
		return of(j.hasWord(n.slot, c.rec))
	case nodeAnd:
		least := yes
		for i := range n.kids {
			if least = min(least, j.verdict(&n.kids[i], c)); least == no {
				break
			}
		}
		return least
	case nodeOr:
		most := no
		for i := range n.kids {
			if most = max(most, j.verdict(&n.kids[i], c)); most == yes {
				break
			}
		}
		return most
	case nodeNot:
		return yes - j.verdict(&n.kids[0], c)
	case nodeField:
		return j.field(&j.fields[n.slot], c)
	case nodeText:
		return j.text(n.slot, c)
	case nodeSent, nodeID:
		return n.summary(c.summary)
	}
	return no
}

// summary tells what a summary says of a node that asks for nothing else.
func (n *node) summary(s *message.Summary) verdict {
	switch {
	case s == nil:
		return unknown
	case n.kind == nodeSent:
		return of(sentIn(s, n.days))
	}
	return of(EmailID(s.EmailID) == n.id)
}

// within tells whether one of the ranges, which ascend, holds place.
func within(set []placeRange, place int) bool {
	lo, hi := 0, len(set)
	for lo < hi {
		if mid := (lo + hi) / 2; set[mid].to <= place {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(set) && set[lo].from <= place
}

// wordKey is what the keywords of a message depend on.
type wordKey struct {
	flags maildir.Flags
	more  uint32
}

// notWords are the flags that KEYWORD does not speak of. Passed is a keyword in
// IMAP.
const notWords = maildir.Draft | maildir.Flagged | maildir.Replied | maildir.Seen | maildir.Trashed

// hasWord tells whether a message has a keyword; keywords have no case.
func (j *judge) hasWord(slot int, r *msgindex.Record) bool {
	k := wordKey{r.Flags &^ notWords, r.More}
	if k == (wordKey{}) {
		return false
	}
	known, ok := j.words[slot][k]
	if ok {
		return known
	}
	for _, f := range j.src.flags(r) {
		if strings.EqualFold(f, j.plan.words[slot]) {
			known = true
		}
	}
	if j.words[slot] == nil || len(j.words[slot]) >= maxKnownWords {
		j.words[slot] = make(map[wordKey]bool)
	}
	j.words[slot][k] = known
	return known
}

// maxKnownWords bounds what a judge remembers of one keyword.
const maxKnownWords = 4096

// sentIn tells whether the day of the Date field is in days. A message without
// one matches no day.
func sentIn(s *message.Summary, days interval) bool {
	return s.SentDate != 0 && days.has(floorDiv(s.SentDate+60*int64(s.SentZone), secondsPerDay))
}

// text tells whether c holds a text: the index may know that it does not, and
// only the file that it does.
func (j *judge) text(slot int, c *candidate) verdict {
	t := &j.texts[slot]
	switch {
	case c.place < t.covered && !t.may.has(c.place):
		return no
	case c.file == nil:
		return unknown
	case c.file.found[slot]:
		return yes
	case c.file.whole:
		return no
	}
	return unknown
}

// field tells whether c has a field that holds a text.
func (j *judge) field(f *fieldTest, c *candidate) verdict {
	switch {
	case c.file != nil:
		return of(j.fieldsHold(c.file.fields, f))
	case f.listed && c.summary != nil && !c.summary.FieldsOmitted:
		return of(j.fieldsHold(c.summary.Fields, f))
	}
	return unknown
}
