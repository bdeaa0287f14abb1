// Package ical knows calendar objects: iCalendar (RFC 5545, with the properties of
// RFC 7986, which need no code), as CalDAV keeps and queries it (RFC 4791 4.1, 5.3.2.1,
// 7.10, 9.6 to 9.9; RFC 7809 for time zones by name).
//
//   - Parse reads a Calendar, a tree of components that keeps everything unknown; Check says
//     whether it may be kept as a calendar object resource. Errors name the line.
//   - Rule is a recurrence rule (RFC 5545 3.3.10), expanded on demand: it skips to where the
//     question begins, and each question has a budget of work.
//   - Object is a calendar read for queries: what occurs when (Instances, Span), whether a
//     Filter finds it, and when its owner is busy.
//   - Expand, LimitRecurrences, LimitFreeBusy and Select make the reduced calendars that a
//     REPORT asks for.
//
// A time zone is that of the VTIMEZONE in the object; a name without one is an IANA or a
// Windows name, and VTimezone makes its VTIMEZONE. The zones are in the binary (time/tzdata), so it works where the system has
// none; those of the system come first.
//
// Where the RFCs leave a choice, or the field does other than they say:
//
//   - DTSTART is always an instance, and the first that COUNT counts (RFC 5545 3.8.5.3).
//   - Rule parts that RFC 5545 has not for a frequency limit it, as in other servers. RSCALE
//     is known with the value GREGORIAN and without SKIP; others are refused (RFC 7529 6).
//   - A rule counts in local time. A time that a clock skips is that which it would have
//     been, and of a time that occurs twice the first is meant (RFC 5545 3.3.5).
//
// The values are read only once made, and may be used by several at once. It does no
// scheduling (RFC 5546) and knows no mailbox.
package ical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"facteur/server/contentline"
)

// The bounds of a calendar, beside those of contentline.
const (
	maxDepth      = 8 // of components
	maxComponents = 100_000
)

// Prop is a property: a content line.
type Prop = contentline.Line

// Component is a component of any kind.
type Component struct {
	Name     string // in upper case
	Line     int    // where it begins; 0: it was made here
	Props    []Prop
	Children []*Component
}

// Calendar is the component VCALENDAR.
type Calendar struct{ Component }

// Parse reads one calendar: a VCALENDAR, and nothing after it. The error is a
// *contentline.Error, or that of r.
func Parse(r io.Reader) (*Calendar, error) {
	return parse(r, contentline.Limits{})
}

// ParseLimited is Parse with bounds of the caller.
func ParseLimited(r io.Reader, limits contentline.Limits) (*Calendar, error) {
	return parse(r, limits)
}

func parse(r io.Reader, limits contentline.Limits) (*Calendar, error) {
	var open []*Component
	var root *Component
	count, last := 0, 0
	for l, err := range contentline.Parse(r, limits) {
		if err != nil {
			return nil, err
		}
		last = l.Number
		switch {
		case l.Name == "BEGIN":
			c := &Component{Name: strings.ToUpper(strings.TrimSpace(l.Value)), Line: l.Number}
			if count++; count > maxComponents {
				return nil, contentline.Errorf(l.Number, "there are more than %d components", maxComponents)
			}
			if err := begin(&root, open, c); err != nil {
				return nil, err
			}
			open = append(open, c)
		case len(open) == 0:
			return nil, contentline.Errorf(l.Number, "%s stands outside of VCALENDAR", contentline.Clip(l.Name))
		case l.Name == "END":
			top := open[len(open)-1]
			if !strings.EqualFold(strings.TrimSpace(l.Value), top.Name) {
				return nil, contentline.Errorf(l.Number, "END:%s, but the %s of line %d is open", contentline.Clip(l.Value), contentline.Clip(top.Name), top.Line)
			}
			open = open[:len(open)-1]
		default:
			top := open[len(open)-1]
			top.Props = append(top.Props, l)
		}
	}
	if root == nil {
		return nil, contentline.Errorf(0, "there is no VCALENDAR")
	}
	if len(open) > 0 {
		top := open[len(open)-1]
		return nil, contentline.Errorf(last, "the text ends within the %s of line %d", contentline.Clip(top.Name), top.Line)
	}
	return &Calendar{*root}, nil
}

// begin puts a component that begins where it belongs.
func begin(root **Component, open []*Component, c *Component) error {
	switch {
	case c.Name == "":
		return contentline.Errorf(c.Line, "BEGIN names no component")
	case len(open) == 0 && *root != nil:
		return contentline.Errorf(c.Line, "%s begins after the end of the calendar", contentline.Clip(c.Name))
	case len(open) == 0 && c.Name != "VCALENDAR":
		return contentline.Errorf(c.Line, "%s stands outside of VCALENDAR", contentline.Clip(c.Name))
	case len(open) == 0:
		*root = c
	case len(open) == maxDepth:
		return contentline.Errorf(c.Line, "components are nested more than %d deep", maxDepth)
	default:
		top := open[len(open)-1]
		top.Children = append(top.Children, c)
	}
	return nil
}

// Write writes a component with all that is in it, each line folded anew.
func (c *Component) Write(w io.Writer) error {
	_, err := w.Write(c.Append(nil))
	return err
}

// Append appends what Write writes.
func (c *Component) Append(dst []byte) []byte {
	dst = contentline.Append(dst, Prop{Name: "BEGIN", Value: c.Name})
	for _, p := range c.Props {
		dst = contentline.Append(dst, p)
	}
	for _, child := range c.Children {
		dst = child.Append(dst)
	}
	return contentline.Append(dst, Prop{Name: "END", Value: c.Name})
}

// Prop returns the first property of a name in upper case.
func (c *Component) Prop(name string) (Prop, bool) {
	for _, p := range c.Props {
		if p.Name == name {
			return p, true
		}
	}
	return Prop{}, false
}

// Value returns the value of the first property of a name, as it stands; "": none.
func (c *Component) Value(name string) string {
	p, _ := c.Prop(name)
	return p.Value
}

// Text returns the decoded TEXT value of the first property of a name.
func (c *Component) Text(name string) string { return contentline.Text(c.Value(name)) }

// All returns the properties of a name.
func (c *Component) All(name string) []Prop {
	var all []Prop
	for _, p := range c.Props {
		if p.Name == name {
			all = append(all, p)
		}
	}
	return all
}

// without returns a copy of a component without some properties. The children are those
// of c.
func (c *Component) without(names ...string) *Component {
	copied := *c
	copied.Props = nil
next:
	for _, p := range c.Props {
		for _, n := range names {
			if p.Name == n {
				continue next
			}
		}
		copied.Props = append(copied.Props, p)
	}
	return &copied
}

// ParseBytes is Parse of octets in memory.
func ParseBytes(text []byte) (*Calendar, error) { return Parse(bytes.NewReader(text)) }

// at gives an error the line of a property, unless it names one.
func at(p Prop, err error) error {
	var e *contentline.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &contentline.Error{Line: p.Number, Text: fmt.Sprintf("%s: %v", p.Name, err), Err: err}
}
