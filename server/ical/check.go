package ical

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"facteur/server/contentline"
)

// What Check finds beside data that are wrong in themselves (the precondition
// valid-calendar-data): an error wraps one of these, or ErrRScale.
var (
	// ErrResource is that of a calendar that RFC 4791 4.1 does not let be an object: the
	// precondition valid-calendar-object-resource.
	ErrResource = errors.New("it is no calendar object resource")
	// ErrKind is that of components that calendars do not keep: the precondition
	// supported-calendar-component.
	ErrKind = errors.New("calendars do not keep such components")
)

// Check says whether a calendar may be kept as a calendar object resource (RFC 4791 4.1):
// components of one kind with one UID, no METHOD, one of them for all instances at most,
// and times and rules that can be read, each TZID with a zone. The error is a
// *contentline.Error. It takes what does no harm and is common: no PRODID or DTSTAMP, rule
// parts that mean nothing.
func (c *Calendar) Check() error {
	if v, ok := c.Prop("VERSION"); !ok || strings.TrimSpace(v.Value) != "2.0" {
		return contentline.Errorf(max(v.Number, c.Line), "VCALENDAR needs VERSION:2.0")
	}
	if p, ok := c.Prop("METHOD"); ok {
		return failed(ErrResource, p.Number, "METHOD may not be in an object that is kept")
	}
	if err := c.checkZones(); err != nil {
		return err
	}
	zones, err := c.Zones()
	if err != nil {
		return err
	}
	var first *Component
	ids := make(map[string]int) // RECURRENCE-ID, and the line of its component
	for _, child := range c.Children {
		if child.Name == "VTIMEZONE" || strings.HasPrefix(child.Name, "X-") {
			continue
		}
		if err := checkKind(first, child); err != nil {
			return err
		}
		if first == nil {
			first = child
		}
		if err := checkComponent(child, zones); err != nil {
			return err
		}
		id := child.Value("RECURRENCE-ID")
		if line, ok := ids[id]; ok {
			return failed(ErrResource, child.Line, "the %s is for the same instances as that of line %d", child.Name, line)
		}
		ids[id] = child.Line
	}
	if first == nil {
		return failed(ErrResource, c.Line, "the calendar has no component but time zones")
	}
	_, err = NewObject(c) // what is kept can be queried
	return err
}

func failed(cause error, line int, format string, args ...any) error {
	return &contentline.Error{Line: line, Text: fmt.Sprintf(format, args...), Err: cause}
}

// checkZones refuses two VTIMEZONE of the same name.
func (c *Calendar) checkZones() error {
	seen := make(map[string]bool)
	for _, child := range c.Children {
		if child.Name != "VTIMEZONE" {
			continue
		}
		id := child.Value("TZID")
		if seen[id] {
			return contentline.Errorf(child.Line, "there are two VTIMEZONE %q", contentline.Clip(id))
		}
		seen[id] = true
	}
	return nil
}

// checkKind compares kind and UID with those of the first component.
func checkKind(first, c *Component) error {
	uid := c.Value("UID")
	switch {
	case !slices.Contains(kinds(), c.Name):
		return failed(ErrKind, c.Line, "a calendar keeps no %s", contentline.Clip(c.Name))
	case strings.TrimSpace(uid) == "":
		return failed(ErrResource, c.Line, "%s has no UID", c.Name)
	case first == nil:
		return nil
	case first.Name != c.Name:
		return failed(ErrResource, c.Line, "%s stands beside the %s of line %d", c.Name, first.Name, first.Line)
	case first.Value("UID") != uid:
		return failed(ErrResource, c.Line, "%s has another UID than that of line %d", c.Name, first.Line)
	}
	return nil
}

// once are properties that may stand once in a component (RFC 5545 3.6.1 to 3.6.4).
func once() []string {
	return []string{"UID", "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "DTSTAMP", "SEQUENCE", "STATUS",
		"SUMMARY", "ORGANIZER", "TRANSP", "COMPLETED", "PERCENT-COMPLETE", "CREATED", "LAST-MODIFIED", "CLASS", "PRIORITY", "URL"}
}

// checkComponent checks one component.
func checkComponent(c *Component, zones *Zones) error {
	seen := make(map[string]int)
	for _, p := range c.Props {
		if line, ok := seen[p.Name]; ok && slices.Contains(once(), p.Name) {
			return contentline.Errorf(p.Number, "%s stands twice in %s, first in line %d", p.Name, c.Name, line)
		}
		seen[p.Name] = p.Number
	}
	has := func(name string) bool { _, ok := seen[name]; return ok }
	switch {
	case c.Name == "VEVENT" && !has("DTSTART"):
		return contentline.Errorf(c.Line, "VEVENT has no DTSTART")
	case has("DTEND") && has("DURATION"):
		return contentline.Errorf(seen["DURATION"], "%s has DTEND and DURATION", c.Name)
	case c.Name == "VTODO" && has("DUE") && has("DURATION"):
		return contentline.Errorf(seen["DURATION"], "VTODO has DUE and DURATION")
	case has("RRULE") && !has("DTSTART") && !has("DUE"):
		return contentline.Errorf(seen["RRULE"], "%s has a rule, but no DTSTART", c.Name)
	}
	e, err := parseEntry(c, zones)
	if err != nil {
		return err
	}
	if err := checkTimes(e, zones); err != nil {
		return err
	}
	for _, child := range c.Children {
		if child.Name == "VALARM" {
			if _, err := parseAlarm(child); err != nil {
				var e *contentline.Error
				if !errors.As(err, &e) {
					return contentline.Errorf(child.Line, "%v", err)
				}
				return err
			}
		}
	}
	return nil
}

// checkTimes checks that times agree with each other.
func checkTimes(e *entry, zones *Zones) error {
	for _, p := range e.Props {
		switch p.Name {
		case "DTEND", "DUE":
			end, err := ParseValue(p, zones)
			if err != nil {
				return at(p, err)
			}
			if !e.hasStart || p.Name == "DUE" && e.Name != "VTODO" {
				continue
			}
			if end.date != e.start.date {
				return contentline.Errorf(p.Number, "of DTSTART and %s one is a date, the other a time", p.Name)
			}
			if spanBetween(e.start, end).rough() < 0 {
				return contentline.Errorf(p.Number, "%s is before DTSTART", p.Name)
			}
		case "DURATION":
			if d, err := ParseDuration(p.Value); err != nil || d.rough() < 0 {
				return contentline.Errorf(p.Number, "%q is no length of time", contentline.Clip(p.Value))
			}
		}
	}
	return nil
}
