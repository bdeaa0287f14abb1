package imapd

import (
	"strconv"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// cmdExpunge is EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9).
func (s *session) cmdExpunge(c *call) error {
	d := s.dec
	set := imapwire.NumSet{{Start: 1, Stop: 0}}
	if c.uid {
		d.SP()
		set = d.NumSet()
	}
	if err := c.end(); err != nil {
		return err
	}
	if s.sel.readOnly {
		return errReadOnly
	}
	if !s.can(s.sel.box, rightExpunge) {
		return errNoRight
	}
	n, err := s.expungeDeleted(c, set)
	if err != nil {
		return err
	}
	return s.doneChanged(c, n > 0)
}

// expungeDeleted removes those of a set of UIDs that have \Deleted, and returns
// how many that were.
func (s *session) expungeDeleted(c *call, set imapwire.NumSet) (int, error) {
	if err := s.sel.refresh(); err != nil {
		return 0, err
	}
	if s.sel.now.Deleted() == 0 {
		return 0, nil
	}
	places, err := s.places(set, true)
	if err != nil {
		return 0, err
	}
	var uids []mailbox.UID
	for i := range places.all() {
		if r := s.sel.current(i); r != nil && r.Flags&maildir.Trashed != 0 {
			uids = append(uids, r.UID)
		}
	}
	if len(uids) == 0 {
		return 0, nil
	}
	if most := s.options().MessageLimit; c.uid && len(uids) > most { // EXPUNGE has no limit (RFC 9738 3.1)
		uids = uids[len(uids)-most:]
		c.lowest = uids[0]
	}
	gone, err := s.sel.box.Expunge(uids)
	return len(gone), err
}

// doneChanged ends a command that removed messages. With QRESYNC it tells the
// new HIGHESTMODSEQ (RFC 7162 3.2.7).
func (s *session) doneChanged(c *call, changed bool) error {
	s.update(true)
	if !changed || !s.has(qresync) {
		return nil
	}
	s.done(c, highestModSeq(s.sel.seen), "")
	return nil
}

// highestModSeq is the response code HIGHESTMODSEQ.
func highestModSeq(in *mailbox.Snapshot) string {
	return "HIGHESTMODSEQ " + strconv.FormatUint(uint64(in.HighestModSeq()), 10)
}

// cmdClose is CLOSE (RFC 9051 6.4.1): EXPUNGE that says nothing, and UNSELECT. There
// is no HIGHESTMODSEQ: the client does not know what is gone (RFC 7162 3.2.8).
func (s *session) cmdClose(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	var err error
	if !s.sel.readOnly && s.can(s.sel.box, rightExpunge) {
		_, err = s.expungeDeleted(c, imapwire.NumSet{{Start: 1, Stop: 0}})
	}
	s.unselect()
	return err
}

// cmdUnselect is UNSELECT (RFC 9051 6.4.2).
func (s *session) cmdUnselect(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.unselect()
	return nil
}

// cmdCheck is CHECK (RFC 3501 6.4.1): what can be checked is looked at anew.
func (s *session) cmdCheck(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.sel.box.Poll()
	return nil
}
