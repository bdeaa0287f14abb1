package deliver

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"facteur/server/address"
	"facteur/server/autoreply"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/spool"
)

// maxNotifications is how many notifications one message leads to in a mailbox.
const maxNotifications = 10

// answer sends what the mailboxes send by themselves, once all of the delivery is
// durable: for each the vacation notice, then replies, then notifications. A vacation of a
// script takes the place of the one in mail.toml, and is sent whatever else the script
// does; that of mail.toml is not sent for mail that a script dropped. What goes wrong here
// is only logged: the message has arrived.
func (t *transaction) answer() {
	if t.opts.Replies == nil {
		return
	}
	for _, p := range t.boxes {
		if p.err == nil {
			t.answerFor(p)
		}
	}
}

func (t *transaction) answerFor(p *boxPlan) {
	vacation := t.vacation(p)
	if vacation == nil && len(p.replies) == 0 {
		return
	}
	if vacation != nil {
		t.reply(p, hook.Vacation, vacation)
	}
	for _, a := range p.replies {
		if a.Kind == hook.Reply && a.Reply != nil {
			t.reply(p, hook.Reply, a.Reply)
		}
	}
	said := 0
	for _, a := range p.replies {
		if a.Kind != hook.Notify || a.Notice == nil || said == maxNotifications {
			continue
		}
		said++
		t.Notify(t.ctx, Notification{Box: p.address, Said: *a.Notice, About: t.msg.Header, Occasion: t.print(), ID: t.msg.Envelope.ID})
	}
}

// vacation returns the notice of a mailbox: the first that a script asks for, else the
// one in mail.toml.
func (t *transaction) vacation(p *boxPlan) *hook.AutoReply {
	for _, a := range p.replies {
		if a.Kind == hook.Vacation && a.Reply != nil {
			return a.Reply
		}
	}
	if t.live.Vacation == nil || len(p.done)+len(p.redirects) == 0 {
		return nil
	}
	return t.live.Vacation(p.address)
}

// print is the fingerprint of the message; nil when it can't be read.
func (t *transaction) print() []byte {
	if t.fingerprint == nil {
		t.fingerprint, _ = redirect.Fingerprint(t.msg.Header, t.msg.Body) // two messages without one are told apart by nothing else
	}
	return t.fingerprint
}

// reply answers the sender of the message, unless a rule is against it.
func (t *transaction) reply(p *boxPlan, kind hook.Kind, o *hook.AutoReply) {
	log := t.opts.Log.With("id", t.msg.Envelope.ID, "box", p.address.String(), "to", t.msg.Envelope.Sender.ReversePath.String())
	r := autoreply.Request{
		Kind: kind, Options: *o, Box: t.replier(p.address, t.live), Now: t.opts.Now(), Zone: t.live.Location,
		Message: autoreply.Message{
			ReversePath: t.msg.Envelope.Sender.ReversePath, ForwardPath: t.targets[p.targets[0]].Recipient.ForwardPath,
			Header: t.msg.Header, Body: t.msg.Body, Auth: t.msg.Auth.Hook(), Submitted: t.submitted(),
			Junk: t.msg.Junk || inJunk(p.home, p.done), Virus: cmp.Or(p.scripts.Virus, t.msg.Virus),
		},
	}
	if kind == hook.Reply && o.Days == 0 {
		r.Message.Fingerprint = t.print()
	}
	reply, why := autoreply.Judge(r)
	if why != "" {
		log.Info("deliver."+string(kind), "result", "not sent", "why", string(why))
		t.traceReply(p.address, t.msg.Envelope.ID, string(kind), r.Message.ReversePath, string(why))
		return
	}
	problem := t.sendOwn(t.ctx, log, string(kind), reply.Claim, reply.Write)
	t.traceReply(p.address, t.msg.Envelope.ID, string(kind), r.Message.ReversePath, problem)
}

// replier is a mailbox as package autoreply sees it.
func (d *Deliverer) replier(a address.Address, live *Settings) autoreply.Box {
	account, _ := live.Directory.Account(a)
	return autoreply.Box{
		Address: a, Name: account.Name,
		Own: func(other address.Address) bool {
			box, ok := live.Directory.SoleBox(other)
			return ok && box.Key() == a.Key()
		},
		MaySend: func(other address.Address) bool {
			if box, ok := live.Directory.SoleBox(other); ok && box.Key() == a.Key() {
				return true
			}
			return live.Directory.MaySendAs(a, other)
		},
	}
}

