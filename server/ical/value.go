package ical

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"facteur/server/contentline"
)

// Value is a DATE or a DATE-TIME (RFC 5545 3.3.4, 3.3.5): in UTC, in a zone, or floating.
type Value struct {
	wall int64
	date bool
	zone *Zone // nil: floating, as a DATE is
}

// IsDate says whether it is a DATE.
func (v Value) IsDate() bool { return v.date }

// Floating says whether it has no zone: the same time of the day everywhere.
func (v Value) Floating() bool { return v.zone == nil }

// Time returns the point in time. What floats is in a zone of the caller's; nil: UTC.
func (v Value) Time(floating *time.Location) time.Time {
	z := v.zone
	if z == nil {
		z = zoneOf(floating)
	}
	t := time.Unix(z.unix(v.wall), 0)
	if z.location != nil {
		return t.In(z.location)
	}
	return t.UTC()
}

func zoneOf(l *time.Location) *Zone {
	if l == nil {
		l = time.UTC
	}
	return &Zone{location: l}
}

// The forms of values.
const (
	dateForm = "20060102"
	timeForm = "20060102T150405"
)

// String writes the value; its TZID is a parameter, and not in it.
func (v Value) String() string {
	switch {
	case v.date:
		return wallTime(v.wall).Format(dateForm)
	case v.zone != nil && v.zone.location == time.UTC:
		return wallTime(v.wall).Format(timeForm) + "Z"
	}
	return wallTime(v.wall).Format(timeForm)
}

// ParseValue reads the value of a property that has one DATE or DATE-TIME. Its zone is that
// of TZID, by zones; nil: only zones that are known by their names.
func ParseValue(p Prop, zones *Zones) (Value, error) {
	values, err := parseValues(p, zones)
	if err != nil {
		return Value{}, err
	}
	if len(values) != 1 {
		return Value{}, errors.New("there are several values")
	}
	return values[0], nil
}

// maxValues bounds the values of EXDATE and RDATE in a line.
const maxValues = maxDates

// parseValues reads a list of values.
func parseValues(p Prop, zones *Zones) ([]Value, error) {
	zone, err := zones.of(p)
	if err != nil {
		return nil, err
	}
	var values []Value
	for s := range strings.SplitSeq(p.Value, ",") {
		v, err := parseValue(s, zone)
		if err != nil {
			return nil, err
		}
		if len(values) == maxValues {
			return nil, fmt.Errorf("there are more than %d values", maxValues)
		}
		values = append(values, v)
	}
	return values, nil
}

// parseValue reads one value; which of the types it is, its form tells.
func parseValue(s string, zone *Zone) (Value, error) {
	s = strings.TrimSpace(s)
	bad := fmt.Errorf("%q is no date or time", contentline.Clip(s))
	if len(s) == len(dateForm) {
		day, ok := parseDate(s)
		if !ok {
			return Value{}, bad
		}
		return Value{wall: day, date: true}, nil
	}
	body, isUTC := strings.CutSuffix(s, "Z")
	if len(body) != len(timeForm) || body[8] != 'T' {
		return Value{}, bad
	}
	day, ok := parseDate(body[:8])
	h, ok1 := digits(body[9:11])
	m, ok2 := digits(body[11:13])
	sec, ok3 := digits(body[13:15])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 60 {
		return Value{}, bad
	}
	v := Value{wall: day + int64(h*3600+m*60+min(sec, 59)), zone: zone} // RFC 5545 3.3.12: no leap seconds here
	if isUTC {
		v.zone = utc()
	}
	return v, nil
}

func utc() *Zone { return &Zone{name: "UTC", location: time.UTC} }

// parseDate reads a DATE, in seconds of the wall.
func parseDate(s string) (int64, bool) {
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[4:6])
	d, ok3 := digits(s[6:8])
	if !ok1 || !ok2 || !ok3 || y < 1 || m < 1 || m > 12 || d < 1 || d > monthLength(y, m) {
		return 0, false
	}
	return int64(dayNumber(y, m, d)) * daySeconds, true
}

