package scheduling

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/itip"
)

// Response is what is known of one recipient's time (RFC 6638 5.2, response).
type Response struct {
	Recipient string // as it was asked for: a URI
	Status    string // of the request (RFC 5546 3.6): "2.0;Success"
	Data      []byte // an iTIP message with METHOD:REPLY; nil: none
}

// The values of REQUEST-STATUS (RFC 5546 3.6, RFC 6638 3.2.9).
const (
	requestDone    = "2.0;Success"
	requestUnknown = "3.7;Invalid calendar user"
	requestFailed  = "5.1;Service unavailable"
)

// The bounds of a question of when people are busy.
const (
	maxAsked   = 200
	maxBusy    = 370 * 24 * time.Hour // the range
	maxPeriods = 10_000               // of one of them
	maxTold    = 100_000              // of all
	maxHours   = 500                  // VAVAILABILITY and AVAILABLE components
	// maxInstances is how many instances are looked at, of each person at least leastOfPerson; when
	// there are more, at least leastOfObject of each other object. Those later count as one long time.
	maxInstances  = 3 * ical.MaxInstances
	leastOfPerson = 1000
	leastOfObject = 100
)

// FreeBusy answers what is posted to the outbox of a home (RFC 6638 5): when people are busy.
// It is answered for those who have a mailbox here and are colleagues. The errors are a
// *Precondition and faults.
func (s *Scheduler) FreeBusy(ctx context.Context, account, home address.Address, request []byte) ([]Response, error) {
	c, err := ical.ParseBytes(request)
	if err != nil {
		return nil, &Precondition{Name: caldav + "valid-calendar-data", Text: err.Error()}
	}
	q, err := itip.ReadFreeBusy(c)
	if err != nil {
		return nil, &Precondition{Name: caldav + "valid-scheduling-message", Text: err.Error()}
	}
	if !s.person(home)(q.Organizer) {
		return nil, &Precondition{Name: caldav + "organizer-allowed", Text: "the organizer is not the owner of this outbox"}
	}
	if r := q.Range; r.From.IsZero() || !r.To.After(r.From) || r.To.Sub(r.From) > maxBusy {
		return nil, &Precondition{Name: caldav + "valid-scheduling-message", Text: "the time that is asked about must be a range of at most a year"}
	}
	if len(q.Attendees) > maxAsked {
		return nil, &Precondition{Name: caldav + "valid-scheduling-message", Text: "at most 200 people may be asked about"}
	}
	known := make(map[address.Key]busyness) // a person has many addresses
	out := make([]Response, 0, len(q.Attendees))
	for _, u := range q.Attendees {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, s.freeBusy(known, q, account, home, u))
	}
	return out, nil
}

// busyness is what one question found out about one person.
type busyness struct {
	list []ical.BusyPeriod
	err  error
}

// freeBusy answers for one person, who is looked up once for each question.
func (s *Scheduler) freeBusy(known map[address.Key]busyness, q *itip.FreeBusy, account, home address.Address, u itip.User) Response {
	box, here := s.boxOf(u)
	if !here || !s.colleagues(account, home, box) {
		return Response{Recipient: u.URI, Status: requestUnknown}
	}
	b, ok := known[box.Key()]
	if !ok {
		if b.list, b.err = s.busy(box, BusyQuestion{Range: q.Range, Except: q.Masked, Among: len(q.Attendees)}); b.err != nil {
			s.opts.Log.Error("scheduling.busy", "box", box.String(), "error", b.err)
		}
		known[box.Key()] = b
	}
	if b.err != nil {
		return Response{Recipient: u.URI, Status: requestFailed}
	}
	return Response{Recipient: u.URI, Status: requestDone, Data: q.Reply(u, b.list, s.opts.Now()).Octets()}
}

// colleagues says whether those who ask may know when somebody is busy: of their domain, and
// of others in whose home the account sees something. Nobody else is seen as a principal
// either.
func (s *Scheduler) colleagues(account, home, box address.Address) bool {
	if box.Domain == home.Domain || box.Domain == account.Domain {
		return true
	}
	_, err := s.opts.Homes.Open(account, box)
	return err == nil
}

// Transparency is the property of calendars by which its events take no time (RFC 6638 9.1),
// among collection.Props.Other, when it is "transparent".
const Transparency = "{urn:ietf:params:xml:ns:caldav}schedule-calendar-transp"

// busy answers a question about the owner of a mailbox.
func (s *Scheduler) busy(box address.Address, q BusyQuestion) ([]ical.BusyPeriod, error) {
	all, err := s.calendars(box)
	if err != nil {
		return nil, err
	}
	q.Owner, q.Calendars, q.All = box, all, true
	return s.BusyTime(q)
}

// BusyQuestion asks when somebody is busy.
type BusyQuestion struct {
	Owner     address.Address
	Calendars []*homes.Collection
	// All: it is about the owner and not about these calendars: those that take no time are left
	// out (RFC 6638 9.1), and the calendar-availability of the inbox counts (RFC 7953 7.2.4).
	All    bool
	Range  ical.TimeRange
	Except string        // the UID of an event that does not count; "": none
	Look   time.Duration // bounds the time that it takes; 0: nothing does
	Among  int           // of how many people this is asked at once, which bounds the work on each; 0: of one
}

