package itip

import (
	"fmt"
	"slices"
	"time"

	"facteur/server/ical"
)

// missingZones makes a VTIMEZONE for each zone that components name and a calendar has not:
// clients leave those out that servers know by name (RFC 7809), mail must not (RFC 5545
// 3.6.5).
func missingZones(c *ical.Calendar, parts []*ical.Component) []*ical.Component {
	named := namedZones(parts)
	for _, child := range c.Children {
		if child.Name == "VTIMEZONE" {
			delete(named, child.Value("TZID"))
		}
	}
	if len(named) == 0 {
		return nil
	}
	first := time.Time{}
	for _, p := range parts {
		if start, ok := p.Prop("DTSTART"); ok {
			if v, err := ical.ParseValue(start, nil); err == nil && (first.IsZero() || v.Time(nil).Before(first)) {
				first = v.Time(nil)
			}
		}
	}
	var ids []string
	for id := range named {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var list []*ical.Component
	for _, id := range ids {
		if l := ical.LoadZone(id); l != nil && !first.IsZero() && len(list) < maxZones {
			list = append(list, timeZone(id, l, first))
		}
	}
	return list
}

const (
	maxZones  = 20
	zoneYears = 10 // that a VTIMEZONE made here tells of
)

// timeZone writes a zone as a VTIMEZONE: each change of the clocks from before a time on,
// for some years.
func timeZone(id string, l *time.Location, from time.Time) *ical.Component {
	z := &ical.Component{Name: "VTIMEZONE", Props: []ical.Prop{{Name: "TZID", Value: id}}}
	at := from.AddDate(-1, 0, 0).In(l)
	until := from.AddDate(zoneYears, 0, 0)
	begin, next := at.ZoneBounds()
	if begin.IsZero() {
		begin = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	kinds := make(map[string]*ical.Component)
	for {
		add(z, kinds, begin.In(l))
		if next.IsZero() || next.After(until) {
			return z
		}
		begin = next
		_, next = begin.In(l).ZoneBounds()
	}
}

// add adds a change of the clocks, of which each kind is one component.
func add(z *ical.Component, kinds map[string]*ical.Component, at time.Time) {
	name, to := at.Zone()
	_, from := at.Add(-time.Second).Zone()
	kind := "STANDARD"
	if at.IsDST() {
		kind = "DAYLIGHT"
	}
	wall := at.UTC().Add(time.Duration(from) * time.Second).Format(utcForm[:15])
	key := fmt.Sprint(kind, name, from, to)
	if c := kinds[key]; c != nil {
		c.Props = append(c.Props, ical.Prop{Name: "RDATE", Value: wall})
		return
	}
	c := &ical.Component{Name: kind, Props: []ical.Prop{
		{Name: "DTSTART", Value: wall}, {Name: "TZOFFSETFROM", Value: offset(from)}, {Name: "TZOFFSETTO", Value: offset(to)}, {Name: "TZNAME", Value: name},
	}}
	kinds[key] = c
	z.Children = append(z.Children, c)
}

// offset writes a UTC-OFFSET (RFC 5545 3.3.14).
func offset(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	s := fmt.Sprintf("%s%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		s += fmt.Sprintf("%02d", seconds%60)
	}
	return s
}
