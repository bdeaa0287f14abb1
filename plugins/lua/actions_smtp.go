package lua

import (
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
)

// refuse is reject and tempfail: (code, enhanced, text), each of them optional.
func refuse(k hook.Kind) function {
	kind, class := fault.Policy, 500
	if k == hook.Tempfail {
		kind, class = fault.TryLater, 400
	}
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(3)
		f := fault.New(kind, "")
		code, enhanced, text := f.Code, f.Enhanced(), f.Text
		if s.L.Get(1) != lua.LNil {
			if code = s.integer(1); code < class || code > class+99 {
				s.argError(1, "%s takes a code from %d to %d", k, class, class+99)
			}
		}
		if s.L.Get(2) != lua.LNil {
			enhanced = s.str(2)
			if !validEnhanced(enhanced, class) {
				s.argError(2, "an enhanced code looks like %q", f.Enhanced())
			}
		}
		if s.L.Get(3) != lua.LNil {
			text = s.said(3, maxReason)
		}
		return s.act(hook.Action{Kind: k, Fault: fault.Reply(kind, code, enhanced, text)})
	}
}

// validEnhanced checks an enhanced status code (RFC 3463 2).
func validEnhanced(s string, class int) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != string(rune('0'+class/100)) {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

const (
	maxDelay        = 30 * time.Second // a client gives up after 5 minutes (RFC 5321 4.5.3.2.1)
	defaultGreylist = 5 * time.Minute
	maxGreylist     = 24 * time.Hour // RFC 6647 2.2 has hosts that come again after a day
)

// actDelay is delay(seconds).
func actDelay(s *state) int {
	s.allow(hook.Delay)
	s.onlyArgs(1)
	d := s.duration(here(1), s.L.Get(1), 0, maxDelay)
	return s.act(hook.Action{Kind: hook.Delay, For: d})
}

// actGreylist is greylist([{after=}]).
func actGreylist(s *state) int {
	s.allow(hook.Greylist)
	s.onlyArgs(1)
	a := hook.Action{Kind: hook.Greylist, For: defaultGreylist}
	s.options(1, option{"after", func(w where, v lua.LValue) { a.For = s.duration(w, v, time.Second, maxGreylist) }})
	return s.act(a)
}

// actRoute is route(relay): "host" or "host:port".
func actRoute(s *state) int {
	s.allow(hook.Route)
	s.onlyArgs(1)
	relay, ok := parseRelay(s.line1(1, maxAddress))
	if !ok {
		s.argError(1, `a relay is "host" or "host:port"`)
	}
	return s.act(hook.Action{Kind: hook.Route, Relay: relay})
}

// parseRelay returns host:port; the port is 25 when none is given.
func parseRelay(s string) (string, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), "25"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", false
	}
	if net.ParseIP(host) == nil {
		d, err := address.ParseDomain(host)
		if err != nil || strings.HasPrefix(string(d), "[") {
			return "", false
		}
		host = string(d)
	}
	return net.JoinHostPort(host, port), true
}

// actScore is score(points, rule[, why]).
func actScore(s *state) int {
	s.allow(hook.Score)
	s.onlyArgs(3)
	points := s.number(1)
	if !(math.Abs(points) <= maxPoints) {
		s.argError(1, "points are at most %d", maxPoints)
	}
	rule := s.line1(2, maxRule)
	if rule == "" || strings.ContainsAny(rule, " \t") {
		s.argError(2, "a rule is one word")
	}
	why := ""
	if s.L.Get(3) != lua.LNil {
		why = s.said(3, maxReason)
	}
	return s.act(hook.Action{Kind: hook.Score, Points: points, Rule: rule, Text: why})
}

// reserved are the fields that are not for scripts: by which others see where a message
// has been, what was found out and who wrote it (RFC 5321 4.4, RFC 8601, RFC 6376), which
// keep mail from going in circles (RFC 3834), and without which it can't be read (RFC 2045).
// Those that begin with one of reservedPrefixes are too (RFC 8617, RFC 2045).
var (
	reserved = []string{"received", "return-path", "delivered-to", "authentication-results", "dkim-signature", "auto-submitted",
		"from", "mime-version"}
	reservedPrefixes = []string{"arc-", "content-"}
	// removable are fields that can only be removed.
	removable = []string{"sender", "bcc"}
)

// headerName returns argument 1, the name of a field that a script may change.
func (s *state) headerName() string {
	name := s.line1(1, maxHeaderName)
	if _, err := message.FormatField(name, ""); err != nil {
		s.argError(1, "%s", err.Error())
	}
	lower := strings.ToLower(name)
	if slices.Contains(reserved, lower) || slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) }) {
		s.argError(1, "%s is not for scripts", name)
	}
	return name
}

// actAddHeader is add_header(name, value).
func actAddHeader(s *state) int {
	s.allow(hook.AddHeader)
	s.onlyArgs(2)
	name, value := s.headerName(), s.said(2, maxHeaderValue)
	if slices.Contains(removable, strings.ToLower(name)) {
		s.argError(1, "%s can't be added", name)
	}
	return s.act(hook.Action{Kind: hook.AddHeader, Name: name, Value: value})
}

// actRemoveHeader is remove_header(name).
func actRemoveHeader(s *state) int {
	s.allow(hook.RemoveHeader)
	s.onlyArgs(1)
	name := s.headerName()
	return s.act(hook.Action{Kind: hook.RemoveHeader, Name: name})
}

// actSubjectPrefix is subject_prefix(text).
func actSubjectPrefix(s *state) int {
	s.allow(hook.SubjectPrefix)
	s.onlyArgs(1)
	text := s.said(1, maxPrefix)
	if strings.TrimSpace(text) == "" {
		s.argError(1, "the prefix is empty")
	}
	return s.act(hook.Action{Kind: hook.SubjectPrefix, Text: text})
}
