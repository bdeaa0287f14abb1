package imapd

import (
	"cmp"
	"iter"
	"slices"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// span is a range of places, [from, to).
type span struct{ from, to int }

// spans are places of messages: ranges that ascend and do not touch.
type spans []span

// all yields the places.
func (s spans) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, sp := range s {
			for i := sp.from; i < sp.to; i++ {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// len is the number of places.
func (s spans) len() int {
	n := 0
	for _, sp := range s {
		n += sp.to - sp.from
	}
	return n
}

// part returns the places from the first'th up to the last'th, counted from 0.
func (s spans) part(first, last int) spans {
	var out spans
	at := 0
	for _, sp := range s {
		n := sp.to - sp.from
		from, to := max(first-at, 0), min(last-at, n)
		if from < to {
			out = append(out, span{sp.from + from, sp.from + to})
		}
		at += n
	}
	return out
}

// merge sorts spans, joins those that touch and leaves out what is empty.
func merge(list spans) spans {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := list[:0]
	for _, sp := range list {
		n := len(out)
		switch {
		case sp.from < 0 || sp.from >= sp.to: // "*" in an empty mailbox
		case n > 0 && sp.from <= out[n-1].to:
			out[n-1].to = max(out[n-1].to, sp.to)
		default:
			out = append(out, sp)
		}
	}
	return out
}

// ordered returns a range in which 0, "*", is last, with its ends in order.
func ordered(r imapwire.Range, last uint32) (from, to uint32) {
	from, to = r.Start, r.Stop
	if from == 0 {
		from = last
	}
	if to == 0 {
		to = last
	}
	return min(from, to), max(from, to)
}

// seqSpans returns the places of sequence numbers among n messages.
func seqSpans(set imapwire.NumSet, n int) (spans, error) {
	last := uint32(n)
	out := make(spans, 0, len(set))
	for _, r := range set {
		// "9:*" is "*:9", and "*" in an empty mailbox is nothing; any other number
		// has to be that of a message (RFC 9051 9, seq-number).
		if r.Stop > last || (r.Stop != 0 && r.Start > last) {
			return nil, bad("", "There is no message with this number")
		}
		from, to := ordered(r, last)
		out = append(out, span{int(from) - 1, int(min(to, last))})
	}
	return merge(out), nil
}

// uidSpans returns the places of UIDs in a snapshot. Those of which there is no
// message are passed over (RFC 9051 6.4.9).
func uidSpans(set imapwire.NumSet, in *mailbox.Snapshot) spans {
	last := uint32(0)
	if n := in.Len(); n > 0 {
		last = uint32(in.At(n - 1).UID)
	}
	out := make(spans, 0, len(set))
	for _, r := range set {
		from, to := ordered(r, last)
		out = append(out, placesOf(in, mailbox.UID(from), mailbox.UID(to)))
	}
	return merge(out)
}

// placesOf returns the places of the UIDs from one to another, both in it.
func placesOf(in *mailbox.Snapshot, from, to mailbox.UID) span {
	i, _ := in.Find(from)
	j, ok := in.Find(to)
	if ok {
		j++
	}
	return span{i, j}
}
