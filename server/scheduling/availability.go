package scheduling

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

	"facteur/server/ical"
)

// Availability is the property of an inbox, among collection.Props.Other, that says when its
// owner can be met at all: a calendar with VAVAILABILITY components (RFC 7953 7.2.4).
const Availability = "{urn:ietf:params:xml:ns:caldav}calendar-availability"

// maxAvailability bounds it, in octets.
const maxAvailability = 64 << 10

// CheckAvailability says what is wrong with a value of the property Availability.
func CheckAvailability(text string) error {
	if len(text) > maxAvailability {
		return errors.New("it is too long")
	}
	c, err := ical.ParseBytes([]byte(text))
	if err != nil {
		return err
	}
	_, err = readAvailability(c, time.UTC)
	return err
}

// inbox adds the hours that the owner has said.
func (b *busyTime) inbox() error {
	home, err := b.scheduler.opts.Homes.Own(b.Owner)
	if err != nil {
		return err
	}
	inbox, err := home.Inbox()
	if err != nil {
		return err
	}
	props, err := inbox.Props()
	if err != nil || props.Other[Availability] == "" {
		return err
	}
	if c, err := ical.ParseBytes([]byte(props.Other[Availability])); err == nil { // it was checked; another program may have written it
		b.object(b.Owner, c, "VAVAILABILITY", b.scheduler.location())
	}
	return nil
}

// availability is a VAVAILABILITY (RFC 7953 3.1): within span, what is outside of all slots
// is taken.
type availability struct {
	span     ical.TimeRange
	priority int // 1 is the highest, 10 stands for none
	kind     ical.BusyType
	slots    []*ical.Object
	floating *time.Location
}

// readAvailability reads the components of a calendar.
func readAvailability(c *ical.Calendar, floating *time.Location) ([]availability, error) {
	zones, err := c.Zones()
	if err != nil {
		return nil, err
	}
	var all []availability
	for _, child := range c.Children {
		if child.Name != "VAVAILABILITY" {
			continue
		}
		a := availability{priority: 10, kind: ical.BusyUnavailable, floating: floating}
		if n, err := strconv.Atoi(child.Value("PRIORITY")); err == nil && n > 0 && n < 10 {
			a.priority = n
		}
		switch child.Value("BUSYTYPE") {
		case "BUSY":
			a.kind = ical.Busy
		case "BUSY-TENTATIVE":
			a.kind = ical.BusyTentative
		}
		if a.span, err = spanOf(child, zones, floating); err != nil {
			return nil, err
		}
		if a.slots, err = slots(c, child); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, errors.New("it has no VAVAILABILITY")
	}
	return all, nil
}

// sortAvailability puts those first that come before others (RFC 7953 4).
func sortAvailability(all []availability) {
	slices.SortStableFunc(all, func(a, b availability) int { return cmp.Compare(a.priority, b.priority) })
}

// spanOf is when a VAVAILABILITY counts; without times, always.
func spanOf(c *ical.Component, zones *ical.Zones, floating *time.Location) (r ical.TimeRange, err error) {
	for name, to := range map[string]*time.Time{"DTSTART": &r.From, "DTEND": &r.To} {
		if p, ok := c.Prop(name); ok {
			v, err := ical.ParseValue(p, zones)
			if err != nil {
				return r, err
			}
			*to = v.Time(floating)
		}
	}
	if p, ok := c.Prop("DURATION"); ok && r.To.IsZero() {
		d, err := ical.ParseDuration(p.Value)
		if err != nil {
			return r, err
		}
		r.To = r.From.AddDate(0, 0, int(d.Days)).Add(time.Duration(d.Seconds) * time.Second)
	}
	return r, nil
}

// slots reads the AVAILABLE components, which recur as events do.
func slots(c *ical.Calendar, of *ical.Component) ([]*ical.Object, error) {
	var order []string
	byUID := make(map[string][]*ical.Component)
	for _, child := range of.Children {
		if child.Name != "AVAILABLE" {
			continue
		}
		event := *child
		event.Name = "VEVENT"
		uid := child.Value("UID")
		if byUID[uid] == nil {
			order = append(order, uid)
		}
		byUID[uid] = append(byUID[uid], &event)
	}
	var out []*ical.Object
	for _, uid := range order {
		one := &ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Props: c.Props}}
		for _, child := range c.Children {
			if child.Name == "VTIMEZONE" {
				one.Children = append(one.Children, child)
			}
		}
		one.Children = append(one.Children, byUID[uid]...)
		o, err := ical.NewObject(one)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// outside returns when somebody can't be met. What has the higher priority counts alone where
// it says anything (RFC 7953 4).
func outside(all []availability, r ical.TimeRange) (out []ical.BusyPeriod) {
	open := []ical.TimeRange{r} // what none has spoken of yet
	left := maxPeriods
	for _, a := range all {
		var rest []ical.TimeRange
		for _, o := range open {
			part := ical.TimeRange{From: later(o.From, a.span.From), To: o.To}
			if !a.span.To.IsZero() && a.span.To.Before(part.To) {
				part.To = a.span.To
			}
			if !part.From.Before(part.To) {
				rest = append(rest, o)
				continue
			}
			for _, gap := range without(part, a.free(part, &left)) {
				out = append(out, ical.BusyPeriod{Start: gap.From, End: gap.To, Type: a.kind})
			}
			rest = append(rest, without(o, []ical.TimeRange{part})...)
		}
		open = rest
	}
	return out
}

// free returns the slots in a range, by their starts. left is how many more are looked at: one that is
// not is not free.
func (a availability) free(r ical.TimeRange, left *int) (out []ical.TimeRange) {
	for _, o := range a.slots {
		if *left <= 0 {
			break
		}
		found := o.Search(ical.Search{Range: r, Floating: a.floating, Max: *left})
		*left -= found.Cost
		for _, i := range found.Instances {
			out = append(out, ical.TimeRange{From: i.Start, To: i.End})
		}
	}
	slices.SortFunc(out, func(a, b ical.TimeRange) int { return a.From.Compare(b.From) })
	return out
}

// without returns what is left of a range; take is sorted.
func without(r ical.TimeRange, take []ical.TimeRange) (out []ical.TimeRange) {
	for _, t := range take {
		if !t.From.Before(r.To) || !r.From.Before(r.To) {
			break
		}
		if t.From.After(r.From) {
			out = append(out, ical.TimeRange{From: r.From, To: t.From})
		}
		r.From = later(r.From, t.To)
	}
	if r.From.Before(r.To) {
		out = append(out, r)
	}
	return out
}
