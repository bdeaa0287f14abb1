package schedule

import (
	"strconv"
	"strings"
	"time"
)

// zone is a VTIMEZONE (RFC 5545 3.6.5).
type zone struct {
	id    string
	lines []string // as they stand
	rules []rule
}

// rule is one of its STANDARD and DAYLIGHT.
type rule struct {
	start  time.Time // local, as if it were UTC
	offset time.Duration
	month  time.Month // of RRULE; 0: it begins once
	day    time.Weekday
	nth    int // 1: the first of the month, -1: the last
	known  bool
}

// add takes a line in, at a depth of components: 2 is the zone itself.
func (z *zone) add(p property, depth int) {
	if len(z.lines) < maxZoneLine {
		z.lines = append(z.lines, p.line)
	}
	switch {
	case p.name == "BEGIN" && depth == 3:
		z.rules = append(z.rules, rule{})
	case p.name == "TZID" && depth == 2:
		z.id = p.value
	case depth == 3 && len(z.rules) > 0:
		z.rules[len(z.rules)-1].add(p)
	}
}

func (r *rule) add(p property) {
	switch p.name {
	case "DTSTART":
		r.start, _ = time.Parse("20060102T150405", p.value)
	case "TZOFFSETTO":
		r.offset, r.known = parseOffset(p.value)
	case "RRULE":
		r.yearly(p.value)
	}
}

// yearly reads FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU, the one form that is in use.
func (r *rule) yearly(value string) {
	for part := range strings.SplitSeq(strings.ToUpper(value), ";") {
		name, v, _ := strings.Cut(part, "=")
		switch name {
		case "BYMONTH":
			if n, err := strconv.Atoi(v); err == nil && n >= 1 && n <= 12 {
				r.month = time.Month(n)
			}
		case "BYDAY":
			if len(v) < 3 {
				continue
			}
			r.nth, _ = strconv.Atoi(v[:len(v)-2])
			r.day = time.Weekday(strings.Index("SUMOTUWETHFRSA", v[len(v)-2:]) / 2)
		}
	}
}

// onset returns when the rule begins to hold in a year, local as if it were UTC.
func (r *rule) onset(year int) time.Time {
	if r.month == 0 || r.nth == 0 || year < r.start.Year() {
		return r.start
	}
	at := time.Date(year, r.month, 1, r.start.Hour(), r.start.Minute(), r.start.Second(), 0, time.UTC)
	if r.nth < 0 {
		at = at.AddDate(0, 1, -1)
		back := (int(at.Weekday()) - int(r.day) + 7) % 7
		return at.AddDate(0, 0, -back+7*(r.nth+1))
	}
	ahead := (int(r.day) - int(at.Weekday()) + 7) % 7
	return at.AddDate(0, 0, ahead+7*(r.nth-1))
}

// offset returns that of a local time, given as if it were UTC.
func (z *zone) offset(local time.Time) (time.Duration, bool) {
	var best time.Time
	var offset time.Duration
	found := false
	for _, r := range z.rules {
		for _, year := range []int{local.Year() - 1, local.Year()} {
			at := r.onset(year)
			if r.known && !at.After(local) && (!found || at.After(best)) {
				best, offset, found = at, r.offset, true
			}
		}
	}
	return offset, found
}

// time reads a DATE or DATE-TIME (RFC 5545 3.3.4, 3.3.5). Its zone is that of the name, of
// the VTIMEZONE, or l.
func (r *reader) time(p property, l *time.Location) (at time.Time, day bool) {
	if at, err := time.ParseInLocation("20060102", p.value, l); err == nil {
		return at, true
	}
	if at, err := time.Parse("20060102T150405Z", p.value); err == nil {
		return at, false
	}
	local, err := time.Parse("20060102T150405", p.value)
	if err != nil {
		return time.Time{}, false
	}
	id := p.param("TZID")
	if named := namedZone(id); named != nil {
		l = named
	} else {
		for _, z := range r.zones {
			if offset, ok := z.offset(local); ok && z.id == id && id != "" {
				return local.Add(-offset), false
			}
		}
	}
	return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, l), false
}

// namedZone returns the zone of a name such as Europe/Berlin; nil when there is none.
func namedZone(id string) *time.Location {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_+-", r)
	}
	if id == "" || len(id) > 64 || !strings.Contains(id, "/") || strings.ContainsFunc(id, func(r rune) bool { return !plain(r) }) {
		return nil
	}
	l, err := time.LoadLocation(id)
	if err != nil {
		return nil
	}
	return l
}

// parseOffset reads a UTC-OFFSET (RFC 5545 3.3.14): +0100.
func parseOffset(s string) (time.Duration, bool) {
	if len(s) < 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, err1 := strconv.ParseUint(s[1:3], 10, 8)
	m, err2 := strconv.ParseUint(s[3:5], 10, 8)
	if err1 != nil || err2 != nil || h > 23 || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// parseDuration reads a DURATION that is not negative (RFC 5545 3.3.6): days, which have
// no fixed length, and the rest.
func parseDuration(s string) (d time.Duration, days int, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimPrefix(s, "+"), "P")
	if !ok || s == "" {
		return 0, 0, false
	}
	inTime := false
	for s != "" {
		if s[0] == 'T' && !inTime {
			inTime, s = true, s[1:]
			continue
		}
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n < 1 || n > 6 {
			return 0, 0, false
		}
		v, err := strconv.Atoi(s[:n])
		if err != nil {
			return 0, 0, false
		}
		switch unit := s[n]; {
		case unit == 'W' && !inTime:
			days += 7 * v
		case unit == 'D' && !inTime:
			days += v
		case unit == 'H' && inTime:
			d += time.Duration(v) * time.Hour
		case unit == 'M' && inTime:
			d += time.Duration(v) * time.Minute
		case unit == 'S' && inTime:
			d += time.Duration(v) * time.Second
		default:
			return 0, 0, false
		}
		s = s[n+1:]
	}
	return d, days, true
}
