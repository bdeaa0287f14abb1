package lua

import (
	"slices"
	"strings"

	"facteur/server/hook"
)

// globalActions are functions, for the stages without a mailbox. Those that are
// methods of box are boxActions.
var globalActions = map[string]function{
	string(hook.Reject):        refuse(hook.Reject),
	string(hook.Tempfail):      refuse(hook.Tempfail),
	string(hook.Delay):         actDelay,
	string(hook.Greylist):      actGreylist,
	string(hook.Rewrite):       actAddress(hook.Rewrite),
	string(hook.Discard):       plain(hook.Discard),
	string(hook.Quarantine):    actReason(hook.Quarantine),
	string(hook.Hold):          actReason(hook.Hold),
	string(hook.Route):         actRoute,
	string(hook.AddRcpt):       actAddress(hook.AddRcpt),
	string(hook.Score):         actScore,
	string(hook.AddHeader):     actAddHeader,
	string(hook.RemoveHeader):  actRemoveHeader,
	string(hook.SubjectPrefix): actSubjectPrefix,
	string(hook.FileInto):      actFileInto,
	string(hook.Redirect):      actRedirect,
	string(hook.Notify):        actNotify,
	string(hook.Stop):          plain(hook.Stop),
}

// boxActions are methods of box.
var boxActions = map[string]function{
	string(hook.FileInto):      actFileInto,
	string(hook.Keep):          actKeep,
	string(hook.Flag):          actFlags(hook.Flag),
	string(hook.Unflag):        actFlags(hook.Unflag),
	string(hook.Discard):       plain(hook.Discard),
	string(hook.Reject):        actReason(hook.Reject),
	string(hook.Redirect):      actRedirect,
	string(hook.Vacation):      actVacation,
	string(hook.Reply):         actReply,
	string(hook.Notify):        actNotify,
	string(hook.Snooze):        actSnooze,
	string(hook.AddHeader):     actAddHeader,
	string(hook.RemoveHeader):  actRemoveHeader,
	string(hook.SubjectPrefix): actSubjectPrefix,
	string(hook.Accept):        actAnswer(hook.Accept),
	string(hook.Decline):       actAnswer(hook.Decline),
	string(hook.Learn):         actLearn,
	string(hook.Expire):        actExpire,
	string(hook.Stop):          plain(hook.Stop),
}

// Bounds of what an action holds.
const (
	maxFolder      = 255 // octets; a name on disk holds no more
	maxFlags       = 32
	maxFlag        = 64
	maxHeaderName  = 76
	maxHeaderValue = 8000
	maxPrefix      = 100
	maxRule        = 64
	maxReason      = 400
	maxPoints      = 1000
	maxBody        = 64 << 10 // of a mail that a script writes
	maxHandle      = 100
	maxOwn         = 50 // addresses of a vacation
	maxAddress     = 400
)

// globalAction is an action as a global function.
func globalAction(name string, f function) function {
	return func(s *state) int {
		if hint := boxHint(hook.Kind(name), s.call.Stage); hint != "" {
			s.L.RaiseError("%s", hint)
		}
		return f(s)
	}
}

// boxHint says how an action is written that the stage has as a method of box.
func boxHint(k hook.Kind, stage hook.Stage) string {
	if !stage.HasBox() || !slices.Contains(hook.Allowed[stage], k) {
		return ""
	}
	return sprintf("at the stage %s, write box:%s(...)", stage, k)
}

// allow raises an error when the stage does not allow an action.
func (s *state) allow(k hook.Kind) {
	if !slices.Contains(hook.Allowed[s.call.Stage], k) {
		s.L.RaiseError("%s", notAllowed(k, s.call.Stage))
	}
}

// notAllowed says that a stage does not allow an action, and which do.
func notAllowed(k hook.Kind, stage hook.Stage) string {
	return sprintf("%s is not an action of the stage %s; it is one of %s", k, stage, stagesOf(k))
}

// stagesOf lists the stages that allow an action.
func stagesOf(k hook.Kind) string {
	var names []string
	for _, st := range hook.Stages {
		if slices.Contains(hook.Allowed[st], k) {
			names = append(names, string(st))
		}
	}
	return enumerate(names)
}

// enumerate joins names: "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// act notes an action. The script goes on.
func (s *state) act(a hook.Action) int {
	if len(s.run.actions) >= s.limits.Actions {
		s.fail(ErrActions)
	}
	if most, limit := s.limits.of(a.Kind); limit != "" && s.asked(a.Kind) >= most {
		s.fail(limit)
	}
	a.Script, a.Line = s.place(0)
	s.run.actions = append(s.run.actions, a)
	return 0
}

// asked counts the actions of a kind.
func (s *state) asked(k hook.Kind) int {
	n := 0
	for _, a := range s.run.actions {
		if a.Kind == k {
			n++
		}
	}
	return n
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

// actReason is quarantine(reason), hold(reason) and box:reject(text).
func actReason(k hook.Kind) function {
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(1)
		text := s.said(1, maxReason)
		if strings.TrimSpace(text) == "" {
			s.argError(1, "say why")
		}
		return s.act(hook.Action{Kind: k, Text: text})
	}
}

// actAddress is rewrite(address) and add_rcpt(address).
func actAddress(k hook.Kind) function {
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(1)
		return s.act(hook.Action{Kind: k, Address: s.address(1)})
	}
}
