package ical

import (
	"errors"
	"strings"
)

// alarm is when a VALARM goes off (RFC 5545 3.6.6, 3.8.6.3).
type alarm struct {
	absolute bool
	at       Value
	after    Duration // after the start, or the end
	atEnd    bool
	repeats  int64
	every    int64 // seconds
}

// maxRepeats bounds REPEAT.
const maxRepeats = 1000

func parseAlarm(c *Component) (alarm, error) {
	var a alarm
	p, ok := c.Prop("TRIGGER")
	if !ok {
		return a, errors.New("VALARM has no TRIGGER")
	}
	var err error
	if strings.ContainsAny(p.Value, "Pp") {
		a.after, err = ParseDuration(p.Value)
		a.atEnd = strings.EqualFold(p.Param("RELATED"), "END")
	} else {
		a.absolute = true
		a.at, err = ParseValue(p, nil)
	}
	if err != nil {
		return a, at(p, err)
	}
	if repeat, ok := c.Prop("REPEAT"); ok {
		n, ok := digits(strings.TrimSpace(repeat.Value))
		if !ok || len(repeat.Value) > 9 {
			return a, at(repeat, errors.New("it is no number"))
		}
		a.repeats = int64(min(n, maxRepeats))
	}
	if every, ok := c.Prop("DURATION"); ok {
		d, err := ParseDuration(every.Value)
		if err != nil {
			return a, at(every, err)
		}
		a.every = max(d.rough(), 0)
	}
	return a, nil
}
