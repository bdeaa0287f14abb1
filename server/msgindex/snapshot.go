package msgindex

import (
	"iter"
	"slices"
	"sort"

	"facteur/server/maildir"
)

// chunkSize is the number of records of a full chunk.
const chunkSize = 256

// Snapshot is all messages of a mailbox at one moment, in the order of their
// UIDs. It never changes, so that readers take no lock. The zero value is an
// empty mailbox.
//
// Snapshots share what is the same in them: sealed chunks, and the arrays
// behind spans, tail and vanished, to which a newer snapshot appends beyond the
// length that an older one knows.
type Snapshot struct {
	spans       []span // sealed chunks
	sealed      int    // records in them
	tail        []Record
	tailHighest ModSeq // at least the highest in tail

	highest ModSeq
	next    UID
	recent  UID

	unseen, deleted int
	octets          int64
	cached          int64 // octets of the cache's entries

	vanished []vanished // ascending by modseq
	floor    ModSeq     // vanished holds all after it
}

// span is a chunk in its place. All spans stand in one array, so that a search
// touches few cache lines.
type span struct {
	chunk *chunk
	start uint32 // place of its first record
	first UID
}

// chunk is 1 to chunkSize records.
type chunk struct {
	recs    []Record
	highest ModSeq // at least the highest of recs
}

// Len is the number of messages.
func (s *Snapshot) Len() int { return s.sealed + len(s.tail) }

// HighestModSeq is at least that of each message (RFC 7162 3.1.2.1).
func (s *Snapshot) HighestModSeq() ModSeq { return s.highest }

// UIDNext is above the UID of each message that ever was (RFC 9051 2.3.1.1).
func (s *Snapshot) UIDNext() UID { return s.next }

// Recent is the first UID that no session was told of (RFC 3501 2.3.2), as the
// owner set it.
func (s *Snapshot) Recent() UID { return s.recent }

// Unseen is the number of messages without \Seen.
func (s *Snapshot) Unseen() int { return s.unseen }

// Deleted is the number of messages with \Deleted.
func (s *Snapshot) Deleted() int { return s.deleted }

// Octets is the sum of the sizes.
func (s *Snapshot) Octets() int64 { return s.octets }

// At returns the message at a place from 0 to Len()-1. It is not to be changed.
func (s *Snapshot) At(i int) *Record {
	k, o := s.locate(i)
	return &s.chunk(k)[o]
}

// locate returns the chunk of a place and the offset in it.
func (s *Snapshot) locate(i int) (k, offset int) {
	if i >= s.sealed {
		return len(s.spans), i - s.sealed
	}
	// Without removals all chunks are full, and this is it.
	if k = i / chunkSize; k < len(s.spans) {
		if offset = i - int(s.spans[k].start); offset >= 0 && offset < len(s.spans[k].chunk.recs) {
			return k, offset
		}
	}
	k = sort.Search(len(s.spans), func(k int) bool { return int(s.spans[k].start) > i }) - 1
	return k, i - int(s.spans[k].start)
}

// chunk returns the records of a chunk; that behind the spans is the tail.
func (s *Snapshot) chunk(k int) []Record {
	if k == len(s.spans) {
		return s.tail
	}
	return s.spans[k].chunk.recs
}

// start returns the place of the first record of a chunk.
func (s *Snapshot) start(k int) int {
	if k == len(s.spans) {
		return s.sealed
	}
	return int(s.spans[k].start)
}

// Find returns the place of a message, or where it would be.
func (s *Snapshot) Find(uid UID) (i int, ok bool) {
	k := len(s.spans)
	if len(s.tail) == 0 || uid < s.tail[0].UID {
		k = sort.Search(len(s.spans), func(k int) bool { return s.spans[k].first > uid }) - 1
		if k < 0 {
			return 0, false
		}
	}
	recs := s.chunk(k)
	o, ok := slices.BinarySearchFunc(recs, uid, func(r Record, uid UID) int { return int(int64(r.UID) - int64(uid)) })
	return s.start(k) + o, ok
}

// Range goes through the messages at the places from up to, but not
// including, to.
func (s *Snapshot) Range(from, to int) iter.Seq2[int, *Record] {
	return s.scan(0, from, to)
}

// Changed goes through the messages of Range whose ModSeq is above since. It
// passes over chunks in which there are none.
func (s *Snapshot) Changed(since ModSeq, from, to int) iter.Seq2[int, *Record] {
	if since >= s.highest {
		return func(func(int, *Record) bool) {}
	}
	return s.scan(since, from, to)
}

func (s *Snapshot) scan(since ModSeq, from, to int) iter.Seq2[int, *Record] {
	from, to = max(from, 0), min(to, s.Len())
	return func(yield func(int, *Record) bool) {
		if from >= to {
			return
		}
		k, offset := s.locate(from)
		for place := from; place < to; k, offset = k+1, 0 {
			recs := s.chunk(k)[offset:]
			recs = recs[:min(len(recs), to-place)]
			if since == 0 || s.highestOf(k) > since {
				for i := range recs {
					if recs[i].ModSeq > since || since == 0 {
						if !yield(place+i, &recs[i]) {
							return
						}
					}
				}
			}
			place += len(recs)
		}
	}
}

// highestOf returns a bound of the ModSeqs of a chunk.
func (s *Snapshot) highestOf(k int) ModSeq {
	if k == len(s.spans) {
		return s.tailHighest
	}
	return s.spans[k].chunk.highest
}

// count adds a record to the totals, or takes it from them.
func (s *Snapshot) count(r *Record, sign int) {
	if r.Flags&maildir.Seen == 0 {
		s.unseen += sign
	}
	if r.Flags&maildir.Trashed != 0 {
		s.deleted += sign
	}
	s.octets += int64(sign) * r.Size()
	s.cached += int64(sign) * int64(r.Entry.Len())
}
