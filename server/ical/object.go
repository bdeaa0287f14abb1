package ical

import (
	"math"
	"slices"
	"time"

	"facteur/server/contentline"
)

// Object is a calendar object, read for queries. It does not change.
type Object struct {
	UID  string
	Kind string // VEVENT, VTODO, VJOURNAL, VFREEBUSY or VAVAILABILITY

	calendar *Calendar
	zones    *Zones
	entries  []*entry // of its kind
	of       map[*Component]*entry
}

// The bounds of an object.
const (
	maxEntries = 20_000
	maxFuture  = 100 // overrides with THISANDFUTURE
)

// kinds are the components that an object may be of.
func kinds() []string {
	return []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}
}

// NewObject reads what an index and queries want of a calendar. It takes more than Check
// does: a time in an unknown zone floats. The error is a *contentline.Error.
func NewObject(c *Calendar) (*Object, error) {
	zones, err := c.Zones()
	if err != nil && len(zones.byID) == maxZones {
		return nil, err
	}
	zones.floats = true
	o := &Object{calendar: c, zones: zones, of: make(map[*Component]*entry)}
	future := 0
	for _, child := range c.Children {
		if !slices.Contains(kinds(), child.Name) || o.Kind != "" && child.Name != o.Kind {
			continue
		}
		if o.Kind == "" {
			o.Kind, o.UID = child.Name, child.Value("UID")
		}
		e, err := parseEntry(child, zones)
		if err != nil {
			return nil, err
		}
		if e.andFuture {
			future++
		}
		if future > maxFuture || len(o.entries) == maxEntries {
			return nil, contentline.Errorf(child.Line, "there are too many exceptions: at most %d, of them %d with THISANDFUTURE", maxEntries, maxFuture)
		}
		o.entries, o.of[child] = append(o.entries, e), e
	}
	if o.Kind == "" {
		return nil, contentline.Errorf(c.Line, "the calendar has no event, task or journal")
	}
	return o, nil
}

// Calendar returns what the object was read of.
func (o *Object) Calendar() *Calendar { return o.calendar }

// Span returns a range of time outside of which no query by time finds the object: an
// instance or an alarm of it. last is the end of the last one or later. What floats is in a
// zone of the caller's. infinite: there is no last; a first that is zero: it is found at
// any time, as a task without dates is. All zero: it is never found.
func (o *Object) Span(floating *time.Location) (first, last time.Time, infinite bool) {
	return o.span(floating, &work{left: maxWork})
}

// span is Span with so much work.
func (o *Object) span(floating *time.Location, w *work) (first, last time.Time, infinite bool) {
	b := bounds{first: math.MaxInt64, last: math.MinInt64}
	earlier, later := o.moves(floating)
	for _, e := range o.entries {
		if !e.dated() {
			// RFC 4791 9.9: a VTODO without dates is found by the times of COMPLETED and
			// CREATED, or always.
			if e.Name == "VTODO" || e.Name == "VAVAILABILITY" {
				return time.Time{}, time.Time{}, true
			}
			for _, p := range e.busy {
				b.add(zoneFor(p.start, floating), p.start.wall, p.span)
			}
			continue
		}
		before, after := e.reach(floating, &b)
		if !e.isOverride {
			before, after = max(before, earlier), max(after, later)
		}
		b.entry(e, floating, before, after, w)
	}
	if b.first > b.last {
		return time.Time{}, time.Time{}, false
	}
	return time.Unix(b.first, 0).UTC(), time.Unix(b.last, 0).UTC(), b.infinite
}

// moves returns how far before the first and after the last instance of a series overrides
// with THISANDFUTURE may bring what follows them, with alarms and all.
func (o *Object) moves(floating *time.Location) (earlier, later int64) {
	for _, e := range o.entries {
		if !e.andFuture || !e.dated() {
			continue
		}
		unused := bounds{}
		before, after := e.reach(floating, &unused)
		shift := zoneFor(e.start, floating).unix(e.start.wall) - zoneFor(e.id, floating).unix(e.id.wall)
		// On the wall it is the same all year, so there may be an hour between.
		earlier = max(earlier, before-shift+daySeconds/12)
		later = max(later, after+shift+e.span.rough()+daySeconds/12)
	}
	return earlier, later
}

// bounds are the first and last of some times.
type bounds struct {
	first, last int64
	infinite    bool
}

func (b *bounds) point(unix int64) {
	b.first, b.last = min(b.first, unix), max(b.last, unix)
}

func (b *bounds) add(z *Zone, wall int64, s span) {
	unix := z.unix(wall)
	b.point(unix)
	b.point(s.end(z, wall, unix))
}

// entry adds all instances of a component. Alarms and THISANDFUTURE reach out by some
// seconds before the first and after the last.
func (b *bounds) entry(e *entry, floating *time.Location, before, after int64, w *work) {
	z := zoneFor(e.start, floating)
	own := bounds{first: math.MaxInt64, last: math.MinInt64}
	own.add(z, e.start.wall, e.span)
	if e.isOverride {
		own.point(zoneFor(e.id, floating).unix(e.id.wall))
	}
	for i, p := range e.dates {
		s := e.span
		if e.ownSpan[i] {
			s = p.span
		}
		own.add(zoneFor(p.start, floating), p.start.wall, s)
	}
	for _, r := range e.rules {
		switch {
		case r.Until != nil:
			own.add(z, max(min(r.untilWall(z), endOfTime()), e.start.wall), e.span)
		case r.Count == 0:
			b.infinite = true
		default:
			last := e.start.wall
			for wall := range r.walls(e.start.wall, math.MinInt64, math.MaxInt64, w) {
				last = wall
			}
			own.add(z, last, e.span)
			b.infinite = b.infinite || w.left <= 0
		}
	}
	// Days of the calendar may be an hour longer than 24.
	b.point(own.first - before)
	b.point(own.last + after)
}

// reach returns how far before the first and after the last instance an alarm may be. Alarms
// at a fixed time are added to b.
func (e *entry) reach(floating *time.Location, b *bounds) (before, after int64) {
	for _, c := range e.Children {
		a, err := parseAlarm(c)
		if c.Name != "VALARM" || err != nil {
			continue
		}
		if a.absolute {
			b.point(a.at.Time(floating).Unix())
			b.point(a.at.Time(floating).Unix() + a.repeats*a.every)
			continue
		}
		base := int64(0)
		if a.atEnd {
			base = e.span.rough()
		}
		before = max(before, -(base + a.after.rough()), 0)
		after = max(after, base+a.after.rough()+a.repeats*a.every, 0)
	}
	if before > 0 {
		before += daySeconds / 24
	}
	if after > 0 {
		after += daySeconds / 24
	}
	return before, after
}

// zoneFor returns the zone of a value.
func zoneFor(v Value, floating *time.Location) *Zone {
	if v.zone != nil {
		return v.zone
	}
	return zoneOf(floating)
}
