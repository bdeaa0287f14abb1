package itip

import (
	"slices"
	"strings"
	"time"

	"facteur/server/ical"
)

// cancel works in a CANCEL (RFC 5546 3.2.5): what is cancelled is taken away.
func (a *applying) cancel() Result {
	if a.Stored == nil {
		return ignored(NoObject)
	}
	if why, ok := a.fromOrganizer(); !ok {
		return refused(why)
	}
	r := Result{Outcome: Applied, Role: AsAttendee}
	why := Same
	now := a.stored
	for _, p := range a.message.parts {
		if a.forOthers(p.Component) {
			why = ForOthers
			continue
		}
		base, known := now.covering(p.id)
		if !known && p.id == "" {
			// All of it, of which only instances were known.
			base, known = now.parts[0], true
		}
		if !known {
			why = NoInstance
			continue
		}
		if compareVersion(p.Component, base.Component) < 0 {
			why = Older
			continue
		}
		if p.id == "" {
			r.Events = []Event{{What: Cancelled}}
			r.Remove = true
			return r
		}
		next, left := a.uncovered(now, p)
		switch {
		case next == nil && left:
			why = Same
			continue
		case next == nil:
			r.Events = append(r.Events, Event{Instance: p.Value("RECURRENCE-ID"), What: Cancelled})
			r.Object, r.Remove = nil, true
			return r
		}
		r.Events = append(r.Events, Event{Instance: p.Value("RECURRENCE-ID"), What: Cancelled})
		r.Object, now = next.cal, next
	}
	if r.Object == nil {
		return ignored(why)
	}
	return r
}

// forOthers says whether a component takes only other attendees away.
func (a *applying) forOthers(c *ical.Component) bool {
	_, named := c.Prop("ATTENDEE")
	return named && !isCancelled(c) && a.message.attendee(c, a.Self) < 0
}

// uncovered returns an object without an instance, or without it and all later ones; nil:
// nothing is left, or it had no such instance (left).
func (a *applying) uncovered(o *object, p part) (next *object, left bool) {
	at, _ := p.Prop("RECURRENCE-ID")
	at = a.message.portable(at)
	from := at.Param("RANGE") != "" && strings.EqualFold(at.Param("RANGE"), "THISANDFUTURE")
	at = at.Without("RANGE")
	var parts []*ical.Component
	known := false
	for _, q := range o.parts {
		switch {
		case q.id == "":
			c := copyOf(q.Component)
			if from {
				if !a.begins(o, c, at) {
					return nil, false
				}
				a.end(o, c, at)
				known = true
			} else if had, _ := o.points(c, "EXDATE"); !slices.Contains(had, p.id) {
				o.exclude(c, at)
				known = true
			}
			parts = append(parts, c)
		case q.id == p.id || from && a.later(o, q, at):
			known = true
		default:
			parts = append(parts, q.Component)
		}
	}
	if !known {
		return nil, true
	}
	if len(parts) == 0 {
		return nil, false
	}
	return readObject(a.object(a.Stored, parts), a.Floating), true
}

// later says whether an exception is of an instance at a time or after it.
func (a *applying) later(o *object, q part, at ical.Prop) bool {
	own, _ := q.Prop("RECURRENCE-ID")
	v, err := ical.ParseValue(own, o.zones)
	from, err2 := ical.ParseValue(at, o.zones)
	return err == nil && err2 == nil && !v.Time(a.Floating).Before(from.Time(a.Floating))
}

// begins says whether a component has an instance before one.
func (a *applying) begins(o *object, c *ical.Component, at ical.Prop) bool {
	p, _ := c.Prop("DTSTART")
	start, err := ical.ParseValue(p, o.zones)
	v, err2 := ical.ParseValue(at, o.zones)
	return err != nil || err2 != nil || start.Time(a.Floating).Before(v.Time(a.Floating))
}

