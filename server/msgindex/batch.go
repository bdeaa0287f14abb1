package msgindex

import (
	"slices"

	"facteur/server/maildir"
)

// Commit is what changes with a batch beside its records.
type Commit struct {
	// ModSeq is that of the batch: removed messages vanish with it, and it is
	// the least that HighestModSeq is afterwards. 0 leaves HighestModSeq as it is.
	ModSeq ModSeq
	// UIDNext is the least that UIDNext is afterwards.
	UIDNext UID
	// Recent is Snapshot.Recent afterwards; 0 leaves it as it is.
	Recent UID
	// Stamp is the state of the directories with this batch done; the zero
	// value leaves it as it is.
	Stamp maildir.Stamp
}

// edit is a batch in terms of the snapshot before it: what the log holds and
// what a builder carries out, in the order of the fields.
type edit struct {
	commit  Commit
	changes []change // by place, one for each
	removed []int    // places, ascending
	added   []Record // UIDs ascend
}

// change is a new record for a place.
type change struct {
	place int
	rec   Record
}

// Batch is changes that become one new snapshot. Places are those of the
// snapshot at Begin throughout.
type Batch struct {
	x    *Index
	base *Snapshot
	edit
	reset  bool
	sorted bool // changes and removed are in order so far
}

// Begin starts a batch on the newest snapshot. The caller sees to it that there
// is one batch at a time; one that is not committed is forgotten at the next
// Begin.
func (x *Index) Begin() *Batch {
	b := &x.batch
	e := edit{changes: b.changes[:0], removed: b.removed[:0], added: b.added[:0]}
	if cap(e.changes)+cap(e.added) > maxKeptBatch {
		e = edit{}
	}
	*b = Batch{x: x, base: x.Snapshot(), edit: e, sorted: true}
	return b
}

// maxKeptBatch bounds the room, in records, that is kept for the next batch.
const maxKeptBatch = 512

// Append adds a message at the end. Its UID must be above all others, else
// Append panics.
func (b *Batch) Append(r Record) {
	last := UID(0)
	switch n := len(b.added); {
	case n > 0:
		last = b.added[n-1].UID
	case !b.reset && b.base.Len() > 0:
		last = b.base.At(b.base.Len() - 1).UID
	}
	if r.UID <= last {
		panic("msgindex: a UID that does not ascend")
	}
	b.added = append(b.added, r)
}

// Change replaces the record at a place. Its UID stays what it is. Of several
// changes at one place the last counts.
func (b *Batch) Change(i int, r Record) {
	r.UID = b.base.At(i).UID
	if n := len(b.changes); n > 0 && b.changes[n-1].place >= i {
		b.sorted = false
	}
	b.changes = append(b.changes, change{i, r})
}

// Remove takes out the message at a place.
func (b *Batch) Remove(i int) {
	_ = b.base.At(i)
	if n := len(b.removed); n > 0 && b.removed[n-1] >= i {
		b.sorted = false
	}
	b.removed = append(b.removed, i)
}

// Reset replaces all messages, and forgets what the batch had and which UIDs
// vanished before it; Append may follow. UIDs must ascend, else Reset panics. A
// UID below UIDNext that the snapshot before does not hold would be new to those
// who saw that snapshot: it must not be given unless nobody did.
func (b *Batch) Reset(recs []Record) {
	b.reset, b.sorted = true, true
	b.edit = edit{added: make([]Record, 0, len(recs))}
	for _, r := range recs {
		b.Append(r)
	}
}

// Commit writes the batch to the log with one write, and then publishes it.
func (b *Batch) Commit(c Commit) *Snapshot {
	b.commit = c
	b.order()
	var next *Snapshot
	if b.reset {
		next = b.fresh()
	} else {
		next = b.edit.apply(b.base)
	}
	b.x.commit(b, next)
	return next
}

// order puts changes and removals into the order of their places.
func (b *Batch) order() {
	if b.sorted {
		return
	}
	slices.SortStableFunc(b.changes, func(x, y change) int { return x.place - y.place })
	last := b.changes[:0]
	for i, c := range b.changes {
		if i+1 == len(b.changes) || b.changes[i+1].place != c.place {
			last = append(last, c)
		}
	}
	b.changes = last
	slices.Sort(b.removed)
	b.removed = slices.Compact(b.removed)
}

// fresh returns the snapshot of a batch with Reset.
func (b *Batch) fresh() *Snapshot {
	old := b.base
	f := builder{private: true, s: Snapshot{highest: old.highest, next: old.next, recent: old.recent}}
	b.edit.applyTo(&f)
	s := f.s
	s.floor = s.highest
	return &s
}

// apply returns the snapshot after e.
func (e *edit) apply(base *Snapshot) *Snapshot {
	b := builder{s: *base}
	e.applyTo(&b)
	s := b.s
	return &s
}

func (e *edit) applyTo(b *builder) {
	s := &b.s
	for i := range e.changes {
		b.change(e.changes[i].place, e.changes[i].rec)
	}
	s.highest = max(s.highest, e.commit.ModSeq)
	b.remove(e.removed, s.highest)
	for i := range e.added {
		b.add(e.added[i])
	}
	s.next = max(s.next, e.commit.UIDNext)
	if e.commit.Recent != 0 {
		s.recent = e.commit.Recent
	}
	if s.floor == unknownFloor {
		s.floor = s.highest
	}
}
