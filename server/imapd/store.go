package imapd

import (
	"iter"
	"slices"
	"strings"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// storeArgs is what a STORE asks for (RFC 9051 6.4.6).
type storeArgs struct {
	set         imapwire.NumSet
	op          mailbox.FlagOp
	silent      bool
	flags       []string
	uid         bool           // UID STORE
	conditional bool           // UNCHANGEDSINCE (RFC 7162 3.1.3)
	since       mailbox.ModSeq // of UNCHANGEDSINCE
}

func parseStore(d *imapwire.Decoder) storeArgs {
	var a storeArgs
	d.SP()
	a.set = d.NumSet()
	d.SP()
	if d.Peek() == '(' {
		d.List(func() {
			if word := d.Keyword(); word != "UNCHANGEDSINCE" {
				d.Fail("%s is no modifier of STORE", word)
			}
			d.SP()
			a.conditional, a.since = true, mailbox.ModSeq(d.Number64())
		})
		d.SP()
	}
	word, silent := strings.CutSuffix(d.Keyword(), ".SILENT")
	a.silent = silent
	switch word {
	case "FLAGS":
		a.op = mailbox.Set
	case "+FLAGS":
		a.op = mailbox.AddFlags
	case "-FLAGS":
		a.op = mailbox.RemoveFlags
	default:
		d.Fail("STORE changes FLAGS")
	}
	d.SP()
	a.flags = d.Flags()
	d.CRLF()
	return a
}

// cmdStore is STORE and UID STORE.
func (s *session) cmdStore(c *call) error {
	a := parseStore(s.dec)
	if err := s.dec.Err(); err != nil {
		return err
	}
	flags, err := storable(a.flags)
	if err != nil {
		return err
	}
	if s.sel.readOnly {
		return errReadOnly
	}
	if a.conditional {
		s.enable(condstore)
	}
	if flags, err = s.permitted(a.op, flags); err != nil {
		return err
	}
	if err := s.sel.refresh(); err != nil {
		return err
	}
	places, err := s.places(a.set, c.uid)
	if err != nil {
		return err
	}
	places = s.limited(c, places)
	uids, missing := s.sel.uids(places)
	before := s.sel.now
	modified, err := s.sel.box.SetFlags(mailbox.StoreOptions{
		UIDs: uids, Op: a.op, Flags: flags, Conditional: a.conditional, UnchangedSince: a.since,
	})
	if err != nil {
		return err
	}
	if err := s.sel.refresh(); err != nil {
		return err
	}
	s.storedFlags(before, uids)
	s.tellKeywords()
	a.uid, a.flags = c.uid, flags
	s.answerStore(places.order(c), a, modified)
	switch {
	case len(modified) > 0:
		s.done(c, "MODIFIED "+s.numbersOf(modified, c.uid).String(), "Conditional STORE failed for some")
	case missing:
		s.done(c, "EXPUNGEISSUED", "Some messages are gone") // RFC 5530 3
	}
	return nil
}

// permitted leaves out the flags that the client has no right to change
// (RFC 4314 4: with none left the command fails).
func (s *session) permitted(op mailbox.FlagOp, flags []string) ([]string, error) {
	kept, _ := s.mayStore(s.sel.box, flags)
	if len(kept) == 0 && len(flags) > 0 || len(flags) == 0 && op == mailbox.Set && !s.can(s.sel.box, rightWrite) {
		return nil, errNoRight
	}
	if op == mailbox.Set && !(s.can(s.sel.box, rightSeen) && s.can(s.sel.box, rightMark) && s.can(s.sel.box, rightWrite)) {
		return nil, errNoRight // it would remove what the client may not
	}
	return kept, nil
}

// mayStore returns those of the flags that the client may set in a mailbox, and
// whether that is all.
func (s *session) mayStore(box *mailbox.Mailbox, flags []string) (kept []string, all bool) {
	for _, f := range flags {
		if s.can(box, flagRight(f)) {
			kept = append(kept, f)
		}
	}
	return kept, len(kept) == len(flags)
}

// flagRight returns the right that changing a flag takes (RFC 4314 4).
func flagRight(flag string) byte {
	switch {
	case strings.EqualFold(flag, flagSeen):
		return rightSeen
	case strings.EqualFold(flag, flagDeleted):
		return rightMark
	}
	return rightWrite
}

// answerStore tells of the messages that a STORE was for.
func (s *session) answerStore(places iter.Seq[int], a storeArgs, modified []mailbox.UID) {
	sel := s.sel
	want := expectation{box: sel.box, op: a.op, flags: a.flags}
	what := changed(0)
	if a.uid {
		what = withUID // RFC 9051 6.4.9
	}
	for i := range places {
		r := sel.current(i)
		if r == nil {
			continue
		}
		if _, failed := slices.BinarySearch(modified, r.UID); failed {
			continue // tell does, if it is news
		}
		old := sel.known(i)
		switch {
		case !a.silent || r.ModSeq != old.ModSeq && !want.met(old, r):
			s.answerChange(i, r, what|withFlags)
		case s.has(condstore) && (a.conditional || r.ModSeq != old.ModSeq): // RFC 7162 3.1.3
			s.answerChange(i, r, what)
		default:
			sel.note(r)
		}
	}
}

func (s *session) answerChange(place int, r *mailbox.Record, what changed) {
	s.writeChange(place, r, what)
	s.sel.note(r)
}

// expectation is what the client of a silent STORE takes the flags to be.
type expectation struct {
	box   *mailbox.Mailbox
	op    mailbox.FlagOp
	flags []string
	// The last answer, for many messages change in the same way.
	known    bool
	from, to maildir.Flags
	answer   bool
}

// met tells whether the flags of a message are what they were, with the change.
func (e *expectation) met(old, now *mailbox.Record) bool {
	plain := old.More == 0 && now.More == 0
	if plain && e.known && e.from == old.Flags && e.to == now.Flags {
		return e.answer
	}
	var want []string
	if e.op != mailbox.Set {
		want = slices.Clone(e.box.Flags(old))
	}
	for _, f := range e.flags {
		same := func(g string) bool { return strings.EqualFold(f, g) }
		if e.op == mailbox.RemoveFlags {
			want = slices.DeleteFunc(want, same)
		} else if !slices.ContainsFunc(want, same) {
			want = append(want, f)
		}
	}
	answer := sameFlags(want, e.box.Flags(now))
	if plain {
		e.known, e.from, e.to, e.answer = true, old.Flags, now.Flags, answer
	}
	return answer
}

// sameFlags compares two sets of flags, without case.
func sameFlags(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, f := range a {
		if !slices.ContainsFunc(b, func(g string) bool { return strings.EqualFold(f, g) }) {
			return false
		}
	}
	return true
}

// uids returns the UIDs of the messages at those places, and whether some are
// gone.
func (sel *selected) uids(places spans) (uids []mailbox.UID, missing bool) {
	uids = make([]mailbox.UID, 0, places.len())
	for i := range places.all() {
		if r := sel.current(i); r != nil {
			uids = append(uids, r.UID)
		} else {
			missing = true
		}
	}
	return uids, missing
}

// numbersOf returns UIDs as a set: of UIDs, or of sequence numbers.
func (s *session) numbersOf(uids []mailbox.UID, uid bool) imapwire.NumSet {
	var set imapwire.NumSet
	for _, u := range uids {
		if uid {
			set = set.Add(uint32(u))
		} else if i, ok := s.sel.seen.Find(u); ok {
			set = set.Add(uint32(i) + 1)
		}
	}
	return set
}
