package itip

import (
	"slices"
	"strings"

	"facteur/server/ical"
)

// replied is the parameter of an ATTENDEE that tells from when the last reply is that was
// worked in. It stays in the organizer's object.
const replied = "X-FACTEUR-REPLIED"

// organize is the Plan of a change by the organizer (RFC 6638 3.2.1).
func (c Change) organize(before, after *object) (*Plan, error) {
	_, by, ok := after.organizer()
	if !ok {
		_, by, _ = before.organizer()
	}
	b := broadcast{before: before, after: after, self: c.Self, now: c.Now, from: by.User}
	plan := &Plan{Role: AsOrganizer, Object: c.After}
	if c.After != nil {
		var forced map[string]bool
		b.after, forced, plan.Altered = c.correct(before, after)
		b.forced = forced
		plan.Object = b.after.cal
	}
	var err error
	plan.Messages, err = b.messages()
	return plan, err
}

// correct returns an organizer's object as it has to be kept, and who is to be told even
// when nothing changed (RFC 6638 7.2).
func (c Change) correct(before, after *object) (kept *object, forced map[string]bool, altered bool) {
	k := correction{Change: c, before: before, after: after, forced: make(map[string]bool)}
	for _, p := range before.parts {
		for _, u := range before.attendees(p.Component) {
			k.sent = k.sent || !c.Self(u.User)
		}
	}
	parts := make([]*ical.Component, len(after.parts))
	do := func(master bool) {
		for i, p := range after.parts {
			if (p.id == "") == master {
				parts[i] = k.part(p)
				altered = altered || parts[i] != nil
			}
		}
	}
	do(true)
	do(false)
	if !altered {
		return after, k.forced, false
	}
	return after.replaced(parts), k.forced, true
}

// correction is the work of correct.
type correction struct {
	Change
	before, after *object
	forced        map[string]bool
	sent          bool // there is somebody who knows the object as it was
	sequence      int  // of the component of all instances
}

// part corrects a component; nil: it is right.
func (k *correction) part(p part) *ical.Component {
	was, own := k.before.part(p.id)
	base, known := k.before.covering(p.id)
	changed, rescheduled, lines := false, false, map[string]ical.Prop(nil)
	if known {
		if !own {
			at, _ := p.Prop("RECURRENCE-ID")
			was = part{k.before.derive(base.Component, k.after.portable(at)), p.id}
		}
		changed, rescheduled = k.after.moved(p.Component, k.before, was.Component)
		again := isCancelled(was.Component) && !isCancelled(p.Component) || !own && k.before.excludes(p.id)
		rescheduled = rescheduled || again
		changed = changed || again || isCancelled(p.Component) && !isCancelled(was.Component) || p.id == "" && k.reverted()
		lines = k.before.lines(was.Component)
	}
	out := copyOf(p.Component)
	altered := false
	for i, u := range k.after.attendees(p.Component) {
		old, was := lines[u.key]
		delete(lines, u.key)
		changed = changed || was && byServer(old) && !byServer(p.Props[i]) && !k.Self(u.User)
		line, other := k.attendee(u, p.Props[i], old, was, rescheduled)
		if other {
			out.Props[i], altered = line, true
		}
	}
	for _, old := range lines { // who is left is not invited any more
		changed = changed || byServer(old) && !k.Self(ParseUser(old))
	}
	if known && k.sent {
		// RFC 5546 2.1.4
		floor, _ := sequence(was.Component)
		if changed {
			floor++
		}
		if !own {
			floor = max(floor, k.sequence)
		}
		if p.id == "" {
			floor = max(floor, k.gone())
		}
		if n, _ := sequence(p.Component); n < floor {
			setSequence(out, floor)
			altered = true
		}
	}
	if p.id == "" {
		k.sequence, _ = sequence(out)
	}
	if !altered {
		return nil
	}
	return out
}

// reverted says whether an instance that was an exception, and not for an alarm alone, is again as all are.
func (k *correction) reverted() bool {
	master, ok := k.after.master()
	if !ok {
		return false
	}
	excluded, _ := k.after.points(master.Component, "EXDATE")
	for _, p := range k.before.parts {
		_, there := k.after.part(p.id)
		if _, out := slices.BinarySearch(excluded, p.id); !there && !out && !k.before.asAll(p, k.after) {
			return true
		}
	}
	return false
}

// gone returns the highest SEQUENCE of the exceptions that are none any more, which the
// component of all instances replaces now.
func (k *correction) gone() (n int) {
	for _, p := range k.before.parts {
		if _, there := k.after.part(p.id); !there {
			own, _ := sequence(p.Component)
			n = max(n, own)
		}
	}
	return n
}

// lines returns the lines of the attendees of a component by their keys.
func (o *object) lines(c *ical.Component) map[string]ical.Prop {
	m := make(map[string]ical.Prop)
	for i, u := range o.attendees(c) {
		m[u.key] = c.Props[i]
	}
	return m
}

// attendee corrects the line of an attendee.
func (k *correction) attendee(u known, line, old ical.Prop, was, rescheduled bool) (_ ical.Prop, altered bool) {
	if force := line.Param("SCHEDULE-FORCE-SEND"); force != "" {
		k.forced[u.key] = k.forced[u.key] || strings.EqualFold(force, string(Request))
		line, altered = line.Without("SCHEDULE-FORCE-SEND"), true
	}
	if !byServer(line) || k.Self(u.User) {
		return line, altered
	}
	set := func(name, value string) {
		if line.Param(name) != value {
			line, altered = setParam(line, name, value), true
		}
	}
	if was {
		if s := old.Param("SCHEDULE-STATUS"); s != "" {
			set("SCHEDULE-STATUS", s)
		}
		// The client has not seen the reply, or dropped what it does not know.
		if r := old.Param(replied); r != "" && line.Param(replied) != r {
			set("PARTSTAT", old.Param("PARTSTAT"))
			set("DELEGATED-TO", old.Param("DELEGATED-TO"))
			set(replied, r)
		}
	}
	if rescheduled && partStat(line) != needsAction { // RFC 6638 3.2.8
		set("PARTSTAT", needsAction)
		set(replied, "")
	}
	return line, altered
}
