package ical

import (
	"cmp"
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

// Busy returns when an object takes time in a range (RFC 4791 7.10): its events that are
// neither transparent nor cancelled, and the periods of its VFREEBUSY. The periods are
// within the range. truncated: as of Instances.
func (o *Object) Busy(r TimeRange, floating *time.Location, max int) (list []BusyPeriod, truncated bool, err error) {
	switch o.Kind {
	case "VFREEBUSY":
		return o.busyPeriods(r, floating), false, nil
	case "VEVENT":
	default:
		return nil, false, nil
	}
	instances, truncated, err := o.Instances(r.From, r.To, floating, max)
	for _, i := range instances {
		status := strings.ToUpper(strings.TrimSpace(i.Component.Value("STATUS")))
		if strings.EqualFold(strings.TrimSpace(i.Component.Value("TRANSP")), "TRANSPARENT") || status == "CANCELLED" {
			continue
		}
		b := BusyPeriod{i.Start, i.End, Busy}
		if status == "TENTATIVE" {
			b.Type = BusyTentative
		}
		list = b.appendWithin(list, r)
	}
	return list, truncated, err
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

// MergeBusy sorts periods and joins those of a type that touch each other. Where types
// overlap, the stronger one holds.
func MergeBusy(list []BusyPeriod) []BusyPeriod {
	var merged []BusyPeriod
	for kind := BusyUnavailable; kind >= BusyTentative; kind-- {
		own := slices.DeleteFunc(slices.Clone(list), func(b BusyPeriod) bool { return b.Type != kind })
		stronger := slices.Clone(merged)
		for _, b := range joined(own) {
			merged = append(merged, b.minus(stronger)...)
		}
		slices.SortFunc(merged, byStart)
	}
	return merged
}

func byStart(a, b BusyPeriod) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) }

// joined joins periods of one type.
func joined(list []BusyPeriod) []BusyPeriod {
	slices.SortFunc(list, byStart)
	var out []BusyPeriod
	for _, b := range list {
		if n := len(out) - 1; n >= 0 && !b.Start.After(out[n].End) {
			if b.End.After(out[n].End) {
				out[n].End = b.End
			}
			continue
		}
		out = append(out, b)
	}
	return out
}

// minus returns what of a period others, sorted, leave.
func (b BusyPeriod) minus(others []BusyPeriod) []BusyPeriod {
	var out []BusyPeriod
	for _, o := range others {
		if !o.End.After(b.Start) || !o.Start.Before(b.End) {
			continue
		}
		if o.Start.After(b.Start) {
			out = append(out, BusyPeriod{b.Start, o.Start, b.Type})
		}
		b.Start = o.End
	}
	if b.Start.Before(b.End) {
		out = append(out, b)
	}
	return out
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
