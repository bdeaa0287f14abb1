package davd

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
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
		_, described, err := homes.ReadZone(zone.Text)
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
	return homes.ZoneOf(*n.props), nil
}

// zoneChoice is which VTIMEZONE components an answer has.
type zoneChoice uint8

const (
	zonesAsKept   zoneChoice = iota
	zonesIncluded            // all that are named and known
	zonesByName              // those alone that have no standard name
)

// zones reads the header CalDAV-Timezones (RFC 7809 7.1). Without it objects are told as they
// were put.
func (r *request) zones() zoneChoice {
	switch strings.TrimSpace(r.Header.Get("CalDAV-Timezones")) {
	case "T":
		return zonesIncluded
	case "F":
		return zonesByName
	}
	return zonesAsKept
}

// of returns a calendar with the time zones that are wanted (RFC 7809 3.1.3); changed: they are
// others than it has.
func (z zoneChoice) of(c *ical.Calendar) (out *ical.Calendar, changed bool) {
	switch z {
	case zonesIncluded:
		return c.WithZones()
	case zonesByName:
		return c.WithoutZones()
	}
	return c, false
}

// octets returns a calendar with the time zones that are wanted; changed: they are others than it
// has. What can't be read stays as it is.
func (z zoneChoice) octets(data []byte) (out []byte, changed bool) {
	if z == zonesAsKept {
		return data, false
	}
	c, err := ical.ParseBytes(data)
	if err != nil {
		return data, false
	}
	if c, changed = z.of(c); !changed {
		return data, false
	}
	return c.Append(nil), true
}

// variantMark stands in the entity tag of an object that is told otherwise than it was put: another
// representation has another strong tag (RFC 9110 8.8.3). A hash of the octets is behind it.
const variantMark = "~"

// variantTag is the entity tag of an object that is told with other octets.
func variantTag(kept collection.ETag, octets []byte) collection.ETag {
	sum := sha256.Sum256(octets)
	return collection.ETag(strings.TrimSuffix(string(kept), `"`) + variantMark + hex.EncodeToString(sum[:8]) + `"`)
}

// keptTag is the entity tag of an object as it is kept, by that of any representation: who has
// seen one of them has seen that state of it.
func keptTag(tag string) string {
	i := strings.LastIndex(tag, variantMark)
	if i < 0 || len(tag)-i != len(variantMark)+16+len(`"`) {
		return tag
	}
	return tag[:i] + `"`
}
