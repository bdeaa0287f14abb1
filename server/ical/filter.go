package ical

import (
	"math"
	"slices"
	"time"

	"facteur/server/contentline"
)

// TimeRange is the condition time-range (RFC 4791 9.9). A zero is no bound.
type TimeRange struct{ From, To time.Time }

// CompFilter is the condition comp-filter (RFC 4791 9.7.1). That of a query is for
// VCALENDAR. All of its conditions have to be met, by one component.
type CompFilter struct {
	Name       string // in upper case
	NotDefined bool
	Range      *TimeRange // nil: at any time
	Props      []PropFilter
	Comps      []CompFilter
}

// PropFilter is the condition prop-filter (RFC 4791 9.7.2).
type PropFilter struct {
	Name       string // in upper case
	NotDefined bool
	Range      *TimeRange
	Text       *contentline.TextMatch
	Params     []contentline.ParamFilter
}

// Match says whether a filter finds the object. What floats is in a zone of the caller's.
func (o *Object) Match(f CompFilter, floating *time.Location) bool {
	m := &matcher{Object: o, floating: floating}
	return f.Name == "VCALENDAR" && !f.NotDefined && m.inside(&o.calendar.Component, f)
}

// maxAlarms bounds the alarms that are looked at for one question.
const maxAlarms = 200

// matcher is one question.
type matcher struct {
	*Object
	floating *time.Location
	alarms   int // that were looked at
}

// comps says whether one of the components in c meets a condition.
func (m *matcher) comps(c *Component, f CompFilter) bool {
	defined := false
	for _, child := range c.Children {
		if child.Name != f.Name {
			continue
		}
		defined = true
		if !f.NotDefined && (f.Range == nil || m.in(c, child, *f.Range)) && m.inside(child, f) {
			return true
		}
	}
	return f.NotDefined && !defined
}

// inside says whether properties and components of c meet the conditions.
func (m *matcher) inside(c *Component, f CompFilter) bool {
	for _, p := range f.Props {
		if !m.props(c, p) {
			return false
		}
	}
	for _, sub := range f.Comps {
		if !m.comps(c, sub) {
			return false
		}
	}
	return true
}

func (m *matcher) props(c *Component, f PropFilter) bool {
	all := c.All(f.Name)
	if f.NotDefined || len(all) == 0 {
		return f.NotDefined == (len(all) == 0)
	}
	return slices.ContainsFunc(all, func(p Prop) bool { return m.prop(p, f) })
}

func (m *matcher) prop(p Prop, f PropFilter) bool {
	if f.Range != nil {
		v, err := ParseValue(p, m.zones)
		if err != nil {
			return false
		}
		at := v.Time(m.floating)
		if !f.Range.From.IsZero() && at.Before(f.Range.From) || !f.Range.To.IsZero() && !at.Before(f.Range.To) {
			return false
		}
	}
	if f.Text != nil && !f.Text.Matches(contentline.Text(p.Value)) {
		return false
	}
	for _, param := range f.Params {
		if !param.Matches(p) {
			return false
		}
	}
	return true
}

// in says whether a component lies in a range of time (RFC 4791 9.9).
func (m *matcher) in(parent, c *Component, r TimeRange) bool {
	if c.Name == "VALARM" {
		return m.alarmIn(parent, c, r)
	}
	e := m.of[c]
	if e == nil {
		return false
	}
	if !e.dated() {
		return m.undatedIn(e, r)
	}
	if e.isOverride && !e.andFuture {
		from, to := r.unix()
		start, end := e.times(m.floating)
		return e.overlaps(start, end, from, to)
	}
	list, truncated, _ := m.Instances(r.From, r.To, m.floating, 0)
	// Where there are too many instances to tell, the object is rather found than missed.
	return truncated || slices.ContainsFunc(list, func(i Instance) bool { return i.Component == c })
}

// undatedIn is in for components without DTSTART and DUE.
func (m *matcher) undatedIn(e *entry, r TimeRange) bool {
	from, to := r.unix()
	switch e.Name {
	case "VTODO":
		done, create := e.unix(e.done, m.floating), e.unix(e.create, m.floating)
		switch {
		case e.done != nil && e.create != nil:
			return (from <= create || from <= done) && (to >= create || to >= done)
		case e.done != nil:
			return from <= done && to >= done
		case e.create != nil:
			return to > create
		}
		return true
	case "VFREEBUSY":
		return slices.ContainsFunc(e.busy, func(p period) bool {
			start, end := p.times(m.floating)
			return from < end && to > start
		})
	}
	return e.Name == "VAVAILABILITY" // RFC 7953 3.1: without DTSTART it is for all time
}

func (e *entry) unix(v *Value, floating *time.Location) int64 {
	if v == nil {
		return 0
	}
	return v.Time(floating).Unix()
}

// unix returns the bounds in seconds.
func (r TimeRange) unix() (from, to int64) {
	from, to = math.MinInt64/4, math.MaxInt64/4
	if !r.From.IsZero() {
		from = r.From.Unix()
	}
	if !r.To.IsZero() {
		to = r.To.Unix()
	}
	return from, to
}

// times returns start and end of the component itself.
func (e *entry) times(floating *time.Location) (start, end int64) {
	return period{e.start, e.span}.times(floating)
}

// times returns start and end.
func (p period) times(floating *time.Location) (start, end int64) {
	z := zoneFor(p.start, floating)
	start = z.unix(p.start.wall)
	return start, p.span.end(z, p.start.wall, start)
}

// alarmIn says whether an alarm of a component goes off in a range of time.
func (m *matcher) alarmIn(parent, c *Component, r TimeRange) bool {
	a, err := parseAlarm(c)
	e := m.of[parent]
	if err != nil || e == nil {
		return false
	}
	from, to := r.unix()
	if m.alarms++; m.alarms > maxAlarms {
		return true // rather found than missed
	}
	rings := func(first int64) bool {
		for n := range a.repeats + 1 {
			if at := first + n*a.every; from <= at && to > at {
				return true
			}
		}
		return false
	}
	if a.absolute {
		return rings(a.at.Time(m.floating).Unix())
	}
	rung := func(start, end time.Time) bool {
		if a.atEnd {
			start = end
		}
		return rings(start.AddDate(0, 0, int(a.after.Days)).Unix() + a.after.Seconds)
	}
	if e.dated() && e.isOverride && !e.andFuture {
		z := zoneFor(e.start, m.floating)
		start, end := e.times(m.floating)
		return rung(z.time(start), z.time(end))
	}
	// The instances whose alarms may ring in the range: those that begin so much earlier.
	offset := a.after.rough()
	if a.atEnd {
		offset += e.span.rough()
	}
	var wide TimeRange
	if !r.From.IsZero() {
		wide.From = r.From.Add(-time.Duration(offset+a.repeats*a.every+daySeconds) * time.Second)
	}
	if !r.To.IsZero() {
		wide.To = r.To.Add(-time.Duration(offset-daySeconds) * time.Second)
	}
	list, truncated, _ := m.Instances(wide.From, wide.To, m.floating, 0)
	if truncated {
		return true
	}
	return slices.ContainsFunc(list, func(i Instance) bool { return i.Component == parent && rung(i.Start, i.End) })
}
