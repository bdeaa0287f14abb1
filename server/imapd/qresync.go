package imapd

import (
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/msgindex"
)

// resync tells what changed since the client was here last (RFC 7162 3.2.5.1).
func (s *session) resync(r *resync) {
	sel := s.sel
	next := uint32(sel.seen.UIDNext())
	if next < 2 {
		return
	}
	known := r.known
	if known == nil {
		known = imapwire.NumSet{{Start: 1, Stop: next - 1}}
	}
	known = known.Resolve(next - 1)
	if behind := r.matched(sel.seen); behind > 0 && !sel.complete(r.modSeq) {
		// Nothing up to there is gone (RFC 7162 3.2.5.2).
		s.writeEarlier(s.vanishedIn(r.modSeq, intersect(known, imapwire.NumSet{{Start: behind + 1, Stop: ^uint32(0)}})))
	} else {
		s.writeEarlier(s.vanishedIn(r.modSeq, known))
	}
	for _, sp := range uidSpans(known, sel.seen) {
		for i, rec := range sel.seen.Changed(r.modSeq, sp.from, sp.to) {
			s.writeChange(i, rec, withFlags)
		}
	}
}

func (sel *selected) complete(since mailbox.ModSeq) bool {
	_, complete := sel.seen.Vanished(since)
	return complete
}

// matched returns the highest UID up to which the client has all messages that
// are there and no other: its sequence numbers are the same.
func (r *resync) matched(in *mailbox.Snapshot) uint32 {
	seqs, uids := numbers(r.seqs), numbers(r.uids)
	best := uint32(0)
	for {
		seq, ok := seqs()
		uid, ok2 := uids()
		if !ok || !ok2 || int64(seq) > int64(in.Len()) || uint32(in.At(int(seq)-1).UID) != uid || uid <= best {
			return best // both ascend (RFC 7162 7, known-sequence-set)
		}
		best = uid
	}
}

// numbers returns a function that gives the numbers of a set, one by one.
func numbers(set imapwire.NumSet) func() (uint32, bool) {
	i, at := 0, uint64(0)
	return func() (uint32, bool) {
		for ; i < len(set); i, at = i+1, 0 {
			from, to := min(set[i].Start, set[i].Stop), max(set[i].Start, set[i].Stop)
			if n := uint64(from) + at; n <= uint64(to) {
				at++
				return uint32(n), true
			}
		}
		return 0, false
	}
}

// writeEarlier writes VANISHED (EARLIER).
func (s *session) writeEarlier(uids imapwire.NumSet) {
	if len(uids) > 0 {
		s.enc.Raw("* VANISHED (EARLIER) ").NumSet(uids).CRLF()
	}
}

// vanishedIn returns the UIDs of a resolved set that were expunged after since.
// When that is not known any more it returns all of which there is no message:
// some of them the client may never have had (RFC 7162 3.2.6 allows that).
func (s *session) vanishedIn(since mailbox.ModSeq, known imapwire.NumSet) imapwire.NumSet {
	gone, complete := s.sel.seen.Vanished(since)
	if !complete {
		return absent(known, s.sel.seen)
	}
	return intersect(known, setOf(gone))
}

func setOf(ranges []msgindex.UIDRange) imapwire.NumSet {
	set := make(imapwire.NumSet, len(ranges))
	for i, r := range ranges {
		set[i] = imapwire.Range{Start: uint32(r.First), Stop: uint32(r.Last)}
	}
	return set
}

// intersect returns the numbers that two resolved sets have in common.
func intersect(a, b imapwire.NumSet) imapwire.NumSet {
	var out imapwire.NumSet
	for len(a) > 0 && len(b) > 0 {
		from, to := max(a[0].Start, b[0].Start), min(a[0].Stop, b[0].Stop)
		if from <= to {
			out = append(out, imapwire.Range{Start: from, Stop: to})
		}
		if a[0].Stop < b[0].Stop {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// absent returns the UIDs of a resolved set, below UIDNEXT, that no message has.
func absent(known imapwire.NumSet, in *mailbox.Snapshot) imapwire.NumSet {
	var out imapwire.NumSet
	add := func(from, to uint32) {
		if from <= to {
			out = append(out, imapwire.Range{Start: from, Stop: to})
		}
	}
	last := uint32(in.UIDNext()) - 1
	for _, r := range known {
		stop := min(r.Stop, last)
		if r.Start > stop {
			break
		}
		at := uint64(r.Start)
		sp := placesOf(in, mailbox.UID(r.Start), mailbox.UID(stop))
		for _, rec := range in.Range(sp.from, sp.to) {
			if uint64(rec.UID) > at {
				add(uint32(at), uint32(rec.UID)-1)
			}
			at = uint64(rec.UID) + 1
		}
		if at <= uint64(stop) {
			add(uint32(at), stop)
		}
	}
	return out
}
