package lua

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

const (
	maxErrorText = 1000 // octets of an error
	maxLogText   = 1000 // octets of a line of the trace
)

// tostring returns the text of a value as Lua prints it. Addresses are left out.
func tostring(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return formatNumber(float64(v))
	case lua.LBool:
		return strconv.FormatBool(bool(v))
	case *lua.LUserData:
		if o, ok := v.Value.(*object); ok {
			return o.name
		}
	}
	return typeName(v)
}

// formatNumber is C's "%.14g", which Lua 5.1 uses.
func formatNumber(f float64) string {
	switch {
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatInt(int64(f), 10)
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', 14, 64)
}

// parseNumber reads a number as Lua writes it; base 10 also takes "0x10" and
// fractions.
func parseNumber(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if base != 10 {
		n, err := strconv.ParseInt(strings.ToLower(s), base, 64)
		return float64(n), err == nil
	}
	unsigned := strings.TrimLeft(s, "+-")
	if len(s)-len(unsigned) > 1 || len(unsigned) > 400 {
		return 0, false
	}
	if digits, ok := cutHex(unsigned); ok {
		n, err := strconv.ParseUint(digits, 16, 64)
		if s[0] == '-' {
			return -float64(n), err == nil
		}
		return float64(n), err == nil
	}
	if strings.Trim(unsigned, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

func cutHex(s string) (string, bool) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return "", false
}

// clip shortens s to at most n octets, for people.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// quote is clip in quotation marks, with control characters escaped.
func quote(s string, n int) string { return strconv.Quote(clip(s, n)) }

// splitPosition splits "script:12: text".
func splitPosition(script, s string) (line int, text string, ok bool) {
	rest, ok := strings.CutPrefix(s, script+":")
	if !ok {
		return 0, "", false
	}
	number, text, ok := strings.Cut(rest, ": ")
	if !ok {
		return 0, "", false
	}
	line, err := strconv.Atoi(number)
	return line, text, err == nil && line > 0
}

// ring keeps the last max lines of a trace.
type ring struct {
	max   int
	lines []hook.Line
	next  int
}

func (r *ring) add(l hook.Line) {
	if len(r.lines) < r.max {
		r.lines = append(r.lines, l)
		return
	}
	r.lines[r.next] = l
	r.next = (r.next + 1) % r.max
}

func (r *ring) list() []hook.Line {
	return append(r.lines[r.next:len(r.lines):len(r.lines)], r.lines[:r.next]...)
}

// logLine adds a line that goes to the log.
func (s *state) logLine(text string) { s.traceText(hook.TraceLog, text) }

// traceText adds a line to the trace.
func (s *state) traceText(level hook.TraceLevel, text string) {
	file, line := s.place(0)
	s.run.lines.add(hook.Line{Script: file, Line: line, Text: clip(text, maxLogText), Level: level})
}

// traceLine adds the line that is about to run, once.
func (s *state) traceLine() {
	file, line := s.place(0)
	if line == s.run.lastLine && file == s.run.lastFile || line == 0 {
		return
	}
	s.run.lastFile, s.run.lastLine = file, line
	// The compiler puts the end of a chunk on the line after its last.
	if text := s.script.files[file].line(line); text != "" {
		s.run.lines.add(hook.Line{Script: file, Line: line, Text: text, Level: hook.TraceLines})
	}
}
