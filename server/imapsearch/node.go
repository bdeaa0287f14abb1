package imapsearch

import (
	"cmp"
	"math"
	"slices"

	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// nodeKind says what a node asks for, in the order of what it costs.
type nodeKind uint8

const (
	nodeNone nodeKind = iota
	nodeAll
	nodeFacts  // what records hold
	nodePlaces // places in set
	nodeWord   // keyword number slot
	nodeAnd    // all of kids
	nodeOr     // one of kids
	nodeNot    // not kids[0]
	nodeSent   // the day of the Date field is in days
	nodeID     // EMAILID is id
	nodeField  // fields[slot]
	nodeText   // texts[slot]
)

// node is one step of a plan.
type node struct {
	kind  nodeKind
	cost  int
	kids  []node
	facts facts
	set   []placeRange
	days  interval
	id    string
	slot  int
}

// The costs of nodes. Those from costEntry on need more than the record.
const (
	costRecord = iota
	costSet
	costWord
	costEntry
	costText
)

// interval is from up to, but not including, to.
type interval struct{ from, to int64 }

var always = interval{math.MinInt64, math.MaxInt64}

func (v interval) has(n int64) bool { return n >= v.from && n < v.to }

func (v interval) and(w interval) interval {
	return interval{max(v.from, w.from), min(v.to, w.to)}
}

// placeRange is the places from up to, but not including, to.
type placeRange struct{ from, to int }

// facts are tests of a record, all of which must hold.
type facts struct {
	mask, want     maildir.Flags // the flags in mask are those in want
	internal, save interval
	size           interval
	modSeq         msgindex.ModSeq // at least
}

var noFacts = facts{internal: always, save: always, size: always}

func (f *facts) hold(r *msgindex.Record) bool {
	return r.Flags&f.mask == f.want && f.internal.has(int64(r.InternalDate)) && f.size.has(r.Size()) &&
		r.ModSeq >= f.modSeq && f.save.has(int64(saveDate(r)))
}

// saveDate is the SAVEDATE, and the internal date of a message that has none
// (RFC 8514 4.3).
func saveDate(r *msgindex.Record) uint32 {
	if r.SaveDate == 0 {
		return r.InternalDate
	}
	return r.SaveDate
}

// and adds the tests of g. It is false when no message can pass both.
func (f *facts) and(g *facts) bool {
	if both := f.mask & g.mask; f.want&both != g.want&both {
		return false
	}
	f.mask |= g.mask
	f.want |= g.want
	f.internal, f.save, f.size = f.internal.and(g.internal), f.save.and(g.save), f.size.and(g.size)
	f.modSeq = max(f.modSeq, g.modSeq)
	return true
}

// fieldTest looks for text in the fields of a name.
type fieldTest struct {
	name   string
	text   []byte // as message.Fold returns it
	ascii  bool   // text is
	listed bool   // the summary has the field
}

// textTest looks for text in a message.
type textTest struct {
	text    []byte // as message.Fold returns it
	header  bool   // in the header too
	covered int    // the index of the text knows the messages before this place
	may     bitset // of those, the ones that may hold it
}

// negated makes the node of NOT.
func negated(n node) node {
	switch {
	case n.kind == nodeNone:
		return node{kind: nodeAll}
	case n.kind == nodeAll:
		return node{kind: nodeNone}
	case n.kind == nodeNot:
		return n.kids[0]
	case n.kind == nodeFacts && n.facts.onlyFlag():
		n.facts.want ^= n.facts.mask
		return n
	}
	return node{kind: nodeNot, cost: n.cost, kids: []node{n}}
}

// onlyFlag tells whether f tests one flag and nothing else.
func (f *facts) onlyFlag() bool {
	g := noFacts
	g.mask, g.want = f.mask, f.want
	return *f == g && f.mask != 0 && f.mask&(f.mask-1) == 0
}

func (n *node) add(kid node) {
	n.kids = append(n.kids, kid)
	n.cost = max(n.cost, kid.cost)
}

// tidy puts the cheapest kids first. Without kids the node is what empty says.
func (n *node) tidy(empty nodeKind) node {
	switch len(n.kids) {
	case 0:
		return node{kind: empty}
	case 1:
		return n.kids[0]
	}
	slices.SortStableFunc(n.kids, func(a, b node) int { return cmp.Compare(a.cost, b.cost) })
	return *n
}
