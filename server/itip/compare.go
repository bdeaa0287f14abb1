package itip

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/ical"
)

// times are when a component begins and ends, in a form to compare.
type times struct{ start, end string }

// timesOf returns the times of a component. It does not matter whether DTEND or DURATION
// tells the end.
func (o *object) timesOf(c *ical.Component) times {
	var t times
	start, hasStart := c.Prop("DTSTART")
	if hasStart {
		t.start = o.point(start)
	}
	if p, ok := c.Prop("DTEND"); ok {
		t.end = o.point(p)
	} else if p, ok := c.Prop("DUE"); ok {
		t.end = o.point(p)
	} else {
		t.end = o.endBy(c, start)
	}
	return t
}

// endBy is the end that DURATION tells, else the one that RFC 5545 3.6.1 has for none.
func (o *object) endBy(c *ical.Component, start ical.Prop) string {
	v, err := ical.ParseValue(start, o.zones)
	if err != nil {
		return ""
	}
	d, err := ical.ParseDuration(c.Value("DURATION"))
	if err != nil && v.IsDate() {
		d.Days = 1
	}
	if wall, ok := wallOf(v); ok && (v.IsDate() || v.Floating()) {
		wall = wall.AddDate(0, 0, int(d.Days)).Add(time.Duration(d.Seconds) * time.Second)
		if v.IsDate() {
			return "D" + wall.Format(utcForm[:8])
		}
		return "L" + wall.Format(utcForm[:15])
	}
	end := v.Time(nil).AddDate(0, 0, int(d.Days)).Add(time.Duration(d.Seconds) * time.Second)
	return strconv.FormatInt(end.Unix(), 10)
}

// rulesOf returns the rules of a component in a form to compare.
func rulesOf(c *ical.Component) []string {
	var list []string
	for _, p := range c.Props {
		if p.Name == "RRULE" || p.Name == "EXRULE" {
			s := strings.ToUpper(p.Value)
			if r, err := ical.ParseRule(p.Value); err == nil {
				s = r.String()
			}
			list = append(list, p.Name+":"+s)
		}
	}
	slices.Sort(list)
	return list
}

// moved says whether the times of a component changed, or of its instances (RFC 5546 2.1.4,
// RFC 6638 3.2.8): any at all, and so that one that was known is at another time or new.
func (o *object) moved(c *ical.Component, before *object, b *ical.Component) (changed, rescheduled bool) {
	if o.timesOf(c) != before.timesOf(b) {
		return true, true
	}
	if now, was := rulesOf(c), rulesOf(b); !slices.Equal(now, was) {
		changed = true
		rescheduled = !o.shortened(c, b)
	}
	now, _ := o.points(c, "RDATE")
	was, _ := before.points(b, "RDATE")
	changed = changed || !slices.Equal(now, was)
	rescheduled = rescheduled || !subset(now, was)
	now, _ = o.points(c, "EXDATE")
	was, _ = before.points(b, "EXDATE")
	his := before.ownDates(b) // what an attendee took out is not the organizer's
	was = slices.DeleteFunc(was, func(id string) bool { _, is := his[id]; return is })
	changed = changed || !slices.Equal(now, was)
	// What is an exception now tells for itself.
	was = slices.DeleteFunc(was, func(id string) bool { _, own := o.part(id); return own })
	rescheduled = rescheduled || !subset(was, now)
	return changed, rescheduled
}

// subset says whether all of a is in b; both are sorted.
func subset(a, b []string) bool {
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			return false
		}
	}
	return true
}

// shortened says whether the rule of a component is that of another, but ends earlier.
func (o *object) shortened(c, b *ical.Component) bool {
	lines, was := rulesOf(c), rulesOf(b)
	if len(lines) == 0 && len(was) > 0 {
		return !strings.HasPrefix(was[0], "EXRULE") // one instance is left
	}
	if len(lines) != 1 || len(was) != 1 {
		return false
	}
	r, err := ical.ParseRule(c.Value("RRULE"))
	old, err2 := ical.ParseRule(b.Value("RRULE"))
	if err != nil || err2 != nil {
		return false
	}
	x, y := *r, *old
	x.Until, x.Count, y.Until, y.Count = nil, 0, nil, 0
	if x.String() != y.String() {
		return false
	}
	switch {
	case old.Count == 0 && old.Until == nil:
		return true
	case r.Until != nil && old.Until != nil:
		return !r.Until.Time(o.floating).After(old.Until.Time(o.floating))
	case r.Count > 0 && old.Count > 0:
		return r.Count <= old.Count
	case r.Until != nil && old.Count > 0:
		return o.goesOn(b, old, r.Until.Time(o.floating))
	}
	return false
}

// goesOn says whether a rule has an instance after a time.
func (o *object) goesOn(c *ical.Component, r *ical.Rule, after time.Time) bool {
	p, _ := c.Prop("DTSTART")
	start, err := ical.ParseValue(p, o.zones)
	if err != nil {
		return false
	}
	for range r.All(start.Time(o.floating), after.Add(time.Second)) {
		return true
	}
	return false
}

// content is what a component tells those who are invited, in a form to compare: without
// its EXDATE and what an attendee has added, and without participation unless that is asked for.
func (o *object) content(c *ical.Component, participation bool) string {
	t := o.timesOf(c)
	lines := append(rulesOf(c), "start "+t.start, "end "+t.end)
	dates, _ := o.points(c, "RDATE")
	lines = append(lines, "rdate "+strings.Join(dates, ","))
	for _, p := range c.Props {
		switch p.Name {
		case "DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID":
		case "ORGANIZER":
			lines = append(lines, "organizer "+o.user(p).key)
		case "ATTENDEE":
			line := "attendee " + o.user(p).key + " " + strings.ToUpper(p.Param("ROLE"))
			if participation {
				line += " " + partStat(p) + " " + p.Param("DELEGATED-TO")
			}
			lines = append(lines, line)
		default:
			if !ofOwner(p.Name) && !isOwn(p) {
				lines = append(lines, p.Name+" "+plainText(p.Value))
			}
		}
	}
	for _, child := range c.Children {
		if child.Name != "VALARM" {
			lines = append(lines, string(child.Append(nil)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// plainText is a text without differences that programs make by writing it anew.
func plainText(value string) string {
	return strings.Join(strings.Fields(strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(value)), " ")
}