// digits reads a number that has nothing but digits.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, len(s) > 0
}

// Duration is a DURATION (RFC 5545 3.3.6): days of the calendar, and seconds. Both have
// the same sign.
type Duration struct{ Days, Seconds int64 }

// ParseDuration reads a DURATION.
func ParseDuration(s string) (Duration, error) {
	bad := fmt.Errorf("%q is no duration", contentline.Clip(s))
	rest := strings.ToUpper(strings.TrimSpace(s))
	rest, negative := strings.CutPrefix(rest, "-")
	if !negative {
		rest = strings.TrimPrefix(rest, "+")
	}
	rest, ok := strings.CutPrefix(rest, "P")
	if !ok || rest == "" {
		return Duration{}, bad
	}
	var d Duration
	clock := false
	for rest != "" {
		if rest[0] == 'T' && !clock && len(rest) > 1 {
			clock, rest = true, rest[1:]
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if n < 1 || n > 9 {
			return Duration{}, bad
		}
		v, _ := digits(rest[:n])
		if !d.add(int64(v), rest[n], clock) {
			return Duration{}, bad
		}
		rest = rest[n+1:]
	}
	if negative {
		d.Days, d.Seconds = -d.Days, -d.Seconds
	}
	return d, nil
}

func (d *Duration) add(v int64, unit byte, clock bool) bool {
	switch {
	case unit == 'W' && !clock:
		d.Days += 7 * v
	case unit == 'D' && !clock:
		d.Days += v
	case unit == 'H' && clock:
		d.Seconds += 3600 * v
	case unit == 'M' && clock:
		d.Seconds += 60 * v
	case unit == 'S' && clock:
		d.Seconds += v
	default:
		return false
	}
	return true
}

// rough is its length where a day has 24 hours, in seconds.
func (d Duration) rough() int64 { return d.Days*daySeconds + d.Seconds }

// period is a PERIOD (RFC 5545 3.3.9).
type period struct {
	start Value
	span  span
}

// parsePeriods reads a list of PERIOD values.
func parsePeriods(p Prop, zones *Zones) ([]period, error) {
	zone, err := zones.of(p)
	if err != nil {
		return nil, err
	}
	var periods []period
	for s := range strings.SplitSeq(p.Value, ",") {
		first, second, ok := strings.Cut(s, "/")
		if !ok {
			return nil, fmt.Errorf("%q is no period", contentline.Clip(s))
		}
		one := period{}
		if one.start, err = parseValue(first, zone); err != nil {
			return nil, err
		}
		if strings.ContainsAny(second, "Pp") {
			d, err := ParseDuration(second)
			if err != nil {
				return nil, err
			}
			one.span = span{nominal: d}
		} else {
			end, err := parseValue(second, zone)
			if err != nil {
				return nil, err
			}
			one.span = spanBetween(one.start, end)
		}
		if len(periods) == maxValues {
			return nil, fmt.Errorf("there are more than %d values", maxValues)
		}
		periods = append(periods, one)
	}
	return periods, nil
}

// span is how long an instance lasts: by DURATION it is of days and seconds, by an end of
// an exact time (RFC 5545 3.8.5.3).
type span struct {
	nominal Duration
	exact   int64 // seconds, added after
}

// spanBetween is the span from a start to an end.
func spanBetween(start, end Value) span {
	if start.date {
		return span{nominal: Duration{Days: floorDiv(end.wall-start.wall, daySeconds)}}
	}
	if start.zone == nil || end.zone == nil {
		return span{exact: end.wall - start.wall}
	}
	return span{exact: end.zone.unix(end.wall) - start.zone.unix(start.wall)}
}

// rough is about its length, in seconds.
func (s span) rough() int64 { return s.nominal.rough() + s.exact }

// end returns when an instance ends that begins at a time of the wall.
func (s span) end(z *Zone, wall, unix int64) int64 {
	if s.nominal.Days != 0 {
		unix = z.unix(wall + s.nominal.Days*daySeconds)
	}
	return unix + s.nominal.Seconds + s.exact
}
