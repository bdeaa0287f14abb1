package davd

import (
	"time"

	"facteur/server/davxml"
	"facteur/server/ical"
)

// floating returns the zone in which a report reads times without one (RFC 4791 9.8, RFC 7809
// 5.1): that of its element timezone-id or timezone, that of the collection, or UTC.
func (r *request) floating(n *node, e *davxml.Element) (*time.Location, error) {
	if id := e.Child(davxml.C("timezone-id")); id != nil {
		if zone := ical.LoadZone(id.Trimmed()); zone != nil {
			return zone, nil
		}
		return nil, forbidden(davxml.C("valid-timezone"), "There is no time zone %q", clip(id.Trimmed()))
	}
	if zone := e.Child(davxml.C("timezone")); zone != nil {
		_, described, err := readZone(zone.Text)
		if err != nil { // RFC 4791 7.8
			return nil, forbidden(davxml.C("valid-calendar-data"), "The timezone can't be read: %v", err)
		}
		return described, nil
	}
	return n.zone()
}

// zone returns the zone of a calendar, or of the one that an object is in; nil: it has none.
func (n *node) zone() (*time.Location, error) {
	if n.kind&(eventNode|messageNode) != 0 {
		n = n.parent
	}
	if n == nil || n.kind != calendarNode {
		return nil, nil
	}
	if err := n.load(loadProps); err != nil {
		return nil, err
	}
	return zoneOf(n.props), nil
}
