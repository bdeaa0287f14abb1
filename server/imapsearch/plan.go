package imapsearch

import (
	"math"
	"time"

	"facteur/server/imapwire"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// plan is a Program made ready for one snapshot of a mailbox. It does not
// change, so that several goroutines may follow it.
type plan struct {
	root node
	// Only messages at the places from up to, but not including, to with a
	// mod-sequence above since can match.
	from, to int
	since    msgindex.ModSeq

	words     []string    // of nodeWord
	fields    []fieldTest // of nodeField
	texts     []textTest  // of nodeText
	longest   int         // octets of the longest of texts
	summaries bool        // a summary may decide
}

// planner makes a plan.
type planner struct {
	plan
	env  *Env
	src  source
	last msgindex.UID // of the mailbox
	n    int          // messages
}

func newPlan(env *Env, src source, p *Program) *plan {
	b := planner{env: env, src: src, n: env.Snapshot.Len()}
	if b.n > 0 {
		b.last = env.Snapshot.At(b.n - 1).UID
	}
	b.root = b.node(&p.root)
	b.from, b.to = 0, b.n
	b.narrow(&b.root)
	return &b.plan
}

// narrow bounds the places by what must hold of each message.
func (b *planner) narrow(n *node) {
	switch n.kind {
	case nodeNone:
		b.to = b.from
	case nodePlaces:
		b.from = max(b.from, n.set[0].from)
		b.to = min(b.to, n.set[len(n.set)-1].to)
	case nodeFacts:
		if n.facts.modSeq > 0 {
			b.since = max(b.since, n.facts.modSeq-1)
		}
	case nodeAnd:
		for i := range n.kids {
			b.narrow(&n.kids[i])
		}
	}
}

// node makes the node of a key.
func (b *planner) node(k *key) node {
	switch k.op {
	case opAll:
		return node{kind: nodeAll}
	case opAnd:
		return b.and(k.keys)
	case opOr:
		return b.or(k.keys)
	case opNot:
		return negated(b.node(&k.keys[0]))
	case opNumbers:
		return b.places(k.set.Resolve(uint32(b.n)))
	case opUIDs:
		return b.uids(k.set.Resolve(uint32(b.last)))
	case opSaved:
		return b.uids(b.env.Saved)
	case opRecent:
		return b.uids(b.env.Recent)
	case opFlag:
		return b.flag(k.word)
	case opEmailID:
		b.summaries = true
		return node{kind: nodeID, cost: costEntry, id: k.word}
	case opSentBefore, opSentOn, opSentSince:
		b.summaries = true
		return node{kind: nodeSent, cost: costEntry, days: days(k)}
	case opField:
		return b.field(k)
	case opBody, opText:
		return b.text(k)
	}
	return b.facts(k)
}

func (b *planner) field(k *key) node {
	f := fieldTest{name: k.word, text: k.text, ascii: isASCII(k.text), listed: message.Listed(k.word)}
	cost := costText
	if f.listed {
		b.summaries, cost = true, costEntry
	}
	b.fields = append(b.fields, f)
	return node{kind: nodeField, cost: cost, slot: len(b.fields) - 1}
}

// facts makes the node of a key that records answer.
func (b *planner) facts(k *key) node {
	f := noFacts
	switch k.op {
	case opBefore, opOn, opSince:
		f.internal = b.seconds(k)
	case opSavedBefore, opSavedOn, opSavedSince:
		f.save = b.seconds(k)
	case opOlder: // RFC 5032 2: the same second matches both
		f.internal.to = b.env.Now.Unix() - int64(k.number) + 1
	case opYounger:
		f.internal.from = b.env.Now.Unix() - int64(k.number)
	case opLarger:
		f.size.from = int64(k.number) + 1
		if k.number >= math.MaxInt64 {
			return node{kind: nodeNone}
		}
	case opSmaller:
		f.size.to = int64(k.number)
	case opModSeq:
		f.modSeq = msgindex.ModSeq(k.number)
	default:
		return node{kind: nodeNone}
	}
	return node{kind: nodeFacts, facts: f}
}

// seconds returns the seconds since 1970 that a date means, where the server is:
// internal dates are told in its time zone.
func (b *planner) seconds(k *key) interval {
	y, m, d := k.date.Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, b.env.zone()).Unix()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, b.env.zone()).Unix()
	return bounds(k.op, start, end)
}