// end lets a recurring component end before an instance.
func (a *applying) end(o *object, c *ical.Component, at ical.Prop) {
	v, err := ical.ParseValue(at, o.zones)
	if err != nil {
		return
	}
	until := v.Time(a.Floating).Add(-time.Second).UTC().Format(utcForm)
	if start, err := ical.ParseValue(ical.Prop{Value: c.Value("DTSTART")}, nil); err == nil && start.IsDate() {
		wall, _ := wallOf(v)
		until = wall.AddDate(0, 0, -1).Format(utcForm[:8])
	}
	props := c.Props
	c.Props = nil
	for _, p := range props {
		switch p.Name {
		case "RRULE":
			parts := slices.DeleteFunc(strings.Split(p.Value, ";"), func(s string) bool {
				name, _, _ := strings.Cut(strings.ToUpper(s), "=")
				return name == "UNTIL" || name == "COUNT"
			})
			p.Value = strings.Join(append(parts, "UNTIL="+until), ";")
		case "RDATE", "EXDATE":
			values := slices.DeleteFunc(strings.Split(p.Value, ","), func(s string) bool {
				one := p
				one.Value, _, _ = strings.Cut(s, "/")
				w, err := ical.ParseValue(one, o.zones)
				return err == nil && !w.Time(a.Floating).Before(v.Time(a.Floating))
			})
			if len(values) == 0 {
				continue
			}
			p.Value = strings.Join(values, ",")
		}
		c.Props = append(c.Props, p)
	}
}

// add works in an ADD (RFC 5546 3.2.4): instances that are more than the object has.
func (a *applying) add() Result {
	if why, ok := a.fromOrganizer(); !ok {
		return refused(why)
	}
	parts := a.mine()
	if a.Message.Method == Add && len(parts) == 0 {
		return refused(NotInvited)
	}
	master, ok := a.stored.master()
	if !ok {
		// RFC 5546 3.2.4: who does not know the event asks for all of it.
		r := refused(NoObject)
		if ask, ok := a.ask(); ok {
			r.Outcome, r.Answers = Noted, []Outgoing{ask}
		}
		return r
	}
	r := Result{Outcome: Applied, Role: AsAttendee}
	whole := copyOf(master.Component)
	list := []*ical.Component{whole}
	for _, p := range a.stored.parts {
		if p.id != "" {
			list = append(list, p.Component)
		}
	}
	for _, p := range parts {
		at, has := p.Prop("DTSTART")
		if compareVersion(p.Component, master.Component) < 0 || !has {
			continue
		}
		at = a.stored.asStart(master.Component, a.message.portable(at))
		id := a.stored.point(at)
		if _, there := a.stored.part(id); there {
			continue
		}
		c := without(a.taken(p.Component), "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
		at.Name = "RECURRENCE-ID"
		c.Props = append(c.Props, at)
		at.Name = "RDATE"
		whole.Props = append(whole.Props, at)
		if n, _ := sequence(c); n > 0 {
			setSequence(whole, n)
		}
		list = append(list, a.personal(c, a.stored, master.Component, false))
		r.Events = append(r.Events, Event{Instance: at.Value, What: Invited})
	}
	if len(r.Events) == 0 {
		return ignored(Older)
	}
	r.Object = a.object(a.Stored, list)
	return r
}

// ask makes a REFRESH (RFC 5546 3.2.6).
func (a *applying) ask() (Outgoing, bool) {
	for _, p := range a.message.parts {
		n := a.message.attendee(p.Component, a.Self)
		if n < 0 || a.Message.Organizer.URI == "" {
			continue
		}
		line := cleanLine(p.Props[n])
		c := &ical.Component{Name: p.Name, Props: append(only(p.Component, "UID"), cleanLine(ical.Prop{Name: "ORGANIZER", Value: a.Message.Organizer.URI}),
			ical.Prop{Name: "ATTENDEE", Value: line.Value})}
		setStamp(c, a.Now)
		return Outgoing{From: ParseUser(line), To: a.Message.Organizer, Message: newMessage(Refresh, a.Message.Calendar, []*ical.Component{c})}, true
	}
	return Outgoing{}, false
}

// declineCounter takes note that the organizer does not want what was proposed.
func (a *applying) declineCounter() Result {
	if a.Stored == nil {
		return refused(NoObject)
	}
	if why, ok := a.fromOrganizer(); !ok {
		return refused(why)
	}
	return Result{Outcome: Noted, Role: AsAttendee}
}
