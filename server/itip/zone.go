package itip

import (
	"slices"
	"time"

	"facteur/server/ical"
)

// maxZones bounds the time zones that are made for a message.
const maxZones = 20

// missingZones makes a VTIMEZONE for each zone that components name and a calendar has not:
// clients leave those out that servers know by name (RFC 7809), mail must not (RFC 5545
// 3.6.5). It tells of a year before the first of them and what comes later.
func missingZones(c *ical.Calendar, parts []*ical.Component) []*ical.Component {
	first := firstStart(parts)
	if first.IsZero() {
		return nil
	}
	var list []*ical.Component
	for _, id := range (&ical.Component{Children: parts}).NamedZones() {
		if len(list) == maxZones || slices.ContainsFunc(c.Children, func(z *ical.Component) bool { return z.Name == "VTIMEZONE" && z.Value("TZID") == id }) {
			continue
		}
		if zone := ical.VTimezone(id, first.AddDate(-1, 0, 0)); zone != nil {
			list = append(list, zone)
		}
	}
	return list
}

// firstStart is the earliest DTSTART, zero when there is none.
func firstStart(parts []*ical.Component) (first time.Time) {
	for _, p := range parts {
		if start, ok := p.Prop("DTSTART"); ok {
			if v, err := ical.ParseValue(start, nil); err == nil && (first.IsZero() || v.Time(nil).Before(first)) {
				first = v.Time(nil)
			}
		}
	}
	return first
}
