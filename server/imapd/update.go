package imapd

import (
	"maps"
	"slices"
	"strconv"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/msgindex"
)

// tell writes what the client does not know yet of the selected mailbox
// (RFC 9051 5.2, 7.5.1). expunge says whether sequence numbers may change now:
// not in the answers to FETCH, STORE and SEARCH.
func (s *session) tell(expunge bool) {
	if n := s.asked(); n == nil || n.selected != 0 {
		s.update(expunge)
		return
	}
	sel := s.sel
	if sel == nil || s.over {
		return
	}
	if sel.watch.Gone() {
		s.bye("", byeGone)
		return
	}
	sel.forget()
	if err := sel.refresh(); err != nil {
		s.log.Warn("imapd.failed", "command", "update", "error", err)
	}
}

// update is tell, also when NOTIFY wants no messages told (RFC 5465 3.1): for the
// answers to commands that remove some.
func (s *session) update(expunge bool) {
	sel := s.sel
	if sel == nil || s.over {
		return
	}
	newest, err := sel.box.Snapshot()
	if sel.watch.Gone() {
		s.bye("", byeGone)
		return
	}
	if !s.mayRead() {
		return
	}
	if err == nil && newest.UIDNext() > sel.seen.UIDNext() && !sel.readOnly {
		newest, err = sel.claim()
	}
	if err != nil { // it may pass; what is new is told then
		s.log.Warn("imapd.failed", "command", "update", "error", err)
		return
	}
	s.tellKeywords()
	if newest == sel.seen {
		s.tellHeld(sel.seen)
		return
	}
	changes := msgindex.Diff(sel.seen, newest)
	sel.now = newest
	if len(changes.Gone) > 0 && !expunge {
		s.tellChanged(changes, false)
		s.tellHeld(sel.seen)
		sel.seen = msgindex.Refresh(sel.seen, newest)
		clear(sel.told)
		return
	}
	s.tellGone(changes.Gone)
	if changes.Added > 0 {
		s.tellExists(newest)
	}
	s.tellChanged(changes, true)
	s.tellHeld(newest)
	sel.advance(newest)
	s.tellNew(changes.Added)
}

// mayRead tells whether the selected mailbox, if there is one, may still be read:
// a reload may take a role away. Without it the session ends.
func (s *session) mayRead() bool {
	if s.sel == nil || s.can(s.sel.box, rightRead) {
		return true
	}
	s.bye("", "The selected mailbox may not be read any more")
	return false
}

// claim makes the messages that came recent, those of them that no other
// session was told of, and returns a snapshot that holds no more.
func (sel *selected) claim() (*mailbox.Snapshot, error) {
	first := max(sel.box.ClaimRecent(), sel.seen.UIDNext())
	newest, err := sel.box.Snapshot() // what came since the first look was claimed too
	if err == nil {
		sel.recent = sel.recent.add(first, newest.UIDNext()-1)
	}
	return newest, err
}

// tellGone writes EXPUNGE or VANISHED for places of seen, which ascend.
func (s *session) tellGone(places []int) {
	if len(places) == 0 {
		return
	}
	if s.has(qresync) || s.has(uidOnly) { // RFC 7162 3.2.10, RFC 9586 3.5
		var uids imapwire.NumSet
		for _, i := range places {
			uids = uids.Add(uint32(s.sel.seen.At(i).UID))
		}
		s.enc.Raw("* VANISHED ").NumSet(uids).CRLF()
		return
	}
	for k := len(places) - 1; k >= 0; k-- { // the last first: so the numbers of the others hold
		s.enc.Raw("* ").Number(uint64(places[k] + 1)).Raw(" EXPUNGE\r\n")
	}
}

func (s *session) tellExists(now *mailbox.Snapshot) {
	s.enc.Raw("* ").Number(uint64(now.Len())).Raw(" EXISTS\r\n")
	if !s.has(rev2) { // RFC 9051 appendix E
		s.enc.Raw("* ").Number(uint64(s.sel.recent.count(now))).Raw(" RECENT\r\n")
	}
}

// tellKeywords writes FLAGS anew when there is a keyword that the client was not
// told of (RFC 9051 7.3.5).
func (s *session) tellKeywords() {
	if v := s.sel.box.KeywordsVersion(); v != s.sel.keywords {
		s.sel.keywords = v
		s.writeFlagSet()
	}
}

