package itip

import (
	"errors"
	"fmt"
	"strings"

	"facteur/server/ical"
)

// Method is what a message asks for (RFC 5546 1.4).
type Method string

// The methods of RFC 5546.
const (
	Publish        Method = "PUBLISH"
	Request        Method = "REQUEST"
	Reply          Method = "REPLY"
	Add            Method = "ADD"
	Cancel         Method = "CANCEL"
	Refresh        Method = "REFRESH"
	Counter        Method = "COUNTER"
	DeclineCounter Method = "DECLINECOUNTER"
)

// FromOrganizer says whether it is the organizer who sends such messages.
func (m Method) FromOrganizer() bool {
	switch m {
	case Publish, Request, Add, Cancel, DeclineCounter:
		return true
	}
	return false
}

// Message is an iTIP message: what it is about, and the calendar with METHOD. It does not
// change.
type Message struct {
	Method    Method
	Kind      string // VEVENT, VTODO, VJOURNAL or VFREEBUSY
	UID       string
	Organizer User // zero: it names none
	Calendar  *ical.Calendar
}

// ErrNone is that of a calendar that is no iTIP message: it has no METHOD.
var ErrNone = errors.New("it is no iTIP message: there is no METHOD")

// ErrMessage is that of a calendar that has a METHOD, but not what RFC 5546 asks of such a
// message.
var ErrMessage = errors.New("it is no iTIP message that makes sense")

// Read reads a calendar as a message. The errors wrap ErrNone or ErrMessage.
func Read(c *ical.Calendar) (*Message, error) {
	return nil, fmt.Errorf("%w", ErrNone)
}

// Octets returns the message as it is sent or kept in a scheduling inbox.
func (m *Message) Octets() []byte { return m.Calendar.Append(nil) }

// Attendees returns who is named as an ATTENDEE in any component, each once.
func (m *Message) Attendees() []User { return Attendees(m.Calendar) }

// Organizer returns the ORGANIZER of an object; false: it has none.
func Organizer(c *ical.Calendar) (User, bool) { return User{}, false }

// Attendees returns who is named as an ATTENDEE in any component of an object, each once,
// in their order.
func Attendees(c *ical.Calendar) []User { return nil }

// isPart says whether a component is part of what an object describes.
func isPart(c *ical.Component) bool {
	return c.Name != "VTIMEZONE" && !strings.HasPrefix(c.Name, "X-")
}
