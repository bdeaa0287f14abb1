package imapd

import (
	"slices"

	"facteur/server/fault"
	"facteur/server/imapsearch"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// fetchModifiers are those of FETCH (RFC 4466 2.4).
type fetchModifiers struct {
	changed  bool                // CHANGEDSINCE (RFC 7162 3.1.4.1)
	since    mailbox.ModSeq      // of CHANGEDSINCE
	vanished bool                // RFC 7162 3.2.6
	partial  *imapsearch.Partial // RFC 9394 3.3
}

func parseFetchModifiers(d *imapwire.Decoder, items *fetchItems) fetchModifiers {
	var m fetchModifiers
	for d.TrySP() {
		d.List(func() {
			switch word := d.Keyword(); word {
			case "CHANGEDSINCE":
				d.SP()
				m.changed, m.since = true, mailbox.ModSeq(d.Number64())
			case "VANISHED":
				m.vanished = true
			case "PARTIAL":
				d.SP()
				m.partial = imapsearch.ParsePartial(d)
			case "LAZY": // "FETCH 1 PREVIEW (LAZY)"
				if !items.preview {
					d.Fail("LAZY is for PREVIEW")
				}
			default:
				d.Fail("%s is no modifier of FETCH", word)
			}
		})
	}
	return m
}

// cmdFetch is FETCH and UID FETCH (RFC 9051 6.4.5).
func (s *session) cmdFetch(c *call) error {
	d := s.dec
	d.SP()
	set := d.NumSet()
	d.SP()
	items := parseFetchItems(d)
	mod := parseFetchModifiers(d, items)
	if err := c.end(); err != nil {
		return err
	}
	if err := s.checkModifiers(c, mod); err != nil {
		return err
	}
	if mod.changed || items.modseq {
		s.enable(condstore)
	}
	// Thunderbird passes over the flags of other messages that it is told while it loads
	// headers or a text. With CONDSTORE no news may stay behind: a client takes the highest
	// MODSEQ of what it was told for the one up to which it knows all.
	s.sel.holds = c.uid && len(items.sections) > 0 && !s.has(condstore) && s.asked() == nil
	if c.uid {
		items.uid = items.uid || !s.has(uidOnly) // RFC 9586 3.3
		if s.tell(true); s.over {                // so that seen is the newest
			return errLater
		}
	} else if err := s.sel.refresh(); err != nil {
		return err
	}
	places, err := s.places(set, c.uid)
	if err != nil {
		return err
	}
	if mod.vanished {
		s.writeEarlier(s.vanishedIn(mod.since, s.uidsOf(set)))
	}
	items.modseq = items.modseq || mod.changed // RFC 7162 3.1.4.1
	if mod.partial != nil {                    // RFC 9394 3.4: before CHANGEDSINCE
		places = places.part(mod.partial.Places(places.len()))
	}
	if mod.changed {
		places = s.sel.changedIn(mod.since, places)
	}
	places = s.limited(c, places)
	s.markSeen(places, items)
	return s.fetchAll(c, places, items)
}

func (s *session) checkModifiers(c *call, mod fetchModifiers) error {
	switch {
	case mod.vanished && !s.has(qresync):
		return bad("", "VANISHED needs ENABLE QRESYNC before")
	case mod.vanished && !(c.uid && mod.changed):
		return bad("", "VANISHED is for UID FETCH with CHANGEDSINCE")
	case mod.partial != nil && !c.uid:
		return bad("", "PARTIAL is for UID FETCH")
	}
	return nil
}

// changedIn returns those of places whose MODSEQ is above since.
func (sel *selected) changedIn(since mailbox.ModSeq, places spans) spans {
	var out spans
	add := func(i int) {
		if n := len(out); n > 0 && out[n-1].to == i {
			out[n-1].to++
			return
		}
		out = append(out, span{i, i + 1})
	}
	for _, sp := range places {
		if sel.now == sel.seen {
			for i := range sel.seen.Changed(since, sp.from, sp.to) {
				add(i)
			}
			continue
		}
		for i := sp.from; i < sp.to; i++ {
			if r := sel.current(i); r != nil && r.ModSeq > since {
				add(i)
			}
		}
	}
	return out
}

// markSeen sets \Seen where items ask for what a person reads (RFC 9051 6.4.5).
// When that can't be done the message is shown nevertheless.
func (s *session) markSeen(places spans, items *fetchItems) {
	sel := s.sel
	if items.reads == 0 || sel.readOnly || !s.can(sel.box, rightSeen) {
		return
	}
	var uids []mailbox.UID
	for i := range places.all() {
		if r := sel.current(i); r != nil && r.Flags&maildir.Seen == 0 {
			uids = append(uids, r.UID)
		}
	}
	if len(uids) == 0 {
		return
	}
	before := sel.now
	_, err := sel.box.SetFlags(mailbox.StoreOptions{UIDs: uids, Op: mailbox.AddFlags, Flags: []string{flagSeen}})
	if err == nil {
		err = sel.refresh()
	}
	s.storedFlags(before, uids)
	if err != nil {
		s.log.Warn("imapd.failed", "command", "fetch", "text", `\Seen can't be set`, "error", err)
	}
}

// fetchAll writes a FETCH response for each of the messages.
func (s *session) fetchAll(c *call, places spans, items *fetchItems) error {
	f := newFetcher(s, items)
	defer f.close()
	var refused error
	missing := false
	for i := range places.order(c) {
		r := s.sel.current(i)
		if r == nil {
			missing = true
			continue
		}
		switch err := f.fetch(i, r); {
		case err == nil:
		case fault.Is(err, fault.NotFound): // an EXPUNGE will tell (RFC 2180 4.1.3)
			missing = true
		case err == errUnknownCTE:
			refused = err
		default:
			return err
		}
		if err := s.enc.Err(); err != nil { // the client is gone, or a literal is cut: there is no way on
			s.log.Debug("imapd.broken", "error", err)
			s.over = true
			return errLater
		}
	}
	switch {
	case refused != nil:
		return refused
	case missing:
		s.done(c, "EXPUNGEISSUED", "Some messages are gone") // RFC 5530 3
	}
	return nil
}

// uidsOf returns the UIDs that a set names, whether there are messages or not;
// "*" is the last that was given: "1:*" has to tell of the newest message too
// when that is gone.
func (s *session) uidsOf(set imapwire.NumSet) imapwire.NumSet {
	if set.Saved() {
		return s.saved
	}
	return slices.Clone(set).Resolve(uint32(s.sel.seen.UIDNext()) - 1)
}
