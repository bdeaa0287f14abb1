package follow

import (
	"context"
	"errors"
	"fmt"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/schedule"
	"facteur/server/spool"
)

// maxFate bounds what the scripts of one event may send on.
const maxFate = 4

// fateOf returns the stage for an event of the spool, and the mailbox whose scripts are
// asked: of who sent the message on, else of who sent it. ok is false when there is none.
func fateOf(live *Settings, e spool.Event) (box address.Address, stage hook.Stage, ok bool) {
	switch e.Kind {
	case spool.Sent:
		stage = hook.Sent
	case spool.Deferred, spool.Delayed:
		stage = hook.Deferred
	case spool.Bounced, spool.Expired:
		stage = hook.Bounced
	default:
		return box, stage, false
	}
	from := e.Forwarder
	if from.IsZero() {
		from = e.Envelope.Session.Account
	}
	if e.Local || from.IsZero() {
		return box, stage, false
	}
	info, ok := live.Directory.Box(from)
	return info.Address, stage, ok
}

// Wanted tells whether scripts handle an event (spool.Options.Wanted).
func (f *Follower) Wanted(e spool.Event) bool {
	live := f.live.Load()
	box, stage, ok := fateOf(live, e)
	return ok && live.handles(box, stage)
}

// Told has scripts run for an event, soon. It does not wait.
func (f *Follower) Told(e spool.Event) {
	live := f.live.Load()
	box, _, ok := fateOf(live, e)
	if e.Message == nil || !ok || !e.Message.Keep() {
		return
	}
	f.fates.put(batch{
		box: box.Key(), n: 1,
		do:   func(ctx context.Context, _ int) { f.runFate(ctx, e) },
		done: func() { e.Message.Close() }, // it was only read
	})
}

// runFate runs the scripts for one event.
func (f *Follower) runFate(ctx context.Context, e spool.Event) {
	live := f.live.Load()
	box, stage, ok := fateOf(live, e)
	if !ok || !live.handles(box, stage) {
		return
	}
	log := f.opts.Log.With("id", e.ID, "box", box.String(), "to", e.Recipient.ForwardPath.String())
	header, err := message.ReadHeader(e.Message)
	if err != nil {
		log.Error("follow."+string(stage), "error", err)
		return
	}
	own := e.Envelope.Session.Account
	res, err := f.run(ctx, live, box, hook.Call{
		Stage: stage, Fate: fate(e),
		Message: &hook.Message{
			ID: e.ID, ReversePath: e.Sender, Recipients: []address.Address{e.Recipient.ForwardPath}, Size: e.Message.Size(),
			Content: message.NewContent(header, e.Message), Submitted: !own.IsZero(),
		},
	}, log)
	if err != nil {
		log.Error("follow."+string(stage), "error", err)
		return
	}
	sent := 0
	for _, a := range res.Actions {
		if a.Kind != hook.Redirect || sent == maxFate {
			continue
		}
		sent++
		err := f.sendOn(ctx, deliver.Onward{
			Box: box, Envelope: e.Envelope, Recipient: e.Recipient, To: a.Address, Body: e.Message, Own: own.Key() == box.Key(),
		})
		if err != nil {
			log.Warn("follow.redirect", "target", a.Address.String(), "error", err, "result", "it is not sent there")
			continue
		}
		log.Info("follow.redirect", "target", a.Address.String())
	}
	f.notify(ctx, box, res.Actions, header, fmt.Sprint(e.ID, e.Recipient.ForwardPath, e.Kind, e.Attempts))
	f.finish(ctx, res, log)
}

// sendOn sends a message to another address, once, however often its scripts ask for that:
// one that waits has many events.
func (f *Follower) sendOn(ctx context.Context, o deliver.Onward) error {
	what := schedule.SentOn(o.Envelope.ID, o.To)
	first, err := f.opts.Replies.Claim(ctx, o.Box, what, f.opts.Now())
	if err == nil && !first {
		err = errors.New("it was sent there before")
	}
	if err != nil {
		return err
	}
	if err := f.opts.Deliver.SendOn(ctx, o); err != nil {
		return errors.Join(err, f.opts.Replies.Forget(context.WithoutCancel(ctx), o.Box, what))
	}
	return nil
}

// fate tells scripts of an event.
func fate(e spool.Event) *hook.Fate {
	r := &hook.Fate{Recipient: e.Recipient.ForwardPath, Code: 250, Status: "2.0.0", Text: e.Result.Reply, Server: e.Result.Remote, Attempts: e.Attempts, Next: e.Next}
	if x := e.Result.Fault; x != nil {
		r.Code, r.Status, r.Text = x.Code, x.Enhanced(), x.Text
		if e.Result.Remote == "" && !e.Result.Reached {
			r.Code = 0 // nobody answered
		}
	}
	return r
}
