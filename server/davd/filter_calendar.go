package davd

import (
	"slices"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/vcard"
)

// calendarFilter reads the filter of a calendar-query (RFC 4791 9.7).
func calendarFilter(e *davxml.Element) (ical.CompFilter, error) {
	f := &filterReader{name: davxml.C, collation: contentline.ASCIICasemap}
	if e == nil || len(e.All(davxml.C("comp-filter"))) != 1 {
		return ical.CompFilter{}, f.unmet("valid-filter", nil, "a filter has one comp-filter")
	}
	top, err := f.compFilter(e.Child(davxml.C("comp-filter")))
	switch {
	case err != nil:
		return top, err
	case top.Name != "VCALENDAR" || top.NotDefined || top.Range != nil:
		return top, f.unmet("valid-filter", e, "the comp-filter of a filter is for VCALENDAR, at any time")
	}
	for _, c := range e.Children {
		if c.Name != davxml.C("comp-filter") {
			if err := f.unknown(c); err != nil {
				return top, err
			}
		}
	}
	return top, nil
}

// rangeComponents are those for which RFC 4791 9.9 and RFC 7953 3.1 say what lies in a range
// of time.
func rangeComponents() []string {
	return []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY"}
}

// rangeProps are the properties that have a time (RFC 4791 9.9).
func rangeProps() []string {
	return []string{"COMPLETED", "CREATED", "DTEND", "DTSTAMP", "DTSTART", "DUE", "LAST-MODIFIED", "RECURRENCE-ID"}
}