// inJunk tells whether the message lies in the folder for spam (RFC 6154 2).
func inJunk(home *mailbox.Home, done []filed) bool {
	folders, err := home.Folders()
	if err != nil {
		return false
	}
	for _, f := range folders {
		for _, copy := range done {
			if f.Use == `\Junk` && f.Name == copy.box.Name() {
				return true
			}
		}
	}
	return false
}

// Notification is what a script of a mailbox wants to be told (hook.Notify).
type Notification struct {
	Box  address.Address
	Said hook.Notification
	// About is the header of the message that it is about; nil: none.
	About *message.Header
	// Occasion tells it from another one with the same words: of a day, each goes once.
	Occasion []byte
	ID       string // of the message, for the log
}

// Notify sends a notification, unless the limits of the mailbox are reached. It returns
// when it is durable in the spool; what goes wrong is only logged.
func (d *Deliverer) Notify(ctx context.Context, n Notification) {
	if d.opts.Replies == nil {
		return
	}
	live := d.live.Load()
	notice := autoreply.Notification{Box: d.replier(n.Box, live), Said: n.Said, About: n.About, Fingerprint: n.Occasion}
	log := d.opts.Log.With("id", n.ID, "box", n.Box.String(), "to", notice.Target().String())
	claim, why := notice.Judge()
	if why != "" {
		log.Info("deliver.notify", "result", "not sent", "why", string(why))
		d.traceReply(n.Box, n.ID, string(hook.Notify), notice.Target(), string(why))
		return
	}
	problem := d.sendOwn(ctx, log, string(hook.Notify), claim, notice.Write)
	d.traceReply(n.Box, n.ID, string(hook.Notify), notice.Target(), problem)
}

// sendOwn claims, writes and queues a message of a mailbox, in this order, so that a crash
// sends nothing twice. It returns why it did not, "" when it did.
func (d *Deliverer) sendOwn(ctx context.Context, log *slog.Logger, what string, claim autoreply.Claim, write func(autoreply.Stamp) (envelope.Envelope, envelope.Bytes)) string {
	ctx = context.WithoutCancel(ctx) // the peer may hang up now: the message has arrived
	why, err := d.opts.Replies.Claim(ctx, claim)
	if err == nil && why != "" {
		log.Info("deliver."+what, "result", "not sent", "why", string(why))
		return string(why)
	}
	id := envelope.NewID()
	if err == nil {
		env, body := write(autoreply.Stamp{ID: id, Date: d.now()})
		if err = d.queueOwn(ctx, env, body); err != nil {
			if forgot := d.opts.Replies.Forget(ctx, claim); forgot != nil {
				log.Error("deliver."+what, "error", forgot, "result", "it counts as sent")
			}
		}
	}
	if err != nil {
		log.Error("deliver."+what, "result", "not sent", "error", err)
		return err.Error()
	}
	log.Info("deliver."+what, "result", "sent", "reply", id)
	return ""
}

// now is the time in the zone of this server.
func (d *Deliverer) now() time.Time {
	now := d.opts.Now()
	if zone := d.live.Load().Location; zone != nil {
		return now.In(zone)
	}
	return now
}

// queueOwn signs a message by the domain of its author, and queues it.
func (d *Deliverer) queueOwn(ctx context.Context, env envelope.Envelope, body envelope.Bytes) error {
	header, err := message.ReadHeader(body)
	if err != nil {
		return err
	}
	var signature []byte
	authors, _ := header.Addresses("From")
	if d.opts.Keys != nil && len(authors) == 1 {
		if signature, err = d.opts.Keys.Sign(authors[0].Domain, header, body); err != nil {
			return fault.Wrap(fault.Internal, "", err)
		}
	}
	env.Sender.Size = int64(len(signature)) + body.Size()
	draft, err := d.write(signature, body)
	if err != nil {
		return err
	}
	defer draft.Discard()
	p, err := d.opts.Spool.Add(ctx, spool.Entry{Envelope: env, Recipients: []spool.Recipient{{Recipient: env.Recipients[0]}}}, draft)
	if err != nil {
		return err
	}
	p.Release()
	return nil
}
