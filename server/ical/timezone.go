package ical

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The years that a VTIMEZONE made here tells of. What the clocks do in the last of them they
// do for ever: the rules of a zone then have all days that they can have behind them.
const (
	firstZoneYear = 1970
	lastZoneYear  = 2125

	// minRun is how many years in a row make a rule; fewer are dates.
	minRun = 3
)

// VTimezone makes the VTIMEZONE of a TZID that LoadZone knows (RFC 5545 3.6.5, RFC 7809 3.1.3),
// as the time zone database has it: what the clocks show at a time and ever after, before 1970
// what they showed then. nil: the name is unknown.
func VTimezone(id string, from time.Time) *Component {
	l := LoadZone(id)
	if l == nil {
		return nil
	}
	begin := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
	var parts []*Component
	if from.After(begin) {
		parts = observancesOf(l, from)
	} else if all, ok := wholeZones.Load(l.String()); ok {
		parts = all.([]*Component)
	} else {
		parts = observancesOf(l, begin)
		wholeZones.Store(l.String(), parts)
	}
	return &Component{Name: "VTIMEZONE", Props: []Prop{{Name: "TZID", Value: id}}, Children: parts}
}

// wholeZones are the observances of zones since firstZoneYear, by their names, of which there
// are as many as the time zone database has.
var wholeZones sync.Map

// shift is a change of the clocks.
type shift struct {
	unix     int64
	from, to int // seconds east of UTC
	kind     string
	name     string
}

// wall is the time that clocks show until then.
func (s shift) wall() int64 { return s.unix + int64(s.from) }

// same says whether two are changes of one kind, which an observance may have.
func (s shift) same(o shift) bool {
	return s.from == o.from && s.to == o.to && s.kind == o.kind && s.name == o.name
}

// observancesOf makes the observances of a zone, by their begin.
func observancesOf(l *time.Location, from time.Time) []*Component {
	list := shiftsOf(l, from)
	var parts []*Component
	for len(list) > 0 {
		var own, others []shift
		for _, s := range list {
			if s.same(list[0]) {
				own = append(own, s)
			} else {
				others = append(others, s)
			}
		}
		parts, list = append(parts, observancesBy(own)...), others
	}
	slices.SortStableFunc(parts, func(a, b *Component) int { return cmp.Compare(a.Value("DTSTART"), b.Value("DTSTART")) })
	return parts
}

// shiftsOf returns the change that holds at a time, and those that come later.
func shiftsOf(l *time.Location, from time.Time) (list []shift) {
	begin, at := zoneBounds(from.In(l))
	list = append(list, shiftAt(lastShift(begin.In(l))))
	list[0].name, _ = from.In(l).Zone()
	for !at.IsZero() && at.Year() <= lastZoneYear {
		if s := shiftAt(at.In(l)); s.from != s.to {
			list = append(list, s)
		}
		_, at = zoneBounds(at.In(l))
	}
	return list
}

// lastShift goes back to where the clocks were changed: package time also ends a span with the year.
func lastShift(at time.Time) time.Time {
	for !at.IsZero() {
		if s := shiftAt(at); s.from != s.to {
			return at
		}
		begin, _ := zoneBounds(at.Add(-time.Second))
		at = begin.In(at.Location())
		if begin.IsZero() {
			break
		}
	}
	return time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC).In(at.Location())
}

// zoneBounds is ZoneBounds, with an end that lies ahead: in the last day of a leap year it
// does not.
func zoneBounds(at time.Time) (begin, end time.Time) {
	begin, end = at.ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		end = at.Add(24 * time.Hour)
	}
	return begin, end
}

// shiftAt is the change of the clocks at a time. Summer time is what is later than the rest of
// the year: of Ireland and Morocco the database says that winter is the exception.
func shiftAt(at time.Time) shift {
	before := at.Add(-time.Second)
	s := shift{unix: at.Unix(), kind: "STANDARD"}
	s.name, s.to = at.Zone()
	_, s.from = before.Zone()
	summer := at.IsDST()
	if before.IsDST() != at.IsDST() && s.from != s.to {
		summer = s.to > s.from
	}
	if summer {
		s.kind = "DAYLIGHT"
	}
	return s
}

// observancesBy makes the observances of changes of one kind: a rule for each run of years, and
// one with the dates that are of no run.
func observancesBy(list []shift) (parts []*Component) {
	var rest []shift
	for len(list) > 0 {
		n, rule := runOf(list)
		if n < minRun {
			rest, list = append(rest, list[0]), list[1:]
			continue
		}
		last := list[n-1]
		if wallTime(last.wall()).Year() < lastZoneYear {
			rule += ";UNTIL=" + time.Unix(last.unix, 0).UTC().Format(timeForm) + "Z" // RFC 5545 3.6.5: in UTC
		}
		part := observanceOf(list[0])
		part.Props = append(part.Props, Prop{Name: "RRULE", Value: rule})
		parts, list = append(parts, part), list[n:]
	}
	if len(rest) == 0 {
		return parts
	}
	part := observanceOf(rest[0])
	for _, s := range rest[1:] {
		part.Props = append(part.Props, Prop{Name: "RDATE", Value: wallTime(s.wall()).Format(timeForm)})
	}
	return append(parts, part)
}

