package msgindex

import "slices"

// minTail is the room of the first array of a tail, in records.
const minTail = 8

// builder makes a snapshot out of another. What the other one shows it copies
// before it changes it; it appends to shared arrays beyond what any snapshot
// shows, which is sound because snapshots follow each other in one line.
type builder struct {
	s        Snapshot
	private  bool // nobody else sees any chunk of s
	ownsTop  bool
	ownsTail bool
	owned    map[*chunk]bool
}

// own returns the record at a place, to be changed.
func (b *builder) own(i int) (*Record, *ModSeq) {
	k, o := b.s.locate(i)
	if k == len(b.s.spans) {
		b.ownTail()
		return &b.s.tail[o], &b.s.tailHighest
	}
	c := b.s.spans[k].chunk
	if !b.private && !b.owned[c] {
		c = &chunk{slices.Clone(c.recs), c.highest}
		b.ownTop()
		b.s.spans[k].chunk = c
		if b.owned == nil {
			b.owned = make(map[*chunk]bool)
		}
		b.owned[c] = true
	}
	return &c.recs[o], &c.highest
}

func (b *builder) ownTop() {
	if !b.private && !b.ownsTop {
		b.s.spans = slices.Clone(b.s.spans)
		b.ownsTop = true
	}
}

func (b *builder) ownTail() {
	if !b.private && !b.ownsTail {
		b.s.tail = regrown(b.s.tail, cap(b.s.tail))
		b.ownsTail = true
	}
}

// regrown copies records into an array of its own.
func regrown(recs []Record, room int) []Record {
	return append(make([]Record, 0, room), recs...)
}

// change replaces the record at a place.
func (b *builder) change(i int, r Record) {
	p, highest := b.own(i)
	b.s.count(p, -1)
	*p = r
	b.s.count(p, +1)
	*highest = max(*highest, r.ModSeq)
	b.s.highest = max(b.s.highest, r.ModSeq)
}

// add appends a record with a UID above all others.
func (b *builder) add(r Record) {
	s := &b.s
	if len(s.tail) == chunkSize {
		b.seal()
	}
	if len(s.tail) == cap(s.tail) {
		s.tail = regrown(s.tail, min(max(2*len(s.tail), minTail), chunkSize))
		b.ownsTail = true
	}
	s.tail = append(s.tail, r)
	s.count(&r, +1)
	s.tailHighest = max(s.tailHighest, r.ModSeq)
	s.highest = max(s.highest, r.ModSeq)
	s.next = max(s.next, r.UID+1)
}

// seal makes a chunk of the tail.
func (b *builder) seal() {
	s := &b.s
	b.push(&chunk{s.tail[:len(s.tail):len(s.tail)], s.tailHighest})
	s.tail, s.tailHighest = nil, 0
}

// push adds a chunk behind the others, with the tail empty.
func (b *builder) push(c *chunk) {
	s := &b.s
	s.spans = append(s.spans, span{chunk: c, start: uint32(s.sealed), first: c.recs[0].UID})
	s.sealed += len(c.recs)
}

// remove takes out the records at places, which ascend.
func (b *builder) remove(places []int, modSeq ModSeq) {
	if len(places) == 0 {
		return
	}
	s := &b.s
	b.vanish(places, modSeq)
	spans, tailStart := s.spans, s.sealed
	s.spans, s.sealed = make([]span, 0, len(spans)), 0
	b.ownsTop = true
	for _, sp := range spans {
		var recs []Record
		recs, places = b.without(sp.chunk.recs, int(sp.start), places)
		switch {
		case len(recs) == len(sp.chunk.recs):
			b.push(sp.chunk)
		case len(recs) > 0:
			b.push(&chunk{recs, sp.chunk.highest})
		}
	}
	if len(places) > 0 {
		s.tail, _ = b.without(s.tail, tailStart, places)
		b.ownsTail = true
	}
	if need := (s.sealed + chunkSize - 1) / chunkSize; len(s.spans) > 2*need+2 {
		b.merge()
	}
}

// without returns the records of a chunk without those at places, as a copy when
// there are any, and the places that are behind it.
func (b *builder) without(recs []Record, start int, places []int) (left []Record, rest []int) {
	n := 0
	for n < len(places) && places[n] < start+len(recs) {
		b.s.count(&recs[places[n]-start], -1)
		n++
	}
	if n == 0 {
		return recs, places
	}
	left = make([]Record, 0, len(recs)-n)
	from := 0
	for _, p := range places[:n] {
		left = append(left, recs[from:p-start]...)
		from = p - start + 1
	}
	return append(left, recs[from:]...), places[n:]
}

// merge joins neighbouring chunks that fit into one.
func (b *builder) merge() {
	s := &b.s
	spans := s.spans
	s.spans, s.sealed = make([]span, 0, len(spans)), 0
	for i := 0; i < len(spans); {
		n, j := len(spans[i].chunk.recs), i+1
		for j < len(spans) && n+len(spans[j].chunk.recs) <= chunkSize {
			n += len(spans[j].chunk.recs)
			j++
		}
		c := spans[i].chunk
		if j > i+1 {
			c = &chunk{recs: make([]Record, 0, n)}
			for _, sp := range spans[i:j] {
				c.recs = append(c.recs, sp.chunk.recs...)
				c.highest = max(c.highest, sp.chunk.highest)
			}
		}
		b.push(c)
		i = j
	}
}

// vanish notes that the records at places go.
func (b *builder) vanish(places []int, modSeq ModSeq) {
	s := &b.s
	for i := 0; i < len(places); {
		j := i + 1
		for j < len(places) && places[j] == places[j-1]+1 {
			j++
		}
		s.vanished = append(s.vanished, vanished{modSeq, s.At(places[i]).UID, s.At(places[j-1]).UID})
		i = j
	}
	if n := len(s.vanished); n > maxVanished {
		s.floor = max(s.floor, s.vanished[n-keepVanished-1].modSeq)
		s.vanished = slices.Clone(s.vanished[n-keepVanished:])
	}
}
