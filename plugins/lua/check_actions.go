package lua

import (
	"slices"

	"facteur/server/hook"
)

// routine is a function of a script, with the functions without a name in it:
// what it asks for, and who calls it.
type routine struct {
	file    string
	line    int
	stages  []hook.Stage // that it is the function of
	callers []*routine
	unknown bool // it may be called in ways that can't be seen
	actions []use
}

// use is an action that a routine asks for.
type use struct {
	kind hook.Kind
	box  bool // as a method of box
	file string
	line int
}

// globalCall is a call of a function that may be defined later.
type globalCall struct {
	name string
	from *routine
}

// alias is a stage whose function has another name.
type alias struct {
	stage hook.Stage
	name  string
	local *variable
}

func (c *checker) newRoutine(line int) *routine {
	r := &routine{file: c.file, line: line}
	c.routines = append(c.routines, r)
	return r
}

// checkActions finds the actions that no stage allows which comes to them.
func (c *checker) checkActions() {
	c.link()
	for _, r := range c.routines {
		if len(r.actions) == 0 {
			continue
		}
		stages, all := r.reached()
		if !all || len(stages) == 0 {
			continue
		}
		for _, u := range r.actions {
			if !slices.ContainsFunc(stages, u.allowed) {
				c.failAt(u.file, u.line, "%s", u.refusal(stages))
			}
		}
	}
}

// link finds who calls the global functions.
func (c *checker) link() {
	for _, g := range c.globalCalls {
		if r := c.globals[g.name]; r != nil {
			r.callers = append(r.callers, g.from)
		}
	}
	for name := range c.handed {
		if r := c.globals[name]; r != nil {
			r.unknown = true
		}
	}
	for _, a := range c.aliases {
		r := c.globals[a.name]
		if a.local != nil {
			r = a.local.fn
		}
		if r != nil {
			r.stages = append(r.stages, a.stage)
		}
	}
}

// reached returns the stages that come to a routine, in their order, and whether
// those are all of them.
func (r *routine) reached() ([]hook.Stage, bool) {
	seen := map[*routine]bool{}
	found := map[hook.Stage]bool{}
	all := true
	var up func(*routine)
	up = func(r *routine) {
		if seen[r] {
			return
		}
		seen[r] = true
		all = all && !r.unknown
		for _, st := range r.stages {
			found[st] = true
		}
		for _, caller := range r.callers {
			up(caller)
		}
	}
	up(r)
	var stages []hook.Stage
	for _, st := range hook.Stages {
		if found[st] {
			stages = append(stages, st)
		}
	}
	return stages, all
}

// allowed tells whether the action can be asked for like that at a stage.
func (u use) allowed(stage hook.Stage) bool {
	return u.box == stage.HasBox() && slices.Contains(hook.Allowed[stage], u.kind)
}

// refusal says why it can't.
func (u use) refusal(stages []hook.Stage) string {
	if hint := boxHint(u.kind, stages[0]); hint != "" && !u.box {
		return hint
	}
	if len(stages) == 1 {
		return notAllowed(u.kind, stages[0])
	}
	names := make([]string, len(stages))
	for i, st := range stages {
		names[i] = string(st)
	}
	return sprintf("%s is not an action of the stages %s; it is one of %s", u.kind, enumerate(names), stagesOf(u.kind))
}
