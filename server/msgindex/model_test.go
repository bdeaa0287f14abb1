package msgindex

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"facteur/server/maildir"
)

// model is a mailbox in the simplest form.
type model struct {
	recs     []Record
	modSeq   ModSeq
	next     UID
	vanished []vanished // one range for each message
}

// driver makes random batches on an index and a model.
type driver struct {
	t     testing.TB
	rng   *rand.Rand
	x     *Index
	m     model
	stamp maildir.Stamp
}

func newDriver(t testing.TB, seed uint64, x *Index) *driver {
	d := &driver{t: t, rng: rand.New(rand.NewPCG(seed, 1)), x: x}
	d.m.next = max(x.Snapshot().next, 1)
	return d
}

func (d *driver) record(uid UID) Record {
	r := Record{
		ModSeq: d.m.modSeq, UID: uid, Flags: maildir.Flags(d.rng.Uint32()), InternalDate: d.rng.Uint32(),
		SaveDate: d.rng.Uint32(), Unique: d.rng.Uint32(), Entry: newRef(int64(d.rng.IntN(1<<30)), d.rng.IntN(4000)),
	}
	r.SetSize(d.rng.Int64N(1 << 40))
	r.SetMarks(Marks(d.rng.IntN(8)))
	return r
}

func (d *driver) newUID() UID {
	uid := d.m.next + UID(d.rng.IntN(3)/2*d.rng.IntN(5))
	d.m.next = uid + 1
	return uid
}

func (d *driver) commit(b *Batch) *Snapshot {
	d.stamp = maildir.Stamp{New: d.rng.Int64(), Cur: d.rng.Int64()}
	return b.Commit(Commit{ModSeq: d.m.modSeq, UIDNext: d.m.next, Stamp: d.stamp})
}

// fill starts anew with n messages.
func (d *driver) fill(n int) *Snapshot {
	d.m.modSeq++
	d.m.recs, d.m.vanished = nil, nil
	for range n {
		d.m.recs = append(d.m.recs, d.record(d.newUID()))
	}
	b := d.x.Begin()
	b.Reset(d.m.recs)
	return d.commit(b)
}

// step makes a batch of a few changes, removals and additions.
func (d *driver) step(changes, removals, added int) *Snapshot {
	d.m.modSeq += 1 + ModSeq(d.rng.IntN(2))
	b := d.x.Begin()
	gone := map[int]bool{}
	if n := len(d.m.recs); n > 0 {
		for range changes {
			i := d.rng.IntN(n)
			r := d.m.recs[i]
			switch d.rng.IntN(3) {
			case 0:
				r.Flags, r.ModSeq = maildir.Flags(d.rng.Uint32()), d.m.modSeq
			case 1:
				r.Entry = newRef(int64(d.rng.IntN(1<<30)), d.rng.IntN(4000))
			default:
				r = d.record(r.UID)
			}
			d.m.recs[i] = r
			b.Change(i, r)
		}
		at := d.rng.IntN(n)
		for range removals {
			if d.rng.IntN(4) == 0 {
				at = d.rng.IntN(n)
			}
			gone[at] = true
			b.Remove(at)
			at = (at + 1) % n
		}
	}
	var left []Record
	for i, r := range d.m.recs {
		if gone[i] {
			d.m.vanished = append(d.m.vanished, vanished{d.m.modSeq, r.UID, r.UID})
		} else {
			left = append(left, r)
		}
	}
	d.m.recs = left
	for range added {
		r := d.record(d.newUID())
		d.m.recs = append(d.m.recs, r)
		b.Append(r)
	}
	return d.commit(b)
}

