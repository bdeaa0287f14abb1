package ical

import (
	"slices"
	"strings"
	"time"

	"facteur/server/contentline"
)

// Selection is which parts of a component a REPORT asks for (RFC 4791 9.6.1 to 9.6.4).
type Selection struct {
	Name     string // in upper case
	AllProps bool
	Props    []SelectedProp
	AllComps bool
	Comps    []Selection
}

// SelectedProp is a property that is asked for.
type SelectedProp struct {
	Name    string // in upper case
	NoValue bool   // its value is left empty
}

// Select returns the parts of a calendar that a selection, of VCALENDAR, names. A
// component with neither properties nor components selected has none.
func (c *Calendar) Select(s Selection) *Calendar {
	return &Calendar{*c.Component.selected(s)}
}

func (c *Component) selected(s Selection) *Component {
	out := &Component{Name: c.Name, Line: c.Line}
	for _, p := range c.Props {
		if s.AllProps {
			out.Props = append(out.Props, p)
			continue
		}
		if i := slices.IndexFunc(s.Props, func(q SelectedProp) bool { return q.Name == p.Name }); i >= 0 {
			if s.Props[i].NoValue {
				p.Value = ""
			}
			out.Props = append(out.Props, p)
		}
	}
	for _, child := range c.Children {
		if s.AllComps {
			out.Children = append(out.Children, child)
			continue
		}
		if i := slices.IndexFunc(s.Comps, func(q Selection) bool { return q.Name == child.Name }); i >= 0 {
			out.Children = append(out.Children, child.selected(s.Comps[i]))
		}
	}
	return out
}

// Expand returns the calendar with a component for each instance in a range of time, all
// in UTC and without time zones (RFC 4791 9.6.5). What floats stays so. truncated: there
// were more than max, or MaxInstances where that is 0.
func (o *Object) Expand(r TimeRange, floating *time.Location, max int) (c *Calendar, truncated bool, err error) {
	list, truncated, err := o.Instances(r.From, r.To, floating, max)
	if err != nil {
		return nil, false, err
	}
	out := &Calendar{*o.calendar.without()}
	out.Children = nil
	for _, i := range list {
		out.Children = append(out.Children, o.expanded(i))
	}
	for _, e := range o.entries {
		if !e.dated() && (&matcher{Object: o, floating: floating}).undatedIn(e, r) {
			out.Children = append(out.Children, e.Component)
		}
	}
	return out, truncated, nil
}

// expanded is the component of one instance.
func (o *Object) expanded(i Instance) *Component {
	c := i.Component.without("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")
	e := o.of[i.Component]
	if i.Recurring || e.isOverride {
		c.Props = append(c.Props, valueProp("RECURRENCE-ID", i.ID.inUTC()))
	}
	start, end := "DTSTART", "DTEND"
	if !e.hasStart {
		start = ""
	}
	if e.Name == "VTODO" {
		end = "DUE"
	}
	value := func(t time.Time) Value {
		switch {
		case e.start.date:
			return Value{wall: wallOf(t), date: true}
		case e.start.zone == nil:
			return Value{wall: wallOf(t)}
		}
		return Value{wall: t.Unix(), zone: utc()}
	}
	for n, p := range c.Props {
		switch p.Name {
		case start:
			c.Props[n] = moved(p, value(i.Start))
		case end:
			if own, err := ParseValue(p, o.zones); err == nil && own.date == e.start.date {
				c.Props[n] = moved(p, value(i.End))
			}
		}
	}
	first, last := value(i.Start), value(i.End)
	// A period of RDATE has a length of its own (RFC 5545 3.8.5.2), and a day of DURATION is not 24 hours
	// when a clock was changed in it (3.3.6), as it is in UTC.
	if _, has := c.Prop(end); !has && e.hasStart && last.wall != first.wall+e.span.rough() {
		c.Props = slices.DeleteFunc(c.Props, func(p Prop) bool { return p.Name == "DURATION" })
		c.Props = append(c.Props, valueProp(end, last))
	}
	return c
}

// moved is a property with another time.
func moved(p Prop, v Value) Prop {
	p = p.Without("TZID")
	p.Value = v.String()
	return p
}

// valueProp makes a property of a time in UTC, a floating one, or a date.
func valueProp(name string, v Value) Prop {
	p := Prop{Name: name, Value: v.String()}
	if v.date {
		p.Params = []contentline.Param{{Name: "VALUE", Values: []string{"DATE"}}}
	}
	return p
}

// inUTC is the same point in time in UTC; what floats stays so.
func (v Value) inUTC() Value {
	if v.zone == nil {
		return v
	}
	return Value{wall: v.zone.unix(v.wall), zone: utc()}
}

// LimitRecurrences returns the calendar without the overrides that have nothing to do with
// a range of time (RFC 4791 9.6.6): neither what they are nor what they replace lies in it.
func (o *Object) LimitRecurrences(r TimeRange, floating *time.Location) *Calendar {
	out := &Calendar{*o.calendar.without()}
	out.Children = slices.DeleteFunc(slices.Clone(out.Children), func(c *Component) bool {
		e := o.of[c]
		return e != nil && e.isOverride && !o.matters(e, r, floating)
	})
	return out
}

func (o *Object) matters(e *entry, r TimeRange, floating *time.Location) bool {
	from, to := r.unix()
	id := zoneFor(e.id, floating).unix(e.id.wall)
	if e.andFuture {
		start := id
		if e.dated() {
			start = min(start, zoneFor(e.start, floating).unix(e.start.wall))
		}
		return start < to // and has no end
	}
	span := e.span
	for _, master := range o.entries {
		if !master.isOverride {
			span = master.span
		}
	}
	if e.overlaps(id, span.end(zoneFor(e.id, floating), e.id.wall, id), from, to) {
		return true
	}
	start, end := e.times(floating)
	return !e.dated() || e.overlaps(start, end, from, to)
}

// LimitFreeBusy returns the calendar with only those periods of FREEBUSY that overlap a
// range of time (RFC 4791 9.6.7).
func (o *Object) LimitFreeBusy(r TimeRange, floating *time.Location) *Calendar {
	from, to := r.unix()
	out := &Calendar{*o.calendar.without()}
	out.Children = slices.Clone(out.Children)
	for i, c := range out.Children {
		if c.Name != "VFREEBUSY" {
			continue
		}
		c = c.without()
		c.Props = slices.DeleteFunc(c.Props, func(p Prop) bool { return p.Name == "FREEBUSY" && len(o.inRange(p, from, to, floating)) == 0 })
		for n, p := range c.Props {
			if p.Name == "FREEBUSY" {
				c.Props[n].Value = strings.Join(o.inRange(p, from, to, floating), ",")
			}
		}
		out.Children[i] = c
	}
	return out
}

// inRange returns the periods of a FREEBUSY that overlap a range, as they stand.
func (o *Object) inRange(p Prop, from, to int64, floating *time.Location) []string {
	var kept []string
	for s := range strings.SplitSeq(p.Value, ",") {
		one := p
		one.Value = s
		periods, err := parsePeriods(one, o.zones)
		if err != nil {
			continue
		}
		if start, end := periods[0].times(floating); from < end && to > start {
			kept = append(kept, s)
		}
	}
	return kept
}
