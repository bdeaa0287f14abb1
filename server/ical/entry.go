package ical

import (
	"slices"
	"strings"

	"facteur/server/contentline"
)

// entry is a component of an object with its times read.
type entry struct {
	*Component
	start, due   Value
	hasStart     bool
	hasDue       bool // of a VTODO
	hasDuration  bool
	span         span
	rules        []*Rule
	exceptRules  []*Rule // EXRULE of RFC 2445
	dates        []period
	ownSpan      []bool // of dates: it is a PERIOD
	exceptDates  []Value
	id           Value // RECURRENCE-ID
	isOverride   bool
	andFuture    bool
	busy         []period // of a VFREEBUSY
	done, create *Value   // COMPLETED and CREATED
}

// The bounds of a component.
const (
	maxRules = 2000   // lines of RRULE, EXRULE, RDATE, EXDATE and FREEBUSY together
	maxDates = 20_000 // values of the last three
)

// parseEntry reads the times of a component.
func parseEntry(c *Component, zones *Zones) (*entry, error) {
	e := &entry{Component: c}
	var end *Value
	var duration *Duration
	rules := 0
	for _, p := range c.Props {
		var err error
		switch p.Name {
		case "DTSTART":
			e.start, err = ParseValue(p, zones)
			e.hasStart = true
		case "DTEND":
			end, err = valueOf(p, zones)
		case "DUE":
			if c.Name == "VTODO" {
				e.due, err = ParseValue(p, zones)
				e.hasDue = true
			}
		case "DURATION":
			var d Duration
			d, err = ParseDuration(p.Value)
			duration = &d
		case "RECURRENCE-ID":
			e.id, err = ParseValue(p, zones)
			e.isOverride, e.andFuture = true, strings.EqualFold(p.Param("RANGE"), "THISANDFUTURE")
		case "COMPLETED":
			e.done, err = valueOf(p, zones)
		case "CREATED":
			e.create, err = valueOf(p, zones)
		case "RRULE", "EXRULE", "RDATE", "EXDATE", "FREEBUSY":
			if rules++; rules > maxRules {
				return nil, contentline.Errorf(p.Number, "%s has more than %d rules and lists of dates", c.Name, maxRules)
			}
			err = e.set(p, zones)
			if len(e.dates)+len(e.exceptDates)+len(e.busy) > maxDates {
				return nil, contentline.Errorf(p.Number, "%s has more than %d dates", c.Name, maxDates)
			}
		}
		if err != nil {
			return nil, at(p, err)
		}
	}
	e.length(end, duration)
	for _, r := range slices.Concat(e.rules, e.exceptRules) {
		// Of rules for days clients write UNTIL also as midnight in UTC, and mean the day.
		if e.start.date && r.Until != nil && r.Until.zone != nil && floorMod(r.Until.wall, daySeconds) == 0 {
			r.Until = &Value{wall: r.Until.wall, date: true}
		}
	}
	return e, nil
}

func valueOf(p Prop, zones *Zones) (*Value, error) {
	v, err := ParseValue(p, zones)
	return &v, err
}

// set reads a property that there may be several of.
func (e *entry) set(p Prop, zones *Zones) error {
	switch p.Name {
	case "FREEBUSY":
		periods, err := parsePeriods(p, zones)
		e.busy = append(e.busy, periods...)
		return err
	case "EXDATE":
		values, err := parseValues(p, zones)
		e.exceptDates = append(e.exceptDates, values...)
		return err
	case "RDATE":
		if strings.Contains(p.Value, "/") {
			periods, err := parsePeriods(p, zones)
			for _, one := range periods {
				e.dates, e.ownSpan = append(e.dates, one), append(e.ownSpan, true)
			}
			return err
		}
		values, err := parseValues(p, zones)
		for _, v := range values {
			e.dates, e.ownSpan = append(e.dates, period{start: v}), append(e.ownSpan, false)
		}
		return err
	}
	r, err := ParseRule(p.Value)
	if err != nil {
		return err
	}
	if p.Name == "EXRULE" {
		e.exceptRules = append(e.exceptRules, r)
	} else {
		e.rules = append(e.rules, r)
	}
	return nil
}

// length finds how long the component lasts (RFC 5545 3.6.1, 3.6.2).
func (e *entry) length(end *Value, duration *Duration) {
	if e.hasDue && !e.hasStart {
		e.start = e.due
		return
	}
	switch {
	case !e.hasStart:
	case e.Name == "VTODO" && e.hasDue:
		e.span = spanBetween(e.start, e.due)
	case e.Name != "VTODO" && end != nil:
		e.span = spanBetween(e.start, *end)
	case duration != nil:
		e.span, e.hasDuration = span{nominal: *duration}, true
	case e.start.date && e.Name != "VTODO":
		e.span = span{nominal: Duration{Days: 1}}
	}
	if e.span.rough() < 0 {
		e.span = span{}
	}
}

// dated says whether it has a place in time.
func (e *entry) dated() bool { return e.hasStart || e.hasDue }

// recurring says whether there may be more than one instance.
func (e *entry) recurring() bool { return len(e.rules)+len(e.dates) > 0 }

// overlaps says whether an instance lies in a range of time (RFC 4791 9.9).
func (e *entry) overlaps(start, end, from, to int64) bool {
	switch e.Name {
	case "VTODO":
		switch {
		case !e.hasStart:
			return from < end && to >= end
		case e.hasDue:
			return (from < end || from <= start) && (to > start || to >= end)
		case e.hasDuration:
			return from <= end && (to > start || to >= end)
		}
		return from <= start && to > start
	case "VFREEBUSY":
		return from <= end && to > start
	}
	if end > start {
		return from < end && to > start
	}
	return from <= start && to > start
}
