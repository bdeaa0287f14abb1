package server

import (
	"facteur/server/address"
	"facteur/server/mailbox"
	"facteur/server/pop3d"
)

// maildrops is the Server as pop3d sees it.
type maildrops struct{ *backend }

// Maildrop is that of pop3d.Backend: the INBOX as it is now. It holds nothing
// of its own: a snapshot is shared by all who look at the mailbox.
func (b maildrops) Maildrop(account address.Address) (pop3d.Maildrop, error) {
	home, err := b.store.Home(account)
	if err != nil {
		return nil, err
	}
	box, err := home.Mailbox("INBOX")
	if err != nil {
		return nil, err
	}
	box.Poll() // what other programs did just now
	messages, err := box.Snapshot()
	if err != nil {
		return nil, err
	}
	return &maildrop{box, messages}, nil
}

// maildrop is a mailbox at one moment.
type maildrop struct {
	box      *mailbox.Mailbox
	messages *mailbox.Snapshot
}

// Validity is that of pop3d.Maildrop.
func (d *maildrop) Validity() uint32 { return uint32(d.box.UIDValidity()) }

// Len is that of pop3d.Maildrop.
func (d *maildrop) Len() int { return d.messages.Len() }

// At is that of pop3d.Maildrop.
func (d *maildrop) At(i int) pop3d.Message {
	rec := d.messages.At(i)
	return pop3d.Message{UID: uint32(rec.UID), Size: rec.Size()}
}

// Open is that of pop3d.Maildrop.
func (d *maildrop) Open(uid uint32) (pop3d.Content, error) {
	c, err := d.box.Open(mailbox.UID(uid))
	if err != nil {
		return nil, err // not a Content that holds nil
	}
	return c, nil
}

// Remove is that of pop3d.Maildrop.
func (d *maildrop) Remove(uids []uint32) error {
	list := make([]mailbox.UID, len(uids))
	for i, uid := range uids {
		list[i] = mailbox.UID(uid)
	}
	_, err := d.box.Expunge(list)
	return err
}

// Close is that of pop3d.Maildrop.
func (d *maildrop) Close() { d.messages = nil }
