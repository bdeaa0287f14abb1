package intake

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/trace"
)

// Scripts run at these stages: connect for servers that come to the service smtp; auth for
// each login of every protocol; mail and rcpt for all who bring mail, our own users and LMTP
// too; resolve whenever an address is looked up; submit for our own users, data for all
// others. Mail of this server itself (Inject) meets resolve and nothing else.

// scripts are the server's scripts by stage.
type scripts map[hook.Stage][]hook.Hook

func byStage(hooks []hook.Hook) scripts {
	all := make(scripts)
	for _, stage := range hook.Stages {
		if of := handling(stage, hooks); len(of) > 0 {
			all[stage] = of
		}
	}
	return all
}

// handling returns those of the hooks that have a function for the stage.
func handling(stage hook.Stage, hooks []hook.Hook) []hook.Hook {
	var out []hook.Hook
	for _, h := range hooks {
		if h.Program.Handles(stage) {
			out = append(out, h)
		}
	}
	return out
}

// hooks returns the server's scripts of a stage, then those of box and its domain; of the
// server alone when box is zero.
func (s *Settings) hooks(stage hook.Stage, box address.Address) []hook.Hook {
	own := s.server[stage]
	if box.IsZero() || s.BoxHooks == nil || s.Handled != nil && !s.Handled(stage) {
		return own
	}
	of := handling(stage, s.BoxHooks(box))
	if len(of) == 0 {
		return own
	}
	for i := range of { // of those who were named before, others may be blind copies
		of[i].Apart = stage == hook.Rcpt
	}
	return slices.Concat(own, of)
}

// isServers tells whether a script is one of the server's, so that what it asks for is the
// postmaster's will.
func (s *Settings) isServers(script string) bool {
	return slices.ContainsFunc(s.ServerHooks, func(h hook.Hook) bool { return h.Program.Name() == script })
}

// run runs hooks, logs what they said, and makes durable what they noted in their memory.
// When that fails and one of them is required, the answer is that of a failed script.
func (in *Intake) run(ctx context.Context, live *Settings, hooks []hook.Hook, call hook.Call) hook.Result {
	res := in.ask(ctx, live, hooks, call)
	err := in.commit(ctx, call.Stage, in.logOf(call), res)
	if err != nil && res.Refusal == nil && slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Required }) {
		res.Refusal = fault.Wrap(fault.Internal, "", err)
	}
	return res
}

// ask is run without the memory: its caller ends that.
func (in *Intake) ask(ctx context.Context, live *Settings, hooks []hook.Hook, call hook.Call) hook.Result {
	call.Now, call.Location, call.Services = in.opts.Now(), live.Location, live.Services
	res := hook.Run(ctx, hooks, call)
	res.Log(in.logOf(call))
	in.traceScripts(call, res)
	return res
}

// logOf has the facts of a call.
func (in *Intake) logOf(call hook.Call) *slog.Logger {
	log := in.opts.Log
	if call.Client != nil {
		log = log.With("session", call.Client.ID)
	}
	if call.Message != nil {
		log = log.With("id", call.Message.ID)
	}
	return log
}

// commit makes durable what scripts noted, but for Duplicate where the client is put off.
func (in *Intake) commit(ctx context.Context, stage hook.Stage, log *slog.Logger, res hook.Result) error {
	if res.Refusal != nil && fault.Temporary(res.Refusal) {
		res.Again()
	}
	err := res.Commit(context.WithoutCancel(ctx))
	if err != nil {
		log.Error("hook.memory", "stage", string(stage), "error", err)
	}
	return err
}

// clientOf is c in Lua.
func clientOf(s envelope.Session) *hook.Client {
	c := &hook.Client{
		IP: s.Remote.Addr(), RDNS: s.RDNS, Helo: s.Helo, TLSVersion: s.TLSVersion, TLSCipher: s.TLSCipher, Listener: s.Listener, ID: s.ID,
	}
	if !s.Account.IsZero() {
		c.User = s.Account.String()
	}
	return c
}

