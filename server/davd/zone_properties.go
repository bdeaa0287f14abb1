package davd

import (
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/ical"
)

// Where the time zone of a calendar is kept: a VTIMEZONE, or "" where a client gave its name
// alone, and its name. Both are there or none, so that what a viewer sets of his own hides both.
const (
	timezoneKey = "{urn:ietf:params:xml:ns:caldav}calendar-timezone"
	zoneIDKey   = "{urn:ietf:params:xml:ns:caldav}calendar-timezone-id"
)

// setTimezone keeps a VTIMEZONE (RFC 4791 5.2.2), and its name (RFC 7809 3.1.5).
func setTimezone(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, timezoneKey)
	delete(kept.Other, zoneIDKey)
	if e == nil {
		return nil
	}
	id, _, err := readZone(e.Text)
	if err != nil {
		return forbidden(davxml.C("valid-calendar-data"), "%v", err)
	}
	kept.Other[timezoneKey], kept.Other[zoneIDKey] = e.Text, id
	return nil
}

// setZoneID keeps the name of a time zone (RFC 7809 5.2).
func setZoneID(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, timezoneKey)
	delete(kept.Other, zoneIDKey)
	if e == nil {
		return nil
	}
	id := e.Trimmed()
	if ical.LoadZone(id) == nil { // RFC 7809 3.1.5
		return forbidden(davxml.C("valid-timezone"), "There is no time zone of that name")
	}
	kept.Other[timezoneKey], kept.Other[zoneIDKey] = "", id
	return nil
}

func hasTimezone(_ *request, n *node) bool {
	return n.props.Other[timezoneKey] != "" || n.props.Other[zoneIDKey] != ""
}

// writeTimezone writes the VTIMEZONE as a client gave it, or that of the name (RFC 7809 3.1.5).
func writeTimezone(_ *request, n *node, w *davxml.Writer) {
	if text := n.props.Other[timezoneKey]; text != "" {
		w.Text(text)
		return
	}
	zone := ical.VTimezone(n.props.Other[zoneIDKey], time.Time{})
	if zone == nil {
		return // another program wrote it
	}
	c := ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Children: []*ical.Component{zone},
		Props: []ical.Prop{{Name: "VERSION", Value: "2.0"}, {Name: "PRODID", Value: product}}}}
	w.TextBytes(c.Append(nil))
}

func writeZoneID(_ *request, n *node, w *davxml.Writer) {
	id := n.props.Other[zoneIDKey]
	if text := n.props.Other[timezoneKey]; text != "" {
		id, _, _ = readZone(text) // what another program wrote may have no name
	}
	w.Text(id)
}

// readZone returns the TZID of a calendar that is one VTIMEZONE, and the zone: that which is
// known by the name, else as it is described (nil: not even so).
func readZone(text string) (id string, zone *time.Location, err error) {
	if len(text) > maxText {
		return "", nil, contentline.Errorf(0, "the time zone is too long")
	}
	c, err := ical.ParseBytes([]byte(text))
	if err != nil {
		return "", nil, err
	}
	if len(c.Children) != 1 || c.Children[0].Name != "VTIMEZONE" {
		return "", nil, contentline.Errorf(0, "it has to be one VTIMEZONE")
	}
	if id = c.Children[0].Value("TZID"); id == "" {
		return "", nil, contentline.Errorf(c.Children[0].Line, "the VTIMEZONE has no TZID")
	}
	zones, err := c.Zones()
	if err != nil {
		return "", nil, err
	}
	if zone = ical.LoadZone(id); zone == nil {
		zone = zones.Location(id)
	}
	return id, zone, nil
}

// zoneOf returns the time zone in which floating times of a calendar are (RFC 4791 5.2.2), nil
// where nobody said one. loadProps has been loaded.
func zoneOf(p *collection.Props) *time.Location {
	if text := p.Other[timezoneKey]; text != "" {
		_, zone, err := readZone(text)
		if err != nil {
			return nil // another program wrote it
		}
		return zone
	}
	if id := p.Other[zoneIDKey]; id != "" {
		return ical.LoadZone(id)
	}
	return nil
}
