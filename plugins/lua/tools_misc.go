package lua

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// toolNow is now().
func toolNow(s *state) int { return s.push(lua.LNumber(s.call.Now.Unix())) }

// toolDate is date(format[, zone[, time]]): os.date with a zone by its name.
func toolDate(s *state) int {
	format := s.optString(1, "%c")
	zone := s.now().Location()
	if name := s.optString(2, ""); name != "" {
		s.work(toolCost)
		z, err := time.LoadLocation(name)
		if err != nil || name == "Local" || len(name) > 64 {
			s.argError(2, `%s is no time zone; write "Europe/Berlin", or "UTC"`, quote(name, 40))
		}
		zone = z
	}
	return s.push(s.formatDate(format, s.timeArg(3).In(zone)))
}

// toolTrace is trace(...): a line in the trace alone.
func toolTrace(s *state) int { return s.note(hook.TraceCalls) }

const (
	maxMetrics    = 32 // names of a script
	maxMetricName = 64
)

// toolMetric is metric(name[, by]).
func toolMetric(s *state) int {
	if s.call.Services.Metric == nil {
		s.missing("metric")
	}
	s.work(toolCost)
	name := s.str(1)
	if name == "" || len(name) > maxMetricName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		s.argError(1, "the name of a metric has lower-case letters, digits and _, at most %d", maxMetricName)
	}
	by := 1.0
	if s.L.Get(2) != lua.LNil {
		by = s.number(2)
	}
	if !(by >= 0 && by <= 1e9) {
		s.argError(2, "a metric grows by 0 to 1e9")
	}
	name = strings.Clone(name)
	if !s.script.metrics.know(name) {
		s.argError(1, "a script has at most %d metrics", maxMetrics)
	}
	s.wait(func() { s.call.Services.Metric(s.script.name, name, by) })
	return 0
}
