package itip

import (
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
	// Instance is a RECURRENCE-ID, as Event.Instance has it; "": all components that name
	// the person.
	Instance string
	Now      time.Time
}

// Set returns an object of the person with the answer in it: what a client would PUT. A
// Change from the one to the other sends the reply. The comment is in it, too.
func (a Answer) Set(c *ical.Calendar) *ical.Calendar {
	o, self := readObject(c, nil), remembering(a.Self)
	parts := make([]*ical.Component, len(o.parts))
	for i, p := range o.parts {
		n := o.attendee(p.Component, self)
		if n < 0 || a.Instance != "" && p.Value("RECURRENCE-ID") != a.Instance {
			continue
		}
		out := copyOf(p.Component)
		out.Props[n] = setParam(out.Props[n], "PARTSTAT", a.PartStat)
		if text := clip(a.Comment, maxComment/2); text != "" {
			out.Props = append(out.Props, commentLine(text))
		}
		parts[i] = out
	}
	return o.replaced(parts).cal
}

// Reply makes the answer to a REQUEST that is kept nowhere. false: the person is not
// invited by it.
func (a Answer) Reply(m *Message) (Outgoing, bool) {
	o, self := readObject(m.Calendar, nil), remembering(a.Self)
	var from User
	var parts []*ical.Component
	for _, p := range o.parts {
		n := o.attendee(p.Component, self)
		if n < 0 || a.Instance != "" && p.Value("RECURRENCE-ID") != a.Instance {
			continue
		}
		from = ParseUser(p.Props[n])
		r := reply{component: p.Component, line: p.Props[n], status: a.PartStat, now: a.Now}
		if text := clip(a.Comment, maxComment/2); text != "" {
			r.comments = []ical.Prop{commentLine(text)}
		}
		parts = append(parts, replyPart(r))
	}
	if len(parts) == 0 || m.Organizer.URI == "" {
		return Outgoing{}, false
	}
	return Outgoing{From: from, To: m.Organizer, Message: newMessage(Reply, m.Calendar, parts)}, true
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
