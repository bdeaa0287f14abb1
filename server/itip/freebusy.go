package itip

import (
	"errors"
	"time"

	"facteur/server/ical"
)

// FreeBusy is the question of when people are busy (RFC 5546 3.3.2, RFC 6638 5).
type FreeBusy struct {
	UID       string
	Organizer User
	Attendees []User
	Range     ical.TimeRange
	Masked    string // X-CALENDARSERVER-MASK-UID: an event that does not count, "" for none
}

// ReadFreeBusy reads a VFREEBUSY with METHOD:REQUEST. The errors wrap ErrNone or ErrMessage.
func ReadFreeBusy(c *ical.Calendar) (*FreeBusy, error) { return nil, errors.ErrUnsupported }

// Reply makes the answer for one attendee (RFC 5546 3.3.3).
func (f *FreeBusy) Reply(attendee User, busy []ical.BusyPeriod, now time.Time) *Message { return nil }
