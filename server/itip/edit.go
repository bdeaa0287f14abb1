package itip

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// Nothing that was given is changed: these make copies that share the rest.

// withParts returns a calendar with other components, but with its own time zones and
// properties; of the zones only those that are named.
func withParts(c *ical.Calendar, parts []*ical.Component) *ical.Calendar {
	out := *c
	named := namedZones(parts)
	out.Children = nil
	for _, child := range c.Children {
		if !isPart(child) && (child.Name != "VTIMEZONE" || named[child.Value("TZID")]) {
			out.Children = append(out.Children, child)
		}
	}
	out.Children = append(out.Children, parts...)
	return &out
}

// namedZones returns each TZID that components name.
func namedZones(parts []*ical.Component) map[string]bool {
	named := make(map[string]bool)
	for _, id := range (&ical.Component{Children: parts}).NamedZones() {
		named[id] = true
	}
	return named
}

// copyOf returns a copy of a component whose properties may be changed, but not their
// parameters.
func copyOf(c *ical.Component) *ical.Component {
	out := *c
	out.Props = slices.Clone(c.Props)
	return &out
}

// without returns a copy of a component without some properties.
func without(c *ical.Component, names ...string) *ical.Component {
	out := *c
	out.Props = make([]ical.Prop, 0, len(c.Props))
	for _, p := range c.Props {
		if !slices.Contains(names, p.Name) {
			out.Props = append(out.Props, p)
		}
	}
	return &out
}

// setParam returns a property with a parameter; "": without it.
func setParam(p ical.Prop, name, value string) ical.Prop {
	i := slices.IndexFunc(p.Params, func(q contentline.Param) bool { return q.Name == name })
	switch {
	case value == "" && i < 0:
		return p
	case value == "":
		return p.Without(name)
	case i < 0:
		p.Params = append(slices.Clip(p.Params), contentline.Param{Name: name, Values: []string{value}})
		return p
	}
	p.Params = slices.Clone(p.Params)
	p.Params[i] = contentline.Param{Name: name, Values: []string{value}}
	return p
}

// setProp sets the one property of a name.
func setProp(c *ical.Component, p ical.Prop) {
	for i := range c.Props {
		if c.Props[i].Name == p.Name {
			c.Props[i] = p
			return
		}
	}
	c.Props = append(c.Props, p)
}

func setValue(c *ical.Component, name, value string) { setProp(c, ical.Prop{Name: name, Value: value}) }

func setSequence(c *ical.Component, n int) { setValue(c, "SEQUENCE", strconv.Itoa(n)) }

// utcForm is that of a DATE-TIME in UTC.
const utcForm = "20060102T150405Z"

func setStamp(c *ical.Component, t time.Time) { setValue(c, "DTSTAMP", t.UTC().Format(utcForm)) }

// only returns the properties of some names, in their order.
func only(c *ical.Component, names ...string) []ical.Prop {
	var list []ical.Prop
	for _, p := range c.Props {
		if slices.Contains(names, p.Name) {
			list = append(list, p)
		}
	}
	return list
}

// derive makes the component of one instance of that of all, at a time as RECURRENCE-ID,
// RDATE or EXDATE names it.
func (o *object) derive(master *ical.Component, at ical.Prop) *ical.Component {
	c := without(master, "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")
	at = o.asStart(master, at)
	id := at
	id.Name = "RECURRENCE-ID"
	setProp(c, id)
	start, hasStart := master.Prop("DTSTART")
	if hasStart {
		at.Name = "DTSTART"
		setProp(c, at)
	}
	for i, p := range c.Props {
		if hasStart && (p.Name == "DTEND" || p.Name == "DUE") {
			c.Props[i] = o.movedEnd(start, p, at)
		}
	}
	return c
}

