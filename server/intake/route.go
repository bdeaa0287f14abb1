package intake

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/hook"
)

// maxDestinations bounds what a script may return at the stage resolve.
const maxDestinations = 100

// Router tells where an address leads: what the directory says, and before a catch-all what
// scripts say at the stage resolve. Mail on its way in and `facteur explain` ask the same.
type Router struct {
	Directory   *directory.Directory
	ServerHooks []hook.Hook
	DomainHooks func(address.Domain) []hook.Hook // nil: domains have none
	Services    hook.Services
	Location    *time.Location
	Now         func() time.Time
	Log         *slog.Logger
	// Ran is told which scripts ran; may be nil.
	Ran   func(hook.Call, hook.Result)
	Trace hook.TraceLevel // of hook.TraceLines: a Resolution names the line that decided
}

// Resolve resolves a forward-path.
func (r Router) Resolve(ctx context.Context, forwardPath address.Address) directory.Resolution {
	return r.Directory.ResolveWith(forwardPath, func(a address.Address) directory.Claim { return r.claim(ctx, a) })
}

// claim runs the server's scripts, and then those of the address's domain, until one
// returns something.
func (r Router) claim(ctx context.Context, a address.Address) directory.Claim {
	hooks := handling(hook.Resolve, r.ServerHooks)
	if r.DomainHooks != nil {
		hooks = slices.Concat(hooks, handling(hook.Resolve, r.DomainHooks(a.Domain)))
	}
	if len(hooks) == 0 {
		return directory.Claim{}
	}
	call := hook.Call{Stage: hook.Resolve, Address: a, Now: r.Now(), Location: r.Location, Services: r.Services, Trace: r.Trace}
	res := hook.Run(ctx, hooks, call)
	log := r.Log.With("address", a.String())
	res.Log(log)
	if r.Ran != nil {
		r.Ran(call, res)
	}
	c := directory.Claim{}
	if len(res.Failures) > 0 {
		f := res.Failures[0]
		c.Note = fmt.Sprintf("%s failed, and counts as absent: %v", f.Script, f.Err)
	}
	if err := res.Commit(context.WithoutCancel(ctx)); err != nil {
		log.Error("hook.memory", "stage", string(hook.Resolve), "error", err)
		if slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Required }) {
			res.Refusal = fault.Wrap(fault.Internal, "", err)
		}
	}
	if res.Refusal != nil {
		return directory.Claim{Fault: res.Refusal, Note: c.Note}
	}
	if len(res.Destinations) == 0 {
		return c
	}
	last := res.Ran[len(res.Ran)-1].Script
	to, err := parseDestinations(res.Destinations)
	if err == nil {
		c.To, c.By = to, place(last, res.Trace)
		return c
	}
	log.Warn("hook.failed", "script", last, "stage", string(hook.Resolve), "error", err)
	c.Note = fmt.Sprintf("%s failed, and counts as absent: %v", last, err)
	if slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Required && h.Program.Name() == last }) {
		c.Fault = fault.Wrap(fault.Internal, "", err)
	}
	return c
}

// parseDestinations reads what a script returned: all of it, or nothing, so that no mail
// goes to a part of those that were meant.
func parseDestinations(list []string) ([]address.Address, error) {
	if len(list) > maxDestinations {
		return nil, fmt.Errorf("resolve returned %d destinations, %d are allowed", len(list), maxDestinations)
	}
	var to []address.Address
	for _, s := range list {
		a, err := address.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("resolve returned %q: %w", s, err)
		}
		to = append(to, a)
	}
	return to, nil
}

// place names a script, and the last of its lines that ran where that is known.
func place(script string, trace []hook.Line) string {
	for _, l := range slices.Backward(trace) {
		if l.Script == script && l.Line > 0 {
			return fmt.Sprintf("%s:%d", script, l.Line)
		}
	}
	return script
}

// route is the Router of the settings.
func (in *Intake) route(live *Settings) Router {
	r := Router{
		Directory: live.Directory, ServerHooks: live.server[hook.Resolve], Services: live.Services, Location: live.Location,
		Now: in.opts.Now, Log: in.opts.Log, Ran: in.traceScripts,
	}
	if live.Handled == nil || live.Handled(hook.Resolve) {
		r.DomainHooks = live.DomainHooks
	}
	return r
}
