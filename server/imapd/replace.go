package imapd

import "facteur/server/imapwire"

// cmdReplace is REPLACE and UID REPLACE (RFC 8508): the new message is durable
// before the old one goes.
func (s *session) cmdReplace(c *call) error {
	d := c.dec
	d.SP()
	var n uint32
	if c.uid || !d.Try('*') { // the last (RFC 8508 5, seq-number): 0, as in sets
		n = d.NzNumber()
	}
	d.SP()
	name := d.Mailbox()
	if err := d.Err(); err != nil {
		return err
	}
	if s.sel.readOnly {
		return errReadOnly
	}
	if !s.can(s.sel.box, rightExpunge) || !s.can(s.sel.box, rightMark) {
		return errNoRight
	}
	if err := s.sel.refresh(); err != nil {
		return err
	}
	places, err := s.places(imapwire.NumSet{{Start: n, Stop: n}}, c.uid)
	if err != nil {
		return err
	}
	old, _ := s.sel.uids(places)
	if len(old) == 0 {
		return no("NONEXISTENT", "There is no such message to replace")
	}
	for i := range places.all() {
		c.goes += s.sel.seen.At(i).Size()
	}
	a, err := s.receive(c, name, 1)
	if err != nil {
		return err
	}
	defer a.discard()
	uids, err := a.add()
	if err == nil {
		err = a.to.Sync()
	}
	if err != nil {
		return err
	}
	s.made(a.to, uids...)
	s.storedNew(a.to, uids)
	s.enc.Raw("* OK [").Raw(appendUID(uids, a.to)).Raw("] The new message is there\r\n") // RFC 8508 3.2
	if _, err := s.sel.box.Expunge(old); err != nil {
		return err
	}
	return s.doneChanged(c, true)
}
