package itip

import (
	"errors"
	"time"

	"facteur/server/ical"
)

// Role is what a person is for an object.
type Role int

// The roles.
const (
	Bystander Role = iota // neither organizer nor attendee: nothing is scheduled
	AsOrganizer
	AsAttendee
)

// Change is what a client did to an object in the calendar of a person (RFC 6638 3.2).
type Change struct {
	Before, After *ical.Calendar // nil: there was none, or it was removed
	Self          Person         // whose calendar it is in
	Now           time.Time      // for DTSTAMP
	NoReply       bool           // Schedule-Reply: F (RFC 6638 8.1): a DELETE declines nothing
	// Floating is the zone of times that have none; nil: UTC.
	Floating *time.Location
}

// Plan is what follows from a Change.
type Plan struct {
	Role Role
	// Object is what has to be kept in the place of After, nil when that is. It has the
	// SEQUENCE that RFC 5546 2.1.4 asks for, and what only the server knows: the
	// SCHEDULE-STATUS of before, replies that came in the meantime.
	Object *ical.Calendar
	// Altered: Object is not After, so a client has to read it again.
	Altered bool
	// Messages are to be sent when Object is kept.
	Messages []Outgoing
}

// Outgoing is a message for one user. Users who are told the same share the Message.
type Outgoing struct {
	From, To User
	Message  *Message
	// First is a CANCEL of all instances, when the user is left out of them and the Message, a
	// REQUEST, names those to which he is still invited. It has to arrive before that; not
	// where both are worked in at once (Delivery.Only). nil: there is none.
	First *Message
}

// Precondition is the error of a change that may not be (RFC 6638 3.2.4): Name is the local
// name of the element that tells a client, in the namespace of CalDAV.
type Precondition struct {
	Name string
	Text string
}

// The names of preconditions.
const (
	SameOrganizer    = "same-organizer-in-all-components"
	AllowedOrganizer = "allowed-organizer-scheduling-object-change"
	AllowedAttendee  = "allowed-attendee-scheduling-object-change"
	TooManyAttendees = "max-attendees-per-instance" // RFC 4791 5.3.2.1
)

// Error says what may not be.
func (e *Precondition) Error() string { return e.Text }

// ErrTooMuch is that of an object whose messages would be too large all together: each of
// many attendees is invited to other instances.
var ErrTooMuch = errors.New("too many attendees are invited to different instances")

// MaxAttendees bounds the attendees of one object.
const MaxAttendees = 10_000

// Plan says what follows from a change. The error is a *Precondition or ErrTooMuch.
func (c Change) Plan() (*Plan, error) {
	c.Self = remembering(c.Self)
	before, after := readObject(c.Before, c.Floating), readObject(c.After, c.Floating)
	was, is := before.roleOf(c.Self), after.roleOf(c.Self)
	if !before.schedules() {
		was = Bystander
	}
	if !after.schedules() {
		is = Bystander
	}
	if was == Bystander && is == Bystander {
		return &Plan{Object: c.After}, nil
	}
	if was == Bystander { // nobody was told of what was there
		before = readObject(nil, c.Floating)
	}
	if tooMuch(before, after) {
		return nil, ErrTooMuch
	}
	if err := after.sameOrganizer(); err != nil {
		return nil, err
	}
	_, by, has := after.organizer()
	switch {
	case was == AsOrganizer && is != AsOrganizer && has:
		return nil, &Precondition{AllowedOrganizer, "the organizer of an event can't be changed to another person"}
	case was == AsOrganizer || is == AsOrganizer && was == Bystander:
		return c.organize(before, after)
	case was == AsAttendee && c.After != nil:
		if _, old, _ := before.organizer(); !has || old.key != by.key {
			return nil, &Precondition{AllowedAttendee, "only the organizer may change who organizes an event"}
		}
	}
	return c.attend(before, after)
}

// schedules says whether there are messages about such components to be sent by themselves.
func (o *object) schedules() bool {
	return len(o.parts) > 0 && (o.parts[0].Name == "VEVENT" || o.parts[0].Name == "VTODO")
}

// sameOrganizer checks RFC 6638 3.2.4.2. A component that names none does no harm.
func (o *object) sameOrganizer() error {
	_, by, _ := o.organizer()
	for _, p := range o.parts {
		line, ok := p.Prop("ORGANIZER")
		if k := o.user(line); ok && k.key != "" && k.key != by.key {
			return &Precondition{SameOrganizer, "the components name different organizers"}
		}
	}
	return nil
}

// replaced returns an object with other components in the place of its own; nil stands for
// what stays.
func (o *object) replaced(parts []*ical.Component) *object {
	out := *o.cal
	out.Children = nil
	n := 0
	for _, child := range o.cal.Children {
		if isPart(child) {
			if parts[n] != nil {
				child = parts[n]
			}
			n++
		}
		out.Children = append(out.Children, child)
	}
	return readObject(&out, o.floating)
}