// observanceOf is the observance of one change.
func observanceOf(s shift) *Component {
	return &Component{Name: s.kind, Props: []Prop{
		{Name: "DTSTART", Value: wallTime(s.wall()).Format(timeForm)},
		{Name: "TZOFFSETFROM", Value: formatOffset(s.from)}, {Name: "TZOFFSETTO", Value: formatOffset(s.to)},
		{Name: "TZNAME", Value: s.name},
	}}
}

// runOf returns how many changes follow one rule: one in each year, at the same time of a
// day that is found the same way.
func runOf(list []shift) (n int, rule string) {
	first := wallTime(list[0].wall())
	var days dayRule
	for i, s := range list {
		at := wallTime(s.wall())
		if at.Year() != first.Year()+i || at.Month() != first.Month() || at.Format(time.TimeOnly) != first.Format(time.TimeOnly) {
			break
		}
		next := days.with(at)
		r := next.String()
		if r == "" {
			break
		}
		days, n = next, i+1
		rule = fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;%s", first.Month(), r)
	}
	return n, rule
}

// dayRule is what some days of one month, of different years, have in common.
type dayRule struct {
	n        int
	weekday  time.Weekday
	weekly   bool // all are of that weekday
	min, max int  // of the days of the month
	last     bool // all are of the last seven days of the month
}

// with is the rule of one more day.
func (d dayRule) with(at time.Time) dayRule {
	day := at.Day()
	inLast := day > monthLength(at.Year(), int(at.Month()))-7
	if d.n == 0 {
		return dayRule{1, at.Weekday(), true, day, day, inLast}
	}
	return dayRule{d.n + 1, d.weekday, d.weekly && at.Weekday() == d.weekday, min(d.min, day), max(d.max, day), d.last && inLast}
}

// String writes the rule as parts of a RRULE (RFC 5545 3.3.10), "" when the days have nothing in
// common.
func (d dayRule) String() string {
	weekday := strings.ToUpper(d.weekday.String()[:2])
	switch {
	case d.min == d.max:
		return "BYMONTHDAY=" + strconv.Itoa(d.min)
	case !d.weekly || d.max-d.min > 6:
		return ""
	case d.last:
		return "BYDAY=-1" + weekday
	case (d.min-1)/7 == (d.max-1)/7:
		return fmt.Sprintf("BYDAY=%d%s", (d.max-1)/7+1, weekday)
	}
	var days []string
	for day := max(d.max-6, 1); day <= d.max; day++ {
		days = append(days, strconv.Itoa(day))
	}
	return "BYDAY=" + weekday + ";BYMONTHDAY=" + strings.Join(days, ",")
}

// formatOffset writes a UTC-OFFSET (RFC 5545 3.3.14).
func formatOffset(seconds int) string {
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

// Standard says whether a TZID is a name of the time zone database (RFC 7809 1), which clients
// know without a VTIMEZONE. The names of Windows, and those with a prefix, are not.
func Standard(id string) bool { return load(id) != nil }

// WithZones returns the calendar with a VTIMEZONE for each zone that is named, known and not
// there; changed: there was one. The calendar itself stays as it is. Of more names than a calendar may
// have zones (maxZones) the rest is passed over.
func (c *Calendar) WithZones() (out *Calendar, changed bool) {
	has := make(map[string]bool)
	for _, child := range c.Children {
		if child.Name == "VTIMEZONE" {
			has[child.Value("TZID")] = true
		}
	}
	var made []*Component
	missing := slices.DeleteFunc(c.NamedZones(), func(id string) bool { return has[id] })
	for _, id := range missing[:min(len(missing), maxZones)] { // also of those that are unknown: to know that takes time
		if zone := VTimezone(id, time.Time{}); zone != nil {
			made = append(made, zone)
		}
	}
	if len(made) == 0 {
		return c, false
	}
	copied := *c
	copied.Children = append(made, c.Children...)
	return &copied, true
}

// WithoutZones returns the calendar without the VTIMEZONE components that clients know by their
// name (RFC 7809 3.1.3); changed: there was one. The calendar itself stays as it is.
func (c *Calendar) WithoutZones() (out *Calendar, changed bool) {
	copied := *c
	copied.Children = slices.DeleteFunc(slices.Clone(c.Children), func(child *Component) bool {
		return child.Name == "VTIMEZONE" && Standard(child.Value("TZID"))
	})
	if len(copied.Children) == len(c.Children) {
		return c, false
	}
	return &copied, true
}

// NamedZones returns each TZID that properties name in a component and what is in it, sorted.
func (c *Component) NamedZones() []string {
	named := make(map[string]bool)
	var look func(*Component)
	look = func(c *Component) {
		for _, p := range c.Props {
			if id := p.Param("TZID"); id != "" {
				named[id] = true
			}
		}
		for _, child := range c.Children {
			look(child)
		}
	}
	look(c)
	out := make([]string, 0, len(named))
	for id := range named {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
