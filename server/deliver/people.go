package deliver

import "facteur/server/address"

// maxAuthors bounds the authors of one message that are noted.
const maxAuthors = 10

// notePeople notes in whose mailboxes the message was kept, and whose it is. Bounces and
// junk don't count: who sends them is not known for it.
func (t *transaction) notePeople() {
	if t.opts.People == nil || t.msg.Envelope.Sender.ReversePath.IsZero() {
		return
	}
	var authors []address.Address
	for _, b := range t.boxes {
		if b.err != nil || !b.keptAsMail() {
			continue
		}
		if authors == nil {
			authors, _ = t.msg.Header.Addresses("From")
			authors = authors[:min(len(authors), maxAuthors)]
		}
		for _, a := range authors {
			t.opts.People.Received(b.address, a)
		}
	}
}

// keptAsMail tells whether the mailbox has the message in a folder that is neither for
// junk nor for what is thrown away (RFC 6154 2).
func (p *boxPlan) keptAsMail() bool {
	for _, f := range p.done {
		if use := f.box.Use(); use != `\Junk` && use != `\Trash` {
			return true
		}
	}
	return false
}
