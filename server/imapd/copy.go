package imapd

import (
	"strconv"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// cmdCopy is COPY and UID COPY (RFC 9051 6.4.7).
func (s *session) cmdCopy(c *call) error {
	t, err := s.parseTransfer(c)
	if err != nil {
		return err
	}
	if err := s.room(t.to, t.size); err != nil {
		return err
	}
	if len(t.uids) == 0 {
		return t.ended()
	}
	pairs, err := s.sel.box.Copy(t.uids, t.to, s.settable(t.to))
	if err != nil {
		return tryCreate(err)
	}
	if len(pairs) == 0 {
		return t.ended()
	}
	s.storedPairs("copy", pairs, t.to)
	s.done(c, s.copied(pairs, t.to), "")
	return nil
}

// cmdMove is MOVE and UID MOVE (RFC 9051 6.4.8, RFC 6851).
func (s *session) cmdMove(c *call) error {
	t, err := s.parseTransfer(c)
	if err != nil {
		return err
	}
	if s.sel.readOnly {
		return errReadOnly
	}
	if !s.can(s.sel.box, rightExpunge) || !s.can(s.sel.box, rightMark) {
		return errNoRight
	}
	if t.to.Home() != s.sel.box.Home() { // else the quota stays as it is
		if err := s.room(t.to, t.size); err != nil {
			return err
		}
	}
	if len(t.uids) == 0 {
		return t.ended()
	}
	pairs, err := s.sel.box.Move(t.uids, t.to, s.settable(t.to))
	s.storedPairs("move", pairs, t.to)
	if len(pairs) > 0 { // RFC 6851 4.3: before the EXPUNGEs
		s.enc.Raw("* OK [").Raw(s.copied(pairs, t.to)).Raw("] Moved\r\n")
	}
	if err != nil {
		return tryCreate(err)
	}
	return s.doneChanged(c, len(pairs) > 0)
}

// transfer is what a COPY or MOVE is to do.
type transfer struct {
	to      *mailbox.Mailbox
	uids    []mailbox.UID
	size    int64 // octets
	missing bool  // some messages are gone
}

func (s *session) parseTransfer(c *call) (t transfer, err error) {
	d := s.dec
	d.SP()
	set := d.NumSet()
	d.SP()
	name := d.Mailbox()
	if err := c.end(); err != nil {
		return t, err
	}
	if err := s.sel.refresh(); err != nil {
		return t, err
	}
	places, err := s.places(set, c.uid)
	if err != nil {
		return t, err
	}
	if t.to, err = s.destination(name); err != nil {
		return t, err
	}
	if places = s.limited(c, places); c.lowest != 0 && c.name == "COPY" { // all or none (RFC 9051 6.4.7)
		return t, no(s.limitCode(c), "These are too many messages to copy at once")
	}
	t.uids, t.missing = s.sel.uids(places)
	t.missing = t.missing && !c.uid // RFC 9051 6.4.9: UIDs of which there are no messages are no error
	for i := range places.all() {
		if r := s.sel.current(i); r != nil {
			t.size += r.Size()
		}
	}
	return t, nil
}

// ended ends a transfer of nothing.
func (t transfer) ended() error {
	if t.missing { // RFC 5530 3
		return no("EXPUNGEISSUED", "The messages are gone")
	}
	return nil
}

// destination returns the mailbox that messages are to be put into.
func (s *session) destination(name string) (*mailbox.Mailbox, error) {
	to, err := s.mailbox(name, rightInsert)
	return to, tryCreate(err)
}

// copied notes what the session put into a mailbox, and returns COPYUID.
func (s *session) copied(pairs []mailbox.Pair, to *mailbox.Mailbox) string {
	for _, p := range pairs {
		s.made(to, p.Dst)
	}
	return copyUID(pairs, to)
}

// copyUID is the response code COPYUID (RFC 9051 7.1, RFC 4315 3).
func copyUID(pairs []mailbox.Pair, to *mailbox.Mailbox) string {
	var src, dst imapwire.NumSet
	for _, p := range pairs { // both ascend
		src, dst = src.Add(uint32(p.Src)), dst.Add(uint32(p.Dst))
	}
	b := append([]byte("COPYUID "), strconv.FormatUint(uint64(to.UIDValidity()), 10)...)
	b = src.Append(append(b, ' '))
	return string(dst.Append(append(b, ' ')))
}

// settable returns which flags the client may set in a mailbox: those that it has
// no right to are not copied (RFC 4314 4, COPY). nil: all.
func (s *session) settable(to *mailbox.Mailbox) func(flag string) bool {
	if to.Home() == s.home {
		return nil
	}
	return func(flag string) bool { return s.can(to, flagRight(flag)) }
}

// room tells whether so many octets more fit into the quota of a mailbox.
func (s *session) room(to *mailbox.Mailbox, size int64) error {
	owner := s.account
	if to.Home() != s.home {
		owner = s.shared[to.Home()]
	}
	quota := s.options().QuotaOf(owner)
	if quota <= 0 {
		return nil
	}
	used, err := to.Home().Usage()
	if err != nil {
		return err
	}
	if used.Octets+size > quota {
		return fault.New(fault.OverQuota, "The quota would be exceeded")
	}
	return nil
}