// check compares the snapshot with the model.
func (d *driver) check(s *Snapshot) {
	d.t.Helper()
	m := &d.m
	if s.Len() != len(m.recs) || s.HighestModSeq() != m.modSeq || s.UIDNext() != m.next {
		d.t.Fatalf("%d messages, HIGHESTMODSEQ %d, UIDNEXT %d; want %d, %d, %d", s.Len(), s.HighestModSeq(), s.UIDNext(), len(m.recs), m.modSeq, m.next)
	}
	var unseen, deleted int
	var octets, cached int64
	for i, r := range s.Range(0, s.Len()) {
		if *r != m.recs[i] || *s.At(i) != m.recs[i] {
			d.t.Fatalf("at %d is %+v, want %+v", i, *r, m.recs[i])
		}
		if at, ok := s.Find(r.UID); !ok || at != i {
			d.t.Fatalf("UID %d is found at %d, %v; want %d", r.UID, at, ok, i)
		}
		if _, there := s.Find(r.UID - 1); there != (i > 0 && m.recs[i-1].UID == r.UID-1) {
			d.t.Fatalf("UID %d: found %v", r.UID-1, there)
		}
		if r.Flags&maildir.Seen == 0 {
			unseen++
		}
		if r.Flags&maildir.Trashed != 0 {
			deleted++
		}
		octets += r.Size()
		cached += int64(r.Entry.Len())
	}
	if s.Unseen() != unseen || s.Deleted() != deleted || s.Octets() != octets || s.cached != cached {
		d.t.Fatalf("totals %d %d %d %d, want %d %d %d %d", s.Unseen(), s.Deleted(), s.Octets(), s.cached, unseen, deleted, octets, cached)
	}
	d.checkChanged(s)
	d.checkVanished(s)
}

func (d *driver) checkChanged(s *Snapshot) {
	d.t.Helper()
	since := ModSeq(d.rng.Uint64N(uint64(d.m.modSeq) + 2))
	from := d.rng.IntN(s.Len() + 1)
	to := from + d.rng.IntN(s.Len()-from+1)
	var got, want []int
	for i := range s.Changed(since, from, to) {
		got = append(got, i)
	}
	for i := from; i < to; i++ {
		if d.m.recs[i].ModSeq > since {
			want = append(want, i)
		}
	}
	if !slices.Equal(got, want) {
		d.t.Fatalf("Changed(%d, %d, %d) is %v, want %v", since, from, to, got, want)
	}
}

func (d *driver) checkVanished(s *Snapshot) {
	d.t.Helper()
	since := ModSeq(d.rng.Uint64N(uint64(d.m.modSeq) + 2))
	ranges, complete := s.Vanished(since)
	if complete != (since >= s.floor) {
		d.t.Fatalf("Vanished(%d): complete %v with the floor %d", since, complete, s.floor)
	}
	in := func(uid UID) bool {
		i, ok := slices.BinarySearchFunc(ranges, uid, func(r UIDRange, uid UID) int {
			if r.Last < uid {
				return -1
			}
			return 0
		})
		return ok && ranges[i].First <= uid
	}
	for _, r := range d.m.recs {
		if in(r.UID) {
			d.t.Fatalf("Vanished(%d) has UID %d, which is there", since, r.UID)
		}
	}
	for _, v := range d.m.vanished {
		if complete && v.modSeq > since && !in(v.first) {
			d.t.Fatalf("Vanished(%d) is without UID %d, gone with %d: %v", since, v.first, v.modSeq, ranges)
		}
	}
	for i, r := range ranges {
		if r.First > r.Last || i > 0 && r.First <= ranges[i-1].Last {
			d.t.Fatalf("Vanished(%d) is %v", since, ranges)
		}
	}
}

// contents is all that a snapshot says.
func contents(s *Snapshot) string {
	var all []Record
	for _, r := range s.Range(0, s.Len()) {
		all = append(all, *r)
	}
	return fmt.Sprint(all, s.vanished, s.highest, s.next, s.recent, s.floor, s.unseen, s.deleted, s.octets, s.cached)
}

// naiveDiff is Diff in the simplest form.
func naiveDiff(old, new *Snapshot) Changes {
	var c Changes
	was := map[UID]*Record{}
	last := UID(0)
	for i, r := range old.Range(0, old.Len()) {
		was[r.UID] = r
		last = r.UID
		if _, ok := new.Find(r.UID); !ok {
			c.Gone = append(c.Gone, i)
		}
	}
	for i, r := range new.Range(0, new.Len()) {
		if o := was[r.UID]; o != nil && r.differs(o) {
			c.Changed = append(c.Changed, i)
		}
		if r.UID > last {
			c.Added++
		}
	}
	return c
}
