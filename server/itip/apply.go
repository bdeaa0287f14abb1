package itip

import (
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
	// Events are what changed, instance by instance, in words for people and logs.
	Events []Event
	// Others tell the organizer's other attendees of a reply: a REQUEST of the same
	// SEQUENCE. Sending them by mail is not usual.
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
func (d Delivery) Apply() Result { return Result{} }
