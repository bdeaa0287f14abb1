package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/spool"
)

// departure is what leaves through one address: the remote recipients of a
// message of our own user (the zero forwarder), or of an alias, catch-all or
// account that forwards.
type departure struct {
	forwarder  address.Address
	recipients []spool.Recipient
}

// departures collects the remote targets, in their order.
func (t *transaction) departures() []*departure {
	var all []*departure
	by := make(map[address.Key]*departure)
	for i, target := range t.targets {
		if target.Kind != directory.Remote || t.errs[i] != nil {
			continue
		}
		d := by[target.Forwarder.Key()]
		if d == nil {
			d = &departure{forwarder: target.Forwarder}
			by[target.Forwarder.Key()] = d
			all = append(all, d)
		}
		d.recipients = append(d.recipients, spool.Recipient{
			Recipient: readdress(target.Recipient, target.Address), Forwarder: target.Forwarder,
		})
	}
	return all
}

// redirected returns what a mailbox's scripts send on, each address once, and
// not where the account's own redirection leads anyway.
func (t *transaction) redirected(p *boxPlan) *departure {
	reached := make(map[address.Key]bool)
	for _, target := range t.targets {
		if target.Kind == directory.Remote && target.Forwarder.Key() == p.address.Key() {
			reached[target.Address.Key()] = true
		}
	}
	d := &departure{forwarder: p.address}
	for _, to := range p.redirects {
		if !reached[to.Key()] {
			reached[to.Key()] = true
			d.recipients = append(d.recipients, spool.Recipient{
				Recipient: readdress(t.targets[p.targets[0]].Recipient, to), Forwarder: p.address,
			})
		}
	}
	return d
}

// readdress gives the RCPT a new forward-path; the DSN options stay.
func readdress(r envelope.Recipient, to address.Address) envelope.Recipient {
	r.ForwardPath = to
	return r
}

// spoolRemote makes durable what leaves; it waits until released. What scripts
// redirect has an entry for each mailbox: it goes back with the rest of a
// mailbox that fails, whose scripts will run again.
func (t *transaction) spoolRemote() error {
	for _, d := range t.departures() {
		p, err := t.depart(d)
		if err != nil {
			return err
		}
		t.pending = append(t.pending, p)
	}
	for _, b := range t.boxes {
		if b.err != nil {
			continue
		}
		d := t.redirected(b)
		if len(d.recipients) == 0 {
			continue
		}
		var err error
		if b.pending, err = t.depart(d); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) depart(d *departure) (*spool.Pending, error) {
	prefix := t.msg.Trace
	if !d.forwarder.IsZero() {
		prefix = append(message.DeliveredTo(d.forwarder), prefix...)
	}
	return t.spool(prefix, d.recipients)
}

// spoolRest keeps what is left to do once some targets were reached: mailboxes
// that failed for a while, which are tried again so that no other recipient
// gets the message twice, and what the sender is to be told.
func (t *transaction) spoolRest() error {
	var rest []spool.Recipient
	var taken []int
	for i, err := range t.errs {
		box := t.boxOf[i]
		switch {
		case box != nil && box.targets[0] != i: // once for each mailbox
		case err != nil && box != nil && fault.Temporary(err):
			t.opts.Log.Warn("deliver.deferred", "id", t.msg.Envelope.ID, "box", box.address.String(), "error", err)
			rest = append(rest, t.local(i))
			taken = append(taken, box.targets...)
		case err != nil && !t.targets[i].Answered:
			t.opts.Log.Warn("deliver.bounced", "id", t.msg.Envelope.ID, "to", t.targets[i].Address.String(), "error", err)
			r := t.local(i)
			r.Done = &spool.Result{Fault: fault.As(err)}
			rest = append(rest, r)
			taken = append(taken, i)
			if box != nil {
				taken = append(taken, box.targets...)
			}
		case err == nil && box != nil && t.wantsSuccess(box):
			r := t.local(i)
			r.Done = &spool.Result{}
			rest = append(rest, r)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	p, err := t.spool(t.msg.Trace, rest)
	if err != nil {
		return err
	}
	t.pending = append(t.pending, p)
	for _, i := range taken {
		t.errs[i] = nil // taken over: the spool has it
	}
	return nil
}

// wantsSuccess tells whether the sender asked to be told of the delivery (RFC
// 3461 4.1). A repeated one is told by the spool, one that only went on by
// whoever takes it there. Of one that a script discarded nobody is told: spam asks for
// reports, too.
func (t *transaction) wantsSuccess(p *boxPlan) bool {
	first := t.targets[p.targets[0]]
	return first.Recipient.Notify&envelope.NotifySuccess != 0 && first.Unique == "" && !t.msg.Envelope.Sender.ReversePath.IsZero() &&
		len(p.filings) > 0
}

// local returns a target as a recipient of the spool that is not sent anywhere.
// Reports name the address that the sender wrote to.
func (t *transaction) local(i int) spool.Recipient {
	target := t.targets[i]
	r := spool.Recipient{Recipient: readdress(target.Recipient, target.Address), Local: true}
	if to := target.Recipient.ForwardPath; to.Key() != target.Address.Key() {
		r.Forwarder = to
	}
	return r
}

func (t *transaction) spool(prefix []byte, to []spool.Recipient) (*spool.Pending, error) {
	draft, err := t.write(prefix)
	if err != nil {
		return nil, err
	}
	defer draft.Discard()
	env := t.msg.Envelope
	env.Recipients = nil
	p, err := t.opts.Spool.Add(t.ctx, spool.Entry{Envelope: env, Recipients: to, Hold: t.msg.Hold}, draft)
	if err != nil {
		return nil, unavailable(err)
	}
	return p, nil
}
