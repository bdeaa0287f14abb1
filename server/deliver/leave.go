package deliver

import (
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/spool"
)

// departure is what leaves a mailbox or this server in one form: the remote recipients of
// a message of our own user (the zero forwarder), or of an alias, catch-all or account
// that forwards.
type departure struct {
	forwarder  address.Address
	list       address.Address // the alias with several destinations on the way, or zero
	leaves     bool            // to another server; false: a script sends it to one of ours
	notBefore  time.Time
	recipients []spool.Recipient
}

// departures collects the remote targets, in their order.
func (t *transaction) departures() []*departure {
	var all []*departure
	for i, target := range t.targets {
		if target.Kind != directory.Remote || t.errs[i] != nil || target.done {
			continue
		}
		all = t.join(all, departure{
			forwarder: target.Forwarder, list: target.List, notBefore: target.notBefore,
			recipients: []spool.Recipient{{
				Recipient: readdress(target.Recipient, target.Address), Forwarder: target.Forwarder, Via: t.msg.Via,
			}},
		})
	}
	return all
}

// join adds a departure of one recipient to those that go in the same form.
func (t *transaction) join(all []*departure, d departure) []*departure {
	d.leaves = !t.live.Directory.IsLocal(d.recipients[0].ForwardPath.Domain)
	for _, other := range all {
		if other.forwarder.Key() == d.forwarder.Key() && other.list.Key() == d.list.Key() && other.leaves == d.leaves && other.notBefore.Equal(d.notBefore) {
			other.recipients = append(other.recipients, d.recipients...)
			return all
		}
	}
	return append(all, &d)
}

// redirected returns what a mailbox's scripts send on, each address once, and
// not where the account's own redirection leads anyway.
func (t *transaction) redirected(p *boxPlan) []*departure {
	reached := make(map[address.Key]bool)
	for _, target := range t.targets {
		if target.Kind == directory.Remote && target.Forwarder.Key() == p.address.Key() {
			reached[target.Address.Key()] = true
		}
	}
	var all []*departure
	for _, to := range p.redirects {
		if !reached[to.Key()] {
			reached[to.Key()] = true
			all = t.join(all, departure{forwarder: p.address, recipients: []spool.Recipient{{
				Recipient: readdress(t.targets[p.targets[0]].Recipient, to), Forwarder: p.address,
			}}})
		}
	}
	return all
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
		for _, d := range t.redirected(b) {
			p, err := t.depart(d)
			if err != nil {
				return err
			}
			b.pending = append(b.pending, p)
		}
	}
	return nil
}

// depart makes a departure durable.
func (t *transaction) depart(d *departure) (*spool.Pending, error) {
	entry := spool.Entry{Envelope: t.msg.Envelope, Recipients: d.recipients, NotBefore: d.notBefore}
	if !d.leaves {
		prefix := append(message.DeliveredTo(d.forwarder, entry.Envelope.Sender.SMTPUTF8), t.msg.Trace...)
		return t.spool(entry, prefix, t.msg.Body)
	}
	out, err := t.outgoing(d)
	if err != nil {
		return nil, err
	}
	entry.Envelope.Sender = out.sender
	return t.spool(entry, nil, out.body)
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
		case err != nil && t.targets[i].Answered: // the peer tries again, or tells the sender
		case err != nil && box != nil && fault.Temporary(err):
			t.opts.Log.Warn("deliver.deferred", "id", t.msg.Envelope.ID, "box", box.address.String(), "error", err)
			rest = append(rest, t.local(i))
			taken = append(taken, box.targets...)
		case err != nil:
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
	p, err := t.spool(spool.Entry{Envelope: t.msg.Envelope, Recipients: rest}, t.msg.Trace, t.msg.Body)
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

// spool makes an entry of a message with something above it.
func (t *transaction) spool(e spool.Entry, prefix []byte, body envelope.Body) (*spool.Pending, error) {
	draft, err := t.write(prefix, body)
	if err != nil {
		return nil, err
	}
	defer draft.Discard()
	e.Envelope.Recipients = nil
	e.Hold, e.Quarantine = t.msg.Hold, t.msg.Quarantine
	e.Spam, e.Virus = t.msg.Spam, t.msg.Virus
	p, err := t.opts.Spool.Add(t.ctx, e, draft)
	if err != nil {
		return nil, unavailable(err)
	}
	return p, nil
}
