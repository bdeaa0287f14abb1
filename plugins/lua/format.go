package lua

import (
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringFormat is string.format. Width and precision have at most two digits,
// as in Lua 5.1.
func stringFormat(s *state) int {
	format := s.str(1)
	var out strings.Builder
	arg := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			out.WriteByte('%')
			continue
		}
		end, ok := directiveEnd(format, i)
		if !ok {
			s.L.RaiseError("invalid format %s", quote(format[i-1:], 12))
		}
		arg++
		if arg > s.L.GetTop() {
			s.argError(arg, "no value")
		}
		text := s.directive(format[i:end-1], format[end-1], arg)
		if out.Len()+len(text) > maxString {
			s.fail(ErrMemory)
		}
		out.WriteString(text)
		i = end - 1
	}
	s.work(1 + out.Len()/64)
	s.build(out.Len())
	return s.push(lua.LString(out.String()))
}

// directiveEnd returns the end of the directive that follows "%" at i.
func directiveEnd(format string, i int) (int, bool) {
	digits := func() bool {
		n := 0
		for i < len(format) && isDigit(format[i]) {
			i++
			n++
		}
		return n <= 2
	}
	flags := i
	for i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0 {
		i++
	}
	if i-flags > 5 || !digits() {
		return 0, false
	}
	if i < len(format) && format[i] == '.' {
		i++
		if !digits() {
			return 0, false
		}
	}
	if i >= len(format) || strings.IndexByte("cdiouxXeEfgGqs", format[i]) < 0 {
		return 0, false
	}
	return i + 1, true
}

// directive formats argument n.
func (s *state) directive(flags string, verb byte, n int) string {
	switch verb {
	case 'c':
		return string([]byte{byte(s.integer(n))})
	case 'd', 'i':
		return fmt.Sprintf("%"+flags+"d", s.integer(n))
	case 'u':
		return fmt.Sprintf("%"+flags+"d", uint64(s.integer(n)))
	case 'o', 'x', 'X':
		return fmt.Sprintf("%"+flags+string(verb), uint64(s.integer(n)))
	case 'e', 'E', 'f', 'g', 'G':
		return formatFloat(flags, verb, s.number(n))
	case 'q':
		return s.quoted(s.str(n))
	}
	str := tostring(s.L.Get(n))
	if flags == "" {
		return str
	}
	if s.need(2 * len(str)); !isASCII(str) {
		// Lua counts octets where Go counts runes.
		return padOctets(flags, str)
	}
	return fmt.Sprintf("%"+flags+"s", str)
}

func formatFloat(flags string, verb byte, f float64) string {
	if (verb == 'g' || verb == 'G') && !strings.Contains(flags, ".") {
		flags += ".6" // C's default; Go would print all digits
	}
	return fmt.Sprintf("%"+flags+string(verb), f)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// padOctets is %s with width and precision in octets.
func padOctets(flags, str string) string {
	width, precision, cut := strings.Cut(strings.TrimLeft(flags, "-+ #0"), ".")
	if cut {
		n, _ := strconv.Atoi(precision) // at most two digits, or none: 0
		str = str[:min(n, len(str))]
	}
	w, _ := strconv.Atoi(width)
	pad := strings.Repeat(" ", max(0, w-len(str)))
	if strings.Contains(flags, "-") {
		return str + pad
	}
	return pad + str
}

// quoted is %q: a string that Lua reads back.
func (s *state) quoted(str string) string {
	s.need(2 * len(str))
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(str) {
		switch c := str[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString(`\r`)
		case 0:
			b.WriteString(`\000`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
