package ical

import (
	"bufio"
	_ "embed" // windows.txt
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones, for machines that have none

	"facteur/server/contentline"
)

// Zone is a time zone: one that is known by its name, or a VTIMEZONE.
type Zone struct {
	name     string
	location *time.Location
	own      *observances // nil: that of the location
}

// Zones are the time zones of a calendar, by TZID. nil has those known by name.
type Zones struct {
	byID  map[string]*Zone
	named sync.Map // those known by name, so that each is loaded once

	// floats makes times in unknown zones float instead of being errors.
	floats bool
}

// maxZones bounds the VTIMEZONE components that are read of a calendar.
const maxZones = 200

// maxZoneSegments is how many segments a name has at most, as posix/America/Argentina/Ushuaia.
const maxZoneSegments = 4

// Zones reads the VTIMEZONE components. One that is broken does not hide a zone that is
// known by its name; the error is that of the first such that no known zone replaces.
func (c *Calendar) Zones() (*Zones, error) {
	zones := &Zones{byID: make(map[string]*Zone)}
	var failed error
	for _, child := range c.Children {
		if child.Name != "VTIMEZONE" {
			continue
		}
		id := child.Value("TZID")
		if len(zones.byID) == maxZones {
			return zones, contentline.Errorf(child.Line, "there are more than %d time zones", maxZones)
		}
		own, err := parseObservances(child)
		switch {
		case id == "":
			err = contentline.Errorf(child.Line, "VTIMEZONE has no TZID")
		case err == nil:
			zones.byID[id] = &Zone{name: id, own: own}
			continue
		case LoadZone(id) != nil:
			continue
		}
		if failed == nil {
			failed = err
		}
	}
	return zones, failed
}

// of returns the zone of a property; nil: it has none.
func (z *Zones) of(p Prop) (*Zone, error) {
	id := p.Param("TZID")
	if id == "" {
		return nil, nil
	}
	if z != nil {
		if zone := z.byID[id]; zone != nil {
			return zone, nil
		}
		if zone, ok := z.named.Load(id); ok {
			return zone.(*Zone), nil
		}
	}
	if l := LoadZone(id); l != nil {
		zone := &Zone{name: id, location: l}
		if z != nil {
			z.named.Store(id, zone)
		}
		return zone, nil
	}
	if z != nil && z.floats {
		return nil, nil
	}
	return nil, fmt.Errorf("there is no VTIMEZONE %q, and no zone is known by that name", contentline.Clip(id))
}

// Has says whether the calendar has a VTIMEZONE of that name.
func (z *Zones) Has(id string) bool { return z != nil && z.byID[id] != nil }

// LoadZone returns the zone that a TZID names where no VTIMEZONE describes it: by an IANA
// name, also with a prefix as in /freeassociation.sourceforge.net/Europe/Brussels, or by a
// Windows name. nil: it is unknown.
func LoadZone(id string) *time.Location {
	id = strings.Trim(strings.TrimSpace(id), `"`)
	if len(id) > 128 {
		return nil
	}
	if iana := windowsZones()[strings.ToLower(id)]; iana != "" {
		return load(iana)
	}
	name := strings.Trim(id, "/")
	for n := strings.Count(name, "/"); n >= maxZoneSegments; n-- {
		if !strings.HasPrefix(id, "/") {
			return nil
		}
		_, name, _ = strings.Cut(name, "/")
	}
	for name != "" {
		if l := load(name); l != nil {
			return l
		}
		_, rest, ok := strings.Cut(name, "/")
		if !ok || !strings.HasPrefix(id, "/") {
			return nil
		}
		name = rest
	}
	return nil
}

// loaded are the zones that load has read, by their names, of which there are as many as the
// time zone database has. Reading one opens files, and most objects name one.
var loaded sync.Map

// load returns the zone of an IANA name.
func load(name string) *time.Location {
	if l, ok := loaded.Load(name); ok {
		return l.(*time.Location)
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_+-", r)
	}
	if name == "" || name == "Local" || strings.Contains(name, "//") || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return nil
	}
	asked := name
	if name == "Etc/UTC" || name == "Etc/UCT" || name == "Zulu" || name == "GMT" {
		name = "UTC"
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	loaded.Store(asked, l)
	return l
}

//go:embed windows.txt
var windowsText string

// windowsZones are the IANA zones of Windows names in lower case, those that CLDR gives for
// the territory 001.
var windowsZones = sync.OnceValue(func() map[string]string {
	zones := make(map[string]string)
	lines := bufio.NewScanner(strings.NewReader(windowsText))
	for lines.Scan() {
		if windows, iana, ok := strings.Cut(lines.Text(), "\t"); ok {
			zones[strings.ToLower(windows)] = iana
		}
	}
	return zones
})

// offset returns the seconds east of UTC at a point in time.
func (z *Zone) offset(unix int64) int64 {
	if z.own != nil {
		return z.own.offset(unix)
	}
	_, offset := time.Unix(unix, 0).In(z.location).Zone()
	return int64(offset)
}

// unix returns the point in time at which clocks show a time. RFC 5545 3.3.5: of two, the
// first; when there is none, by the offset before the gap.
func (z *Zone) unix(wall int64) int64 {
	if z.location == time.UTC {
		return wall
	}
	before := z.offset(wall - daySeconds)
	unix := wall - before
	if z.offset(unix) == before {
		return unix
	}
	now := z.offset(unix)
	if later := wall - now; z.offset(later) == now {
		return later
	}
	return unix
}
