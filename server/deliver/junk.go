package deliver

import "facteur/server/fault"

// junkFolder returns the folder of a mailbox with the special use \Junk (RFC 6154 2); it
// is made when there is none. When it can't be, the message stays in INBOX: mail is never
// lost over a folder.
func (t *transaction) junkFolder(p *boxPlan) string {
	const name, use = "Junk", `\Junk`
	folders, err := p.home.Folders()
	for _, f := range folders {
		if f.Exists && f.Use == use {
			return f.Name
		}
	}
	if err == nil {
		err = p.home.Create(name, use)
	}
	if err != nil && !fault.Is(err, fault.Exists) {
		t.opts.Log.Warn("deliver.junk", "id", t.msg.Envelope.ID, "box", p.address.String(), "error", err, "result", "kept in INBOX")
		return inbox
	}
	return name
}
