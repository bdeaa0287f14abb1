package limit

import (
	"slices"
	"time"
)

// maxPlanned bounds the messages of a subject that wait for their time, and with that how
// long it takes to find when there is room again.
const maxPlanned = 200

// plan notes n recipients of a message that is to leave at a time (RFC 4865).
func (sub *subject) plan(at int64, n int) {
	i := len(sub.Planned)
	for i > 0 && sub.Planned[i-1].Last > at {
		i--
	}
	sub.Planned = slices.Insert(sub.Planned, i, part{at, at, n})
}

// settle takes for sent what has left by now.
func (sub *subject) settle(now int64, keep time.Duration) {
	for len(sub.Planned) > 0 && sub.Planned[0].Last <= now {
		sub.Sent = sub.Sent.add(sub.Planned[0].Last, sub.Planned[0].N, keep)
		sub.Planned = sub.Planned[1:]
	}
}

// count returns the recipients of the period that ends at a time, which is not in the
// past.
func (p party) count(end int64, period time.Duration) int {
	n := p.sent.count(end, period)
	for _, w := range p.planned {
		if w.Last >= end-seconds(period) && w.Last <= end {
			n += w.N
		}
	}
	return n
}

// peak returns the most recipients of any period that holds a time, at its end or
// before what is planned behind it.
func (p party) peak(at int64, period time.Duration) int {
	most, sent := p.count(at, period), p.sent.count(at, period)
	oldest := len(p.sent) // of those in the period that ends at w
	for oldest > 0 && p.sent[oldest-1].Last >= at-seconds(period) {
		oldest--
	}
	n, first := 0, 0 // what is planned in that period, and the first of it
	for _, w := range p.planned {
		from := w.Last - seconds(period)
		if from > at {
			break
		}
		for n += w.N; p.planned[first].Last < from; first++ {
			n -= p.planned[first].N
		}
		if w.Last <= at {
			continue
		}
		for ; oldest < len(p.sent) && p.sent[oldest].Last < from; oldest++ {
			sent -= p.sent[oldest].N
		}
		most = max(most, n+sent)
	}
	return most
}

// freed returns when peak will be at most most, if nothing is added.
func (p party) freed(at int64, period time.Duration, most int) int64 {
	at = p.sent.freed(at, period, most)
	for _, w := range p.planned { // one after the other leaves the period
		if p.peak(at, period) <= most {
			break
		}
		at = max(at, w.Last+seconds(period)+1)
	}
	return at
}
