package itip

import (
	"maps"
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
	w := cancelling{applying: a, why: Same, gone: make(map[string]ical.Prop)}
	for _, p := range a.message.parts {
		if w.take(p) {
			return Result{Outcome: Applied, Role: AsAttendee, Remove: true, Events: []Event{{What: Cancelled}}}
		}
	}
	if len(w.events) == 0 {
		return ignored(w.why)
	}
	r := Result{Outcome: Applied, Role: AsAttendee, Events: w.events}
	parts := w.left()
	if r.Remove = len(parts) == 0; !r.Remove {
		r.Object = a.object(a.Stored, parts)
	}
	return r
}

// cancelling is the work of cancel.
type cancelling struct {
	*applying
	why    Reason
	events []Event
	gone   map[string]ical.Prop // instances
	after  ical.Prop            // this one and all later ones are gone
	ends   bool
}

// take notes what a component cancels. all: everything.
func (w *cancelling) take(p part) (all bool) {
	if w.forOthers(p.Component) {
		w.why = ForOthers
		return false
	}
	base, known := w.stored.covering(p.id)
	if !known && p.id == "" {
		// All of it, of which only instances were known.
		base, known = w.stored.parts[0], true
	}
	if !known {
		w.why = NoInstance
		return false
	}
	if compareVersion(p.Component, base.Component) < 0 {
		w.why = Older
		return false
	}
	if p.id == "" {
		return true
	}
	at, _ := p.Prop("RECURRENCE-ID")
	from := strings.EqualFold(at.Param("RANGE"), "THISANDFUTURE")
	at = w.message.portable(at.Without("RANGE"))
	_, own := w.stored.part(p.id)
	if from && !w.ends {
		w.after, w.ends = at, true
	} else if !own && w.stored.excludes(p.id) && !w.stored.tookOut(p.id) { // what he took out himself may be cancelled, too
		return false
	}
	w.gone[p.id] = at
	w.events = append(w.events, Event{Instance: p.Value("RECURRENCE-ID"), What: Cancelled})
	return false
}

// excludes says whether the component of all instances is not for one.
func (o *object) excludes(id string) bool {
	if o.excluded == nil {
		o.excluded = make(map[string]bool)
		if m, ok := o.master(); ok {
			ids, _ := o.points(m.Component, "EXDATE")
			for _, id := range ids {
				o.excluded[id] = true
			}
		}
	}
	return o.excluded[id]
}

// left returns what is left of the stored components.
func (w *cancelling) left() []*ical.Component {
	var parts []*ical.Component
	for _, q := range w.stored.parts {
		_, gone := w.gone[strings.TrimRight(q.id, "+")]
		switch {
		case q.id != "" && (gone || w.ends && w.later(w.stored, q, w.after)):
		case q.id != "":
			parts = append(parts, q.Component)
		case w.ends && !w.begins(w.stored, q.Component, w.after):
		default:
			c := copyOf(w.stored.including(q.Component, w.isGone))
			for _, id := range slices.Sorted(maps.Keys(w.gone)) {
				if !(w.ends && id == w.stored.point(w.after)) {
					w.stored.exclude(c, w.gone[id])
				}
			}
			if w.ends {
				w.end(w.stored, c, w.after)
			}
			parts = append(parts, c)
		}
	}
	return parts
}

func (w *cancelling) isGone(id string) bool {
	_, is := w.gone[id]
	return is
}

// forOthers says whether a component takes only other attendees away.
func (a *applying) forOthers(c *ical.Component) bool {
	_, named := c.Prop("ATTENDEE")
	return named && !isCancelled(c) && a.message.attendee(c, a.Self) < 0
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
		c = a.personal(c, a.stored, master.Component, false)
		list, r.News = append(list, c), append(r.News, c)
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
