package lua

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
)

// where is the place of a value among the arguments of a call.
type where struct {
	n      int
	option string // its name in the table of argument n, or ""
}

// here is argument n itself.
func here(n int) where { return where{n: n} }

// wrong raises an error about a value.
func (s *state) wrong(w where, format string, args ...any) {
	text := sprintf(format, args...)
	if w.option != "" {
		text = "option " + w.option + ": " + text
	}
	s.L.ArgError(w.n, text)
}

// option is a named argument. set checks and takes its value.
type option struct {
	name string
	set  func(where, lua.LValue)
}

// options reads the table of named arguments n, if there is one.
func (s *state) options(n int, options ...option) {
	if s.L.Get(n) == lua.LNil {
		return
	}
	t := s.table(n)
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		i := slices.IndexFunc(options, func(o option) bool { return lua.LString(o.name) == key })
		if i < 0 {
			s.argError(n, "unknown option %s", quote(tostring(key), 40))
		}
		options[i].set(where{n, options[i].name}, value)
	}
}

// isTrue is an option that is true or false.
func (s *state) isTrue(name string, to *bool) option {
	return option{name, func(w where, v lua.LValue) {
		b, ok := v.(lua.LBool)
		if !ok {
			s.argError(w.n, "option %s must be true or false, not a %s", name, typeName(v))
		}
		*to = bool(b)
	}}
}

func (s *state) hasFlags(to *[]string) option {
	return option{"flags", func(w where, v lua.LValue) { *to = s.flags(w.n, v) }}
}

// isLine is an option that is a text of one line, as said returns it.
func (s *state) isLine(name string, to *string, most int) option {
	return option{name, func(w where, v lua.LValue) { *to = s.saidOf(w, v, most, "\t") }}
}

// isText is an option that is a text of several lines, mended likewise.
func (s *state) isText(name string, to *string) option {
	return option{name, func(w where, v lua.LValue) {
		text := s.saidOf(w, v, maxBody, "\t\r\n")
		*to = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}}
}

// line1 returns argument n, a text of one line.
func (s *state) line1(n, most int) string { return s.lineOf(here(n), s.L.Get(n), most) }

