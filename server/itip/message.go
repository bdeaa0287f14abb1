package itip

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"facteur/server/contentline"
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

// methodsOf are those that RFC 5546 3.2 to 3.5 have for a kind of component.
func methodsOf(kind string) []Method {
	switch kind {
	case "VEVENT", "VTODO":
		return []Method{Publish, Request, Reply, Add, Cancel, Refresh, Counter, DeclineCounter}
	case "VJOURNAL":
		return []Method{Publish, Add, Cancel}
	case "VFREEBUSY":
		return []Method{Publish, Request, Reply}
	}
	return nil
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

// The bounds of a message.
const (
	maxParts = 10_001 // components: 10,000 instances and that of all
	maxUID   = 4 << 10
)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...))
}

// Read reads a calendar as a message. The errors wrap ErrNone or ErrMessage.
func Read(c *ical.Calendar) (*Message, error) {
	method := Method(strings.ToUpper(strings.TrimSpace(c.Value("METHOD"))))
	if method == "" {
		return nil, ErrNone
	}
	m := &Message{Method: method, Calendar: c}
	n := 0
	for _, child := range c.Children {
		if !isPart(child) {
			continue
		}
		if n++; n > maxParts {
			return nil, bad("it has more than %d components", maxParts)
		}
		uid := strings.TrimSpace(child.Value("UID"))
		switch {
		case n == 1:
			m.Kind, m.UID = child.Name, uid
		case child.Name != m.Kind:
			return nil, bad("it has components of several kinds")
		case uid != m.UID:
			return nil, bad("it has components with several UIDs")
		}
	}
	switch {
	case n == 0:
		return nil, bad("it has no component")
	case m.UID == "" || len(m.UID) > maxUID:
		return nil, bad("it has no UID")
	case methodsOf(m.Kind) == nil:
		return nil, bad("it is about %s", contentline.Clip(m.Kind))
	case !slices.Contains(methodsOf(m.Kind), method):
		return nil, bad("there is no %s of a %s", contentline.Clip(string(method)), m.Kind)
	}
	m.Organizer, _ = Organizer(c)
	return m, nil
}

// Octets returns the message as it is sent or kept in a scheduling inbox.
func (m *Message) Octets() []byte { return m.Calendar.Append(nil) }

// Attendees returns who is named as an ATTENDEE in any component, each once.
func (m *Message) Attendees() []User { return Attendees(m.Calendar) }

// product is the PRODID of what is written here.
const product = "-//facteur//calendar//EN"

// newMessage makes a message of components, with the time zones of a calendar that they
// name.
func newMessage(method Method, zones *ical.Calendar, parts []*ical.Component) *Message {
	c := withParts(zones, append(missingZones(zones, parts), parts...))
	c.Name = "VCALENDAR"
	c.Props = []ical.Prop{{Name: "PRODID", Value: product}, {Name: "VERSION", Value: "2.0"}}
	if p, ok := zones.Prop("CALSCALE"); ok {
		c.Props = append(c.Props, p)
	}
	c.Props = append(c.Props, ical.Prop{Name: "METHOD", Value: string(method)})
	m := &Message{Method: method, Calendar: c}
	if len(parts) > 0 {
		m.Kind, m.UID = parts[0].Name, strings.TrimSpace(parts[0].Value("UID"))
	}
	m.Organizer, _ = Organizer(c)
	return m
}
