package itip

import (
	"slices"
	"time"

	"facteur/server/ical"
)

// request works in a REQUEST or PUBLISH (RFC 5546 3.2.1, 3.2.2; RFC 6638 4.2).
func (a *applying) request() Result {
	if why, ok := a.fromOrganizer(); !ok {
		return refused(why)
	}
	parts := a.mine()
	switch {
	case len(parts) == 0:
		return refused(NotInvited)
	case a.Stored == nil && a.Cancelled != nil && a.Message.Version(a.Now).Compare(*a.Cancelled) <= 0:
		return ignored(Older)
	case a.Stored == nil && !a.Create:
		return refused(Stranger)
	case a.Stored == nil && a.declines(parts):
		return ignored(Declined)
	case a.Stored == nil:
		return a.invited(parts)
	}
	return a.updated(parts)
}

// mine returns the components of the message that are for who gets it.
func (a *applying) mine() []part {
	if a.Message.Method == Publish {
		return a.message.parts
	}
	all, whole := a.message.master()
	series := a.message
	if !whole {
		all, whole = a.stored.master()
		series = a.stored
	}
	whole = whole && series.attendee(all.Component, a.Self) >= 0
	var list []part
	invited := false
	for _, p := range a.message.parts {
		_, named := p.Prop("ATTENDEE")
		own := a.message.attendee(p.Component, a.Self) >= 0
		// An exception that names nobody is for those who are invited to all.
		if own || whole && !named && p.id != "" {
			list = append(list, p)
			invited = invited || own
		}
	}
	if !invited {
		return nil
	}
	return list
}

// invited makes a new object.
func (a *applying) invited(parts []part) Result {
	list := make([]*ical.Component, len(parts))
	r := Result{Outcome: Applied, Role: AsAttendee, Created: true}
	for i, p := range parts {
		list[i] = a.taken(p.Component)
		r.Events = append(r.Events, Event{Instance: p.Value("RECURRENCE-ID"), What: Invited})
	}
	r.News = list
	r.Object = a.object(a.Message.Calendar, list)
	a.dropUninvited(r.Object, parts)
	return r
}

// taken is a component of a message as it is kept: without alarms of others.
func (a *applying) taken(c *ical.Component) *ical.Component {
	out := clean(c)
	if t := stamp(out); t.After(a.Now.Add(maxAhead)) || t.IsZero() {
		setStamp(out, a.Now) // so that no clock that is wrong makes what comes later old
	}
	return out
}

// maxAhead is how far another clock may be ahead.
const maxAhead = 24 * time.Hour

// dropUninvited excludes the instances that the message has for others alone.
func (a *applying) dropUninvited(c *ical.Calendar, mine []part) {
	master, ok := a.message.master()
	if !ok || a.message.attendee(master.Component, a.Self) < 0 && a.Message.Method == Request {
		return
	}
	i := slices.IndexFunc(c.Children, func(c *ical.Component) bool { return isPart(c) && a.message.instance(c) == "" })
	if i < 0 {
		return
	}
	var out *ical.Component
	own := make(map[string]bool)
	for _, p := range mine {
		own[p.id] = true
	}
	for _, p := range a.message.parts {
		if own[p.id] {
			continue
		}
		if out == nil {
			out = copyOf(c.Children[i])
			c.Children[i] = out
		}
		at, _ := p.Prop("RECURRENCE-ID")
		a.message.exclude(out, at)
	}
}

