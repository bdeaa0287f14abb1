package itip

import (
	"fmt"
	"strings"
	"time"

	"facteur/server/ical"
)

// zoneFor is the zone in which the times of a component are told: its own, if that has a name
// that is known, else that of the mail.
func (m Mail) zoneFor(c *ical.Component) *time.Location {
	start, ok := c.Prop("DTSTART")
	if !ok {
		start, _ = c.Prop("DUE")
	}
	if l := ical.LoadZone(start.Param("TZID")); l != nil {
		return l
	}
	return m.Zone
}

// repeats tells how often an event comes back, ", every week, 5 times"; "": it does not, or
// not in few words.
func (w words) repeats(c *ical.Component, zone *time.Location) string {
	rules := 0
	for _, p := range c.Props {
		if p.Name == "RRULE" || p.Name == "RDATE" {
			rules++
		}
	}
	if rules == 0 {
		return ""
	}
	r, err := ical.ParseRule(c.Value("RRULE"))
	if rules > 1 || err != nil {
		return w.several
	}
	each, ok := w.each[r.Frequency]
	if !ok || len(r.ByHour)+len(r.ByMinute)+len(r.BySecond)+len(r.ByYearDay)+len(r.ByWeekNo)+len(r.BySetPos) > 0 {
		return w.several
	}
	s := ", " + each[0]
	if r.Interval > 1 {
		s = ", " + fmt.Sprintf(each[1], r.Interval)
	}
	if r.Frequency == ical.Weekly && len(r.ByDay) > 1 {
		var days []string
		for _, d := range r.ByDay {
			days = append(days, w.days[d.Weekday])
		}
		s += " (" + strings.Join(days, ", ") + ")"
	}
	if r.Count > 0 {
		s += fmt.Sprintf(w.times, r.Count)
	}
	if r.Until != nil {
		until := r.Until.Time(zone)
		if zone != nil && !r.Until.IsDate() {
			until = until.In(zone)
		}
		s += w.until + w.date(w, until)
	}
	return s
}
