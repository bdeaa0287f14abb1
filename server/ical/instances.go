package ical

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Instance is one of the times at which a component occurs.
type Instance struct {
	Start, End time.Time // the same for what has no length
	AllDay     bool
	// ID is its RECURRENCE-ID: when it would begin had nothing moved it.
	ID Value
	// Recurring says whether there may be others, so that ID has a meaning.
	Recurring bool
	// Component is what describes it: that of all instances, or the one of its override.
	Component *Component

	span span
	unix int64 // of ID
}

// MaxInstances is the bound of Instances where the caller has none.
const MaxInstances = 10_000

// Instances returns the instances that lie in a range of time, by the rules of RFC 4791
// 9.9, in the order of their starts. A zero from or to is no bound. What floats, dates too,
// is in a zone of the caller's; nil: UTC. There are at most max, or MaxInstances where that
// is 0. truncated: there are more than those, or it would take too much work to know.
func (o *Object) Instances(from, to time.Time, floating *time.Location, max int) (list []Instance, truncated bool, err error) {
	q := o.query(from, to, floating, max)
	q.run(o)
	q.found = slices.DeleteFunc(q.found, func(i Instance) bool { return i.Start.Unix() > q.sure })
	if len(q.found) > q.max {
		q.found, q.cut = q.found[:q.max], true
	}
	return q.found, q.cut || q.work.left <= 0, nil
}

// run finds the instances, in the order of their starts.
func (q *query) run(o *Object) {
	for _, e := range o.entries {
		if !e.isOverride && e.dated() {
			q.series(e)
		}
	}
	for _, e := range o.entries {
		if e.isOverride && e.dated() && !(e.andFuture && q.hasMaster) {
			q.override(e)
		}
	}
	slices.SortStableFunc(q.found, func(a, b Instance) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.unix, b.unix))
	})
}

// query is one question for instances.
type query struct {
	from, to  int64
	floating  *time.Location
	max       int
	work      work
	found     []Instance
	cut       bool
	sure      int64 // until when found is complete, but for what THISANDFUTURE moves
	missing   int64 // what was not found begins then, or later
	hasMaster bool
	replaced  idSet    // by overrides
	future    []*entry // overrides with THISANDFUTURE, by their ids
}

func (o *Object) query(from, to time.Time, floating *time.Location, max int) *query {
	q := &query{from: math.MinInt64 / 4, to: math.MaxInt64 / 4, floating: floating, max: max, work: work{left: maxWork}, sure: math.MaxInt64, missing: math.MaxInt64}
	if max <= 0 {
		q.max = MaxInstances
	}
	if !from.IsZero() {
		q.from = from.Unix()
	}
	if !to.IsZero() {
		q.to = to.Unix()
	}
	for _, e := range o.entries {
		switch {
		case !e.isOverride:
			q.hasMaster = true
		case e.andFuture:
			q.future = append(q.future, e)
		default:
			q.replaced.add(e.id, floating)
		}
	}
	slices.SortStableFunc(q.future, func(a, b *entry) int {
		return cmp.Compare(zoneFor(a.id, floating).unix(a.id.wall), zoneFor(b.id, floating).unix(b.id.wall))
	})
	return q
}

// idSet is a set of instances, named by their starts.
type idSet struct{ points, days map[int64]bool }

func (s *idSet) add(v Value, floating *time.Location) {
	if s.points == nil {
		s.points, s.days = make(map[int64]bool), make(map[int64]bool)
	}
	if v.date {
		s.days[v.wall] = true
	} else {
		s.points[zoneFor(v, floating).unix(v.wall)] = true
	}
}

// has says whether an instance is named: by its time, or by its day, which clients write
// for times too.
func (s *idSet) has(wall, unix int64) bool {
	return s.points[unix] || s.days[wall-floorMod(wall, daySeconds)]
}

// variant is how the instances from a point in time on are.
type variant struct {
	entry *entry
	from  int64 // its first id
	shift int64 // of the start from the id, on the wall
	span  span
}

// variants returns how the instances of a series are, the last first.
func (q *query) variants(e *entry) []variant {
	list := []variant{{entry: e, from: math.MinInt64, span: e.span}}
	for _, f := range q.future {
		from := zoneFor(f.id, q.floating).unix(f.id.wall)
		v := variant{entry: f, from: from, span: e.span}
		if f.dated() {
			start := zoneFor(f.start, q.floating).unix(f.start.wall)
			z := zoneFor(e.start, q.floating)
			v.shift, v.span = start+z.offset(start)-from-z.offset(from), f.span
		}
		list = append(list, v)
	}
	slices.Reverse(list)
	return list
}

