package itip

import (
	"slices"
	"strings"

	"facteur/server/ical"
)

// keptBeside returns the stored components that stay beside those of a message that are all (Only): what
// is newer than they are.
func (a *applying) keptBeside(taken map[string]bool, list []*ical.Component) (kept []*ical.Component) {
	for _, p := range a.stored.parts {
		if !taken[p.id] && later(p.Component, list[0]) {
			kept = append(kept, p.Component)
		}
	}
	return kept
}

// keptParts returns the stored components that stay. Where that of all instances is
// replaced (whole), those are exceptions that are newer, and those that the attendee made for
// himself: by another answer to the same time, or with something of his own.
func (a *applying) keptParts(taken, newer map[string]bool, whole bool, list []*ical.Component) []*ical.Component {
	var kept []*ical.Component
	if !slices.ContainsFunc(a.stored.parts, func(p part) bool { return p.id != "" && !taken[p.id] }) {
		if series, ok := a.stored.master(); ok && !taken[""] {
			kept = append(kept, series.Component)
		}
		return kept
	}
	if series, ok := a.stored.master(); ok && !whole {
		list = append(slices.Clone(list), series.Component)
	}
	k := keeping{applying: a, now: readObject(a.object(a.Stored, list), a.Floating), whole: whole}
	master, _ := k.now.master()
	for _, p := range a.stored.parts {
		switch {
		case taken[p.id]:
		case newer[p.id], whole && later(p.Component, master.Component), !whole && !k.outranged(p):
			kept = append(kept, p.Component)
		default:
			k.parts = append(k.parts, p)
		}
	}
	if len(k.parts) == 0 {
		return kept
	}
	return append(kept, k.anew()...)
}

// keeping is the work on exceptions that the attendee may have made.
type keeping struct {
	*applying
	now   *object // what the organizer says now, with what is the attendee's of it
	whole bool
	parts []part // of the stored object
}

// outranged says whether the message has a component for this and all later instances that
// describes an exception which the organizer did not make.
func (k *keeping) outranged(p part) bool {
	at, _ := p.Prop("RECURRENCE-ID")
	before := k.stored.described(at)
	_, ranged := k.now.rangeOf(at)
	return ranged && before != nil && k.stored.sameButOwn(p.Component, before)
}

// anew returns the exceptions with what the organizer says now.
func (k *keeping) anew() (kept []*ical.Component) {
	places := k.places()
	for i, p := range k.parts {
		at, _ := p.Prop("RECURRENCE-ID")
		before, now := k.stored.described(at), k.now.described(places[i])
		if now == nil {
			continue
		}
		his, answer := "", false
		if before != nil {
			his = ownIn(before)
			answer = k.answered(p.Component) != k.answered(before) && k.stored.sameButOwn(p.Component, before) && k.now.timesOf(now) == k.stored.timesOf(p.Component)
		}
		if !answer && ownIn(p.Component) == his && k.whole {
			continue
		}
		c := k.personal(now, k.stored, p.Component, answer)
		if !k.whole {
			setProp(c, at)
		}
		kept = append(kept, c)
	}
	return kept
}

// answered is what the attendee answers in a component.
func (k *keeping) answered(c *ical.Component) string {
	n := k.stored.attendee(c, k.Self)
	if n < 0 {
		return needsAction
	}
	return partStat(c.Props[n])
}

// sameButOwn says whether two components of an attendee's object differ only in what is his.
func (o *object) sameButOwn(a, b *ical.Component) bool {
	return o.content(without(a, "CLASS", "CATEGORIES"), false) == o.content(without(b, "CLASS", "CATEGORIES"), false)
}

// places returns where in the series the instances of the exceptions are now: at their own time,
// else as far from it as the series was moved. A zero one is nowhere.
func (k *keeping) places() []ical.Prop {
	places, others := make([]ical.Prop, len(k.parts)), make([]ical.Prop, len(k.parts))
	was, had := k.stored.master()
	now, _ := k.now.master()
	for i, p := range k.parts {
		at, _ := p.Prop("RECURRENCE-ID")
		if places[i] = at; !k.whole {
			continue
		}
		places[i] = k.stored.portable(at.Without("RANGE"))
		if start, _ := now.Prop("DTSTART"); had {
			others[i] = shifted(k.stored.asStart(was.Component, at), was.Value("DTSTART"), start)
		}
	}
	if !k.whole {
		return places
	}
	occurs := k.now.occurring(append(slices.Clone(places), others...))
	used := make(map[string]bool)
	take := func(at ical.Prop) bool {
		id := k.message.point(k.message.asStart(now.Component, at))
		if !occurs(at) || used[id] || k.message.excludesOrHas(id) {
			return false
		}
		used[id] = true
		return true
	}
	stays := make([]bool, len(places))
	for i := range places {
		stays[i] = take(places[i])
	}
	for i := range places {
		if !stays[i] {
			if places[i] = others[i]; !take(others[i]) {
				places[i] = ical.Prop{}
			}
		}
	}
	return places
}

// later says whether a component was written after another one. SEQUENCE tells nothing here:
// each component has its own.
func later(a, b *ical.Component) bool {
	ta, tb := stamp(a), stamp(b)
	return !ta.IsZero() && !tb.IsZero() && ta.After(tb)
}

// excludesOrHas says whether an instance is not as all are.
func (o *object) excludesOrHas(id string) bool {
	_, own := o.part(id)
	return own || o.excludes(id)
}

// reinvited takes instances that came anew out of EXDATE of the stored component of all.
func (a *applying) reinvited(list []*ical.Component, taken map[string]bool, whole bool) []*ical.Component {
	if whole || taken[""] {
		return list
	}
	for i, c := range list {
		if a.stored.instance(c) == "" {
			list[i] = a.stored.including(c, func(id string) bool { return taken[id] })
		}
	}
	return list
}

// including returns a component without some instances among its EXDATE.
func (o *object) including(c *ical.Component, in func(id string) bool) *ical.Component {
	out := *c
	out.Props = nil
	changed := false
	for _, p := range c.Props {
		if p.Name == "EXDATE" {
			values := strings.Split(p.Value, ",")
			left := slices.DeleteFunc(slices.Clone(values), func(v string) bool {
				one := p
				one.Value = strings.TrimSpace(v)
				return in(o.point(o.asStart(c, one)))
			})
			changed = changed || len(left) < len(values)
			if len(left) == 0 {
				continue
			}
			p.Value = strings.Join(left, ",")
		}
		out.Props = append(out.Props, p)
	}
	if !changed {
		return c
	}
	return &out
}
