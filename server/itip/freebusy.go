package itip

import (
	"strings"
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

	component *ical.Component
	calendar  *ical.Calendar
}

// maxAsked bounds whom one question is about.
const maxAsked = 1000

// ReadFreeBusy reads a VFREEBUSY with METHOD:REQUEST. The errors wrap ErrNone or ErrMessage.
func ReadFreeBusy(c *ical.Calendar) (*FreeBusy, error) {
	m, err := Read(c)
	if err != nil {
		return nil, err
	}
	if m.Kind != "VFREEBUSY" || m.Method != Request {
		return nil, bad("it does not ask when people are busy")
	}
	o := readObject(c, nil)
	p := o.parts[0]
	if len(o.parts) != 1 {
		return nil, bad("it asks several questions")
	}
	f := &FreeBusy{UID: m.UID, Organizer: m.Organizer, Attendees: m.Attendees(), component: p.Component, calendar: c}
	f.Masked = strings.TrimSpace(p.Text("X-CALENDARSERVER-MASK-UID"))
	start, _ := p.Prop("DTSTART")
	end, _ := p.Prop("DTEND")
	from, err1 := ical.ParseValue(start, o.zones)
	to, err2 := ical.ParseValue(end, o.zones)
	if err1 == nil && err2 != nil {
		var d ical.Duration
		if d, err2 = ical.ParseDuration(p.Value("DURATION")); err2 == nil {
			f.Range.To = from.Time(nil).AddDate(0, 0, int(d.Days)).Add(time.Duration(d.Seconds) * time.Second)
		}
	} else if err2 == nil {
		f.Range.To = to.Time(nil)
	}
	if err1 != nil || err2 != nil {
		return nil, bad("it has no DTSTART and DTEND")
	}
	f.Range.From = from.Time(nil)
	switch {
	case !f.Range.From.Before(f.Range.To):
		return nil, bad("DTEND is not after DTSTART")
	case m.Organizer.URI == "":
		return nil, bad("it names no ORGANIZER")
	case len(f.Attendees) == 0:
		return nil, bad("it names no ATTENDEE")
	case len(f.Attendees) > maxAsked:
		return nil, bad("it names more than %d attendees", maxAsked)
	}
	return f, nil
}

// Reply makes the answer for one attendee (RFC 5546 3.3.3).
func (f *FreeBusy) Reply(attendee User, busy []ical.BusyPeriod, now time.Time) *Message {
	made := ical.FreeBusy(f.Range, busy, product, f.UID, now)
	var parts []*ical.Component
	for _, c := range made.Children {
		if c.Name != "VFREEBUSY" {
			continue
		}
		c = copyOf(c)
		setValue(c, "UID", f.UID) // as it stands
		for _, p := range f.component.Props {
			switch p.Name {
			case "ORGANIZER":
				c.Props = append(c.Props, cleanLine(p))
			case "ATTENDEE":
				if ParseUser(p).Key() == attendee.Key() {
					c.Props = append(c.Props, cleanLine(p))
				}
			}
		}
		parts = append(parts, c)
	}
	return newMessage(Reply, made, parts)
}
