package attachments

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/itip"
)

// Master stands for the component of all instances among those that a request names (RFC 8607
// 3.3.2).
const Master = "M"

// maxInstances bounds the instances that a request names.
const maxInstances = 100

// ErrInstance: a request names an instance that an object does not have (RFC 8607 3.11).
var ErrInstance = fault.New(fault.NotPossible, "The object has no such instance")

// Prop returns the property of an attachment (RFC 8607 4). was is the one whose place it takes: what
// is not told of the attachment stays.
func (a Attachment) Prop(uri string, was ical.Prop) ical.Prop {
	p := was.Without("MANAGED-ID", "FMTTYPE", "SIZE", "FILENAME", "VALUE", "ENCODING")
	p.Name, p.Value, p.Number = "ATTACH", uri, 0
	own := []contentline.Param{{Name: "MANAGED-ID", Values: []string{a.ID}}}
	if media, _, _ := strings.Cut(a.Type, ";"); media != "" { // RFC 5545 3.2.8
		own = append(own, contentline.Param{Name: "FMTTYPE", Values: []string{media}})
	}
	own = append(own, contentline.Param{Name: "SIZE", Values: []string{strconv.FormatInt(a.Size, 10)}},
		contentline.Param{Name: "FILENAME", Values: []string{a.Name}})
	p.Params = append(own, p.Params...)
	return p
}

// Added returns a calendar with one more attachment: in the components that rids name, or in
// all. The error is ErrInstance.
func Added(c *ical.Calendar, rids []string, p ical.Prop, now time.Time) (*ical.Calendar, error) {
	return edited(c, rids, now, func(c *ical.Component) { c.Props = append(c.Props, p) })
}

// Replaced returns a calendar with another attachment in the place of one, wherever that is.
func Replaced(c *ical.Calendar, id string, now time.Time, with func(was ical.Prop) ical.Prop) *ical.Calendar {
	out, _ := edited(c, nil, now, func(c *ical.Component) { // no instance is named
		for i, p := range c.Props {
			if isManaged(p, id) {
				c.Props[i] = with(p)
			}
		}
	})
	return out
}

// Removed returns a calendar without an attachment: in the components that rids name, or in
// all. The error is ErrInstance.
func Removed(c *ical.Calendar, rids []string, id string, now time.Time) (*ical.Calendar, error) {
	return edited(c, rids, now, func(c *ical.Component) {
		c.Props = slices.DeleteFunc(c.Props, func(p ical.Prop) bool { return isManaged(p, id) })
	})
}

// isManaged tells whether a property is an attachment of this server with an id.
func isManaged(p ical.Prop, id string) bool {
	a, ok := homes.ParseAttached(p)
	return ok && a.ID == id
}

// Lines calls do for each attachment of this server in a calendar, as often as it is named.
func Lines(c *ical.Calendar, do func(homes.Attached, ical.Prop)) {
	for _, child := range c.Children {
		for _, p := range child.Props {
			if a, ok := homes.ParseAttached(p); ok {
				do(a, p)
			}
		}
	}
}

// edited changes copies of some components. Nothing that was given is changed.
func edited(c *ical.Calendar, rids []string, now time.Time, change func(*ical.Component)) (*ical.Calendar, error) {
	out := *c
	out.Children = slices.Clone(c.Children)
	if len(rids) > maxInstances {
		return nil, ErrInstance
	}
	wanted := make([]bool, len(out.Children))
	for i, child := range out.Children {
		wanted[i] = len(rids) == 0 && takesAttachments(child)
	}
	for _, rid := range slices.Compact(slices.Sorted(slices.Values(rids))) {
		part, made := named(&out, rid)
		switch {
		case part == nil || !takesAttachments(part):
			return nil, ErrInstance
		case made:
			out.Children, wanted = append(out.Children, part), append(wanted, true)
		default:
			wanted[slices.Index(out.Children, part)] = true
		}
	}
	for i, child := range out.Children {
		if !wanted[i] {
			continue
		}
		part := *child
		part.Props = slices.Clone(child.Props)
		change(&part)
		touch(&part, now)
		out.Children[i] = &part
	}
	return &out, nil
}

// named returns the component that a request names; made: it has to be put into the calendar.
func named(c *ical.Calendar, rid string) (part *ical.Component, made bool) {
	if rid != Master {
		return itip.Instance(c, rid)
	}
	for _, child := range c.Children {
		if _, exception := child.Prop("RECURRENCE-ID"); takesAttachments(child) && !exception {
			return child, false
		}
	}
	return nil, false
}

func takesAttachments(c *ical.Component) bool {
	return c.Name == "VEVENT" || c.Name == "VTODO" || c.Name == "VJOURNAL"
}

// touch says when a component was changed, where it tells that (RFC 5545 3.8.7.3).
func touch(c *ical.Component, now time.Time) {
	for i, p := range c.Props {
		if p.Name == "LAST-MODIFIED" {
			c.Props[i].Value = now.UTC().Format("20060102T150405Z")
		}
	}
}
