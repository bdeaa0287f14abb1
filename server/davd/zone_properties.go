package davd

import (
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/ical"
)

// setTimezone keeps a VTIMEZONE (RFC 4791 5.2.2), and its name (RFC 7809 3.1.5).
func setTimezone(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, homes.Timezone)
	delete(kept.Other, homes.TimezoneID)
	if e == nil {
		return nil
	}
	id, _, err := homes.ReadZone(e.Text)
	if err != nil {
		return forbidden(davxml.C("valid-calendar-data"), "%v", err)
	}
	kept.Other[homes.Timezone], kept.Other[homes.TimezoneID] = e.Text, id
	return nil
}

// setZoneID keeps the name of a time zone (RFC 7809 5.2).
func setZoneID(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, homes.Timezone)
	delete(kept.Other, homes.TimezoneID)
	if e == nil {
		return nil
	}
	id := e.Trimmed()
	if ical.LoadZone(id) == nil { // RFC 7809 3.1.5
		return forbidden(davxml.C("valid-timezone"), "There is no time zone of that name")
	}
	kept.Other[homes.Timezone], kept.Other[homes.TimezoneID] = "", id
	return nil
}

func hasTimezone(_ *request, n *node) bool {
	return n.props.Other[homes.Timezone] != "" || n.props.Other[homes.TimezoneID] != ""
}

// writeTimezone writes the VTIMEZONE as a client gave it, or that of the name (RFC 7809 3.1.5).
func writeTimezone(_ *request, n *node, w *davxml.Writer) {
	if text := n.props.Other[homes.Timezone]; text != "" {
		w.Text(text)
		return
	}
	zone := ical.VTimezone(n.props.Other[homes.TimezoneID], time.Time{})
	if zone == nil {
		return // another program wrote it
	}
	c := ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Children: []*ical.Component{zone},
		Props: []ical.Prop{{Name: "VERSION", Value: "2.0"}, {Name: "PRODID", Value: product}}}}
	w.TextBytes(c.Append(nil))
}

func writeZoneID(_ *request, n *node, w *davxml.Writer) {
	id := n.props.Other[homes.TimezoneID]
	if text := n.props.Other[homes.Timezone]; text != "" {
		id, _, _ = homes.ReadZone(text) // what another program wrote may have no name
	}
	w.Text(id)
}
