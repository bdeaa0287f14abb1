package schedule

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// Invitation is an iTIP message about one event (RFC 5546 3.2).
type Invitation struct {
	hook.Invitation
	// From is the organizer; zero: what it names is no mail address.
	From address.Address
	// RecurrenceID names one of the occurrences, as it stands; "": all of them.
	RecurrenceID string

	attendees []attendee
	organizer string   // the property's value, as it stands
	original  []string // lines of the event that a REPLY has too
	zones     []string // lines of the time zones that these name
}

// attendee is who is invited.
type attendee struct {
	address address.Address
	value   string // as it stands
	name    string
}

// ErrNone is that of a text that holds no iTIP message about an event.
var ErrNone = errors.New("there is no invitation in it")

// Read reads an iTIP message: what it says of the event, or of the first of several
// components, which is that of all occurrences where there is one. Times without a zone
// are those of l.
func Read(text string, l *time.Location) (*Invitation, error) {
	if len(text) > MaxSize {
		return nil, ErrNone
	}
	var r reader
	for p := range lines(text) {
		if !r.line(p) {
			break
		}
	}
	master := slices.IndexFunc(r.events, func(e event) bool { return e.get("RECURRENCE-ID").name == "" })
	if r.method == "" || len(r.events) == 0 {
		return nil, ErrNone
	}
	in := r.invitation(r.events[max(master, 0)], l)
	if in.UID == "" || len(in.UID) > maxOriginal {
		return nil, ErrNone
	}
	return in, nil
}

// reader is the reading of an object.
type reader struct {
	path   []string // of components
	method string
	events []event
	zones  []zone
}

// event is what is read of a VEVENT.
type event struct {
	properties []property // those of wanted, each once
	attendees  []property
}

// wanted are the properties of a VEVENT that are read.
var wanted = []string{
	"UID", "SEQUENCE", "ORGANIZER", "SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "RECURRENCE-ID",
}

func (e event) get(name string) property {
	for _, p := range e.properties {
		if p.name == name {
			return p
		}
	}
	return property{}
}

// line takes a line in. false: the object has ended, or is none.
func (r *reader) line(p property) bool {
	switch p.name {
	case "BEGIN":
		r.path = append(r.path, strings.ToUpper(p.value))
		r.begin()
		return len(r.path) <= maxDepth && r.path[0] == "VCALENDAR"
	case "END":
		if len(r.path) == 0 || r.path[len(r.path)-1] != strings.ToUpper(p.value) {
			return false
		}
		r.zoneLine(p)
		r.path = r.path[:len(r.path)-1]
		return len(r.path) > 0
	}
	switch strings.Join(r.path, "/") {
	case "VCALENDAR":
		if p.name == "METHOD" && r.method == "" {
			r.method = strings.ToUpper(strings.TrimSpace(p.value))
		}
	case "VCALENDAR/VEVENT":
		r.events[len(r.events)-1].add(p)
	default:
		r.zoneLine(p)
	}
	return true
}

// begin begins a component.
func (r *reader) begin() {
	switch strings.Join(r.path, "/") {
	case "VCALENDAR/VEVENT":
		r.events = append(r.events, event{})
	case "VCALENDAR/VTIMEZONE":
		r.zones = append(r.zones, zone{})
	}
	r.zoneLine(property{name: "BEGIN", value: r.path[len(r.path)-1], line: "BEGIN:" + r.path[len(r.path)-1]})
}

// zoneLine takes in a line of a time zone.
func (r *reader) zoneLine(p property) {
	if len(r.path) > 1 && r.path[1] == "VTIMEZONE" && len(r.zones) > 0 && len(r.zones) <= maxZones {
		r.zones[len(r.zones)-1].add(p, len(r.path))
	}
}

func (e *event) add(p property) {
	switch {
	case p.name == "ATTENDEE":
		if len(e.attendees) < maxAttendee {
			e.attendees = append(e.attendees, p)
		}
	case slices.Contains(wanted, p.name) && e.get(p.name).name == "":
		e.properties = append(e.properties, p)
	}
}

// invitation makes an Invitation of an event.
func (r *reader) invitation(e event, l *time.Location) *Invitation {
	in := &Invitation{RecurrenceID: e.get("RECURRENCE-ID").line}
	in.Method, in.UID = r.method, e.get("UID").value
	in.Summary, in.Location = decodeText(e.get("SUMMARY").value), decodeText(e.get("LOCATION").value)
	in.Sequence, _ = strconv.Atoi(e.get("SEQUENCE").value)
	in.Recurring = e.get("RRULE").name != "" || e.get("RDATE").name != ""
	in.organizer = e.get("ORGANIZER").value
	in.From, _ = mailto(in.organizer)
	if !in.From.IsZero() {
		in.Organizer = in.From.String()
	}
	for _, p := range e.attendees {
		if a, ok := mailto(p.value); ok {
			in.attendees = append(in.attendees, attendee{a, p.value, p.param("CN")})
			in.Attendees = append(in.Attendees, a.String())
		}
	}
	in.Start, in.AllDay = r.time(e.get("DTSTART"), l)
	in.End, _ = r.time(e.get("DTEND"), l)
	if in.End.IsZero() {
		in.End = endOf(in.Start, e.get("DURATION").value, in.AllDay)
	}
	r.keepOriginal(in, e)
	return in
}

// maxOriginal bounds a line that a REPLY repeats.
const maxOriginal = 4 << 10

// keepOriginal keeps what a REPLY repeats: some servers look for more than the UID.
func (r *reader) keepOriginal(in *Invitation, e event) {
	named := make(map[string]bool)
	for _, name := range []string{"RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "SUMMARY"} {
		p := e.get(name)
		if p.name == "" || len(p.line) > maxOriginal {
			continue
		}
		in.original = append(in.original, p.line)
		id := p.param("TZID")
		if i := slices.IndexFunc(r.zones, func(z zone) bool { return z.id == id }); i >= 0 && id != "" && !named[id] {
			named[id] = true
			in.zones = append(in.zones, r.zones[i].lines...)
		}
	}
}

// mailto returns the address of a calendar user (RFC 5545 3.3.3).
func mailto(value string) (address.Address, bool) {
	const scheme = "mailto:"
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return address.Address{}, false
	}
	plain, err := url.PathUnescape(strings.TrimSpace(value[len(scheme):]))
	if err != nil {
		return address.Address{}, false
	}
	a, err := address.Parse(plain)
	return a, err == nil
}

// endOf returns the end of an event that has none (RFC 5545 3.6.1): by its duration, else a
// day has one day, and a time no length.
func endOf(start time.Time, duration string, allDay bool) time.Time {
	if d, days, ok := parseDuration(duration); ok && !start.IsZero() {
		return start.AddDate(0, 0, days).Add(d)
	}
	if allDay && !start.IsZero() {
		return start.AddDate(0, 0, 1)
	}
	return start
}
