package itip

import (
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// Instance returns the component of one instance of a series, by the value of RECURRENCE-ID that
// it has or would have: in UTC, or as the clock in the zone of DTSTART shows it, or a DATE.
// made: it is none of the calendar's, but made of that of all (RFC 5545 3.8.4.4). nil: there is
// no such instance.
func Instance(c *ical.Calendar, id string) (part *ical.Component, made bool) {
	o := readObject(c, nil)
	master, whole := o.master()
	at := ical.Prop{Name: "RECURRENCE-ID", Value: id}
	start, _ := master.prop("DTSTART")
	switch {
	case len(id) == len("20060102"):
		at.Params = []contentline.Param{{Name: "VALUE", Values: []string{"DATE"}}}
	case !strings.HasSuffix(id, "Z") && whole:
		at.Params = paramsOf(start.Params, "TZID")
	case !strings.HasSuffix(id, "Z") && len(o.parts) > 0: // only exceptions are known
		was, _ := o.parts[0].Prop("RECURRENCE-ID")
		at.Params = paramsOf(was.Params, "TZID")
	}
	when, err := ical.ParseValue(at, o.zones)
	if err != nil {
		return nil, false
	}
	if p, ok := o.part(o.point(at)); ok && p.id != "" {
		return p.Component, false
	}
	if !whole || !o.occurs(when) {
		return nil, false
	}
	return o.derive(master.Component, at), true
}

// prop is that of a component that may not be there.
func (p part) prop(name string) (ical.Prop, bool) {
	if p.Component == nil {
		return ical.Prop{}, false
	}
	return p.Component.Prop(name)
}

// occurs tells whether a series has an instance at a time, which no exception describes.
func (o *object) occurs(when ical.Value) bool {
	series, err := ical.NewObject(o.cal)
	if err != nil {
		return false
	}
	at := when.Time(nil)
	list, _, err := series.Instances(at, at.Add(time.Second), nil, 0)
	if err != nil {
		return false
	}
	for _, i := range list {
		if i.Recurring && i.ID.IsDate() == when.IsDate() && i.ID.Time(nil).Equal(at) {
			return true
		}
	}
	return false
}