func (s *state) lineOf(w where, v lua.LValue, most int) string {
	return s.checked(w, v, most, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
}

// said returns argument n, a text on one line of at most so many octets. What a stranger's
// message puts into it is mended rather than refused: otherwise a name of a file, or a
// subject, could keep a script from doing what it is for.
func (s *state) said(n, most int) string { return s.saidOf(here(n), s.L.Get(n), most, "\t") }

// saidOf is said of a value; controls are the control characters that stay.
func (s *state) saidOf(w where, v lua.LValue, most int, controls string) string {
	str, ok := v.(lua.LString)
	if !ok {
		s.wrong(w, "string expected, got %s", typeName(v))
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune(controls, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(clip(string(str), 2*most), "\uFFFD"))
	if len(text) > most {
		text = clip(text, most-len("..."))
	}
	return text
}

// checked returns a string of at most so many octets of UTF-8, without the
// characters that refused tells.
func (s *state) checked(w where, v lua.LValue, most int, refused func(rune) bool) string {
	str, ok := v.(lua.LString)
	switch {
	case !ok:
		s.wrong(w, "string expected, got %s", typeName(v))
	case len(str) > most:
		s.wrong(w, "longer than %d octets", most)
	case !utf8.ValidString(string(str)):
		s.wrong(w, "not UTF-8")
	case strings.ContainsFunc(string(str), refused):
		s.wrong(w, "holds a control character")
	}
	return strings.Clone(string(str))
}

// address returns argument n, a mail address.
func (s *state) address(n int) address.Address { return s.addressOf(here(n), s.L.Get(n)) }

func (s *state) addressOf(w where, v lua.LValue) address.Address {
	a, err := parseAddress(s.lineOf(w, v, maxAddress))
	if err != nil {
		s.wrong(w, "%s", err.Error())
	}
	return a
}

func parseAddress(str string) (address.Address, error) { return address.Parse(strings.Clone(str)) }

// addressesOf reads one address or an array of them.
func (s *state) addressesOf(w where, v lua.LValue) []address.Address {
	t, ok := v.(*lua.LTable)
	if !ok {
		return []address.Address{s.addressOf(w, v)}
	}
	if t.Len() > maxOwn {
		s.wrong(w, "more than %d addresses", maxOwn)
	}
	var list []address.Address
	for i := 1; i <= t.Len(); i++ {
		list = append(list, s.addressOf(w, t.RawGetInt(i)))
	}
	return list
}

// date1 reads a local date: "2026-12-20" (RFC 3339 full-date).
func (s *state) date1(w where, v lua.LValue) hook.Date {
	t, err := time.Parse(time.DateOnly, s.lineOf(w, v, 20))
	if err != nil {
		s.wrong(w, `a date is written "2026-12-20"`)
	}
	return hook.Date{Year: t.Year(), Month: int(t.Month()), Day: t.Day()}
}

// moment returns argument n: seconds since 1970, or "2026-12-24 08:00" in the
// server's zone.
func (s *state) moment(n int) time.Time {
	if f, ok := s.L.Get(n).(lua.LNumber); ok {
		if !(math.Abs(float64(f)) < 1e12) {
			s.argError(n, "time out of range")
		}
		return time.Unix(int64(f), 0)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", s.line1(n, 20), s.now().Location())
	if err != nil {
		s.argError(n, `a time is a number of seconds since 1970, or "2026-12-24 08:00"`)
	}
	return t
}

// units are those of a duration in words.
var units = map[string]time.Duration{
	"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

// duration reads a number of seconds, or a number and a unit: "30 days".
func (s *state) duration(w where, v lua.LValue, least, most time.Duration) time.Duration {
	d, ok := time.Duration(-1), false
	switch v := v.(type) {
	case lua.LNumber:
		if ok = math.Abs(float64(v)) < 9e9; ok {
			d = time.Duration(float64(v) * float64(time.Second)).Truncate(time.Millisecond)
		}
	case lua.LString:
		d, ok = parseDuration(string(v))
	}
	if !ok {
		s.wrong(w, `a period is a number of seconds, or a text such as "30 days"`)
	}
	if d < least || d > most {
		s.wrong(w, "it must be from %s to %s", hook.Period(least), hook.Period(most))
	}
	return d
}

func parseDuration(str string) (time.Duration, bool) {
	number, unit, ok := strings.Cut(strings.TrimSpace(str), " ")
	n, err := strconv.Atoi(number)
	d, known := units[strings.TrimSuffix(strings.TrimSpace(unit), "s")]
	if !ok || err != nil || !known || n < 0 || time.Duration(n) > math.MaxInt64/d {
		return 0, false
	}
	return time.Duration(n) * d, true
}

// folder returns argument n, the name of a mailbox folder.
func (s *state) folder(n int) string {
	name := s.line1(n, maxFolder)
	switch {
	case name == "" || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		s.argError(n, "%s is not the name of a folder", quote(name, 40))
	case strings.Contains(name, "."):
		s.argError(n, `the name of a folder holds no "."; the parts of a name are separated by "/"`)
	}
	return name
}

// flags reads one flag or an array of them.
func (s *state) flags(n int, v lua.LValue) []string {
	var flags []string
	switch v := v.(type) {
	case lua.LString:
		flags = []string{s.flag(n, string(v))}
	case *lua.LTable:
		for i := 1; i <= v.Len(); i++ {
			str, ok := v.RawGetInt(i).(lua.LString)
			if !ok {
				s.argError(n, "a flag must be a string, not a %s", typeName(v.RawGetInt(i)))
			}
			if len(flags) == maxFlags {
				s.argError(n, "more than %d flags", maxFlags)
			}
			flags = append(flags, s.flag(n, string(str)))
		}
	default:
		s.argError(n, "flags are a string or an array of strings, not a %s", typeName(v))
	}
	return flags
}

// systemFlags are those of RFC 9051 2.3.2 that a client may set.
var systemFlags = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`}

// flag checks an IMAP flag or keyword. The backslash of a system flag may be
// left out: in a Lua string it must be written twice.
func (s *state) flag(n int, f string) string {
	for _, sys := range systemFlags {
		if strings.EqualFold(f, sys) || strings.EqualFold(f, sys[1:]) {
			return sys
		}
	}
	// RFC 9051 9: flag-keyword is an atom.
	atom := func(r rune) bool { return r > ' ' && r < 0x7f && !strings.ContainsRune(`(){%*"\]`, r) }
	if f == "" || len(f) > maxFlag || strings.ContainsFunc(f, func(r rune) bool { return !atom(r) }) {
		s.argError(n, "%s is not an IMAP flag", quote(f, 40))
	}
	return strings.Clone(f)
}
