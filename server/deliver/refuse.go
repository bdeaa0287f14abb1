package deliver

import (
	"context"
	"slices"

	"facteur/server/autoreply"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/hook"
)

// refuse carries out the reject of a mailbox's scripts (RFC 5429 2.1): the answer is the
// error of the mailbox. When it is the only one, and the peer still waits, that is a
// refusal in the session; else the spool tells the sender. Where that might reach somebody
// who never wrote it, the message is kept in Junk instead: the reverse-path is null, or
// nobody vouches for it.
func (t *transaction) refuse(p *boxPlan) error {
	log := t.opts.Log.With("id", t.msg.Envelope.ID, "box", p.address.String())
	if a := p.overruled; a != nil {
		log.Warn("deliver.reject", "script", a.Script, "line", a.Line, "result", "kept, because an action says so")
	}
	a := p.refuse
	if a == nil {
		return nil
	}
	if !t.peerWaits(p) && !t.genuine() {
		log.Warn("deliver.reject", "script", a.Script, "line", a.Line, "result", "kept in Junk: its sender may be forged")
		p.refuse = nil
		p.filings = []filing{{folder: t.junkFolder(p)}}
		return nil
	}
	p.replies, p.later = nil, nil
	f := fault.New(fault.Policy, a.Text)
	log.Info("deliver.reject", "script", a.Script, "line", a.Line, "reply", f.Text)
	return f
}

// peerWaits tells whether the error of a mailbox is what the peer is answered.
func (t *transaction) peerWaits(p *boxPlan) bool {
	first := t.targets[p.targets[0]]
	if first.Answered || first.Unique != "" {
		return first.Answered
	}
	return !slices.ContainsFunc(t.targets, func(other Target) bool {
		return other.Kind != directory.Box || other.Address.Key() != p.address.Key()
	})
}

// genuine tells whether a report to the reverse-path reaches who sent the message.
func (t *transaction) genuine() bool {
	return !t.msg.Envelope.Sender.ReversePath.IsZero() && autoreply.Genuine(t.msg.Auth.Hook(), t.submitted()) == ""
}

// submitted tells whether a login here sent the message.
func (t *transaction) submitted() bool { return !t.msg.Envelope.Session.Account.IsZero() }

// commitScripts makes durable what the scripts of each mailbox noted, once the message is.
// Those of a mailbox that failed will run again, unless they refused it.
func (t *transaction) commitScripts() {
	for _, p := range t.boxes {
		if p.err != nil && p.refuse == nil {
			p.scripts.Cancel()
		} else {
			t.commit(p.scripts, p)
		}
	}
}

func (t *transaction) commit(r hook.Result, p *boxPlan) {
	if err := r.Commit(context.WithoutCancel(t.ctx)); err != nil {
		t.opts.Log.Error("deliver.memory", "id", t.msg.Envelope.ID, "box", p.address.String(), "error", err,
			"result", "the message is kept, and its scripts have forgotten it")
	}
}

// cancelScripts is for a message that nobody got. When all refused it, that is the end of
// it; else it comes again.
func (t *transaction) cancelScripts(cause error) {
	refused := cause == nil
	for _, p := range t.boxes {
		refused = refused && p.refuse != nil
	}
	for _, p := range t.boxes {
		if refused {
			t.commit(p.scripts, p)
		} else {
			p.scripts.Cancel()
		}
	}
}
