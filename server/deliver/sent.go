package deliver

import "facteur/server/mailbox"

// sentFolder is where a mail client looks for what was sent.
const sentFolder = "Sent"

// fileSent puts a copy of what was sent in the name of a shared mailbox into its
// folder Sent, for all of its members. The message is on its way by now, so what
// goes wrong here is only logged.
func (t *transaction) fileSent() {
	if t.msg.SentAs.IsZero() {
		return
	}
	uid, err := t.sent()
	log := t.opts.Log.With("id", t.msg.Envelope.ID, "box", t.msg.SentAs.String(), "folder", sentFolder)
	if err != nil {
		log.Warn("deliver.sent", "error", err, "result", "sent, but not filed there")
		return
	}
	log.Info("deliver.filed", "uid", uint32(uid), "size", t.msg.Body.Size())
}

func (t *transaction) sent() (mailbox.UID, error) {
	home, err := t.opts.Store.Home(t.msg.SentAs)
	if err != nil {
		return 0, err
	}
	if err := CheckQuota(home, t.live.Directory, t.msg.SentAs, t.msg.Body.Size()); err != nil {
		return 0, err
	}
	p := &boxPlan{address: t.msg.SentAs, home: home}
	box, err := t.open(p, filing{folder: sentFolder, create: true})
	if err != nil {
		return 0, err
	}
	d, err := t.draft(t.msg.Trace)
	if err != nil {
		return 0, err
	}
	uid, err := box.Add(d.file, mailbox.AddOptions{Flags: []string{`\Seen`}, Summary: &d.summary})
	if err != nil {
		return 0, err
	}
	return uid, box.Sync()
}
