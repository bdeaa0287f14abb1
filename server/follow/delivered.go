package follow

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"

	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/schedule"
	"facteur/server/senderauth"
)

// maxCopy is the size of a message that is learned though it lies nowhere, in octets.
const maxCopy = 256 << 10

// Delivered takes note of a delivery (deliver.Options.Delivered): it looks after what was
// snoozed, and has the rest done soon. It does not wait.
func (f *Follower) Delivered(d deliver.Delivered) {
	if slices.ContainsFunc(d.Filed, func(at deliver.Filed) bool { return at.Mailbox.Name() == schedule.SnoozeFolder }) {
		f.snoozes.look(d.Box)
	}
	if f.mayInvite(d) || slices.ContainsFunc(d.Actions, func(a hook.Action) bool { return a.Kind == hook.Learn }) {
		if d.Body = f.copied(d); d.Body == nil {
			d.Header = nil // read again with the message
		}
		f.later.put(batch{box: d.Box.Key(), n: 1, do: func(ctx context.Context, _ int) { f.runDelivered(ctx, d) }})
	}
}

// mayInvite tells whether there is a reason to look for an invitation.
func (f *Follower) mayInvite(d deliver.Delivered) bool {
	wanted := slices.ContainsFunc(d.Actions, answers) || f.live.Load().handles(d.Box, hook.Calendar)
	if !wanted || len(d.Filed) == 0 {
		return false
	}
	kind := ""
	if list := d.Header.RawValues("Content-Type"); len(list) > 0 {
		kind = strings.ToLower(strings.TrimSpace(list[0]))
	}
	return strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "text/calendar")
}

// answers tells whether an action is the answer to an invitation.
func answers(a hook.Action) bool { return a.Kind == hook.Accept || a.Kind == hook.Decline }

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
	if f.mayInvite(d) {
		f.invited(ctx, live, d, log)
	}
}

// invited runs the scripts of calendar for an invitation, and answers it.
func (f *Follower) invited(ctx context.Context, live *Settings, d deliver.Delivered, log *slog.Logger) {
	content := message.NewContent(d.Header, d.Body)
	text, ok := calendarText(content)
	if !ok {
		return
	}
	in, err := schedule.Read(text, live.Location)
	if err == nil {
		err = f.trusted(d, in)
	}
	if err != nil {
		log.Info("follow.invitation", "result", "passed over", "error", err)
		return
	}
	log = log.With("uid", in.UID, "method", in.Method)
	actions := d.Actions
	if live.handles(d.Box, hook.Calendar) {
		event := in.Invitation
		res, err := f.run(ctx, live, d.Box, hook.Call{Stage: hook.Calendar, Invitation: &event}, log)
		if err != nil {
			log.Error("follow.calendar", "error", err)
			return
		}
		defer f.finish(ctx, res, log)
		actions = append(slices.Clip(actions), res.Actions...)
	}
	for _, a := range actions {
		if answers(a) || a.Kind == hook.Reject {
			f.answer(ctx, live, d, in, a, log)
			return // the first one counts
		}
	}
}

// calendarText returns the calendar object of a message (RFC 6047 2.4).
func calendarText(c hook.Content) (string, bool) {
	for i, p := range c.Parts() {
		if p.Type == "text/calendar" && p.Size <= 2*schedule.MaxSize {
			return c.PartText(i, schedule.MaxSize), true
		}
	}
	return "", false
}

var (
	errJunk      = errors.New("it is junk")
	errForged    = errors.New("it is not known who sent it: neither does DMARC pass, nor was it sent by an account here")
	errStranger  = errors.New("its author is not the organizer")
	errNotAsked  = errors.New("only a REQUEST is answered")
	errUninvited = errors.New("no address of the mailbox alone is invited")
)

// trusted tells whether an invitation is from its organizer.
func (f *Follower) trusted(d deliver.Delivered, in *schedule.Invitation) error {
	for _, at := range d.Filed {
		if d.Junk || at.Mailbox.Use() == `\Junk` {
			return errJunk
		}
	}
	if d.Auth.DMARC.Result != senderauth.Pass && d.Envelope.Session.Account.IsZero() {
		return errForged
	}
	authors, _ := d.Header.Addresses("From")
	if len(authors) != 1 || in.From.IsZero() || authors[0].Key() != in.From.Key() {
		return errStranger
	}
	return nil
}

// answer sends the REPLY to an invitation, once.
func (f *Follower) answer(ctx context.Context, live *Settings, d deliver.Delivered, in *schedule.Invitation, a hook.Action, log *slog.Logger) {
	info, _ := live.Directory.Box(d.Box)
	from, ok := in.Invited(info.Own)
	var err error
	switch {
	case in.Method != "REQUEST": // so a REPLY is never answered
		err = errNotAsked
	case !ok:
		err = errUninvited
	}
	if err != nil {
		log.Info("follow.invitation", "result", "not answered", "error", err)
		return
	}
	now := f.opts.Now()
	first, err := f.opts.Replies.Claim(ctx, d.Box, in.Key(), now)
	if err != nil || !first {
		log.Info("follow.invitation", "result", "not answered", "before", !first && err == nil, "error", err)
		return
	}
	about := ""
	if ids := d.Header.RawValues("Message-ID"); len(ids) > 0 {
		if found := message.MessageIDs([]byte(ids[0])); len(found) == 1 {
			about = "<" + strings.Trim(found[0], "<>") + ">"
		}
	}
	env, body := in.Reply(schedule.Answer{
		Accept: a.Kind == hook.Accept, Comment: a.Text, From: from, About: about, ID: envelope.NewID(), Now: now.In(live.Location),
	})
	if err := f.opts.Inject(ctx, env, body); err != nil {
		log.Error("follow.invitation", "result", "not answered", "error", err)
		if err := f.opts.Replies.Forget(context.WithoutCancel(ctx), d.Box, in.Key()); err != nil {
			log.Error("follow.invitation", "error", err, "result", "it counts as answered")
		}
		return
	}
	log.Info("follow.invitation", "result", "answered", "answer", string(a.Kind), "to", in.From.String(), "reply", env.ID)
}
