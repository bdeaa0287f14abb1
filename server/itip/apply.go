package itip

import (
	"slices"
	"strings"
	"time"

	"facteur/server/ical"
)

// Delivery is a message that arrived for a person.
type Delivery struct {
	Message *Message
	Stored  *ical.Calendar // the object with its UID in the person's calendars; nil: none
	Self    Person         // who gets it
	From    Person         // who sent it, as far as that is proven
	Now     time.Time
	// Create says that an object may be made where none is stored.
	Create bool
	// Cancelled is the version of the message that took all of the object away; nil: none did.
	// What is no newer does not bring it back.
	Cancelled *Version
	// Only says of a REQUEST that its components are all that the person is invited to
	// (Outgoing.First).
	Only bool
	// Floating is the zone of times that have none; nil: UTC.
	Floating *time.Location
}

// Outcome is what became of a message.
type Outcome int

// The outcomes.
const (
	Refused Outcome = iota // it may not do what it asks for: Result.Reason
	Ignored                // there is nothing to do: Result.Reason
	Applied                // Result.Object or Result.Remove has what follows
	Noted                  // it is for the person to read (COUNTER, DECLINECOUNTER), or was answered (REFRESH)
)

// Reason is why a message was refused or ignored.
type Reason string

// The reasons.
const (
	Older          Reason = "an older SEQUENCE or DTSTAMP than what is known"
	Same           Reason = "nothing new"
	ForOthers      Reason = "about other attendees"
	Stranger       Reason = "a new object, which the sender may not make"
	NoObject       Reason = "about an object that is not there"
	NoInstance     Reason = "about an instance that is not there"
	NotOrganizer   Reason = "not from the organizer"
	OtherOrganizer Reason = "of another organizer than the stored object"
	NotAttendee    Reason = "not from an attendee of the stored object"
	NotInvited     Reason = "for somebody who is not invited"
	OtherKind      Reason = "about another kind of component than the stored object"
	Unusable       Reason = "what it says makes no calendar object"
	NotHere        Reason = "a method that changes no calendar"
	Declined       Reason = "what its attendee has declined, and taken out of the calendar"
)

// Result is what became of a message.
type Result struct {
	Outcome Outcome
	Reason  Reason
	Role    Role // of who got it
	// Object is what is to be kept; nil: nothing changes, or it is removed.
	Object  *ical.Calendar
	Remove  bool // the object is to be removed: all of it was cancelled
	Created bool // Object is new
	// News are the components of Object that invite anew or to another time, so that an
	// answer is asked for.
	News []*ical.Component
	// Events are what changed, instance by instance, in words for people and logs.
	Events []Event
	// Others tell the organizer's other attendees of a reply: a REQUEST of the same
	// SEQUENCE. Sending them by mail is not usual. An object with more than 100 attendees
	// has none.
	Others []Outgoing
	// Answers go back by themselves: a REFRESH to the organizer when an ADD is about an
	// object that is not there, the newest REQUEST to an attendee who sent a REFRESH.
	Answers []Outgoing
}

// Event is one thing that a message changed.
type Event struct {
	Instance string // RECURRENCE-ID as it stands; "": all instances
	User     User   // of a REPLY: who answered
	Was, Is  string // of a REPLY: PARTSTAT
	Comment  string // COMMENT
	What     What
}

// What is the kind of an Event.
type What string

// The kinds of events.
const (
	Invited     What = "invited"
	Updated     What = "updated"
	Rescheduled What = "rescheduled"
	Cancelled   What = "cancelled"
	Answered    What = "answered"
	Delegated   What = "delegated"
	Proposed    What = "proposed"
)

// Apply says what a message changes. It never fails: what can't be worked in is refused.
func (d Delivery) Apply() Result {
	a := applying{Delivery: d, message: readObject(d.Message.Calendar, d.Floating), stored: readObject(d.Stored, d.Floating)}
	a.Self, a.From = remembering(d.Self), remembering(d.From)
	if _, whole := a.message.master(); !whole || d.Message.Method != Request && d.Message.Method != Publish {
		a.message.name(a.stored)
	}
	switch {
	case d.Stored != nil && len(a.stored.parts) == 0:
		return refused(OtherKind)
	case a.message.twice(), tooMuch(a.message, a.stored):
		return refused(Unusable)
	}
	if d.Stored != nil && a.stored.parts[0].Name != d.Message.Kind {
		return refused(OtherKind)
	}
	if d.Message.Kind == "VFREEBUSY" || d.Stored != nil && strings.TrimSpace(a.stored.parts[0].Value("UID")) != d.Message.UID {
		return refused(NotHere)
	}
	var r Result
	switch d.Message.Method {
	case Publish, Request:
		r = a.request()
	case Add:
		r = a.add()
	case Cancel:
		r = a.cancel()
	case Reply:
		r = a.reply()
	case Counter:
		r = a.counter()
	case DeclineCounter:
		r = a.declineCounter()
	case Refresh:
		r = a.refresh()
	default:
		return refused(NotHere)
	}
	return r.checked()
}

// applying is the work on a Delivery.
type applying struct {
	Delivery
	message, stored *object
}

func refused(why Reason) Result { return Result{Outcome: Refused, Reason: why} }
func ignored(why Reason) Result { return Result{Outcome: Ignored, Reason: why} }

// checked refuses what would make an object that may not be kept.
func (r Result) checked() Result {
	if r.Object == nil {
		return r
	}
	if err := r.Object.Check(); err != nil {
		return refused(Unusable)
	}
	return r
}

// fromOrganizer says whether the message is from the organizer: of the stored object, and
// where there is none of the one that it names.
func (a *applying) fromOrganizer() (Reason, bool) {
	_, by, ok := a.message.organizer()
	if a.Stored == nil {
		if !ok || !a.From(by.User) {
			return NotOrganizer, false
		}
		if a.Self(by.User) {
			return NotHere, false // what he sent to others, and himself
		}
		return "", true
	}
	_, old, has := a.stored.organizer()
	switch {
	case !has || ok && by.key != old.key && !(a.From(by.User) && a.From(old.User)):
		return OtherOrganizer, false
	case !a.From(old.User):
		return NotOrganizer, false
	case a.Self(old.User):
		return NotHere, false // his own object is what he made of it
	}
	return "", true
}

// object makes a calendar to keep: with the properties and zones of one, the zones of
// another that parts of it name, and some components.
func (a *applying) object(base *ical.Calendar, parts []*ical.Component) *ical.Calendar {
	named := namedZones(parts)
	out := *base
	out.Props = slices.DeleteFunc(slices.Clone(base.Props), func(p ical.Prop) bool { return p.Name == "METHOD" })
	if v, ok := out.Prop("VERSION"); !ok || strings.TrimSpace(v.Value) != "2.0" {
		setValue(&out.Component, "VERSION", "2.0")
	}
	if _, ok := out.Prop("PRODID"); !ok {
		setValue(&out.Component, "PRODID", product)
	}
	out.Children = nil
	has := make(map[string]bool)
	// The zones of the message are the newer ones.
	for _, c := range []*ical.Calendar{a.Message.Calendar, base} {
		for _, child := range c.Children {
			id := child.Value("TZID")
			if child.Name == "VTIMEZONE" && named[id] && !has[id] {
				has[id] = true
				out.Children = append(out.Children, child)
			}
		}
	}
	for _, child := range base.Children {
		if !isPart(child) && child.Name != "VTIMEZONE" {
			out.Children = append(out.Children, child)
		}
	}
	out.Children = append(out.Children, parts...)
	return &out
}
