package ical

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"facteur/server/contentline"
)

// observances are the STANDARD and DAYLIGHT components of a VTIMEZONE (RFC 5545 3.6.5).
// They find the changes of a year when it is asked for, and keep them.
type observances struct {
	all []observance

	mu    sync.Mutex // guards what follows; held while the changes of a year are found
	years map[int]yearChanges
	work  work // for all that is ever asked: with none left, rules no longer count
}

// observance is one of them.
type observance struct {
	start    int64 // of the wall, in the offset from
	from, to int64 // seconds east of UTC
	rule     *Rule
	dates    []int64 // RDATE, of the wall
}

// yearChanges are the changes of the offset within a year of UTC.
type yearChanges struct {
	first   int64 // the offset when the year begins
	changes []change
}

type change struct{ unix, offset int64 }

// The bounds of a zone.
const (
	maxObservances  = 500
	maxYears        = 500 // that are kept
	maxYearChanges  = 400 // of one observance
	maxZoneWork     = 4 * maxWork
	observanceSpent = 20_000 // work for one question
)

// parseObservances reads a VTIMEZONE.
func parseObservances(c *Component) (*observances, error) {
	o := &observances{years: make(map[int]yearChanges), work: work{left: maxZoneWork}}
	for _, child := range c.Children {
		if child.Name != "STANDARD" && child.Name != "DAYLIGHT" {
			continue
		}
		if len(o.all) == maxObservances {
			return nil, contentline.Errorf(child.Line, "the time zone has more than %d parts", maxObservances)
		}
		one, err := parseObservance(child)
		if err != nil {
			return nil, err
		}
		o.all = append(o.all, one)
	}
	if len(o.all) == 0 {
		return nil, contentline.Errorf(c.Line, "VTIMEZONE has neither STANDARD nor DAYLIGHT")
	}
	return o, nil
}

func parseObservance(c *Component) (observance, error) {
	var o observance
	seen := 0
	for _, p := range c.Props {
		var err error
		switch p.Name {
		case "DTSTART":
			var v Value
			v, err = ParseValue(p.Without("TZID"), nil)
			o.start, seen = v.wall, seen|1
		case "TZOFFSETFROM":
			o.from, err = parseOffset(p.Value)
			seen |= 2
		case "TZOFFSETTO":
			o.to, err = parseOffset(p.Value)
			seen |= 4
		case "RRULE":
			o.rule, err = ParseRule(p.Value)
		case "RDATE":
			var values []Value
			if p.Param("VALUE") != "PERIOD" {
				values, err = parseValues(p.Without("TZID"), nil)
			}
			for _, v := range values {
				o.dates = append(o.dates, v.wall)
			}
		}
		if err != nil {
			return o, at(p, err)
		}
	}
	if seen != 7 {
		return o, contentline.Errorf(c.Line, "%s needs DTSTART, TZOFFSETFROM and TZOFFSETTO", c.Name)
	}
	return o, nil
}

// parseOffset reads a UTC-OFFSET (RFC 5545 3.3.14): +0100, -053730.
func parseOffset(s string) (int64, error) {
	bad := fmt.Errorf("%q is no offset from UTC", contentline.Clip(s))
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, bad
	}
	h, ok1 := digits(s[1:3])
	m, ok2 := digits(s[3:5])
	sec, ok3 := 0, true
	if len(s) == 7 {
		sec, ok3 = digits(s[5:7])
	}
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 59 {
		return 0, bad
	}
	d := int64(h*3600 + m*60 + sec)
	if s[0] == '-' {
		d = -d
	}
	return d, nil
}

// until is the last time of the wall, in the offset from, at which the rule may apply.
func (o *observance) until() int64 {
	switch {
	case o.rule.Until == nil:
		return math.MaxInt64
	case o.rule.Until.zone != nil: // RFC 5545 3.6.5: in UTC
		return o.rule.Until.wall + o.from
	}
	return o.rule.untilWall(nil)
}

// onsets returns when the observance begins to hold, from one point in time until before
// another.
func (o *observance) onsets(from, to int64, total *work) []int64 {
	var found []int64
	for _, wall := range append([]int64{o.start}, o.dates...) {
		if unix := wall - o.from; unix >= from && unix < to {
			found = append(found, unix)
		}
	}
	if o.rule == nil || total.left <= 0 {
		return found
	}
	w := work{left: min(observanceSpent, total.left)}
	defer func(had int) { total.spend(had - w.left + 1) }(w.left)
	for wall := range o.rule.walls(o.start, from+o.from, min(o.until(), to-1+o.from), &w) {
		if found = append(found, wall-o.from); len(found) > maxYearChanges {
			break
		}
	}
	return found
}

// last returns the last onset before a point in time.
func (o *observance) last(before int64, total *work) (onset int64, ok bool) {
	const year = 366 * daySeconds
	var found []int64
	if o.rule != nil {
		end := before
		if u := o.until(); u < math.MaxInt64 {
			end = min(end, u-o.from+1)
		}
		for _, back := range []int64{year + year/12, 10 * year, 500 * year} {
			if found = o.onsets(end-back, end, total); len(found) > 0 || end-back < o.start-o.from {
				break
			}
		}
	}
	for _, wall := range append([]int64{o.start}, o.dates...) {
		found = append(found, wall-o.from)
	}
	for _, unix := range found {
		if unix < before && (!ok || unix > onset) {
			onset, ok = unix, true
		}
	}
	return onset, ok
}

// offset returns the seconds east of UTC at a point in time.
func (o *observances) offset(unix int64) int64 {
	year := time.Unix(unix, 0).UTC().Year()
	o.mu.Lock()
	y, ok := o.years[year]
	if !ok {
		y = o.find(year)
		if len(o.years) == maxYears {
			clear(o.years)
		}
		o.years[year] = y
	}
	o.mu.Unlock()
	offset := y.first
	for _, c := range y.changes {
		if c.unix > unix {
			break
		}
		offset = c.offset
	}
	return offset
}

// find finds the changes of a year. o.mu is held.
func (o *observances) find(year int) yearChanges {
	from := int64(dayNumber(year, 1, 1)) * daySeconds
	to := int64(dayNumber(year+1, 1, 1)) * daySeconds
	var y yearChanges
	// Before all of them the clocks show what the earliest changed from.
	earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range o.all {
		one := &o.all[i]
		if first := one.start - one.from; first < earliest {
			earliest = first
			if latest == math.MinInt64 {
				y.first = one.from
			}
		}
		if onset, ok := one.last(from, &o.work); ok && onset > latest {
			latest, y.first = onset, one.to
		}
		for _, unix := range one.onsets(from, to, &o.work) {
			y.changes = append(y.changes, change{unix, one.to})
		}
	}
	slices.SortStableFunc(y.changes, func(a, b change) int { return cmp.Compare(a.unix, b.unix) })
	return y
}