// updated works the message into the stored object, instance by instance.
func (a *applying) updated(parts []part) Result {
	r := Result{Outcome: Applied, Role: AsAttendee}
	var list []*ical.Component
	taken, newer := make(map[string]bool), make(map[string]bool)
	master := slices.IndexFunc(parts, func(p part) bool { return p.id == "" })
	whole := master >= 0
	if whole {
		if old, ok := a.stored.master(); ok && compareVersion(parts[master].Component, old.Component) < 0 {
			whole = false
		}
	}
	out := a.stillOut(parts, whole)
	for _, p := range parts {
		if _, is := out[p.id]; is {
			continue
		}
		_, own := a.stored.part(p.id)
		base, known := a.stored.covering(p.id)
		older := known && (own || !whole) && compareVersion(p.Component, base.Component) < 0
		if !own && (a.Only || a.stored.excludes(p.id)) {
			// What describes the others has a SEQUENCE of its own.
			older = known && !whole && later(base.Component, p.Component)
		}
		if older {
			newer[p.id] = true
			continue
		}
		c, e := a.merged(p, own)
		if p.id == "" {
			a.excludeAgain(c, out)
		}
		taken[p.id] = true
		list = append(list, c)
		if e.What != "" {
			r.Events = append(r.Events, e)
		}
		if e.What == Invited || e.What == Rescheduled {
			r.News = append(r.News, c)
		}
	}
	switch {
	case len(list) > 0 || len(newer) > 0:
	case a.Only:
		return Result{Outcome: Applied, Role: AsAttendee, Remove: true, Events: []Event{{What: Cancelled}}}
	default:
		return ignored(Declined)
	}
	if len(list) == 0 {
		return ignored(Older)
	}
	if a.Only {
		list = append(a.keptBeside(taken, list), list...)
	} else {
		list = append(a.keptParts(taken, newer, whole, list), list...)
	}
	r.Object = a.object(a.Stored, a.reinvited(list, taken, whole))
	if whole {
		a.dropUninvited(r.Object, parts)
	}
	if now := readObject(r.Object, a.Floating); a.stored.sameAs(now) {
		if !newerVersion(a.stored, now) {
			return ignored(Same)
		}
		r.Events, r.News = nil, nil
	}
	return r
}

// newerVersion says whether SEQUENCE or DTSTAMP of a component differ.
func newerVersion(a, b *object) bool {
	for _, p := range b.parts {
		if was, ok := a.part(p.id); ok && compareVersion(p.Component, was.Component) != 0 {
			return true
		}
	}
	return false
}

// sameAs says whether two objects say the same.
func (o *object) sameAs(b *object) bool {
	if len(o.parts) != len(b.parts) {
		return false
	}
	for _, p := range o.parts {
		q, ok := b.part(p.id)
		if !ok || o.content(p.Component, true) != b.content(q.Component, true) {
			return false
		}
		out, _ := o.points(p.Component, "EXDATE")
		now, _ := b.points(q.Component, "EXDATE")
		if !slices.Equal(out, now) {
			return false
		}
	}
	return true
}

// merged is a component of the message with what is the attendee's of the stored one.
func (a *applying) merged(p part, own bool) (*ical.Component, Event) {
	e := Event{Instance: p.Value("RECURRENCE-ID"), What: Updated}
	c := a.named(p)
	base, known := a.stored.covering(p.id)
	if !known {
		e.What = Invited
		return c, e
	}
	old := base.Component
	if !own {
		at, _ := p.Prop("RECURRENCE-ID")
		old = a.stored.derive(old, a.message.portable(at))
	}
	_, rescheduled := a.message.moved(p.Component, a.stored, old)
	switch {
	case !own && a.stored.excludes(p.id): // it was cancelled
		e.What, rescheduled = Invited, true
	case rescheduled:
		e.What = Rescheduled
	case a.message.content(p.Component, false) == a.stored.content(old, false):
		e.What = ""
	}
	return a.personal(c, a.stored, old, !rescheduled), e
}

// named is a component of the message whose RECURRENCE-ID is written as the stored object
// has its times.
func (a *applying) named(p part) *ical.Component {
	c := a.taken(p.Component)
	master, ok := a.stored.master()
	at, single := p.Prop("RECURRENCE-ID")
	if _, whole := a.message.master(); ok && single && !whole && a.message.point(at) != p.id {
		id := a.stored.asStart(master.Component, a.message.portable(at))
		setProp(c, setParam(id, "RANGE", at.Param("RANGE")))
	}
	return c
}
