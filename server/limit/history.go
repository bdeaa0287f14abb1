package limit

import (
	"slices"
	"time"
)

// history is what a subject has sent, oldest first. The older a part is, the
// longer it may be: a 64th of its age. So a history of t seconds has some
// 64*(1+ln(t/64)) parts at most.
type history []part

// part is n recipients in the seconds from First to Last, of the Unix epoch.
type part struct {
	First, Last int64
	N           int
}

const coarseness = 64

// unordered is how many seconds later something may be that was counted before:
// sessions look at the clock, and count, at the same time.
const unordered = 60

// clamp takes what would be in the future, after the clock was set back, as of now.
func (h history) clamp(now int64) {
	for i := len(h) - 1; i >= 0 && h[i].Last > now+unordered; i-- {
		h[i].First, h[i].Last = min(h[i].First, now), now
	}
}

// count returns the recipients of the period before now. A part counts as long
// as any of it does.
func (h history) count(now int64, period time.Duration) (n int) {
	from := now - seconds(period)
	for i := len(h) - 1; i >= 0 && h[i].Last >= from; i-- {
		n += h[i].N
	}
	return n
}

// freed returns when count will be at most most, if nothing is added; now, when
// it is already.
func (h history) freed(now int64, period time.Duration, most int) int64 {
	n := h.count(now, period)
	from := now - seconds(period)
	for _, p := range h {
		if n <= most {
			break
		}
		if p.Last >= from {
			n -= p.N
			now = max(now, p.Last+seconds(period)+1)
		}
	}
	return now
}

// add notes n recipients at now, forgets what is older than keep, and makes
// parts of what has become old.
func (h history) add(now int64, n int, keep time.Duration) history {
	h = h.forget(now, keep)
	if len(h) > 0 {
		now = max(now, h[len(h)-1].Last)
	}
	h = append(h, part{now, now, n})
	kept := h[:1]
	for _, p := range h[1:] {
		last := &kept[len(kept)-1]
		if p.Last-last.First <= (now-p.Last)/coarseness {
			last.Last, last.N = p.Last, last.N+p.N
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// forget drops what is older than keep.
func (h history) forget(now int64, keep time.Duration) history {
	i := 0
	for i < len(h) && h[i].Last < now-seconds(keep) {
		i++
	}
	return slices.Delete(h, 0, i)
}

// valid tells whether a history that was read can be one.
func (h history) valid() bool {
	var last int64
	for _, p := range h {
		if p.First < last || p.Last < p.First || p.N < 0 || p.N > maxTaken {
			return false
		}
		last = p.Last
	}
	return len(h) <= maxParts
}

const (
	maxParts = 4096    // of a history that is read
	maxTaken = 1 << 30 // recipients of a part
)

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
