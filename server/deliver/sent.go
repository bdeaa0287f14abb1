package deliver

import (
	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/mailbox"
)

// SentFolder is where a mail client looks for what was sent.
const SentFolder = "Sent"

// Copy is a copy of what our own user sends: in the folder Sent of the shared mailbox in
// whose name it is, so that all of its members see what was answered, or where a script
// wants it in the user's own mailbox.
type Copy struct {
	Box    address.Address
	Folder string
	Create bool
	Flags  []string // \Seen is set in any case
}

// fileCopies files the copies. The message is on its way by now, so what goes wrong here is
// only logged.
func (t *transaction) fileCopies() {
	for _, c := range t.msg.Copies {
		log := t.opts.Log.With("id", t.msg.Envelope.ID, "box", c.Box.String())
		box, uid, err := t.fileCopy(c)
		if err != nil {
			log.Warn("deliver.sent", "folder", c.Folder, "error", err, "result", "sent, but not filed there")
			continue
		}
		log.Info("deliver.filed", "folder", box.Name(), "uid", uint32(uid), "size", t.msg.Body.Size())
	}
}

func (t *transaction) fileCopy(c Copy) (*mailbox.Mailbox, mailbox.UID, error) {
	home, err := t.opts.Store.Home(c.Box)
	if err != nil {
		return nil, 0, err
	}
	if err := CheckQuota(home, t.live.Directory, c.Box, t.msg.Body.Size()); err != nil {
		return nil, 0, err
	}
	p := &boxPlan{address: c.Box, home: home}
	f := filing{folder: c.Folder, create: c.Create}
	if _, err := home.Mailbox(c.Folder); err != nil && !fault.Temporary(err) && !c.Create {
		f = filing{folder: SentFolder, create: true} // not in INBOX
	}
	box, err := t.open(p, f)
	if err != nil {
		return nil, 0, err
	}
	d, err := t.draft(t.msg.Trace, &form{})
	if err != nil {
		return nil, 0, err
	}
	flags := union([]string{`\Seen`}, c.Flags)
	uid, err := box.Add(d.file, mailbox.AddOptions{Flags: flags, Summary: &d.summary})
	if fault.Is(err, fault.NotPossible) && len(c.Flags) > 0 {
		uid, err = box.Add(d.file, mailbox.AddOptions{Flags: flags[:1], Summary: &d.summary})
	}
	if err != nil {
		return nil, 0, err
	}
	return box, uid, box.Sync()
}
