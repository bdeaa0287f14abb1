package deliver

import (
	"context"
	"errors"
	"fmt"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/message"
)

// Onward is a message that left this server, and that its sender, or who sent it on, has
// sent to another address as well.
type Onward struct {
	Box      address.Address // in whose name
	Envelope envelope.Envelope
	// Recipient is who it was for, whose DSN options stay.
	Recipient envelope.Recipient
	To        address.Address
	Body      envelope.Body
	// Own: the message is of the mailbox itself; else it came there and went on.
	Own bool
}

// SendOn sends a message to another address, by the rules of everything that a mailbox
// sends on (package redirect), and once at most: what was sent so is not sent so again. It
// is durable on return. An error says why it does not go; nothing is lost then, for the
// sender is told what became of the message.
func (d *Deliverer) SendOn(ctx context.Context, o Onward) error {
	header, err := message.ReadHeader(o.Body)
	if err != nil {
		return err
	}
	env := o.Envelope
	env.ID, env.Received = envelope.NewID(), d.opts.Now()
	t := &transaction{
		Deliverer: d, live: d.live.Load(), ctx: ctx, msg: Message{Envelope: env, Body: o.Body, Header: header}, errs: make([]error, 1),
		targets: []Target{{Destination: directory.Destination{Kind: directory.Remote, Address: o.To, Forwarder: o.Box}, Recipient: o.Recipient}},
	}
	defer t.discardDrafts()
	before := 1 // it went on from there, and says so
	if o.Own {
		before = 0
	}
	if t.passes(o.Box) > before {
		return errors.New("it was sent on before")
	}
	if t.opts.Redirects != nil {
		leave, err := t.ask(o.Box, true, []address.Address{o.To})
		if err != nil {
			return err
		}
		t.leaves = append(t.leaves, leave)
		if v := leave.Verdicts[0]; v.Suppressed {
			t.logSuppressed(o.Box, o.To, v)
			t.commitLeaves() // it has nothing to note but that the owner is told
			return errors.New(string(v.Why))
		}
	}
	if err := t.spoolRemote(); err != nil {
		return fmt.Errorf("it can't be queued: %w", errors.Join(t.fail(err)...))
	}
	t.commitLeaves()
	for _, p := range t.pending {
		p.Release()
	}
	return nil
}
