package davd

import (
	"fmt"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/ical"
)

// The conditions of a filter are bounded, for each is looked at for each object. Those of time
// take the most work.
const (
	maxConditions = 100
	maxRanges     = 8
)

// filterReader reads the filter of a query: that of CalDAV (RFC 4791 9.7), or that of CardDAV
// (RFC 6352 10.5), which differ in their namespace and a little more.
type filterReader struct {
	name       func(local string) davxml.Name
	collation  contentline.Collation // where none is named
	matchType  bool                  // text-match may have match-type
	conditions int
	ranges     int
}

// unmet is the answer to a body that does not meet a precondition (RFC 4791 7.8, RFC 6352 8.6).
// about is the element that is wrong.
func (f *filterReader) unmet(precondition string, about *davxml.Element, format string, args ...any) error {
	out := forbidden(f.name(precondition), format, args...)
	if precondition == "supported-filter" && about != nil {
		out.inside = func(w *davxml.Writer) {
			w.Empty(about.Name, davxml.Attribute("name", clip(about.Attr("name"))))
		}
	}
	return out
}

// condition counts a condition and returns its name, in upper case.
func (f *filterReader) condition(e *davxml.Element) (string, error) {
	if f.conditions++; f.conditions > maxConditions {
		return "", f.unmet("supported-filter", nil, "a filter may have %d conditions", maxConditions)
	}
	name := strings.ToUpper(strings.TrimSpace(e.Attr("name")))
	if name == "" {
		return "", f.unmet("valid-filter", e, "%s has no name", e.Name.Local)
	}
	return name, nil
}

// notDefined says whether a condition is is-not-defined, which has to stand alone.
func (f *filterReader) notDefined(e *davxml.Element) (bool, error) {
	if e.Child(f.name("is-not-defined")) == nil {
		return false, nil
	}
	if len(e.Children) > 1 {
		return false, f.unmet("valid-filter", e, "is-not-defined stands beside other conditions")
	}
	return true, nil
}

// paramFilter reads a param-filter (RFC 4791 9.7.3, RFC 6352 10.5.2).
func (f *filterReader) paramFilter(e *davxml.Element) (p contentline.ParamFilter, err error) {
	if p.Name, err = f.condition(e); err != nil {
		return p, err
	}
	if p.NotDefined, err = f.notDefined(e); err != nil || p.NotDefined {
		return p, err
	}
	for _, c := range e.Children {
		switch {
		case c.Name == f.name("text-match") && p.Text == nil:
			var text contentline.TextMatch
			if text, err = f.textMatch(c); err != nil {
				return p, err
			}
			p.Text = &text
		default:
			if err := f.unknown(c); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// textMatch reads a text-match (RFC 4791 9.7.5, RFC 6352 10.5.4). White space around the text
// is part of it.
func (f *filterReader) textMatch(e *davxml.Element) (t contentline.TextMatch, err error) {
	if f.conditions++; f.conditions > maxConditions {
		return t, f.unmet("supported-filter", nil, "a filter may have %d conditions", maxConditions)
	}
	t = contentline.TextMatch{Collation: f.collation, Text: e.Text}
	if name, ok := e.Lookup("collation"); ok {
		if t.Collation, err = contentline.ParseCollation(name); err != nil { // RFC 4791 7.5
			return t, f.unmet("supported-collation", nil, "%v", err)
		}
	}
	switch v := e.Attr("negate-condition"); v {
	case "yes":
		t.Negate = true
	case "", "no":
	default:
		return t, f.unmet("valid-filter", e, "negate-condition is neither yes nor no")
	}
	if !f.matchType {
		return t, nil
	}
	switch e.Attr("match-type") {
	case "", "contains":
	case "equals":
		t.Match = contentline.Equals
	case "starts-with":
		t.Match = contentline.StartsWith
	case "ends-with":
		t.Match = contentline.EndsWith
	default:
		return t, f.unmet("valid-filter", e, "there is no such match-type")
	}
	return t, nil
}

// allOf reads the attribute test of CardDAV (RFC 6352 10.5).
func (f *filterReader) allOf(e *davxml.Element) (bool, error) {
	switch e.Attr("test") {
	case "allof":
		return true, nil
	case "", "anyof":
		return false, nil
	}
	return false, f.unmet("valid-filter", e, "test is neither anyof nor allof")
}

// unknown is for an element that has no place where it stands. One of another namespace is
// passed over (RFC 4918 17); one of ours may be a condition, without which too much is found.
func (f *filterReader) unknown(e *davxml.Element) error {
	if e.Name != f.name(e.Name.Local) {
		return nil
	}
	return f.unmet("valid-filter", e, "%s has no place there", e.Name.Local)
}

// timeRange reads the attributes start and end (RFC 4791 9.9). both: neither may be missing,
// as of expand, limit-recurrence-set and limit-freebusy-set (RFC 4791 9.6.5 to 9.6.7).
func timeRange(e *davxml.Element, both bool) (r ical.TimeRange, err error) {
	wrong := func(text string) error {
		return forbidden(davxml.C("valid-filter"), "%s %s", e.Name.Local, text)
	}
	start, hasStart := e.Lookup("start")
	end, hasEnd := e.Lookup("end")
	if !hasStart && !hasEnd || both && hasStart != hasEnd {
		return r, wrong("has no start or no end")
	}
	if hasStart {
		if r.From, err = utcTime(start); err != nil {
			return r, wrong("begins with what is no time in UTC")
		}
	}
	if hasEnd {
		if r.To, err = utcTime(end); err != nil {
			return r, wrong("ends with what is no time in UTC")
		}
	}
	if hasStart && hasEnd && !r.To.After(r.From) {
		return r, wrong("ends before it begins")
	}
	return r, nil
}

// utcTime reads a "date with UTC time" (RFC 5545 3.3.5).
func utcTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, "60Z") { // a leap second
		s = s[:len(s)-3] + "59Z"
	}
	t, err := time.Parse("20060102T150405Z", s)
	if err == nil && t.Year() == 0 {
		err = fmt.Errorf("there is no year 0")
	}
	return t, err
}
