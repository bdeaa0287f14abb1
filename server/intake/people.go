package intake

import (
	"facteur/server/deliver"
	"facteur/server/message"
)

// notePeople notes to whom our own user wrote, and the Message-ID, for the account and for
// the shared mailbox in whose name it was, which has a copy.
func (tx *Transaction) notePeople(h *message.Header, copies []deliver.Copy) {
	if tx.in.opts.People == nil || tx.account.IsZero() {
		return
	}
	var ids []string
	for _, v := range h.RawValues("Message-ID") {
		ids = append(ids, message.MessageIDs([]byte(v))...)
	}
	ids = ids[:min(len(ids), 1)] // RFC 5322 3.6.4: there is one
	to := tx.forwardPaths()
	tx.in.opts.People.Wrote(tx.account, to, ids)
	for _, c := range copies {
		if c.Box.Key() != tx.account.Key() {
			tx.in.opts.People.Wrote(c.Box, to, ids)
		}
	}
}
