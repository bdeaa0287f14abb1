package homes

import (
	"fmt"
	"slices"
	"time"

	"facteur/server/collection"
	"facteur/server/ical"
	"facteur/server/transfer"
)

// Bounds of what is fetched.
const (
	maxFeedObjects = 20_000
	maxFeedObject  = 1 << 20 // octets
	// of all objects: each has the time zones that it names, so that a short text of a long
	// zone and many events makes much of little
	maxFeedOctets = 64 << 20
)

// splitFeed makes objects, by href, of a calendar that another server publishes: one for
// the components of a UID, with the time zones that they name. What can't be read, or has
// no time, is left out. Alarms are left out too: they are the publisher's.
//
// DTSTAMP becomes LAST-MODIFIED, which it is where there is no METHOD (RFC 5545 3.8.7.2): many
// servers write the time of the request, and every object would seem to be another each hour.
func splitFeed(data []byte) (map[string][]byte, error) {
	c, err := ical.ParseBytes(data)
	if err != nil {
		return nil, contentError{NoCalendar, err}
	}
	zones := make(map[string]*ical.Component)
	groups := make(map[string]*ical.Calendar)
	var order []string
	for _, child := range c.Children {
		switch child.Name {
		case "VTIMEZONE":
			zones[child.Value("TZID")] = child
			continue
		case "VEVENT", "VTODO", "VJOURNAL":
		default:
			continue
		}
		published(child)
		key := child.Value("UID")
		if groups[key] != nil && groups[key].Children[0].Name != child.Name {
			continue // RFC 4791 4.1: an object is of one kind
		}
		if groups[key] == nil {
			groups[key] = &ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Props: []ical.Prop{
				{Name: "VERSION", Value: "2.0"}, {Name: "PRODID", Value: product},
			}}}
			order = append(order, key)
		}
		groups[key].Children = append(groups[key].Children, child)
	}
	if len(order) > maxFeedObjects {
		return nil, contentError{TooLarge, fmt.Errorf("the calendar has more than %d objects", maxFeedObjects)}
	}
	want := make(map[string][]byte, len(order))
	total := 0
	for _, key := range order {
		group := groups[key]
		addZones(group, zones)
		object := group.Append(nil)
		if total += len(object); total > maxFeedOctets {
			return nil, contentError{TooLarge, fmt.Errorf("the calendar makes objects of more than %d octets", maxFeedOctets)}
		}
		if _, err := DerivedIndex(collection.Calendar, object); err == nil && len(object) <= maxFeedObject {
			want[madeID("feed", key)+".ics"] = object
		}
	}
	return want, nil
}

// published changes a component of a feed into what is kept of it.
func published(c *ical.Component) {
	c.Children = slices.DeleteFunc(c.Children, func(child *ical.Component) bool { return child.Name == "VALARM" })
	transfer.Mend(c)
	stamp := c.Value("LAST-MODIFIED")
	if _, err := time.Parse("20060102T150405Z", stamp); err != nil {
		stamp = "19700101T000000Z"
	}
	c.Props = slices.DeleteFunc(c.Props, func(p ical.Prop) bool { return p.Name == "DTSTAMP" })
	if c.Value("UID") == "" { // RFC 5545 3.8.4.7 asks for one
		c.Props = append(c.Props, ical.Prop{Name: "UID", Value: madeID("feed", string(c.Append(nil)))})
	}
	c.Props = append(c.Props, ical.Prop{Name: "DTSTAMP", Value: stamp})
}

// addZones adds the time zones that an object names.
func addZones(c *ical.Calendar, zones map[string]*ical.Component) {
	var named []string
	var find func(*ical.Component)
	find = func(c *ical.Component) {
		for _, p := range c.Props {
			if id := p.Param("TZID"); id != "" && zones[id] != nil && !slices.Contains(named, id) {
				named = append(named, id)
			}
		}
		for _, child := range c.Children {
			find(child)
		}
	}
	find(&c.Component)
	slices.Sort(named)
	for i, id := range named {
		c.Children = slices.Insert(c.Children, i, zones[id])
	}
}
