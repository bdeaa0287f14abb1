package homes

import (
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/ical"
)

// Where the time zone of a calendar is kept, among collection.Props.Other: a VTIMEZONE, or ""
// where a client gave its name alone, and its name (RFC 4791 5.2.2, RFC 7809 5.2). Both are there or
// none, so that what a viewer sets of his own hides both.
const (
	Timezone   = "{urn:ietf:params:xml:ns:caldav}calendar-timezone"
	TimezoneID = "{urn:ietf:params:xml:ns:caldav}calendar-timezone-id"
)

// maxZone bounds the description of a time zone in octets.
const maxZone = 64 << 10

// ReadZone returns the TZID of a calendar that is one VTIMEZONE, and the zone: that which is
// known by the name, else as it is described (nil: not even so).
func ReadZone(text string) (id string, zone *time.Location, err error) {
	if len(text) > maxZone {
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

// ZoneOf returns the time zone in which floating times of a calendar are (RFC 4791 5.2.2), nil
// where nobody said one.
func ZoneOf(p collection.Props) *time.Location {
	if text := p.Other[Timezone]; text != "" {
		_, zone, err := ReadZone(text)
		if err != nil {
			return nil // another program wrote it
		}
		return zone
	}
	if id := p.Other[TimezoneID]; id != "" {
		return ical.LoadZone(id)
	}
	return nil
}