// days is seconds in days since 1970: the Date field is compared without regard
// to its time and zone (RFC 9051 6.4.4).
func days(k *key) interval {
	day := floorDiv(k.date.Unix(), secondsPerDay)
	return bounds(k.op, day, day+1)
}

const secondsPerDay = 24 * 60 * 60

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func bounds(o op, start, end int64) interval {
	v := always
	switch o {
	case opBefore, opSavedBefore, opSentBefore:
		v.to = start
	case opOn, opSavedOn, opSentOn:
		v = interval{start, end}
	default:
		v.from = start
	}
	return v
}

var systemFlags = map[string]maildir.Flags{
	`\ANSWERED`: maildir.Replied, `\DELETED`: maildir.Trashed, `\DRAFT`: maildir.Draft,
	`\FLAGGED`: maildir.Flagged, `\SEEN`: maildir.Seen,
}

func (b *planner) flag(word string) node {
	if flag, ok := systemFlags[word]; ok {
		f := noFacts
		f.mask, f.want = flag, flag
		return node{kind: nodeFacts, facts: f}
	}
	b.words = append(b.words, word)
	return node{kind: nodeWord, cost: costWord, slot: len(b.words) - 1}
}

// and makes the node of keys that must all match: one test of the record, and
// then the others, the cheapest first.
func (b *planner) and(keys []key) node {
	n := node{kind: nodeAnd}
	all := noFacts
	for i := range keys {
		kids := []node{b.node(&keys[i])}
		if kids[0].kind == nodeAnd {
			kids = kids[0].kids
		}
		for _, kid := range kids {
			switch {
			case kid.kind == nodeNone || kid.kind == nodeFacts && !all.and(&kid.facts):
				return node{kind: nodeNone}
			case kid.kind != nodeFacts && kid.kind != nodeAll:
				n.add(kid)
			}
		}
	}
	if all != noFacts {
		n.add(node{kind: nodeFacts, facts: all})
	}
	return n.tidy(nodeAll)
}

// or makes the node of keys one of which must match.
func (b *planner) or(keys []key) node {
	n := node{kind: nodeOr}
	for i := range keys {
		kids := []node{b.node(&keys[i])}
		if kids[0].kind == nodeOr {
			kids = kids[0].kids
		}
		for _, kid := range kids {
			switch kid.kind {
			case nodeAll:
				return kid
			case nodeNone:
			default:
				n.add(kid)
			}
		}
	}
	return n.tidy(nodeNone)
}

// places makes the node of message numbers. Those beyond the last are no error
// (RFC 7377 2).
func (b *planner) places(set imapwire.NumSet) node {
	n := node{kind: nodePlaces, cost: costSet}
	for _, r := range set {
		if from, to := int(r.Start)-1, min(int(r.Stop), b.n); from < to {
			n.set = append(n.set, placeRange{from, to})
		}
	}
	return n.known()
}

// uids makes the node of UIDs in a resolved set.
func (b *planner) uids(set imapwire.NumSet) node {
	n := node{kind: nodePlaces, cost: costSet}
	for _, r := range set {
		from, _ := b.env.Snapshot.Find(msgindex.UID(r.Start))
		to, ok := b.env.Snapshot.Find(msgindex.UID(r.Stop))
		if ok {
			to++
		}
		if last := len(n.set) - 1; last >= 0 && n.set[last].to == from {
			n.set[last].to = to
		} else if from < to {
			n.set = append(n.set, placeRange{from, to})
		}
	}
	return n.known()
}

func (n *node) known() node {
	if len(n.set) == 0 {
		return node{kind: nodeNone}
	}
	return *n
}

// text makes the node of BODY and TEXT: it asks the index of the text which
// messages may hold it.
func (b *planner) text(k *key) node {
	t := textTest{text: k.text, header: k.op == opText}
	if uids, through, ok := b.src.candidates(k.text); ok {
		i, found := b.env.Snapshot.Find(through)
		if found {
			i++
		}
		t.covered, t.may = i, newBitset(i)
		for _, uid := range uids {
			if at, ok := b.env.Snapshot.Find(uid); ok && at < i {
				t.may.set(at)
			}
		}
	}
	b.texts, b.longest = append(b.texts, t), max(b.longest, len(t.text))
	return node{kind: nodeText, cost: costText, slot: len(b.texts) - 1}
}
