package hook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"facteur/server/fault"
)

// Hook is a Program in its place.
type Hook struct {
	Program  Program
	Required bool // when it fails at a live stage: 451 instead of going on
	Apart    bool // it is not told to whom else the message goes
}

// Failure tells of a script that failed.
type Failure struct {
	Script string
	Stage  Stage
	Err    error
}

// Ran is one script that ran.
type Ran struct {
	Script  string
	Hash    string
	Elapsed time.Duration
	Err     error
}

// Result is what all the scripts of a stage came to. Its caller must Commit or
// Cancel it: at the live stages as soon as it is there, at the others when its
// actions were carried out.
type Result struct {
	Actions      []Action
	Destinations []string // at Resolve
	Trace        []Line
	Failures     []Failure
	Ran          []Ran
	// Refusal is the answer for the peer when a script said reject or tempfail at a
	// live stage, or when a required one failed.
	Refusal *fault.Fault
	// Discard: a script said so (at the live stages).
	Discard bool
	Spam    Spam
	Virus   string // what a plugin found, now or at an earlier stage
	Scanned bool   // plugins looked, then or now: they need not do so again

	states []State
}

// Run runs the hooks of a stage in their order. At the live stages reject,
// tempfail and discard end it, and so do the destinations of Resolve; stop ends it
// everywhere. A hook that fails counts as absent, except where Required says otherwise.
// What a script scored is in m.spam of the scripts after it.
func Run(ctx context.Context, hooks []Hook, call Call) Result {
	var res Result
	if call.Message != nil {
		message := *call.Message // its Spam changes
		call.Message = &message
		res.Spam, res.Virus, res.Scanned = message.Spam, message.Virus, message.Scanned
	}
	for _, h := range hooks {
		if !h.Program.Handles(call.Stage) {
			continue
		}
		if call.Message != nil {
			call.Message.Spam, call.Message.Virus, call.Message.Scanned = res.Spam, res.Virus, res.Scanned
		}
		out := h.Program.Run(ctx, h.facts(call))
		res.Trace = append(res.Trace, out.Trace...)
		res.Ran = append(res.Ran, Ran{h.Program.Name(), h.Program.Hash(), out.Elapsed, out.Err})
		if out.Err != nil {
			res.Failures = append(res.Failures, Failure{h.Program.Name(), call.Stage, out.Err})
			if h.Required && call.Stage.Live() {
				res.Refusal = fault.Wrap(fault.Internal, "", out.Err)
				return res
			}
			continue
		}
		if out.State != nil {
			res.states = append(res.states, out.State)
		}
		if res.take(call.Stage, out) {
			return res
		}
	}
	return res
}

// facts returns what the script of a hook is told.
func (h Hook) facts(call Call) Call {
	if h.Apart && call.Message != nil {
		m := *call.Message
		m.Recipients = nil
		call.Message = &m
	}
	return call
}

// take adds what one script came to; it tells whether that ends the stage.
func (res *Result) take(stage Stage, out Outcome) (end bool) {
	res.Actions = append(res.Actions, out.Actions...)
	res.Virus, res.Scanned = cmp.Or(out.Virus, res.Virus), res.Scanned || out.Scanned
	for _, a := range out.Actions {
		switch a.Kind {
		case Reject, Tempfail:
			if stage.Live() {
				res.Refusal = a.Fault
				return true
			}
		case Discard:
			if stage.Live() {
				res.Discard = true
				return true
			}
		case Score:
			res.Spam.Score += a.Points
			res.Spam.Rules = append(res.Spam.Rules[:len(res.Spam.Rules):len(res.Spam.Rules)], Rule{a.Rule, a.Points, a.Text})
		case Stop:
			end = true
		}
	}
	if len(out.Destinations) > 0 {
		res.Destinations = out.Destinations
		return true
	}
	return end
}

// Commit makes durable what the scripts noted, in their memory: at once where they
// are of a kind that can.
func (res Result) Commit(ctx context.Context) error {
	if len(res.states) == 0 {
		return nil
	}
	if first, ok := res.states[0].(JointState); ok {
		return first.CommitWith(ctx, res.states[1:])
	}
	var errs []error
	for _, s := range res.states {
		errs = append(errs, s.Commit(ctx))
	}
	return errors.Join(errs...)
}

// Again is called before Commit when the message comes again, for its sender was put off:
// it is not to be taken for another copy of itself then.
func (res Result) Again() {
	for _, s := range res.states {
		if retried, ok := s.(RetriedState); ok {
			retried.Again()
		}
	}
}

// Cancel has it forgotten, unless it was committed.
func (res Result) Cancel() {
	for _, s := range res.states {
		s.Cancel()
	}
}

// Log writes what the scripts logged and which of them failed. The logger has
// the facts of the message.
func (res Result) Log(log *slog.Logger) {
	for _, l := range res.Trace {
		if l.Level > TraceLog {
			continue
		}
		log.Info("hook.log", "script", l.Script, "line", l.Line, "text", l.Text)
	}
	for _, f := range res.Failures {
		log := log.With("script", f.Script, "stage", string(f.Stage), "error", f.Err)
		if f.Stage == Deliver {
			log = log.With("result", "the mail is kept as if the script were absent")
		}
		log.Warn("hook.failed")
	}
}
