package lua

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
)

// smtpActions are global functions, for the SMTP stages.
var smtpActions = map[string]function{
	string(hook.Reject):    refuse(hook.Reject, fault.Policy, 500),
	string(hook.Tempfail):  refuse(hook.Tempfail, fault.TryLater, 400),
	string(hook.Discard):   plain(hook.Discard),
	string(hook.Score):     actScore,
	string(hook.AddHeader): actAddHeader,
	string(hook.Stop):      plain(hook.Stop),
}

// boxActions are methods of box, for delivery.
var boxActions = map[string]function{
	string(hook.FileInto):  actFileInto,
	string(hook.Keep):      actKeep,
	string(hook.Flag):      actFlag,
	string(hook.Discard):   plain(hook.Discard),
	string(hook.Redirect):  actRedirect,
	string(hook.AddHeader): actAddHeader,
	string(hook.Stop):      plain(hook.Stop),
}

// Bounds of what an action holds.
const (
	maxFolder      = 255 // octets; a name on disk holds no more
	maxFlags       = 32
	maxFlag        = 64
	maxHeaderName  = 76
	maxHeaderValue = 8000
	maxRule        = 64
	maxReason      = 400
	maxPoints      = 1000
)

// smtpAction is an action as a global function.
func smtpAction(name string, f function) function {
	return func(s *state) int {
		if s.call.Stage == hook.Deliver && slices.Contains(hook.Allowed[hook.Deliver], hook.Kind(name)) {
			s.L.RaiseError("at the stage %s, write box:%s(...)", s.call.Stage, name)
		}
		return f(s)
	}
}

// allow raises an error when the stage does not allow an action.
func (s *state) allow(k hook.Kind) {
	if slices.Contains(hook.Allowed[s.call.Stage], k) {
		return
	}
	s.L.RaiseError("%s is not an action of the stage %s", k, s.call.Stage)
}

// act notes an action. The script goes on.
func (s *state) act(a hook.Action) int {
	if len(s.run.actions) >= s.limits.Actions {
		s.fail(ErrActions)
	}
	a.Script, a.Line = s.script.name, s.line(0)
	s.run.actions = append(s.run.actions, a)
	return 0
}

// plain is an action without arguments.
func plain(k hook.Kind) function {
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(0)
		return s.act(hook.Action{Kind: k})
	}
}

func (s *state) onlyArgs(n int) {
	if s.L.GetTop() > n {
		s.L.RaiseError("too many arguments")
	}
}

// refuse is reject and tempfail: (code, enhanced, text), each of them optional.
func refuse(k hook.Kind, kind fault.Kind, class int) function {
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
			text = s.line1(3, maxReason)
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

// line1 returns argument n, a text of one line.
func (s *state) line1(n, most int) string {
	v, ok := s.L.Get(n).(lua.LString)
	if !ok {
		s.typeError(n, "string")
	}
	str := string(v)
	switch {
	case len(str) > most:
		s.argError(n, "longer than %d octets", most)
	case !utf8.ValidString(str):
		s.argError(n, "not UTF-8")
	case strings.ContainsFunc(str, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		s.argError(n, "holds a control character")
	}
	return strings.Clone(str)
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
		why = s.line1(3, maxReason)
	}
	return s.act(hook.Action{Kind: hook.Score, Points: points, Rule: rule, Text: why})
}

// reserved are the fields that only the server writes.
var reserved = []string{"received", "return-path", "delivered-to", "authentication-results", "dkim-signature"}

// actAddHeader is add_header(name, value).
func actAddHeader(s *state) int {
	s.allow(hook.AddHeader)
	s.onlyArgs(2)
	name, value := s.line1(1, maxHeaderName), s.line1(2, maxHeaderValue)
	if _, err := message.FormatField(name, value); err != nil {
		s.argError(1, "%s", err.Error())
	}
	if slices.Contains(reserved, strings.ToLower(name)) {
		s.argError(1, "only the server writes %s", name)
	}
	return s.act(hook.Action{Kind: hook.AddHeader, Name: name, Value: value})
}

// actFileInto is box:fileinto(folder[, {create=, flags=, copy=}]).
func actFileInto(s *state) int {
	s.allow(hook.FileInto)
	s.onlyArgs(2)
	a := hook.Action{Kind: hook.FileInto, Folder: s.folder(1)}
	s.options(2, option{"create", &a.Create, nil}, option{"copy", &a.Copy, nil}, option{"flags", nil, &a.Flags})
	return s.act(a)
}

// actKeep is box:keep([{flags=}]).
func actKeep(s *state) int {
	s.allow(hook.Keep)
	s.onlyArgs(1)
	a := hook.Action{Kind: hook.Keep}
	s.options(1, option{"flags", nil, &a.Flags})
	return s.act(a)
}

// actFlag is box:flag(flags).
func actFlag(s *state) int {
	s.allow(hook.Flag)
	s.onlyArgs(1)
	flags := s.flags(1, s.L.Get(1))
	if len(flags) == 0 {
		s.argError(1, "no flag given")
	}
	return s.act(hook.Action{Kind: hook.Flag, Flags: flags})
}

// actRedirect is box:redirect(address[, {copy=}]).
func actRedirect(s *state) int {
	s.allow(hook.Redirect)
	s.onlyArgs(2)
	to, err := address.Parse(s.line1(1, 400))
	if err != nil {
		s.argError(1, "%s", err.Error())
	}
	a := hook.Action{Kind: hook.Redirect, Address: to}
	s.options(2, option{"copy", &a.Copy, nil})
	if s.run.redirects++; s.run.redirects > s.limits.Redirects {
		s.fail(ErrRedirects)
	}
	return s.act(a)
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

// option is a named argument.
type option struct {
	name  string
	flag  *bool
	flags *[]string
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
		if o := options[i]; o.flags != nil {
			*o.flags = s.flags(n, value)
		} else if b, ok := value.(lua.LBool); ok {
			*o.flag = bool(b)
		} else {
			s.argError(n, "option %s must be true or false, not a %s", o.name, typeName(value))
		}
	}
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