// ErrTooBusy: there are too many objects for the time that the question leaves, or more hours than are looked at.
var ErrTooBusy = fault.New(fault.TooMany, "Too much happens in that time: ask for less")

// BusyTime answers when somebody is busy (RFC 4791 7.10, RFC 7953 5): the periods are within
// the range, in order, and do not overlap. Nobody seems free when he is not: what repeats too often to
// be told in full counts as busy until it ends, and of too many periods neighbours are joined. The error
// may be ErrTooBusy.
func (s *Scheduler) BusyTime(q BusyQuestion) ([]ical.BusyPeriod, error) {
	b := busyTime{BusyQuestion: q, scheduler: s, begin: time.Now(), left: max(maxInstances/max(q.Among, 1), leastOfPerson)}
	for _, c := range q.Calendars {
		props, err := c.Props()
		if err != nil {
			return nil, err
		}
		if q.All && props.Other[Transparency] == "transparent" {
			continue
		}
		if err := b.calendar(c, cmp.Or(homes.ZoneOf(props), s.location())); err != nil {
			return nil, err
		}
	}
	if q.All {
		if err := b.inbox(); err != nil {
			return nil, err
		}
	}
	sortAvailability(b.hours)
	b.add(outside(b.hours, q.Range))
	return ical.CoarsenBusy(ical.MergeBusy(b.list), min(maxPeriods, maxTold/max(q.Among, 1))), nil
}

// busyTime is what calendars say of somebody's time.
type busyTime struct {
	BusyQuestion
	scheduler *Scheduler
	begin     time.Time
	list      []ical.BusyPeriod
	hours     []availability
	parts     int // of hours
	left      int // of maxInstances
}

// calendar adds what one calendar says.
func (b *busyTime) calendar(c *homes.Collection, floating *time.Location) error {
	snapshot, err := c.Snapshot()
	if err != nil {
		return err
	}
	for e := range snapshot.Query(b.Range.From, b.Range.To, "") {
		if b.Except != "" && e.Facts.UID == b.Except || e.Broken || !slices.Contains([]string{"VEVENT", "VFREEBUSY", "VAVAILABILITY"}, e.Facts.Kind) {
			continue
		}
		o, err := read(c, e.Href)
		if err != nil {
			return err
		}
		if o.cal == nil {
			continue // it went, or another program broke it
		}
		b.object(c.Owner, o.cal, e.Facts.Kind, floating)
		if b.parts > maxHours || b.Look > 0 && time.Since(b.begin) > b.Look {
			return ErrTooBusy
		}
	}
	return nil
}

// object adds what one object says. What is not answered yet is tentative, and what is declined takes no
// time.
func (b *busyTime) object(owner address.Address, c *ical.Calendar, kind string, floating *time.Location) {
	if kind == "VAVAILABILITY" { // RFC 7953 7.2
		if hours, err := readAvailability(c, floating); err == nil { // else it says nothing that is understood
			b.hours = append(b.hours, hours...)
			for _, a := range hours {
				b.parts += 1 + len(a.slots)
			}
		}
		return
	}
	o, err := ical.NewObject(c)
	if err != nil {
		return
	}
	self, room := b.scheduler.person(owner), b.scheduler.room(owner)
	list, cost := o.Busy(ical.BusyQuery{
		Range: b.Range, Floating: floating, Max: max(leastOfObject, min(b.left, ical.MaxInstances)),
		Type: func(c *ical.Component) (ical.BusyType, bool) { return busyType(c, self, room) },
	})
	b.left -= cost
	b.add(list)
}

// add adds periods. Now and then there are made fewer.
func (b *busyTime) add(list []ical.BusyPeriod) {
	if b.list = append(b.list, list...); len(b.list) > 4*maxPeriods {
		b.list = ical.CoarsenBusy(ical.MergeBusy(b.list), maxPeriods)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// busyType says how busy a person is during an event; false: not at all. A room is taken
// even when the event takes none of its organizer's time, as most programs have it for whole days.
func busyType(c *ical.Component, self itip.Person, room bool) (ical.BusyType, bool) {
	if strings.EqualFold(c.Value("TRANSP"), "TRANSPARENT") && !room || strings.EqualFold(c.Value("STATUS"), "CANCELLED") {
		return 0, false
	}
	kind := ical.Busy
	if strings.EqualFold(c.Value("STATUS"), "TENTATIVE") {
		kind = ical.BusyTentative
	}
	if organizer, ok := c.Prop("ORGANIZER"); ok && self(itip.ParseUser(organizer)) {
		return kind, true
	}
	for _, p := range c.All("ATTENDEE") {
		if !self(itip.ParseUser(p)) {
			continue
		}
		switch strings.ToUpper(p.Param("PARTSTAT")) {
		case "DECLINED":
			return 0, false
		case "", "NEEDS-ACTION", "TENTATIVE":
			kind = ical.BusyTentative
		}
	}
	return kind, true
}
