package deliver

import (
	"context"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/senderauth"
)

// Delivered tells of a mailbox that was delivered to (Options.Delivered).
type Delivered struct {
	Box       address.Address
	Envelope  envelope.Envelope
	Recipient address.Address // the forward-path that led here
	Header    *message.Header
	Body      envelope.Body // valid until the call returns
	Auth      senderauth.Results
	Junk      bool    // as that of Message
	Filed     []Filed // where it lies; none: scripts dropped it, or sent it on
	// Actions are those of its scripts for which the sender does not wait: learn, accept
	// and decline.
	Actions []hook.Action
}

// Filed is a message in a folder.
type Filed struct {
	Mailbox *mailbox.Mailbox
	UID     mailbox.UID
}

// tellDelivered tells of the mailboxes that are done, once all is durable.
func (t *transaction) tellDelivered() {
	if t.opts.Delivered == nil {
		return
	}
	for _, p := range t.boxes {
		if p.err != nil {
			continue
		}
		d := Delivered{
			Box: p.address, Envelope: t.msg.Envelope, Recipient: t.targets[p.targets[0]].Recipient.ForwardPath,
			Header: t.msg.Header, Body: t.msg.Body, Auth: t.msg.Auth, Junk: t.msg.Junk, Actions: p.later,
		}
		for _, f := range p.done {
			d.Filed = append(d.Filed, Filed{Mailbox: f.box, UID: f.uid})
		}
		t.opts.Delivered(d)
	}
}

// Box returns a mailbox as its scripts see it, for as long as ctx lasts.
func (d *Deliverer) Box(ctx context.Context, a address.Address) (hook.Box, error) {
	home, err := d.opts.Store.Home(a)
	if err != nil {
		return nil, err
	}
	return d.newBox(ctx, d.live.Load(), home, a), nil
}
