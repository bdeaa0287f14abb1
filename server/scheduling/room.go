package scheduling

import (
	"slices"
	"sort"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/itip"
)

// The bounds of what a room looks at before it accepts.
const (
	roomAhead     = 400 * 24 * time.Hour
	roomInstances = 1000
	// maxApart is how many instances of a series are declined one by one, so that one reply
	// has them all.
	maxApart = 100
)

// roomAnswer is what a room answers.
type roomAnswer struct {
	partStat string
	declined []ical.Value // instances, where the rest is accepted
	comment  string
}

// roomAnswer answers what is new of an object. A room accepts when it is free for every instance
// from now on, as far as it looks ahead; of what is over, for every instance. Of a series it
// declines the instances at which it is taken; when these are more than half, all of it.
func (s *Scheduler) roomAnswer(box address.Address, res itip.Result, uid string) (roomAnswer, error) {
	whole := slices.ContainsFunc(res.News, func(c *ical.Component) bool {
		at, single := c.Prop("RECURRENCE-ID")
		return !single || at.Param("RANGE") != ""
	})
	instances, more, err := s.instancesOf(res, whole)
	if err != nil {
		return roomAnswer{}, fault.Wrap(fault.Malformed, "", err)
	}
	if more { // who accepts what he has not looked at is given twice
		return roomAnswer{partStat: declined, comment: "It has too many dates"}, nil
	}
	conflicts, err := s.conflicts(box, instances, uid)
	switch n := len(conflicts); {
	case err != nil:
		return roomAnswer{}, err
	case n == 0:
		return roomAnswer{partStat: accepted}, nil
	case n == len(instances), whole && (n > len(instances)/2 || n > maxApart || ranges(res.Object)):
		return roomAnswer{partStat: declined, comment: s.taken(conflicts)}, nil
	}
	out := roomAnswer{partStat: accepted, comment: s.taken(conflicts)}
	for _, i := range conflicts {
		out.declined = append(out.declined, i.ID)
	}
	return out, nil
}

// ranges says whether an instance stands for later ones, too, which can't be declined one by one.
func ranges(c *ical.Calendar) bool {
	return slices.ContainsFunc(c.Children, func(c *ical.Component) bool {
		at, _ := c.Prop("RECURRENCE-ID")
		return at.Param("RANGE") != ""
	})
}

// instancesOf returns the instances that a room has to be free for, of the whole object or of
// what is new alone. more: there are too many.
func (s *Scheduler) instancesOf(res itip.Result, whole bool) (list []ical.Instance, more bool, err error) {
	c := *res.Object
	if !whole {
		c.Children = slices.DeleteFunc(slices.Clone(c.Children), func(c *ical.Component) bool {
			return c.Name != "VTIMEZONE" && !slices.Contains(res.News, c)
		})
	}
	o, err := ical.NewObject(&c)
	if err != nil {
		return nil, false, err
	}
	from := s.opts.Now()
	if first, last, infinite := o.Span(s.location()); first.After(from) || !infinite && last.Before(from) {
		from = first
	}
	list, more, err = o.Instances(from, from.Add(roomAhead), s.location(), roomInstances)
	return slices.DeleteFunc(list, func(i ical.Instance) bool { return strings.EqualFold(i.Component.Value("STATUS"), "CANCELLED") }), more, err
}

// conflicts returns the instances, which are in the order of their times, at which somebody is
// busy with something else.
func (s *Scheduler) conflicts(box address.Address, instances []ical.Instance, uid string) (list []ical.Instance, err error) {
	if len(instances) == 0 {
		return nil, nil
	}
	r := ical.TimeRange{From: instances[0].Start}
	for _, i := range instances {
		r.To = later(r.To, i.End)
	}
	busy, err := s.busy(box, BusyQuestion{Range: r, Except: uid})
	for _, i := range instances {
		ends := sort.Search(len(busy), func(n int) bool { return i.Start.Before(busy[n].End) })
		if ends < len(busy) && busy[ends].Start.Before(i.End) {
			list = append(list, i)
		}
	}
	return list, err
}

// taken tells when a room is taken.
func (s *Scheduler) taken(conflicts []ical.Instance) string {
	const shown = 5
	var dates []string
	for _, i := range conflicts[:min(len(conflicts), shown)] {
		dates = append(dates, i.Start.In(s.location()).Format("2006-01-02 15:04"))
	}
	text := "Taken: " + strings.Join(dates, ", ")
	if len(conflicts) > shown {
		text += " ..."
	}
	return text
}
