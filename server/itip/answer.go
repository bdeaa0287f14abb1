package itip

import (
	"maps"
	"slices"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// Answer is how a person answers an invitation.
type Answer struct {
	Self     Person
	PartStat string // ACCEPTED, DECLINED, TENTATIVE; of a VTODO also COMPLETED, IN-PROCESS
	Comment  string // for the organizer
	// Among are the components that are answered, as Result.News has them, that of all
	// instances for the whole object; nil: all that name the person.
	Among []*ical.Component
	// Declined are instances that are declined, whatever PartStat is, by ical.Instance.ID.
	Declined []ical.Value
	Now      time.Time
}

// Set returns an object of the person with the answer in it: what a client would PUT. A
// Change from the one to the other sends the reply. The comment is in it, too.
func (a Answer) Set(c *ical.Calendar) *ical.Calendar {
	o := readObject(c, nil)
	parts := make([]*ical.Component, len(o.parts))
	var added []*ical.Component
	for _, g := range a.given(o) {
		out := copyOf(g.component)
		out.Props[g.line] = setParam(out.Props[g.line], "PARTSTAT", g.status)
		out.Props = append(out.Props, g.comments...)
		if g.part < 0 {
			added = append(added, out)
		} else {
			parts[g.part] = out
		}
	}
	out := *o.replaced(parts).cal
	out.Children = append(out.Children, added...)
	return &out
}

// Reply makes the REPLY that says the same (RFC 5546 3.2.3), of an object as it was before
// Set. false: it invites the person to nothing that is answered.
func (a Answer) Reply(c *ical.Calendar) (Outgoing, bool) {
	o := readObject(c, nil)
	var from User
	var parts []*ical.Component
	for _, g := range a.given(o) {
		from = ParseUser(g.component.Props[g.line])
		parts = append(parts, replyPart(reply{component: g.component, line: g.component.Props[g.line], status: g.status, now: a.Now, comments: g.comments}))
	}
	_, by, ok := o.organizer()
	if len(parts) == 0 || !ok {
		return Outgoing{}, false
	}
	return Outgoing{From: from, To: by.User, Message: newMessage(Reply, c, parts)}, true
}

// given is a component that is answered.
type given struct {
	component *ical.Component
	part      int // of the object; -1: it was made for one instance
	line      int // of the person, among its properties
	status    string
	comments  []ical.Prop
}

// given returns what is answered of an object.
func (a Answer) given(o *object) (list []given) {
	self, out := remembering(a.Self), a.declinedIn(o)
	all := a.Among == nil || slices.ContainsFunc(a.Among, func(c *ical.Component) bool { return o.instance(c) == "" })
	add := func(c *ical.Component, part int, status string) {
		n := o.attendee(c, self)
		if n < 0 {
			return
		}
		g := given{component: c, part: part, line: n, status: status}
		if text := clip(a.Comment, maxComment/2); text != "" && (len(out) == 0 || len(list) == 0) {
			g.comments = []ical.Prop{commentLine(text)}
		}
		list = append(list, g)
	}
	for i, p := range o.parts {
		status := a.PartStat
		if _, not := out[p.id]; not {
			status = declined
		}
		if all || slices.Contains(a.Among, p.Component) {
			add(p.Component, i, status)
		}
	}
	master, ok := o.master()
	for _, id := range slices.Sorted(maps.Keys(out)) {
		if _, own := o.part(id); ok && all && !own {
			add(o.derive(master.Component, out[id]), -1, declined)
		}
	}
	return list
}

// declinedIn returns the RECURRENCE-ID of the instances that are declined, by the ids of the object.
func (a Answer) declinedIn(o *object) map[string]ical.Prop {
	list := make(map[string]ical.Prop)
	for _, v := range a.Declined {
		at := ical.Prop{Name: "RECURRENCE-ID", Value: v.String()}
		switch {
		case v.IsDate():
			at = setParam(at, "VALUE", "DATE")
		case !v.Floating():
			at.Value = v.Time(nil).UTC().Format(utcForm)
		}
		if m, ok := o.master(); ok {
			at = o.asStart(m.Component, at)
		}
		list[o.point(at)] = at
	}
	return list
}

// reply is what a component of a REPLY is made of.
type reply struct {
	component *ical.Component
	line      ical.Prop // of the attendee
	status    string
	now       time.Time
	comments  []ical.Prop
}

// replyPart makes a component of a REPLY (RFC 5546 3.2.3, 3.4.3): the attendee alone, and
// what tells the event from others. DTSTART and SUMMARY help programs and people that know
// no UID.
func replyPart(r reply) *ical.Component {
	names := []string{"UID", "RECURRENCE-ID", "ORGANIZER", "DTSTART", "DTEND", "DUE", "DURATION", "SEQUENCE", "SUMMARY"}
	if r.component.Name == "VTODO" {
		names = append(names, "PERCENT-COMPLETE", "COMPLETED", "STATUS")
	}
	out := &ical.Component{Name: r.component.Name, Props: only(r.component, names...)}
	for i, p := range out.Props {
		out.Props[i] = cleanLine(p)
	}
	line := cleanLine(setParam(r.line, "PARTSTAT", r.status)).Without("RSVP")
	out.Props = append(out.Props, line)
	for _, p := range r.comments {
		out.Props = append(out.Props, cleanLine(p))
	}
	out.Props = append(out.Props, ical.Prop{Name: "REQUEST-STATUS", Value: "2.0;Success"})
	if _, ok := sequence(out); !ok {
		setSequence(out, 0)
	}
	setStamp(out, r.now)
	return out
}

func commentLine(text string) ical.Prop {
	return ical.Prop{Name: "COMMENT", Value: contentline.EscapeText(text)}
}

// clip cuts a text at a character.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// SetStatus returns an object in which SCHEDULE-STATUS (RFC 6638 7.3) is set for users, by
// User.Key, such as "1.2" or "3.7"; "" takes it away. With the role AsOrganizer these are
// attendees, with AsAttendee it is the organizer.
func SetStatus(c *ical.Calendar, role Role, status map[string]string) *ical.Calendar {
	o, name := readObject(c, nil), "ATTENDEE"
	if role == AsAttendee {
		name = "ORGANIZER"
	}
	parts := make([]*ical.Component, len(o.parts))
	for i, p := range o.parts {
		var out *ical.Component
		for n, l := range p.Props {
			if l.Name != name || !byServer(l) {
				continue
			}
			value, ok := status[o.user(l).key]
			if !ok || l.Param("SCHEDULE-STATUS") == value {
				continue
			}
			if out == nil {
				out = copyOf(p.Component)
			}
			out.Props[n] = setParam(l, "SCHEDULE-STATUS", value)
		}
		parts[i] = out
	}
	return o.replaced(parts).cal
}
