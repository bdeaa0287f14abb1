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

// Plan says what follows from a change. The error is a *Precondition, ErrTooMuch, or that of
// times that can't be read, which ical.Calendar.Check finds before.
func (c Change) Plan() (*Plan, error) { return nil, errors.ErrUnsupported }

// RoleOf says what a person is for an object.
func RoleOf(c *ical.Calendar, self Person) Role { return Bystander }

// SetStatus returns an object in which SCHEDULE-STATUS (RFC 6638 7.3) is set for users, by
// User.Key, such as "1.2" or "3.7"; "" takes it away. With the role AsOrganizer these are
// attendees, with AsAttendee it is the organizer.
func SetStatus(c *ical.Calendar, role Role, status map[string]string) *ical.Calendar { return c }

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
// Change from the one to the other sends the reply. The comment is not in it.
func (a Answer) Set(c *ical.Calendar) *ical.Calendar { return c }

// Reply makes the answer to a REQUEST that is kept nowhere. false: the person is not
// invited by it.
func (a Answer) Reply(m *Message) (Outgoing, bool) { return Outgoing{}, false }
