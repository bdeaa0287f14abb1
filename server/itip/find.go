package itip

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/hook"
	"facteur/server/ical"
)

// MaxSize bounds the calendar of a mail, in octets.
const MaxSize = 2 << 20

// maxLines bounds its lines.
const maxLines = 100_000

// maxCalendars bounds how many parts of a mail are looked at.
const maxCalendars = 8

// Find returns the message in a mail. The errors wrap ErrNone or ErrMessage, or say what is
// wrong with the calendar.
//
// It is the first part of type text/calendar that has a METHOD (RFC 6047 2.4), else a file
// that is a calendar by its type or name: some programs send no more. What stands in a
// mail that is enclosed in this one was written by somebody else.
func Find(c hook.Content) (*Message, error) {
	var failed error = ErrNone
	looked := 0
	for _, files := range []bool{false, true} {
		enclosed := -1
		for i, p := range c.Parts() {
			if enclosed >= 0 && p.Depth > enclosed {
				continue
			}
			enclosed = -1
			if p.Type == "message/rfc822" || p.Type == "message/global" {
				enclosed = p.Depth
				continue
			}
			if isCalendar(p, files) && p.Size <= 2*MaxSize {
				if looked++; looked > maxCalendars {
					return nil, failed
				}
				m, err := parseMail(c.PartText(i, MaxSize+1), c.PartHeader(i, "Content-Type"))
				if err == nil {
					return m, nil
				}
				if errors.Is(failed, ErrNone) {
					failed = err
				}
			}
		}
	}
	return nil, failed
}

// isCalendar says whether a part is a calendar: by its type, or as a file.
func isCalendar(p hook.Part, file bool) bool {
	byName := strings.HasSuffix(strings.ToLower(p.Name), ".ics")
	if !file {
		return p.Type == "text/calendar"
	}
	return p.Type == "application/ics" || byName && (p.Type == "application/octet-stream" || p.Type == "text/plain")
}

// parseMail reads the calendar of a part.
func parseMail(text, contentType string) (*Message, error) {
	if len(text) > MaxSize {
		return nil, bad("it has more than %d octets", MaxSize)
	}
	m, err := ParseMessage([]byte(text))
	if err != nil {
		return nil, err
	}
	// RFC 6047 2.4: the parameter and the property are the same.
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		if said := params["method"]; said != "" && !strings.EqualFold(said, string(m.Method)) {
			return nil, bad("its METHOD is %s, that of the mail %s", contentline.Clip(string(m.Method)), contentline.Clip(said))
		}
	}
	return m, nil
}

// ParseMessage reads a message of octets, within the bounds of mail.
func ParseMessage(text []byte) (*Message, error) {
	c, err := ical.ParseLimited(bytes.NewReader(text), contentline.Limits{Octets: MaxSize, Lines: maxLines})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return Read(c)
}

// main is the component that tells most: that of all instances, else the first.
func (o *object) main() (part, bool) {
	if m, ok := o.master(); ok {
		return m, true
	}
	if len(o.parts) == 0 {
		return part{}, false
	}
	return o.parts[0], true
}

// Invitation returns what scripts are told of a message about an event. false: it is about
// nothing that has a time. Times without a zone are those of l.
func (m *Message) Invitation(l *time.Location) (hook.Invitation, bool) {
	o := readObject(m.Calendar, l)
	p, ok := o.main()
	if !ok || m.Kind != "VEVENT" {
		return hook.Invitation{}, false
	}
	in := hook.Invitation{Method: string(m.Method), UID: m.UID, Summary: p.Text("SUMMARY"), Location: p.Text("LOCATION")}
	in.Sequence, _ = sequence(p.Component)
	_, rule := p.Prop("RRULE")
	_, dates := p.Prop("RDATE")
	in.Recurring = rule || dates
	if a := m.Organizer.Address; !a.IsZero() {
		in.Organizer = a.String()
	}
	for _, u := range o.attendees(p.Component) {
		if !u.Address.IsZero() {
			in.Attendees = append(in.Attendees, u.Address.String())
		}
	}
	w := o.when(p.Component)
	in.Start, in.End, in.AllDay = w.start, w.end, w.allDay
	return in, true
}

// when is the time of a component.
type when struct {
	start, end time.Time
	allDay     bool
}

// when returns the time of a component; zero: it has none.
func (o *object) when(c *ical.Component) (w when) {
	p, ok := c.Prop("DTSTART")
	if !ok {
		p, ok = c.Prop("DUE")
	}
	v, err := ical.ParseValue(p, o.zones)
	if !ok || err != nil {
		return w
	}
	w.start, w.allDay = v.Time(o.floating), v.IsDate()
	w.end = w.start
	end, ok := c.Prop("DTEND")
	if !ok {
		end, ok = c.Prop("DUE")
	}
	if e, err := ical.ParseValue(end, o.zones); ok && err == nil && e.Time(o.floating).After(w.start) {
		w.end = e.Time(o.floating)
		return w
	}
	if d, err := ical.ParseDuration(c.Value("DURATION")); err == nil && (d.Days > 0 || d.Seconds > 0) {
		w.end = w.start.AddDate(0, 0, int(d.Days)).Add(time.Duration(d.Seconds) * time.Second)
	} else if w.allDay {
		w.end = w.start.AddDate(0, 0, 1)
	}
	return w
}
