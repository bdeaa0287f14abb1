package deliver

import (
	"context"
	"slices"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/redirect"
	"facteur/server/trace"
)

// limitForwarders asks which of the remote targets that somebody here forwards to may go
// now. What an account may not send on is kept in its mailbox. An alias or a catch-all
// has none: what pauses waits in the spool, and what went there already is there.
func (t *transaction) limitForwarders() error {
	if t.opts.Redirects == nil {
		return nil
	}
	for _, places := range t.byForwarder() {
		if err := t.limitForwarder(t.targets[places[0]].Forwarder, places); err != nil {
			return err
		}
	}
	return nil
}

// byForwarder groups the places of remote targets by who forwards to them.
func (t *transaction) byForwarder() [][]int {
	var groups [][]int
	place := make(map[address.Key]int)
	for i := range t.targets {
		target := &t.targets[i]
		if target.Kind != directory.Remote || target.Forwarder.IsZero() || t.errs[i] != nil {
			continue
		}
		n, ok := place[target.Forwarder.Key()]
		if !ok {
			n = len(groups)
			place[target.Forwarder.Key()] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	return groups
}

func (t *transaction) limitForwarder(forwarder address.Address, places []int) error {
	_, account := t.live.Directory.Account(forwarder)
	// Whoever saw a rewritten reverse-path may write to it, and reports may say anything:
	// what goes back is limited too.
	bounce := forwarder.IsSRS()
	var to []address.Address
	for _, i := range places {
		to = append(to, t.targets[i].Address)
	}
	leave, err := t.ask(forwarder, account || bounce, to)
	if err != nil {
		return err
	}
	t.leaves = append(t.leaves, leave)
	for n, i := range places {
		v, target := leave.Verdicts[n], &t.targets[i]
		if !v.Suppressed {
			continue
		}
		t.logSuppressed(forwarder, target.Address, v)
		switch {
		case account:
			target.Kind, target.Address = directory.Box, forwarder
		case v.Why == redirect.Paused:
			target.notBefore = v.Until
		case v.Why == redirect.Repeated:
			target.done = true
		default:
			return fault.New(fault.TryLater, "")
		}
	}
	return nil
}

// ask asks where a message may be sent on to by one forwarder.
func (t *transaction) ask(forwarder address.Address, limited bool, to []address.Address) (*redirect.Leave, error) {
	if t.fingerprint == nil {
		var err error
		if t.fingerprint, err = redirect.Fingerprint(t.msg.Header, t.msg.Body); err != nil {
			return nil, unavailable(err)
		}
	}
	leave, err := t.opts.Redirects.Ask(t.ctx, redirect.Request{Forwarder: forwarder, Limited: limited, Message: t.fingerprint, Targets: to})
	if err != nil {
		return nil, unavailable(err)
	}
	return leave, nil
}

// mayRedirect asks which addresses the scripts of a mailbox may send the message on to.
func (t *transaction) mayRedirect(p *boxPlan, actions []hook.Action) (func(address.Address) bool, error) {
	none := func(address.Address) bool { return false }
	var to []address.Address
	for _, a := range actions {
		if a.Kind == hook.Redirect && !slices.ContainsFunc(to, func(b address.Address) bool { return b.Key() == a.Address.Key() }) {
			to = append(to, a.Address)
		}
	}
	switch {
	case len(to) == 0 || t.passed(p.address):
		return none, nil
	case t.opts.Redirects == nil:
		return func(address.Address) bool { return true }, nil
	}
	var err error
	if p.leave, err = t.ask(p.address, true, to); err != nil {
		return none, err
	}
	suppressed := make(map[address.Key]bool)
	for i, v := range p.leave.Verdicts {
		if v.Suppressed {
			suppressed[to[i].Key()] = true
			t.logSuppressed(p.address, to[i], v)
		}
	}
	return func(a address.Address) bool { return !suppressed[a.Key()] }, nil
}

func (t *transaction) logSuppressed(forwarder, to address.Address, v redirect.Verdict) {
	t.opts.Log.Warn("deliver.redirect_suppressed", "id", t.msg.Envelope.ID, "forwarder", forwarder.String(), "to", to.String(), "why", string(v.Why))
	t.note(trace.Event{Kind: trace.NotSentOn, Box: trace.AddressText(forwarder), To: []string{trace.AddressText(to)}, Why: string(v.Why)})
}

// commitLeaves notes what goes, once all of the delivery is durable. When that fails, a
// repetition goes too; nothing is lost.
func (t *transaction) commitLeaves() {
	for _, p := range t.boxes {
		if p.leave != nil && p.err == nil {
			t.leaves = append(t.leaves, p.leave)
		}
	}
	for _, l := range t.leaves {
		if err := l.Commit(context.WithoutCancel(t.ctx), t.msg.Envelope.ID); err != nil {
			t.opts.Log.Error("deliver.redirect_forgotten", "id", t.msg.Envelope.ID, "error", err)
		}
		if l.TellOver && t.opts.Tell != nil {
			t.opts.Tell(overLimit(l.Forwarder()))
		}
	}
}

// cancelLeaves gives back the room that was taken for what does not go.
func (t *transaction) cancelLeaves() {
	for _, l := range t.leaves {
		l.Cancel()
	}
	for _, p := range t.boxes {
		p.cancelLeave()
	}
}

func (p *boxPlan) cancelLeave() {
	if p.leave != nil {
		p.leave.Cancel()
	}
}
