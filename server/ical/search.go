package ical

import (
	"slices"
	"time"
)

// Search is a question for instances, as Instances answers it, whose work is bounded with Max.
type Search struct {
	Range    TimeRange
	Floating *time.Location // of what floats; nil: UTC
	Max      int            // from 1 to MaxInstances; 0: that
}

// Found is what a Search found.
type Found struct {
	Instances []Instance
	// Rest is the part of the range in which more may begin, when Truncated.
	Rest      TimeRange
	Truncated bool
	// Cost is what it took, in instances: what is much work costs more than those that it found.
	Cost int
}

// searchWork is the work for each instance that a Search may find.
const searchWork = maxWork / MaxInstances

// Search finds the instances that lie in a range of time. All are told that begin before Rest does.
func (o *Object) Search(s Search) (f Found) {
	q := o.query(s.Range.From, s.Range.To, s.Floating, min(s.Max, MaxInstances))
	all := searchWork * q.max
	q.work.left = all
	q.run(o)
	f.Instances, f.Cost = q.found, 1+max(len(q.found), (all-q.work.left)/searchWork)
	if len(q.found) > q.max {
		q.missing = min(q.missing, q.found[q.max].Start.Unix())
	}
	if f.Rest, f.Truncated = o.rest(q); !f.Truncated {
		return f
	}
	f.Instances = slices.DeleteFunc(f.Instances, func(i Instance) bool { return !i.Start.Before(f.Rest.From) })
	return f
}

// rest is the part of the range of a query in which more may begin than were found.
func (o *Object) rest(q *query) (TimeRange, bool) {
	first, last, infinite := o.span(q.floating, &work{left: searchWork * q.max})
	from, to := max(q.missing, q.from, first.Unix()), min(q.to, endOfTime())
	if !infinite {
		to = min(to, last.Unix())
	}
	return TimeRange{From: time.Unix(from, 0).UTC(), To: time.Unix(to, 0).UTC()}, from < to
}
