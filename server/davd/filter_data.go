package davd

import (
	"bytes"
	"strings"
	"time"

	"facteur/server/davxml"
	"facteur/server/ical"
	"facteur/server/vcard"
)

// maxSelected bounds what a request may select: each is looked for in each object.
const maxSelected = 200

// calendarData is what calendar-data asks for (RFC 4791 9.6). The zero value is the octets
// as they are kept.
type calendarData struct {
	expand    *ical.TimeRange // RFC 4791 9.6.5
	limit     *ical.TimeRange // limit-recurrence-set, RFC 4791 9.6.6
	freeBusy  *ical.TimeRange // limit-freebusy-set, RFC 4791 9.6.7
	selection *ical.Selection
}

// asKept says whether the octets are wanted as they are kept.
func (d calendarData) asKept() bool { return d == calendarData{} }

// parseCalendarData reads the element calendar-data of a REPORT.
func parseCalendarData(e *davxml.Element) (d calendarData, err error) {
	media, _, _ := strings.Cut(e.Attr("content-type"), ";")
	if media = strings.TrimSpace(media); media != "" && !strings.EqualFold(media, "text/calendar") ||
		e.Attr("version") != "" && e.Attr("version") != "2.0" {
		return d, forbidden(davxml.C("supported-calendar-data"), "calendars are text/calendar, version 2.0")
	}
	for _, c := range e.Children {
		var to **ical.TimeRange
		switch c.Name {
		case davxml.C("expand"):
			to = &d.expand
		case davxml.C("limit-recurrence-set"):
			to = &d.limit
		case davxml.C("limit-freebusy-set"):
			to = &d.freeBusy
		case davxml.C("comp"):
			n := 0
			s, err := selection(c, &n)
			if err != nil || s.Name != "VCALENDAR" || d.selection != nil {
				return d, badData(c, "%s asks for what is no calendar")
			}
			d.selection = &s
			continue
		default:
			continue
		}
		r, err := timeRange(c, true)
		if err != nil {
			return d, err
		}
		if *to != nil || d.expand != nil && d.limit != nil {
			return d, badData(c, "%s stands beside what rules it out")
		}
		*to = &r
	}
	if d.expand != nil && d.limit != nil {
		return d, badData(e, "%s has both expand and limit-recurrence-set")
	}
	return d, nil
}

func badData(e *davxml.Element, format string) error {
	return badRequest(format, e.Name.Local)
}

// selection reads a comp (RFC 4791 9.6.1). One with nothing in it stands for all of the
// component, as VTIMEZONE in the example of RFC 4791 7.8.1.
func selection(e *davxml.Element, n *int) (s ical.Selection, err error) {
	s.Name = strings.ToUpper(e.Attr("name"))
	if *n++; *n > maxSelected || s.Name == "" {
		return s, badData(e, "%s has no name, or there are too many")
	}
	for _, c := range e.Children {
		switch c.Name {
		case davxml.C("allprop"):
			s.AllProps = true
		case davxml.C("allcomp"):
			s.AllComps = true
		case davxml.C("prop"):
			if *n++; *n > maxSelected || c.Attr("name") == "" {
				return s, badData(c, "%s has no name, or there are too many")
			}
			s.Props = append(s.Props, ical.SelectedProp{Name: strings.ToUpper(c.Attr("name")), NoValue: c.Attr("novalue") == "yes"})
		case davxml.C("comp"):
			sub, err := selection(c, n)
			if err != nil {
				return s, err
			}
			s.Comps = append(s.Comps, sub)
		}
	}
	if !s.AllProps && !s.AllComps && len(s.Props)+len(s.Comps) == 0 {
		s.AllProps, s.AllComps = true, true
	}
	return s, nil
}

// apply appends what is asked for of a calendar. instances is how many an expansion may have;
// it is told how many are left. truncated: there were more.
func (d calendarData) apply(dst []byte, o *ical.Object, floating *time.Location, instances *int) (out []byte, truncated bool, err error) {
	c := o.Calendar()
	switch {
	case d.expand != nil:
		if c, truncated, err = o.Expand(*d.expand, floating, max(1, min(*instances, ical.MaxInstances))); err != nil || truncated {
			return dst, truncated, err
		}
		*instances -= len(c.Children)
	case d.limit != nil:
		c = o.LimitRecurrences(*d.limit, floating)
	}
	if d.freeBusy != nil && o.Kind == "VFREEBUSY" && d.expand == nil && d.limit == nil {
		c = o.LimitFreeBusy(*d.freeBusy, floating)
	}
	if d.selection != nil {
		c = c.Select(*d.selection)
	}
	return c.Append(dst), false, nil
}

// addressData is what address-data asks for (RFC 6352 10.4).
type addressData struct {
	version string
	props   []vcard.SelectedProp // nil: all
}

// parseAddressData reads the element address-data of a REPORT. Where it names no version it
// means 3.0 (RFC 6352 10.4).
func parseAddressData(e *davxml.Element) (d addressData, err error) {
	media, _, _ := strings.Cut(e.Attr("content-type"), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "", "text/vcard", "text/x-vcard", "text/directory":
	default:
		return d, forbidden(davxml.CR("supported-address-data"), "cards are text/vcard")
	}
	switch d.version = strings.TrimSpace(e.Attr("version")); d.version {
	case "":
		d.version = "3.0"
	case "3.0", "4.0":
	default:
		return d, forbidden(davxml.CR("supported-address-data"), "cards are of version 3.0 or 4.0")
	}
	all := e.Child(davxml.CR("allprop")) != nil
	for _, c := range e.All(davxml.CR("prop")) {
		name := strings.ToUpper(c.Attr("name"))
		if name == "" || len(d.props) == maxSelected {
			return d, badData(c, "%s has no name, or there are too many")
		}
		if !all {
			d.props = append(d.props, vcard.SelectedProp{Name: name, NoValue: c.Attr("novalue") == "yes"})
		}
	}
	return d, nil
}

// attrs are those of address-data in an answer: without them it would be read as of version 3.0
// (RFC 6352 10.4).
func (d addressData) attrs() []davxml.Attr {
	if d.version == "3.0" {
		return nil
	}
	return []davxml.Attr{davxml.Attribute("content-type", "text/vcard"), davxml.Attribute("version", d.version)}
}

// asKept says whether the octets of a card are wanted as they are kept.
func (d addressData) asKept(card []byte) bool {
	_, rest, found := bytes.Cut(card, []byte("\nVERSION:"+d.version)) // at the beginning of a line it is no text
	return d.props == nil && found && len(rest) > 0 && (rest[0] == '\r' || rest[0] == '\n')
}

// apply appends what is asked for of a card.
func (d addressData) apply(dst []byte, c *vcard.Card) ([]byte, error) {
	c, err := c.Convert(d.version)
	if err != nil {
		return dst, err
	}
	if d.props != nil {
		c = c.Select(d.props)
	}
	return c.Append(dst), nil
}