// asStart writes a time as DTSTART of a component has it, where that can be done; without
// parameters that only mean something elsewhere.
func (o *object) asStart(master *ical.Component, at ical.Prop) ical.Prop {
	out := ical.Prop{Name: at.Name, Value: at.Value, Params: paramsOf(at.Params, "TZID", "VALUE")}
	start, ok := master.Prop("DTSTART")
	if !ok {
		return out
	}
	own, err := ical.ParseValue(start, o.zones)
	v, err2 := ical.ParseValue(at, o.zones)
	if err != nil || err2 != nil {
		return out
	}
	switch {
	case own.IsDate() && !v.IsDate():
		out.Value = v.String()[:8]
		out.Params = []contentline.Param{{Name: "VALUE", Values: []string{"DATE"}}}
	case v.IsDate() && !own.IsDate(): // a day for the time of that day
		out.Value += start.Value[min(8, len(start.Value)):]
		out.Params = paramsOf(start.Params, "TZID")
	case own.IsDate() || v.Floating() || own.Floating():
	case strings.HasSuffix(start.Value, "Z"):
		out.Value, out.Params = v.Time(nil).UTC().Format(utcForm), nil
	case start.Param("TZID") != at.Param("TZID"):
		out.Value, out.Params = v.Time(nil).UTC().Format(utcForm), nil
		if local, ok := o.inZoneOf(start, v.Time(nil)); ok {
			out.Value, out.Params = local, paramsOf(start.Params, "TZID")
		}
	}
	return out
}

// inZoneOf writes a point in time as the clocks in the zone of a property show it.
func (o *object) inZoneOf(p ical.Prop, t time.Time) (string, bool) {
	wall := t.UTC()
	for range 3 {
		p.Value = wall.Format(utcForm[:15])
		v, err := ical.ParseValue(p, o.zones)
		if err != nil {
			return "", false
		}
		off := v.Time(nil).Sub(t)
		if off == 0 {
			return p.Value, true
		}
		wall = wall.Add(-off)
	}
	return "", false
}

// portable is a time that another calendar can have, which has not the time zones of this.
func (o *object) portable(p ical.Prop) ical.Prop {
	if !o.zones.Has(p.Param("TZID")) {
		return p
	}
	v, err := ical.ParseValue(p, o.zones)
	if err != nil || v.IsDate() || v.Floating() {
		return p
	}
	p = p.Without("TZID")
	p.Value = v.Time(nil).UTC().Format(utcForm)
	return p
}

// paramsOf returns the parameters of some names.
func paramsOf(params []contentline.Param, names ...string) []contentline.Param {
	var list []contentline.Param
	for _, p := range params {
		if slices.Contains(names, p.Name) {
			list = append(list, p)
		}
	}
	return list
}

// movedEnd is the end of an instance at another time.
func (o *object) movedEnd(start, end, at ical.Prop) ical.Prop {
	s, err1 := ical.ParseValue(start, o.zones)
	e, err2 := ical.ParseValue(end, o.zones)
	a, err3 := ical.ParseValue(at, o.zones)
	if err1 != nil || err2 != nil || err3 != nil || e.IsDate() != s.IsDate() || a.IsDate() != s.IsDate() {
		return end
	}
	form := utcForm[:15]
	if s.IsDate() {
		form = utcForm[:8]
	}
	sameZone := start.Param("TZID") == end.Param("TZID") && strings.HasSuffix(start.Value, "Z") == strings.HasSuffix(end.Value, "Z")
	from, ok1 := wallOf(s)
	to, ok2 := wallOf(e)
	begin, ok3 := wallOf(a)
	if sameZone && ok1 && ok2 && ok3 {
		at.Name = end.Name
		at.Value = begin.Add(to.Sub(from)).Format(form)
		if strings.HasSuffix(a.String(), "Z") {
			at.Value += "Z"
		}
		return at
	}
	seconds := int64(e.Time(o.floating).Sub(s.Time(o.floating)) / time.Second)
	if end.Name == "DUE" || seconds < 0 {
		at.Name = end.Name
		at.Value, at.Params = a.Time(o.floating).Add(time.Duration(max(seconds, 0))*time.Second).UTC().Format(utcForm), nil
		return at
	}
	return ical.Prop{Name: "DURATION", Value: fmt.Sprintf("PT%dS", seconds)}
}

// wallOf returns what a clock shows, as if it were in UTC.
func wallOf(v ical.Value) (time.Time, bool) {
	return wallIn(v.String())
}

// wallIn is wallOf for a value as it is written.
func wallIn(s string) (time.Time, bool) {
	s = strings.TrimSuffix(s, "Z")
	form := utcForm[:15]
	if len(s) == len("20060102") {
		form = utcForm[:8]
	}
	t, err := time.Parse(form, s)
	return t, err == nil
}
