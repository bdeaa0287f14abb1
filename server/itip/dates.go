package itip

import (
	"maps"
	"slices"

	"facteur/server/ical"
)

// An attendee takes a date out of a series by an EXDATE, which says that he declines it. The
// organizer's next update does not bring it back, unless it is at another time then.

// claimDates marks the dates that an attendee has taken out.
func (a *attending) claimDates(out, was *ical.Component) {
	now, lines := a.after.points(out, "EXDATE")
	if len(now) == 0 {
		return
	}
	had, _ := a.before.points(was, "EXDATE")
	before, marked := a.before.ownDates(was), a.after.ownDates(out)
	ids, right := make(map[string]bool), true
	for _, id := range now {
		_, known := slices.BinarySearch(had, id)
		_, mine := before[id]
		_, is := marked[id]
		_, there := a.after.part(id) // some programs write EXDATE for an exception, too
		ids[id] = (mine || !known) && !there
		right = right && is == ids[id]
	}
	if right {
		return
	}
	*out = *a.after.including(out, func(id string) bool { _, is := marked[id]; return ids[id] || is })
	for _, id := range now {
		if _, is := marked[id]; ids[id] || is {
			at := lines[id].Without(own)
			if ids[id] {
				at = setParam(at, own, "TRUE")
			}
			a.after.exclude(out, at)
		}
	}
}

// ownDates returns the dates of a series that the attendee has taken out himself, by their ids.
func (o *object) ownDates(c *ical.Component) map[string]ical.Prop {
	if !slices.ContainsFunc(c.Props, func(p ical.Prop) bool { return p.Name == "EXDATE" && isOwn(p) }) {
		return nil
	}
	all := &ical.Component{Name: c.Name}
	for _, p := range c.Props {
		if p.Name != "EXDATE" || isOwn(p) {
			all.Props = append(all.Props, p)
		}
	}
	_, lines := o.points(all, "EXDATE")
	return lines
}

// tookOut says whether an attendee has taken an instance out himself.
func (o *object) tookOut(id string) bool {
	if _, own := o.part(id); own {
		return false
	}
	if o.out == nil {
		o.out = make(map[string]ical.Prop)
		if m, ok := o.master(); ok {
			maps.Copy(o.out, o.ownDates(m.Component))
		}
	}
	_, is := o.out[id]
	return is
}

// again returns components for instances that are as all are again, and that the attendee answered in
// another way before, or had taken out.
func (a *attending) again() (list []*ical.Component) {
	before, ok := a.before.master()
	if !ok {
		return nil
	}
	add := func(id string, at ical.Prop, was string) {
		if a.after.excludesOrHas(id) {
			return
		}
		c := a.after.described(a.before.portable(at))
		if c == nil {
			return
		}
		if line, ok := a.own(a.after, c); ok && partStat(line) != was {
			list = append(list, c)
		}
	}
	for _, p := range a.before.parts {
		if line, ok := a.own(a.before, p.Component); ok && p.id != "" {
			at, _ := p.Prop("RECURRENCE-ID")
			add(p.id, at, partStat(line))
		}
	}
	out := a.before.ownDates(before.Component)
	for _, id := range slices.Sorted(maps.Keys(out)) {
		add(id, out[id], declined)
	}
	return list
}

// stillOut returns components for the instances that the attendee took out of a series before: what
// he answers to all does not bring them back.
func (a *attending) stillOut() (list []*ical.Component) {
	master, _ := a.after.master()
	was := a.ofAll(a.before)
	out := a.after.ownDates(master.Component)
	for _, id := range slices.Sorted(maps.Keys(out)) {
		_, own := a.before.part(id)
		if a.before.tookOut(id) || !own && was == declined { // else dropped has it
			list = append(list, a.after.described(out[id]))
		}
	}
	return list
}

// declines says whether a message has nothing for the attendee but what he has declined already: he
// took it out of his calendar.
func (a *applying) declines(parts []part) bool {
	return a.Message.Method == Request && !slices.ContainsFunc(parts, func(p part) bool { return !a.declined(p.Component) })
}

// declined says whether the attendee has declined a component of the message.
func (a *applying) declined(c *ical.Component) bool {
	n := a.message.attendee(c, a.Self)
	return n >= 0 && partStat(c.Props[n]) == declined
}

// stillOut returns the dates that the attendee has taken out of a series and that stay out, by
// their ids: the organizer knows that he declined them, or has them at the same time as before.
func (a *applying) stillOut(parts []part, whole bool) map[string]ical.Prop {
	out := make(map[string]ical.Prop)
	was, ok := a.stored.master()
	if !ok { // only instances were known: what of them was declined and is not there
		for _, p := range parts {
			if _, own := a.stored.part(p.id); !own && p.id != "" && a.declined(p.Component) {
				out[p.id], _ = p.Prop("RECURRENCE-ID")
			}
		}
		return out
	}
	mine := a.stored.ownDates(was.Component)
	for _, p := range parts {
		at, own := mine[p.id]
		if own && p.id != "" && a.staysOut(p.Component, at, true) {
			out[p.id] = at
		}
	}
	now, ok := a.message.master()
	if !whole || !ok || len(mine) == 0 {
		return out
	}
	var times []ical.Prop
	for _, at := range mine {
		times = append(times, a.stored.portable(at))
	}
	occurs := a.message.occurring(times)
	for _, at := range mine {
		to := a.stored.portable(at)
		id := a.message.point(a.message.asStart(now.Component, to))
		if occurs(to) && !a.message.excludesOrHas(id) && a.staysOut(a.message.described(to), at, false) {
			out[id] = at
		}
	}
	return out
}

// staysOut says whether a date that the attendee has taken out stays out. An exception in which the
// organizer has another answer of his asks anew; many organizers know no answers.
func (a *applying) staysOut(now *ical.Component, at ical.Prop, exception bool) bool {
	if n := a.message.attendee(now, a.Self); n >= 0 && exception && now.Props[n].Param("PARTSTAT") != "" {
		return a.declined(now)
	}
	return a.message.timesOf(now) == a.stored.timesOf(a.stored.described(at))
}

// excludeAgain takes the dates that stay out, out of what the organizer has of all instances.
func (a *applying) excludeAgain(c *ical.Component, out map[string]ical.Prop) {
	for _, id := range slices.Sorted(maps.Keys(out)) {
		a.message.exclude(c, setParam(a.stored.portable(out[id]), own, "TRUE"))
	}
}
