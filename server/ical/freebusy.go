package ical

import (
	"slices"
	"strings"
	"time"

	"facteur/server/contentline"
)

// BusyType is how sure a period is taken (RFC 5545 3.2.9), the stronger one the greater.
type BusyType int

// The types that take time.
const (
	BusyTentative BusyType = iota
	Busy
	BusyUnavailable
)

func (t BusyType) String() string {
	return []string{"BUSY-TENTATIVE", "BUSY", "BUSY-UNAVAILABLE"}[t]
}

// BusyPeriod is a time that is taken.
type BusyPeriod struct {
	Start, End time.Time
	Type       BusyType
}

// BusyQuery asks when an object takes time.
type BusyQuery struct {
	Range    TimeRange
	Floating *time.Location // of what floats; nil: UTC
	// Type says how an event takes time, or that it does not; nil: by its TRANSP and STATUS.
	Type func(*Component) (BusyType, bool)
	Max  int // as of Search
}

// Busy returns when an object takes time in a range (RFC 4791 7.10): its events that are
// neither transparent nor cancelled, and the periods of its VFREEBUSY. They are in order, within the
// range, and do not overlap. Nothing is left out: from where an event repeats too often to be
// told in full, all of the time until it ends counts as taken. cost is as of Search.
func (o *Object) Busy(q BusyQuery) (list []BusyPeriod, cost int) {
	switch o.Kind {
	case "VFREEBUSY":
		list = o.busyPeriods(q.Range, q.Floating)
		return MergeBusy(list), 1 + len(list)
	case "VEVENT":
	default:
		return nil, 0
	}
	if q.Type == nil {
		q.Type = opaque
	}
	kinds, rest := o.busyTypes(q.Type)
	if len(kinds) == 0 {
		return nil, 1
	}
	found := o.Search(Search{Range: q.Range, Floating: q.Floating, Max: q.Max})
	for _, i := range found.Instances {
		if kind, takes := kinds[i.Component]; takes {
			list = BusyPeriod{i.Start, i.End, kind}.appendWithin(list, q.Range)
		}
	}
	if found.Truncated && rest >= 0 {
		list = append(list, BusyPeriod{found.Rest.From, found.Rest.To, rest})
	}
	return MergeBusy(list), found.Cost
}

// busyTypes tells how the components of an object that take time do; strongest is that of those
// that last, negative: none does.
func (o *Object) busyTypes(of func(*Component) (BusyType, bool)) (kinds map[*Component]BusyType, strongest BusyType) {
	kinds, strongest = make(map[*Component]BusyType), -1
	for _, e := range o.entries {
		kind, takes := of(e.Component)
		if !takes {
			continue
		}
		kinds[e.Component] = kind
		if e.span.rough() > 0 || slices.Contains(e.ownSpan, true) {
			strongest = max(strongest, kind)
		}
	}
	return kinds, strongest
}

// opaque says how an event takes time by itself.
func opaque(c *Component) (BusyType, bool) {
	status := strings.ToUpper(strings.TrimSpace(c.Value("STATUS")))
	if strings.EqualFold(strings.TrimSpace(c.Value("TRANSP")), "TRANSPARENT") || status == "CANCELLED" {
		return 0, false
	}
	if status == "TENTATIVE" {
		return BusyTentative, true
	}
	return Busy, true
}

// busyPeriods are those of FREEBUSY properties.
func (o *Object) busyPeriods(r TimeRange, floating *time.Location) (list []BusyPeriod) {
	for _, e := range o.entries {
		for _, p := range e.All("FREEBUSY") {
			kind := Busy
			switch strings.ToUpper(p.Param("FBTYPE")) {
			case "FREE":
				continue
			case "BUSY-TENTATIVE":
				kind = BusyTentative
			case "BUSY-UNAVAILABLE":
				kind = BusyUnavailable
			}
			periods, _ := parsePeriods(p, o.zones) // parseEntry has read them
			for _, one := range periods {
				start, end := one.times(floating)
				list = BusyPeriod{time.Unix(start, 0), time.Unix(end, 0), kind}.appendWithin(list, r)
			}
		}
	}
	return list
}

// appendWithin appends what of a period is in a range.
func (b BusyPeriod) appendWithin(list []BusyPeriod, r TimeRange) []BusyPeriod {
	if !r.From.IsZero() && b.Start.Before(r.From) {
		b.Start = r.From
	}
	if !r.To.IsZero() && b.End.After(r.To) {
		b.End = r.To
	}
	if !b.Start.Before(b.End) {
		return list
	}
	return append(list, BusyPeriod{b.Start.UTC(), b.End.UTC(), b.Type})
}

// FreeBusy makes the answer to a free-busy query (RFC 4791 7.10): a VFREEBUSY of a range,
// with merged periods. More properties, those of an iTIP answer for example, are added by
// the caller. now is for DTSTAMP.
func FreeBusy(r TimeRange, list []BusyPeriod, product, uid string, now time.Time) *Calendar {
	form := func(t time.Time) string { return t.UTC().Format(timeForm) + "Z" }
	busy := &Component{Name: "VFREEBUSY", Props: []Prop{
		{Name: "UID", Value: contentline.EscapeText(uid)}, {Name: "DTSTAMP", Value: form(now)},
		{Name: "DTSTART", Value: form(r.From)}, {Name: "DTEND", Value: form(r.To)},
	}}
	for _, b := range MergeBusy(list) {
		busy.Props = append(busy.Props, Prop{
			Name: "FREEBUSY", Params: []contentline.Param{{Name: "FBTYPE", Values: []string{b.Type.String()}}},
			Value: form(b.Start) + "/" + form(b.End),
		})
	}
	return &Calendar{Component{Name: "VCALENDAR", Children: []*Component{busy}, Props: []Prop{
		{Name: "VERSION", Value: "2.0"}, {Name: "PRODID", Value: contentline.EscapeText(product)},
	}}}
}
