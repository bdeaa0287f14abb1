package scheduling

import (
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/itip"
)

// object is an object of a calendar at one moment.
type object struct {
	in    *homes.Collection
	href  string
	entry *collection.Entry // nil: there is none
	data  []byte
	cal   *ical.Calendar // nil: there is none, or it can't be read
}

// read returns an object; one without an entry when there is none.
func read(in *homes.Collection, href string) (object, error) {
	o := object{in: in, href: href}
	data, e, err := in.Read(href)
	if fault.Is(err, fault.NotFound) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	o.data, o.entry = data, e
	if cal, err := ical.ParseBytes(o.data); err == nil {
		o.cal = cal
	}
	return o, nil
}

// person is who has a mailbox, under every address that leads to it alone.
func (s *Scheduler) person(box address.Address) itip.Person {
	return func(u itip.User) bool {
		found, ok := s.boxOf(u)
		return ok && found.Key() == box.Key()
	}
}

// boxOf returns the mailbox of a user, if it is here. The parameter EMAIL counts only where
// the URI is no address: else it would make somebody else of a user.
func (s *Scheduler) boxOf(u itip.User) (address.Address, bool) {
	a := u.Address
	if a.IsZero() {
		a = u.Email
	}
	if a.IsZero() {
		return address.Address{}, false
	}
	return s.opts.Directory().SoleBox(a)
}

// calendars returns the calendars that somebody keeps.
func (s *Scheduler) calendars(box address.Address) ([]*homes.Collection, error) {
	home, err := s.opts.Homes.Own(box)
	if err != nil {
		return nil, err
	}
	all, err := home.Collections()
	if err != nil {
		return nil, err
	}
	var out []*homes.Collection
	for _, c := range all {
		if c.Origin == homes.Kept && c.Owner.Key() == box.Key() && c.Kind() == collection.Calendar {
			out = append(out, c)
		}
	}
	return out, nil
}

// find returns the object with a UID in somebody's calendars; one without an entry when
// there is none.
func (s *Scheduler) find(box address.Address, uid string) (object, error) {
	all, err := s.calendars(box)
	if err != nil {
		return object{}, err
	}
	for _, c := range all {
		entries, err := c.ByUID(uid)
		if err != nil {
			return object{}, err
		}
		for _, e := range entries {
			if o, err := read(c, e.Href); err != nil || o.entry != nil {
				return o, err
			}
		}
	}
	return object{}, nil
}

// made is where a new object of a kind goes in somebody's calendars.
func (s *Scheduler) made(box address.Address, kind, uid string) (object, error) {
	in, err := s.defaultCalendar(box, kind)
	if err != nil {
		return object{}, err
	}
	// The name is the same for all tries, so that two of them make one object. What has it
	// already is not of this UID, or another program broke it: it stays.
	name := uid
	for range maxNames {
		o, err := read(in, sum([]byte(name))[:32]+".ics")
		if err != nil || o.entry == nil {
			return o, err
		}
		name += "\x00"
	}
	return object{}, fault.New(fault.NotPossible, "there is no name for it")
}

// maxNames is how many names are tried for a new object.
const maxNames = 10

// DefaultCalendar is the property of an inbox, among collection.Props.Other, that names the
// calendar for what others send (RFC 6638 9.2): the last segment of its href.
const DefaultCalendar = "{urn:ietf:params:xml:ns:caldav}schedule-default-calendar-URL"

// DefaultCalendar is where the events that others send to somebody go (RFC 6638 9.2).
func (s *Scheduler) DefaultCalendar(box address.Address) (*homes.Collection, error) {
	return s.defaultCalendar(box, "VEVENT")
}

// defaultCalendar is where what others send goes: what the owner chose, else
// the first that takes such objects, "calendar" before others.
func (s *Scheduler) defaultCalendar(box address.Address, kind string) (*homes.Collection, error) {
	all, err := s.calendars(box)
	if err != nil {
		return nil, err
	}
	chosen := ""
	if home, err := s.opts.Homes.Own(box); err == nil {
		if inbox, err := home.Inbox(); err == nil {
			if props, err := inbox.Props(); err == nil {
				chosen = props.Other[DefaultCalendar]
			}
		}
	}
	var best *homes.Collection
	points := -1
	for _, c := range all {
		n, err := s.suits(c, kind, chosen)
		if err != nil {
			return nil, err
		}
		if n > points {
			best, points = c, n
		}
	}
	if best == nil {
		return nil, fault.New(fault.NotPossible, "there is no calendar for it")
	}
	return best, nil
}

// suits says how well a calendar suits for new objects of a kind; negative: not at all.
func (s *Scheduler) suits(c *homes.Collection, kind, chosen string) (int, error) {
	props, err := c.Props()
	if err != nil {
		return 0, err
	}
	if !takes(props.Other[homes.Components], kind) {
		return -1, nil
	}
	switch {
	case c.Segment == chosen:
		return 3, nil
	case c.Segment == "tasks" && kind == "VTODO":
		return 2, nil
	case c.Segment == "calendar":
		return 1, nil
	}
	return 0, nil
}

// takes says whether one of a list of components, with commas between, is a kind. An empty
// list has all.
func takes(list, kind string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), kind)
}
