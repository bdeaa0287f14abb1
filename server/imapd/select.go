package imapd

import (
	"slices"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// selectArgs is what a SELECT asks for.
type selectArgs struct {
	name      string
	condstore bool // RFC 7162 3.1.8
	qresync   *resync
}

// resync is the QRESYNC parameter (RFC 7162 3.2.5): what the client had when it
// was here last.
type resync struct {
	validity uint32
	modSeq   mailbox.ModSeq
	known    imapwire.NumSet // UIDs; nil: all
	// Sequence numbers with the UIDs that the client had for them, ascending.
	seqs, uids imapwire.NumSet
}

func (s *session) parseSelect() selectArgs {
	d := s.dec
	d.SP()
	a := selectArgs{name: d.Mailbox()}
	if d.TrySP() {
		d.List(func() {
			switch word := d.Keyword(); word {
			case "CONDSTORE":
				a.condstore = true
			case "QRESYNC":
				d.SP()
				a.qresync = parseResync(d)
			default:
				d.Fail("%s is no parameter of SELECT", word)
			}
		})
	}
	d.CRLF()
	return a
}

func parseResync(d *imapwire.Decoder) *resync {
	d.Expect('(')
	r := &resync{validity: d.NzNumber()}
	d.SP()
	r.modSeq = mailbox.ModSeq(d.Number64())
	more := d.TrySP()
	if more && d.Peek() != '(' {
		r.known = knownSet(d)
		more = d.TrySP()
	}
	if more {
		d.Expect('(')
		r.seqs = knownSet(d)
		d.SP()
		r.uids = knownSet(d)
		d.Expect(')')
	}
	d.Expect(')')
	return r
}

// knownSet reads a set without "*" and "$" (RFC 7162 7, known-uids).
func knownSet(d *imapwire.Decoder) imapwire.NumSet {
	set := d.NumSet()
	star := func(r imapwire.Range) bool { return r.Start == 0 || r.Stop == 0 }
	if set.Saved() || slices.ContainsFunc(set, star) {
		d.Fail("This set must hold numbers only")
		return nil
	}
	return set
}

// cmdSelect is SELECT and EXAMINE (RFC 9051 6.3.2, 6.3.3).
func (s *session) cmdSelect(c *call) error {
	a := s.parseSelect()
	if err := s.dec.Err(); err != nil {
		return err
	}
	if a.qresync != nil && !s.has(qresync) {
		return bad("", "QRESYNC needs ENABLE QRESYNC before") // RFC 7162 3.2.5
	}
	if a.qresync != nil && a.qresync.seqs != nil && s.has(uidOnly) {
		return errUIDRequired // RFC 9586 3
	}
	if s.sel != nil {
		s.unselect()
		s.enc.Raw("* OK [CLOSED] The mailbox before is closed\r\n") // RFC 7162 3.2.11: to all
	}
	box, err := s.mailbox(a.name, rightRead)
	if err != nil {
		return err
	}
	if a.condstore {
		s.enable(condstore)
	}
	sel, err := s.open(box, c.name == "EXAMINE")
	if err != nil {
		return err
	}
	s.sel, s.state = sel, inMailbox
	s.writeSelected()
	if r := a.qresync; r != nil && r.validity == uint32(sel.box.UIDValidity()) {
		s.resync(r)
	}
	if sel.readOnly {
		s.done(c, "READ-ONLY", "")
	} else {
		s.done(c, "READ-WRITE", "")
	}
	return nil
}

// open opens a mailbox for the session.
func (s *session) open(box *mailbox.Mailbox, examine bool) (*selected, error) {
	watch, err := box.Watch()
	if err != nil {
		return nil, err
	}
	box.Poll()
	sel := &selected{box: box, watch: watch, readOnly: examine || !s.mayChange(box)}
	var first mailbox.UID
	if sel.readOnly {
		first = box.Recent()
	} else {
		first = box.ClaimRecent()
	}
	if sel.seen, err = box.Snapshot(); err != nil {
		watch.Close()
		return nil, err
	}
	sel.now = sel.seen
	sel.recent = sel.recent.add(first, sel.seen.UIDNext()-1)
	sel.keywords = box.KeywordsVersion()
	return sel, nil
}

// mayChange tells whether the client has a right that needs SELECT, not EXAMINE
// (RFC 4314 5.2).
func (s *session) mayChange(box *mailbox.Mailbox) bool {
	for _, right := range []byte{rightInsert, rightExpunge, rightSeen, rightMark, rightWrite} {
		if s.can(box, right) {
			return true
		}
	}
	return false
}

// unselect closes the selected mailbox, if there is one.
func (s *session) unselect() {
	s.settle() // at the end of the connection some may wait
	if s.sel == nil {
		return
	}
	s.sel.watch.Close()
	s.sel, s.saved = nil, nil
	s.state = authenticated
}

// leaveDeleted closes the selected mailbox when the client has just deleted it:
// then it is no surprise, and no reason to end the session.
func (s *session) leaveDeleted() {
	if s.sel != nil && s.sel.watch.Gone() {
		s.unselect()
		s.enc.Raw("* OK [CLOSED] The selected mailbox is deleted\r\n")
	}
}

// writeSelected writes the responses to SELECT (RFC 9051 6.3.2, RFC 3501 6.3.1).
func (s *session) writeSelected() {
	sel, enc := s.sel, s.enc
	s.writeFlagSet()
	enc.Raw("* ").Number(uint64(sel.seen.Len())).Raw(" EXISTS\r\n")
	if !s.has(rev2) {
		enc.Raw("* ").Number(uint64(sel.recent.count(sel.seen))).Raw(" RECENT\r\n")
		if first := sel.firstUnseen(); first > 0 && !s.has(uidOnly) {
			enc.Raw("* OK [UNSEEN ").Number(uint64(first)).Raw("] The first unseen message\r\n")
		}
	}
	enc.Raw("* OK [UIDVALIDITY ").Number(uint64(sel.box.UIDValidity())).Raw("] UIDs are valid\r\n")
	enc.Raw("* OK [UIDNEXT ").Number(uint64(sel.seen.UIDNext())).Raw("] Predicted next UID\r\n")
	s.writeHighest()
	enc.Raw("* OK [MAILBOXID (").Raw(sel.box.ID()).Raw(")] The mailbox's id\r\n") // RFC 8474 4.2
	if s.has(rev2) {
		enc.Raw("* LIST () \"/\" ").Mailbox(s.wireName(sel.box)).CRLF()
	}
}

func (s *session) writeHighest() {
	s.enc.Raw("* OK [HIGHESTMODSEQ ").Number(uint64(s.sel.seen.HighestModSeq())).Raw("] Highest\r\n")
}

// firstUnseen returns the sequence number of the first message without \Seen, 0
// when there is none.
func (sel *selected) firstUnseen() int {
	if sel.seen.Unseen() == 0 {
		return 0
	}
	for i, r := range sel.seen.Range(0, sel.seen.Len()) {
		if r.Flags&maildir.Seen == 0 {
			return i + 1
		}
	}
	return 0
}

// permanent returns the flags that the client can change for good.
func (s *session) permanent(names []string) []string {
	if s.sel.readOnly {
		return nil
	}
	kept, _ := s.mayStore(s.sel.box, names)
	if s.can(s.sel.box, rightWrite) {
		kept = append(slices.Clone(kept), `\*`)
	}
	return kept
}

var errUIDRequired = bad("UIDREQUIRED", "Message numbers are not used with UIDONLY")

// places returns the places that a set of sequence numbers or UIDs names.
func (s *session) places(set imapwire.NumSet, uid bool) (spans, error) {
	switch {
	case set.Saved(): // RFC 5182 2.1
		return uidSpans(s.saved, s.sel.seen), nil
	case uid:
		return uidSpans(set, s.sel.seen), nil
	case s.has(uidOnly): // RFC 9586 3
		return nil, errUIDRequired
	}
	return seqSpans(set, s.sel.seen.Len())
}
