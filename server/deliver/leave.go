package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/spool"
)

// departure is what leaves the mailbox side through one address: the remote
// recipients of a message of our own user (the zero forwarder), or of an alias,
// catch-all or account that forwards.
type departure struct {
	forwarder  address.Address
	recipients []spool.Recipient
}

// departures collects what leaves, in the order of the targets.
func (t *transaction) departures() []*departure {
	var all []*departure
	add := func(forwarder address.Address, r spool.Recipient) {
		for _, d := range all {
			if d.forwarder == forwarder {
				d.recipients = append(d.recipients, r)
				return
			}
		}
		all = append(all, &departure{forwarder, []spool.Recipient{r}})
	}
	for i, target := range t.targets {
		if target.Kind == directory.Remote && t.errs[i] == nil {
			add(target.Forwarder, spool.Recipient{Recipient: readdress(target.Recipient, target.Address), Forwarder: target.Forwarder})
		}
	}
	for _, p := range t.boxes {
		if t.errs[p.target] != nil {
			continue
		}
		target := t.targets[p.target]
		for _, to := range p.redirects {
			add(target.Address, spool.Recipient{Recipient: readdress(target.Recipient, to), Forwarder: target.Address})
		}
	}
	return all
}

// readdress gives the RCPT a new forward-path; the DSN options stay.
func readdress(r envelope.Recipient, to address.Address) envelope.Recipient {
	r.ForwardPath = to
	return r
}

// spoolRemote makes durable what leaves; it waits until released.
func (t *transaction) spoolRemote() error {
	for _, d := range t.departures() {
		prefix := t.msg.Trace
		if !d.forwarder.IsZero() {
			prefix = append(message.DeliveredTo(d.forwarder), prefix...)
		}
		if err := t.spool(prefix, d.recipients); err != nil {
			return err
		}
	}
	return nil
}

// spoolFailed keeps the message for mailboxes that failed for a while, so that
// they are tried again and no other recipient gets it twice.
func (t *transaction) spoolFailed() error {
	var again []spool.Recipient
	var which []int
	for _, p := range t.boxes {
		if err := t.errs[p.target]; err != nil && fault.Temporary(err) {
			target := t.targets[p.target]
			again = append(again, spool.Recipient{Recipient: readdress(target.Recipient, target.Address), Local: true})
			which = append(which, p.target)
			t.opts.Log.Warn("deliver.deferred", "id", t.msg.Envelope.ID, "box", target.Address.String(), "error", err)
		}
	}
	if len(again) == 0 {
		return nil
	}
	if err := t.spool(t.msg.Trace, again); err != nil {
		return err
	}
	for _, i := range which {
		t.errs[i] = nil // taken over: the spool has it
	}
	return nil
}

func (t *transaction) spool(prefix []byte, to []spool.Recipient) error {
	draft, err := t.write(prefix)
	if err != nil {
		return err
	}
	defer draft.Discard()
	env := t.msg.Envelope
	env.Recipients = nil
	p, err := t.opts.Spool.Add(t.ctx, spool.Entry{Envelope: env, Recipients: to}, draft)
	if err != nil {
		return unavailable(err)
	}
	t.pending = append(t.pending, p)
	return nil
}
