package message

import (
	"bytes"
	"time"
)

// parseDate reads a date-time (RFC 5322 3.3 and 4.3), leniently: the name of the
// day may say anything, seconds and zone may be missing. zone is in minutes east of
// UTC.
func parseDate(v []byte) (seconds int64, zone int16, ok bool) {
	d := dateParser{v: v}
	d.space()
	if i := bytes.IndexByte(d.v, ','); i >= 0 {
		d.v = d.v[i+1:]
	} else if len(d.v) > 0 && !isDigit(d.v[0]) {
		d.word()
	}
	day := d.number(2)
	d.dash()
	month := monthOf(d.word())
	d.dash()
	digits := len(d.v)
	year := d.number(4)
	digits -= len(d.v)
	hour := d.number(2)
	colon := d.colon()
	minute, second := d.number(2), 0
	if d.colon() {
		second = d.number(2)
	}
	zone = d.zone()
	if d.bad || !colon || month == 0 || day < 1 || hour > 23 || minute > 59 || second > 60 {
		return 0, 0, false
	}
	switch { // RFC 5322 4.3
	case digits <= 3 && year < 50:
		year += 2000
	case digits <= 3:
		year += 1900
	}
	t := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	if t.Day() != day { // there is no such day
		return 0, 0, false
	}
	return t.Unix() - 60*int64(zone), zone, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { c = lower(c); return 'a' <= c && c <= 'z' }

// dateParser reads the pieces of a date; bad is set when one is not there.
type dateParser struct {
	v   []byte
	bad bool
}

func (d *dateParser) space() { d.v = skipComments(d.v, " \t\r\n") }

// number reads at most n digits.
func (d *dateParser) number(n int) int {
	d.space()
	value, i := 0, 0
	for ; i < len(d.v) && i < n && isDigit(d.v[i]); i++ {
		value = 10*value + int(d.v[i]-'0')
	}
	d.bad = d.bad || i == 0
	d.v = d.v[i:]
	return value
}

// word reads letters.
func (d *dateParser) word() []byte {
	d.space()
	i := 0
	for i < len(d.v) && isLetter(d.v[i]) {
		i++
	}
	w := d.v[:i]
	if d.v = d.v[i:]; len(d.v) > 0 && d.v[0] == '.' {
		d.v = d.v[1:]
	}
	return w
}

// dash goes over a hyphen: 2-Jan-2006.
func (d *dateParser) dash() {
	if d.space(); len(d.v) > 0 && d.v[0] == '-' {
		d.v = d.v[1:]
	}
}

func (d *dateParser) colon() bool {
	d.space()
	if len(d.v) > 0 && (d.v[0] == ':' || d.v[0] == '.') {
		d.v = d.v[1:]
		return true
	}
	return false
}

// zone reads a zone; one that is not known is UTC (RFC 5322 4.3).
func (d *dateParser) zone() int16 {
	d.space()
	if len(d.v) == 0 {
		return 0
	}
	if c := d.v[0]; c == '+' || c == '-' {
		d.v = d.v[1:]
		if len(d.v) < 4 || !isDigit(d.v[0]) || !isDigit(d.v[1]) || !isDigit(d.v[2]) || !isDigit(d.v[3]) {
			return 0
		}
		minutes := int16(60*d.number(2) + d.number(2))
		if minutes >= 24*60 {
			return 0
		}
		if c == '-' {
			return -minutes
		}
		return minutes
	}
	switch string(bytes.ToUpper(d.word())) {
	case "GMT", "UT", "UTC":
		return d.zone() // "GMT+0200" is found too
	case "EDT":
		return -4 * 60
	case "EST", "CDT":
		return -5 * 60
	case "CST", "MDT":
		return -6 * 60
	case "MST", "PDT":
		return -7 * 60
	case "PST":
		return -8 * 60
	}
	return 0
}

func monthOf(name []byte) time.Month {
	if len(name) < 3 {
		return 0
	}
	short := [3]byte{lower(name[0]), lower(name[1]), lower(name[2])}
	switch string(short[:]) {
	case "jan":
		return time.January
	case "feb":
		return time.February
	case "mar":
		return time.March
	case "apr":
		return time.April
	case "may":
		return time.May
	case "jun":
		return time.June
	case "jul":
		return time.July
	case "aug":
		return time.August
	case "sep":
		return time.September
	case "oct":
		return time.October
	case "nov":
		return time.November
	case "dec":
		return time.December
	}
	return 0
}
