package follow

import (
	"bytes"
	"context"
	"io"
	"strings"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/scheduling"
	"facteur/server/senderauth"
)

// schedule hands a mail with a calendar object on, when it was kept.
func (f *Follower) schedule(d deliver.Delivered) {
	if f.opts.Scheduling == nil || len(d.Filed) == 0 || !f.live.Load().box(d.Box) || !mayInvite(d) {
		return
	}
	log := f.opts.Log.With("id", d.Envelope.ID, "box", d.Box.String())
	m := scheduling.Mail{
		Content: message.NewContent(d.Header, d.Body), Junk: d.Junk,
		Proven: d.Auth.DMARC.Result == senderauth.Pass || !d.Envelope.Session.Account.IsZero(),
	}
	m.Authors, _ = d.Header.Addresses("From")
	for _, at := range d.Filed {
		m.Junk = m.Junk || at.Mailbox.Use() == `\Junk`
	}
	if ids := d.Header.RawValues("Message-ID"); len(ids) > 0 {
		if found := message.MessageIDs([]byte(ids[0])); len(found) == 1 {
			m.About = "<" + strings.Trim(found[0], "<>") + ">"
		}
	}
	for _, a := range d.Actions {
		if m.Decision.Kind == "" && (a.Kind == hook.Accept || a.Kind == hook.Decline) {
			m.Decision = scheduling.Decision{Kind: a.Kind, Comment: a.Text}
		}
	}
	o, err := f.opts.Scheduling.Mail(context.Background(), d.Box, m)
	switch {
	case err != nil:
		log.Error("follow.invitation", "error", err, "result", "it stays plain mail")
	case o.UID == "": // it holds none
	case !o.Taken:
		log.Info("follow.invitation", "uid", o.UID, "method", string(o.Method), "result", "passed over", "error", o.Reason)
	default:
		log.Info("follow.invitation", "uid", o.UID, "method", string(o.Method), "result", "for the calendar")
	}
}

// mayInvite tells whether there is a reason to look for a calendar object in a mail: it names
// such a type. To look for that is much less work than to read its parts.
func mayInvite(d deliver.Delivered) bool {
	kind := ""
	if list := d.Header.RawValues("Content-Type"); len(list) > 0 {
		kind = strings.ToLower(strings.TrimSpace(list[0]))
	}
	if strings.HasPrefix(kind, "text/calendar") {
		return true
	}
	return strings.HasPrefix(kind, "multipart/") && names(d.Body, "text/calendar", "application/ics")
}

// names tells whether one of some words in lower case stands in a mail.
func names(body envelope.Body, words ...string) bool {
	longest := 0
	for _, w := range words {
		longest = max(longest, len(w))
	}
	r := envelope.NewReader(body)
	buf := make([]byte, 64<<10)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		text := bytes.ToLower(buf[:kept+n])
		for _, w := range words {
			if bytes.Contains(text, []byte(w)) {
				return true
			}
		}
		if err != nil {
			return false
		}
		kept = copy(buf, buf[len(buf)-longest:])
	}
}

// Invited runs the scripts of a mailbox for an invitation (scheduling.Options.Ask).
func (f *Follower) Invited(ctx context.Context, box address.Address, about hook.Invitation) scheduling.Decision {
	live := f.live.Load()
	if !live.handles(box, hook.Calendar) {
		return scheduling.Decision{}
	}
	log := f.opts.Log.With("box", box.String(), "uid", about.UID, "method", about.Method)
	res, err := f.run(ctx, live, box, hook.Call{Stage: hook.Calendar, Invitation: &about}, log)
	if err != nil {
		log.Error("follow.calendar", "error", err)
		return scheduling.Decision{}
	}
	f.finish(ctx, res, log)
	for _, a := range res.Actions {
		switch a.Kind {
		case hook.Accept, hook.Decline, hook.Reject:
			return scheduling.Decision{Kind: a.Kind, Comment: a.Text} // the first one counts
		}
	}
	return scheduling.Decision{}
}