// compFilter reads a comp-filter (RFC 4791 9.7.1).
func (f *filterReader) compFilter(e *davxml.Element) (c ical.CompFilter, err error) {
	if c.Name, err = f.condition(e); err != nil {
		return c, err
	}
	if c.NotDefined, err = f.notDefined(e); err != nil || c.NotDefined {
		return c, err
	}
	for _, child := range e.Children {
		switch child.Name {
		case f.name("time-range"):
			c.Range, err = f.rangeOf(child, e, c.Range == nil, slices.Contains(rangeComponents(), c.Name) || c.Name == "VCALENDAR")
		case f.name("prop-filter"):
			var p ical.PropFilter
			p, err = f.calendarProp(child)
			c.Props = append(c.Props, p)
		case f.name("comp-filter"):
			var sub ical.CompFilter
			sub, err = f.compFilter(child)
			c.Comps = append(c.Comps, sub)
		default:
			err = f.unknown(child)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// rangeOf reads a time-range in a condition, the only one there. has: what the condition is
// of can lie in a range.
func (f *filterReader) rangeOf(e, condition *davxml.Element, first, has bool) (*ical.TimeRange, error) {
	switch {
	case !first:
		return nil, f.unmet("valid-filter", condition, "there are two times in one condition")
	case !has:
		return nil, f.unmet("supported-filter", condition, "%q has no time to look for", contentline.Clip(condition.Attr("name")))
	}
	if f.ranges++; f.ranges > maxRanges {
		return nil, f.unmet("supported-filter", condition, "a filter may have %d ranges of time", maxRanges)
	}
	r, err := timeRange(e, false)
	return &r, err
}

// calendarProp reads a prop-filter (RFC 4791 9.7.2).
func (f *filterReader) calendarProp(e *davxml.Element) (p ical.PropFilter, err error) {
	if p.Name, err = f.condition(e); err != nil {
		return p, err
	}
	if p.NotDefined, err = f.notDefined(e); err != nil || p.NotDefined {
		return p, err
	}
	for _, child := range e.Children {
		switch child.Name {
		case f.name("time-range"):
			p.Range, err = f.rangeOf(child, e, p.Range == nil && p.Text == nil, slices.Contains(rangeProps(), p.Name))
		case f.name("text-match"):
			if p.Range != nil || p.Text != nil {
				return p, f.unmet("valid-filter", e, "there are two values in one condition")
			}
			var text contentline.TextMatch
			text, err = f.textMatch(child)
			p.Text = &text
		case f.name("param-filter"):
			var param contentline.ParamFilter
			param, err = f.paramFilter(child)
			p.Params = append(p.Params, param)
		default:
			err = f.unknown(child)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// verdict is what the index says of an object, before it is read.
type verdict int

const (
	unsure verdict = iota
	yes
	no
)

// and joins the verdicts of two conditions that have both to be met.
func (v verdict) and(o verdict) verdict {
	switch {
	case v == no || o == no:
		return no
	case v == unsure || o == unsure:
		return unsure
	}
	return yes
}

// or joins those of two of which one is enough.
func (v verdict) or(o verdict) verdict {
	switch {
	case v == yes || o == yes:
		return yes
	case v == unsure || o == unsure:
		return unsure
	}
	return no
}

// calendarJudge says what the index knows of a filter, which is one of VCALENDAR, or of a
// component below. The texts to look for are folded once.
type calendarJudge struct {
	ical.CompFilter
	props []judgedProp // as Props
	comps []*calendarJudge
}

func newCalendarJudge(f ical.CompFilter) *calendarJudge {
	j := &calendarJudge{CompFilter: f}
	for _, p := range f.Props {
		q := vcard.PropFilter{Name: p.Name, NotDefined: p.NotDefined, AllOf: true, Params: p.Params}
		if p.Text != nil {
			q.Texts = []contentline.TextMatch{*p.Text}
		}
		j.props = append(j.props, newJudgedProp(collection.Calendar, q))
	}
	for _, c := range f.Comps {
		j.comps = append(j.comps, newCalendarJudge(c))
	}
	return j
}

// judge says what the index knows of an object.
func (j *calendarJudge) judge(facts *collection.Facts) verdict {
	v := yes
	if len(j.Props) > 0 {
		v = unsure
	}
	for _, c := range j.comps {
		v = v.and(c.component(facts))
	}
	return v
}

// component is judge for a component below VCALENDAR. Of those that objects are made of, an
// object has one kind.
func (j *calendarJudge) component(facts *collection.Facts) verdict {
	switch {
	case !slices.Contains(rangeComponents(), j.Name) || j.Name == "VALARM":
		return unsure
	case j.NotDefined == (facts.Kind == j.Name):
		return no
	case j.NotDefined:
		return yes
	}
	v := yes
	if j.Range != nil {
		v = judgeRange(*j.Range, facts)
	}
	if len(j.comps) > 0 {
		v = v.and(unsure)
	}
	more := len(j.Props) > 0 && slices.Contains(facts.Props, homes.MoreTerms)
	for i, p := range j.Props {
		if p.Name == "UID" || p.Range != nil {
			v = v.and(judgeUID(p, facts))
		} else {
			v = v.and(j.props[i].judge(facts.Props, more))
		}
	}
	return v
}

// judgeRange says whether an object lies in a range. All of it and of its alarms is between
// First and Last, so what is within the range is found, and what is at its edge may be.
func judgeRange(r ical.TimeRange, facts *collection.Facts) verdict {
	switch {
	case facts.First.IsZero() || facts.Last.IsZero() || facts.Infinite:
		return unsure
	case !r.From.IsZero() && facts.Last.Before(r.From) || !r.To.IsZero() && facts.First.After(r.To):
		return no
	case (r.From.IsZero() || facts.First.After(r.From)) && (r.To.IsZero() || facts.Last.Before(r.To)):
		return yes
	}
	return unsure
}

// judgeUID knows UID, by which clients look an object up.
func judgeUID(p ical.PropFilter, facts *collection.Facts) verdict {
	if p.Name != "UID" || p.NotDefined || p.Range != nil || len(p.Params) > 0 || facts.UID == "" {
		return unsure
	}
	if p.Text == nil || p.Text.Matches(contentline.Text(facts.UID)) {
		return yes
	}
	return no
}

// mayHave says whether an object may have the texts that a filter looks for. All conditions of
// CalDAV have to be met.
func mayHave(f ical.CompFilter, raw *contentline.Raw) bool {
	for _, p := range f.Props {
		if p.Text != nil && !raw.MayMatch(*p.Text) {
			return false
		}
	}
	return !slices.ContainsFunc(f.Comps, func(c ical.CompFilter) bool { return !mayHave(c, raw) })
}

// prefilter returns the range of time and the kind of component that a filter wants at least,
// for Snapshot.Query.
func prefilter(f ical.CompFilter) (r ical.TimeRange, kind string) {
	for _, c := range f.Comps {
		if c.NotDefined || !slices.Contains(rangeComponents(), c.Name) || c.Name == "VALARM" {
			continue
		}
		kind = c.Name
		switch {
		case c.Range != nil:
			return *c.Range, kind
		default:
			for _, sub := range c.Comps { // alarms are within First and Last too
				if sub.Range != nil && !sub.NotDefined && sub.Name == "VALARM" {
					return *sub.Range, kind
				}
			}
		}
	}
	return r, kind
}
