package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/spool"
)

// waits tells whether the message is not to reach anybody yet: it is held (RFC 4865,
// or for its sender to think again).
func (t *transaction) waits() bool {
	return t.msg.Hold != "" || t.msg.Envelope.Sender.HoldUntil.After(t.opts.Now())
}

// wait makes durable in the spool what is for others and what is for mailboxes here.
// Their scripts run when it is delivered.
func (t *transaction) wait() []error {
	if err := t.spoolRemote(); err != nil {
		return t.fail(err)
	}
	var boxes []spool.Recipient
	reached := make(map[address.Key]bool)
	for i, target := range t.targets {
		if target.Kind == directory.Box && !reached[target.Address.Key()] {
			reached[target.Address.Key()] = true
			boxes = append(boxes, t.local(i))
		}
	}
	if len(boxes) > 0 {
		p, err := t.spool(spool.Entry{Envelope: t.msg.Envelope, Recipients: boxes}, t.msg.Trace, t.msg.Body)
		if err != nil {
			return t.fail(err)
		}
		t.pending = append(t.pending, p)
	}
	t.commitLeaves()
	for _, p := range t.pending {
		p.Release()
	}
	t.traceDelivery()
	t.fileCopies()
	return t.errs
}