// writeFlagSet writes FLAGS and PERMANENTFLAGS.
func (s *session) writeFlagSet() {
	names := s.sel.box.FlagSet()
	s.enc.Raw("* FLAGS (").Append(func(dst []byte) []byte { return appendNames(dst, names) }).Raw(")\r\n")
	s.enc.Raw("* OK [PERMANENTFLAGS (")
	if permanent := s.permanent(names); len(permanent) > 0 {
		s.enc.Append(func(dst []byte) []byte { return appendNames(dst, permanent) })
	}
	s.enc.Raw(")] Permanent flags\r\n")
}

func appendNames(dst []byte, names []string) []byte {
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, n...)
	}
	return dst
}

// tellChanged writes the flags that changed, in the numbers of seen as long as
// the client was not told what is gone.
func (s *session) tellChanged(c msgindex.Changes, renumbered bool) {
	// With the UID, which RFC 5465 5.1 asks for where there is a NOTIFY: while Thunderbird
	// waits for the answer to UID FETCH it passes over what has none.
	sel, what, n := s.sel, withFlags|withUID, s.asked()
	if n != nil && n.selected&flagChange == 0 {
		return
	}
	for _, place := range c.Changed {
		r := sel.now.At(place)
		if sel.knows(r) || sel.hold(r.UID) {
			continue
		}
		if !renumbered {
			place, _ = sel.seen.Find(r.UID)
		}
		s.writeChange(place, r, what)
	}
}

// tellHeld writes the flags that were held back, in the numbers of a snapshot.
func (s *session) tellHeld(numbers *mailbox.Snapshot) {
	sel := s.sel
	if sel.holds || len(sel.held) == 0 {
		return
	}
	for _, uid := range slices.Sorted(maps.Keys(sel.held)) {
		place, known := numbers.Find(uid)
		i, there := sel.now.Find(uid)
		if known && there {
			s.writeChange(place, sel.now.At(i), withFlags|withUID)
		}
	}
	clear(sel.held)
}

// changed is what a response about a changed message holds besides MODSEQ.
type changed uint8

const (
	withFlags changed = 1 << iota
	withUID
)

// writeChange writes the FETCH response that tells of a changed message.
func (s *session) writeChange(place int, r *mailbox.Record, what changed) {
	if s.has(condstore) || s.has(rev2) { // RFC 7162 3.2.4 asks for it with QRESYNC, RFC 9051 E with rev2
		what |= withUID
	}
	if what&withFlags != 0 {
		delete(s.sel.held, r.UID)
	}
	s.enc.Append(func(dst []byte) []byte {
		dst = s.appendFetch(dst, place, r)
		if what&withUID != 0 && !s.has(uidOnly) {
			dst = appendNumber(append(dst, "UID "...), uint64(r.UID))
		}
		if what&withFlags != 0 {
			dst = s.appendFlags(append(dst, "FLAGS ("...), r)
			dst = append(dst, ") "...)
		}
		if s.has(condstore) {
			dst = appendModSeq(dst, r.ModSeq)
		}
		return endFetch(dst)
	})
}

// appendFetch begins a FETCH response. Each item ends with a space, the last of
// which endFetch replaces.
func (s *session) appendFetch(dst []byte, place int, r *mailbox.Record) []byte {
	dst = append(dst, "* "...)
	if s.has(uidOnly) { // RFC 9586 3.3
		return append(appendNumber(dst, uint64(r.UID)), "UIDFETCH ("...)
	}
	return append(appendNumber(dst, uint64(place)+1), "FETCH ("...)
}

// endFetch ends a FETCH response.
func endFetch(dst []byte) []byte {
	if n := len(dst); dst[n-1] == ' ' {
		dst = dst[:n-1]
	}
	return append(dst, ")\r\n"...)
}

// appendNumber appends a number and a space.
func appendNumber(dst []byte, n uint64) []byte {
	return append(strconv.AppendUint(dst, n, 10), ' ')
}

func appendModSeq(dst []byte, m mailbox.ModSeq) []byte {
	dst = strconv.AppendUint(append(dst, "MODSEQ ("...), uint64(m), 10)
	return append(dst, ") "...)
}

// appendFlags appends the content of the FLAGS item of a message of now.
func (s *session) appendFlags(dst []byte, r *mailbox.Record) []byte {
	from := len(dst)
	dst = s.sel.box.AppendFlags(dst, r)
	if !s.has(rev2) && s.sel.recent.has(r.UID) {
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		dst = append(dst, flagRecent...)
	}
	return dst
}
