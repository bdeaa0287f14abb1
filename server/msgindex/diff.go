package msgindex

// Changes is how a snapshot differs from an older one.
type Changes struct {
	Gone    []int // places in old of messages that are not in new, ascending
	Changed []int // places in new of messages that were in old with other flags, keywords or ModSeq, ascending
	Added   int   // how many at the end of new were not in old
}

// Diff returns what changed from old to new, a later snapshot of the same
// index. Its cost is that of the chunks that changed.
func Diff(old, new *Snapshot) Changes {
	var c Changes
	a, b := cursor{s: old}, cursor{s: new}
	for {
		skipSame(&a, &b)
		ra, rb := a.rest(), b.rest()
		if len(ra) == 0 || len(rb) == 0 {
			break
		}
		if &ra[0] == &rb[0] {
			// The same array: the records that both have are the same.
			n := min(len(ra), len(rb))
			a.offset, b.offset = a.offset+n, b.offset+n
			continue
		}
		if !c.compare(&a, &b, ra, rb) {
			break
		}
	}
	for i := a.place(); i < old.Len(); i++ {
		c.Gone = append(c.Gone, i)
	}
	c.Added = new.Len() - b.place()
	return c
}

// skipSame passes over chunks that both sides share, without a look into them.
func skipSame(a, b *cursor) {
	if a.offset != 0 || b.offset != 0 {
		return
	}
	for a.k < len(a.s.spans) && b.k < len(b.s.spans) && a.s.spans[a.k].chunk == b.s.spans[b.k].chunk {
		a.k, b.k = a.k+1, b.k+1
	}
}

// compare goes on record by record until one side is at the end of its chunk.
// It is false when new has a message in the middle that old had not: no batch
// makes one, and all that follows then counts as gone and added.
func (c *Changes) compare(a, b *cursor, ra, rb []Record) bool {
	pa, pb := a.place(), b.place()
	i, j := 0, 0
	for i < len(ra) && j < len(rb) && ra[i].UID <= rb[j].UID {
		if ra[i].UID < rb[j].UID {
			c.Gone = append(c.Gone, pa+i)
			i++
			continue
		}
		if ra[i].differs(&rb[j]) {
			c.Changed = append(c.Changed, pb+j)
		}
		i, j = i+1, j+1
	}
	a.offset, b.offset = a.offset+i, b.offset+j
	a.rest()
	b.rest()
	return i == len(ra) || j == len(rb)
}

// differs tells whether a client must be told.
func (r *Record) differs(other *Record) bool {
	return r.ModSeq != other.ModSeq || r.Flags != other.Flags || r.More != other.More
}

// cursor is a place in a snapshot.
type cursor struct {
	s         *Snapshot
	k, offset int
}

func (c *cursor) place() int {
	if c.k > len(c.s.spans) {
		return c.s.Len()
	}
	return c.s.start(c.k) + c.offset
}

// rest returns what is left of the chunk, or of the next when nothing is; it is
// empty at the end.
func (c *cursor) rest() []Record {
	for c.k <= len(c.s.spans) {
		if recs := c.s.chunk(c.k); c.offset < len(recs) {
			return recs[c.offset:]
		}
		c.k, c.offset = c.k+1, 0
	}
	return nil
}

// Refresh returns the messages of old at their places, with the records that
// they have in now; those that are gone keep theirs. It is for who must not be
// told yet that some are gone.
func Refresh(old, now *Snapshot) *Snapshot {
	var e edit
	for _, place := range Diff(old, now).Changed {
		r := now.At(place)
		if i, ok := old.Find(r.UID); ok {
			e.changes = append(e.changes, change{i, *r})
		}
	}
	if len(e.changes) == 0 {
		return old
	}
	return e.apply(old)
}
