package itip

import (
	"slices"
	"time"

	"facteur/server/ical"
)

// The bounds of the time zones that are made for a message, and of those that are looked for: to know
// that there is none of a name takes time.
const (
	maxZones   = 20
	maxLookups = 200
)

// missingZones makes a VTIMEZONE for each zone that components name and a calendar has not:
// clients leave those out that servers know by name (RFC 7809), mail must not (RFC 5545
// 3.6.5). It tells of a year before the first of them and what comes later.
func missingZones(c *ical.Calendar, parts []*ical.Component) []*ical.Component {
	first := firstStart(parts)
	if first.IsZero() {
		return nil
	}
	missing := slices.DeleteFunc((&ical.Component{Children: parts}).NamedZones(), func(id string) bool {
		return slices.ContainsFunc(c.Children, func(z *ical.Component) bool { return z.Name == "VTIMEZONE" && z.Value("TZID") == id })
	})
	var list []*ical.Component
	for _, id := range missing[:min(len(missing), maxLookups)] {
		if len(list) == maxZones {
			break
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