// maxDelay bounds how long a greeting waits. A client waits five minutes (RFC 5321
// 4.5.3.2.1).
const maxDelay = 30 * time.Second

// Greeting is what scripts say of a client that has connected.
type Greeting struct {
	Delay   time.Duration // before the answer, whatever it is
	Refusal *fault.Fault  // nil: it is welcome
}

// Connect runs the stage connect: the server's scripts alone, for nobody is written to yet.
func (in *Intake) Connect(ctx context.Context, sess envelope.Session) Greeting {
	live := in.live.Load()
	hooks := live.server[hook.Connect]
	if len(hooks) == 0 {
		return Greeting{}
	}
	res := in.run(ctx, live, hooks, hook.Call{Stage: hook.Connect, Client: clientOf(sess)})
	g := Greeting{Refusal: res.Refusal}
	in.traceGreeting(sess, g)
	for _, a := range res.Actions {
		if a.Kind == hook.Delay {
			g.Delay = min(max(g.Delay, a.For), maxDelay)
		}
	}
	return g
}

// Auth runs the stage auth for a login whose password is right: the server's scripts, then
// those of the account's domain and its own. Its error is what they refuse it for, which
// the client must not be told.
func (in *Intake) Auth(ctx context.Context, sess envelope.Session, login hook.Login) error {
	live := in.live.Load()
	hooks := live.hooks(hook.Auth, login.Account)
	if len(hooks) == 0 {
		return nil
	}
	res := in.run(ctx, live, hooks, hook.Call{Stage: hook.Auth, Client: clientOf(sess), Login: &login})
	if res.Refusal != nil {
		return res.Refusal
	}
	return nil
}

// run runs hooks with the facts of the session.
func (tx *Transaction) run(ctx context.Context, live *Settings, hooks []hook.Hook, call hook.Call) hook.Result {
	return tx.in.run(ctx, live, hooks, tx.withFacts(call))
}

func (tx *Transaction) withFacts(call hook.Call) hook.Call {
	sess := tx.sess
	sess.Account = tx.account
	call.Client = clientOf(sess)
	call.Message.Submitted = !tx.account.IsZero()
	return call
}

// endMemory ends what the scripts of data and submit noted. It holds when they themselves
// refused or dropped the message, or when it is durably taken. Else it comes again, and they
// must not take it for another copy of one that nobody has: duplicate and discard would lose
// it. taken is the error of the whole, then those of the recipients whom the peer tries again.
func (tx *Transaction) endMemory(ctx context.Context, id string, res hook.Result, taken ...error) {
	for _, err := range taken {
		if err != nil && fault.Temporary(err) {
			res.Cancel()
			return
		}
	}
	stage := hook.Data
	if !tx.account.IsZero() {
		stage = hook.Submit
	}
	_ = tx.in.commit(ctx, stage, tx.in.opts.Log.With("session", tx.sess.ID, "id", id), res) // it is logged; the answer stands
}

// mailHooks runs the stage mail: the server's scripts, and those of an own user's domain and
// account.
func (tx *Transaction) mailHooks(ctx context.Context, live *Settings, s envelope.Sender) error {
	hooks := live.hooks(hook.Mail, tx.account)
	if len(hooks) == 0 || tx.injected != "" {
		return nil
	}
	res := tx.run(ctx, live, hooks, hook.Call{Stage: hook.Mail, Message: &hook.Message{ReversePath: s.ReversePath, Size: s.Size}})
	if res.Refusal != nil {
		return res.Refusal
	}
	return nil
}

// ignored tells the operator of an action that is not carried out.
func (tx *Transaction) ignored(id string, a hook.Action, why string) {
	tx.in.opts.Log.Warn("hook.ignored", "session", tx.sess.ID, "id", id, "script", a.Script, "line", a.Line, "action", a.String(), "why", why)
	tx.note(trace.Event{Kind: trace.Other, Why: fmt.Sprintf("not done: %s (%s:%d): %s", a, a.Script, a.Line, why)})
}
