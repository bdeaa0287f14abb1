package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/trace"
)

// note notes an event of the message.
func (t *transaction) note(e trace.Event) {
	e.ID = t.msg.Envelope.ID
	t.opts.Trace.Note(e)
}

// traceScripts notes which scripts of a mailbox ran.
func (t *transaction) traceScripts(p *boxPlan, res hook.Result) {
	env := t.msg.Envelope
	t.opts.Trace.Scripts(trace.Run{
		ID: env.ID, Session: env.Session.ID, Stage: hook.Deliver, Box: p.address, Own: env.Session.Listener == "",
	}, res)
}

// traceDelivery notes where the message is, and where it goes.
func (t *transaction) traceDelivery() {
	if t.opts.Trace == nil {
		return
	}
	for _, p := range t.boxes {
		t.traceBox(p)
	}
	for _, d := range t.departures() {
		var to []address.Address
		for _, r := range d.recipients {
			to = append(to, r.ForwardPath)
		}
		if !d.forwarder.IsZero() {
			t.note(trace.Event{Kind: trace.Redirected, Box: trace.AddressText(d.forwarder), To: trace.AddressTexts(to)})
		}
		t.note(trace.Event{Kind: trace.Queued, To: trace.AddressTexts(to), Why: t.msg.Hold})
	}
	if t.msg.Hold != "" {
		for _, target := range t.targets {
			if target.Kind == directory.Box {
				t.note(trace.Event{Kind: trace.Queued, To: []string{trace.AddressText(target.Address)}, Why: t.msg.Hold})
			}
		}
	}
}

// traceBox notes what became of the message in one mailbox.
func (t *transaction) traceBox(p *boxPlan) {
	box := trace.AddressText(p.address)
	if p.err != nil {
		why := "refused: "
		if fault.Temporary(p.err) {
			why = "not yet: "
		}
		t.note(trace.Event{Kind: trace.Other, Box: box, Why: why + fault.As(p.err).Error()})
		return
	}
	for _, f := range p.done {
		t.note(trace.Event{
			Kind: trace.Filed, Box: box, Folder: f.box.Name(), Flags: f.flags, UID: uint32(f.uid), Junk: p.keepIn != "" && f.box.Name() == p.keepIn,
		})
	}
	if len(p.redirects) > 0 {
		t.note(trace.Event{Kind: trace.Redirected, Box: box, To: trace.AddressTexts(p.redirects)})
	}
	if len(p.done) == 0 && len(p.redirects) == 0 && !t.waits() {
		t.note(trace.Event{Kind: trace.Discarded, Box: box})
	}
}

// traceReply notes what a mailbox sent by itself, or why it did not.
func (d *Deliverer) traceReply(box address.Address, id, what string, to address.Address, why string) {
	e := trace.Event{ID: id, Kind: trace.Replied, Box: trace.AddressText(box), To: []string{trace.AddressText(to)}, What: what, Why: why}
	if why != "" {
		e.Kind = trace.NotReplied
	}
	d.opts.Trace.Note(e)
}
