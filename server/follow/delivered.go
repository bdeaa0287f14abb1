package follow

import (
	"context"
	"io"
	"slices"

	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/schedule"
)

// maxCopy is the size of a message that is learned though it lies nowhere, in octets.
const maxCopy = 256 << 10

// Delivered takes note of a delivery (deliver.Options.Delivered): it looks after what was
// snoozed, makes an invitation durable for the calendars, and has the rest done soon.
func (f *Follower) Delivered(d deliver.Delivered) {
	if slices.ContainsFunc(d.Filed, func(at deliver.Filed) bool { return at.Mailbox.Name() == schedule.SnoozeFolder }) {
		f.snoozes.look(d.Box)
	}
	f.schedule(d)
	if slices.ContainsFunc(d.Actions, func(a hook.Action) bool { return a.Kind == hook.Learn }) {
		if d.Body = f.copied(d); d.Body == nil {
			d.Header = nil // read again with the message
		}
		f.later.put(batch{box: d.Box.Key(), n: 1, do: func(ctx context.Context, _ int) { f.runDelivered(ctx, d) }})
	}
}

// copied returns a copy of what was filed nowhere, when it is small; else nil: it is read
// from where it lies.
func (f *Follower) copied(d deliver.Delivered) envelope.Body {
	if len(d.Filed) > 0 || d.Body.Size() > maxCopy {
		return nil
	}
	raw, err := io.ReadAll(envelope.NewReader(d.Body))
	if err != nil {
		f.opts.Log.Error("follow.delivered", "id", d.Envelope.ID, "error", err)
		return nil
	}
	return envelope.Bytes(raw)
}

// runDelivered does what a delivery left for later.
func (f *Follower) runDelivered(ctx context.Context, d deliver.Delivered) {
	live := f.live.Load()
	log := f.opts.Log.With("id", d.Envelope.ID, "box", d.Box.String())
	if !live.box(d.Box) {
		return
	}
	for _, at := range d.Filed {
		m, err := f.open(live, d.Box, at.Mailbox, at.UID)
		if err != nil {
			log.Error("follow.delivered", "error", err)
		}
		if m == nil {
			continue // it was moved: the other copies have the same content
		}
		defer m.body.Close()
		d.Body, d.Header = m.body, m.header
		break
	}
	if d.Body == nil {
		log.Info("follow.delivered", "result", "the message is gone, or too large to be learned though it lies nowhere")
		return
	}
	for _, a := range d.Actions {
		if a.Kind == hook.Learn {
			f.learn(ctx, live, d.Box, a.Text, d.Body, log)
		}
	}
}
