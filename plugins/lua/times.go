package lua

import (
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// now is the time of the run, in the server's zone.
func (s *state) now() time.Time {
	if s.call.Location != nil {
		return s.call.Now.In(s.call.Location)
	}
	return s.call.Now
}

// osTime is os.time([table]): seconds since 1970.
func osTime(s *state) int {
	if s.L.Get(1) == lua.LNil {
		return s.push(lua.LNumber(s.call.Now.Unix()))
	}
	t := s.table(1)
	field := func(name string, def int) int {
		v := t.RawGetString(name)
		if v == lua.LNil && def >= 0 {
			return def
		}
		n, ok := v.(lua.LNumber)
		if !ok || !(n > -1e6 && n < 1e6) {
			s.L.RaiseError("field %q of a date must be a number", name)
		}
		return int(n)
	}
	date := time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1),
		field("hour", 12), field("min", 0), field("sec", 0), 0, s.now().Location())
	return s.push(lua.LNumber(date.Unix()))
}

// osDate is os.date([format[, time]]).
func osDate(s *state) int {
	return s.push(s.formatDate(s.optString(1, "%c"), s.timeArg(2)))
}

// timeArg returns argument n, seconds since 1970, or the time of the run.
func (s *state) timeArg(n int) time.Time {
	t := s.now()
	if s.L.Get(n) == lua.LNil {
		return t
	}
	sec := s.number(n)
	if !(sec > -1e11 && sec < 1e12) {
		s.argError(n, "time out of range")
	}
	return time.Unix(int64(sec), 0).In(t.Location())
}

// formatDate is strftime, with "!" for UTC and "*t" for a table.
func (s *state) formatDate(format string, t time.Time) lua.LValue {
	if rest, ok := strings.CutPrefix(format, "!"); ok {
		format, t = rest, t.UTC()
	}
	if format == "*t" {
		return s.dateTable(t)
	}
	s.build(32 * len(format))
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		text, ok := "", i < len(format)
		if ok {
			text, ok = datePart(t, format[i])
		}
		if !ok {
			s.argError(1, "invalid conversion in a date format: %s", quote(format[i-1:], 4))
		}
		b.WriteString(text)
	}
	return s.text(b.String())
}

func (s *state) dateTable(t time.Time) *lua.LTable {
	s.need(dictSize)
	tb := s.L.CreateTable(0, 8)
	for _, f := range []struct {
		name  string
		value int
	}{
		{"year", t.Year()}, {"month", int(t.Month())}, {"day", t.Day()}, {"hour", t.Hour()}, {"min", t.Minute()},
		{"sec", t.Second()}, {"wday", int(t.Weekday()) + 1}, {"yday", t.YearDay()},
	} {
		tb.RawSetString(f.name, lua.LNumber(f.value))
	}
	tb.RawSetString("isdst", lua.LBool(t.IsDST()))
	return tb
}

// datePart is one conversion of strftime, in English.
func datePart(t time.Time, c byte) (string, bool) {
	switch c {
	case '%':
		return "%", true
	case 'j':
		n := strconv.Itoa(t.YearDay())
		return strings.Repeat("0", 3-len(n)) + n, true
	case 'w':
		return strconv.Itoa(int(t.Weekday())), true
	}
	layout, ok := dateLayouts[c]
	return t.Format(layout), ok
}

var dateLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02",
	'H': "15", 'I': "03", 'm': "01", 'M': "04", 'p': "PM", 'S': "05", 'x': "01/02/06", 'X': "15:04:05",
	'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}