// series finds the instances of a component with all its rules and dates.
func (q *query) series(e *entry) {
	z := zoneFor(e.start, q.floating)
	s := series{query: q, entry: e, zone: z, variants: q.variants(e)}
	s.low, s.high = int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range s.variants {
		slack := int64(0)
		if v.span.nominal.Days != 0 {
			slack = daySeconds / 12 // a day that has more than 24 hours
		}
		s.low = min(s.low, q.from-v.span.rough()-v.shift-slack)
		s.high = max(s.high, q.to-v.shift+slack)
	}
	s.low, s.high = z.walls(s.low, s.high)
	for _, v := range e.exceptDates {
		s.except.add(v, q.floating)
	}
	for _, r := range e.exceptRules {
		for wall := range r.walls(e.start.wall, s.low, min(s.high, r.untilWall(z)), &q.work) {
			s.except.add(Value{wall: wall, zone: z}, q.floating)
			q.work.spend(instanceWork)
		}
	}
	if q.work.left <= 0 {
		q.missing = math.MinInt64 // and what was found may be excepted
	}
	s.take(e.start.wall, z, e.start.zone, nil)
	for _, r := range e.rules {
		s.rule(r)
	}
	for i, p := range e.dates {
		var own *span
		if e.ownSpan[i] {
			own = &e.dates[i].span
		}
		s.take(p.start.wall, zoneFor(p.start, q.floating), p.start.zone, own)
	}
}

// series is the work on one component.
type series struct {
	*query
	entry     *entry
	zone      *Zone
	variants  []variant
	low, high int64 // of the wall: ids that may matter
	except    idSet
	seen      map[int64]bool // ids, where there are several sources
}

// walls returns the times of the wall that surely hold those of a range.
func (z *Zone) walls(low, high int64) (int64, int64) {
	end := endOfTime() + 2*daySeconds
	low, high = max(min(low, end), -end), max(min(high, end), -end)
	const near = daySeconds + daySeconds/24
	return low + min(z.offset(low), z.offset(low-near), z.offset(low+near)),
		high + max(z.offset(high), z.offset(high-near), z.offset(high+near))
}

// instanceWork is the work on an instance beside that of finding its time.
const instanceWork = 10

// rule finds the instances of a rule.
func (s *series) rule(r *Rule) {
	n := 0
	for wall := range r.walls(s.entry.start.wall, s.low, min(s.high, r.untilWall(s.zone)), &s.work) {
		if s.entry.start.date {
			wall -= floorMod(wall, daySeconds)
		}
		s.work.spend(instanceWork)
		if !s.take(wall, s.zone, s.entry.start.zone, nil) {
			continue
		}
		if n++; n > s.max {
			s.cut = true
			s.sure = min(s.sure, s.found[len(s.found)-1].Start.Unix())
			s.misses(wall)
			return
		}
	}
	if s.work.left <= 0 {
		s.misses(s.work.reached)
	}
}

// misses notes that a rule was left at a time of the wall.
func (s *series) misses(wall int64) {
	unix := s.zone.unix(wall)
	if s.zone.location != time.UTC {
		unix -= daySeconds / 12 // clocks are set back: what follows on the wall may come before
	}
	earlier := int64(0)
	for _, v := range s.variants {
		earlier = min(earlier, v.shift)
	}
	s.missing = min(s.missing, unix+earlier)
}

// take takes an instance in, unless it is none, or out of the range.
func (s *series) take(wall int64, z *Zone, named *Zone, own *span) bool {
	unix := z.unix(wall)
	if s.except.has(wall, unix) || s.replaced.has(wall, unix) || s.seen[unix] {
		return false
	}
	var v variant
	for _, v = range s.variants {
		if v.from <= unix {
			break
		}
	}
	if own != nil {
		v.span = *own
	}
	startWall, start := wall, unix
	if v.shift != 0 {
		startWall += v.shift
		start = z.unix(startWall)
	}
	end := v.span.end(z, startWall, start)
	if !v.entry.overlaps(start, end, s.from, s.to) {
		return false
	}
	if s.seen == nil {
		s.seen = make(map[int64]bool)
	}
	s.seen[unix] = true
	s.found = append(s.found, Instance{
		Start: z.time(start), End: z.time(end), AllDay: v.entry.start.date && v.entry.dated(),
		ID: Value{wall: wall, date: s.entry.start.date, zone: named}, Recurring: s.entry.recurring(),
		Component: v.entry.Component, span: v.span, unix: unix,
	})
	return true
}

// override takes in an instance that has a component of its own.
func (q *query) override(e *entry) {
	z := zoneFor(e.start, q.floating)
	start, end := e.times(q.floating)
	if !e.overlaps(start, end, q.from, q.to) {
		return
	}
	q.found = append(q.found, Instance{
		Start: z.time(start), End: z.time(end), AllDay: e.start.date, ID: e.id, Recurring: true,
		Component: e.Component, span: e.span, unix: zoneFor(e.id, q.floating).unix(e.id.wall),
	})
}

// time is a point in time as the clocks of the zone show it, where it is a known one.
func (z *Zone) time(unix int64) time.Time {
	if z.location != nil {
		return time.Unix(unix, 0).In(z.location)
	}
	return time.Unix(unix, 0).UTC()
}
