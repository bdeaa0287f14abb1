package imapd

import (
	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// selected is the selected mailbox as the client knows it: the message at place i
// of seen has the sequence number i+1 (RFC 9051 2.3.1.2). seen changes in tell
// only. It belongs to the session's goroutine.
type selected struct {
	box      *mailbox.Mailbox
	watch    *mailbox.Watch
	readOnly bool

	seen *mailbox.Snapshot
	// now is seen or newer: flags are answered from it. A message of seen that it
	// lacks is gone, and an EXPUNGE has yet to tell of it.
	now *mailbox.Snapshot
	// The records of now that the client was told of while seen has older ones.
	told map[mailbox.UID]mailbox.Record

	// While holds, flags that changed are not told but held, for a later command.
	holds bool
	held  map[mailbox.UID]struct{}

	mine     imapwire.NumSet // UIDs of messages that this session made, for NOTIFY
	recent   recents
	keywords uint64 // the version of FLAGS that was told
}

// refresh makes now the newest there is.
func (sel *selected) refresh() error {
	if sel.watch.Gone() {
		return errMailboxGone
	}
	newest, err := sel.box.Snapshot()
	if err == nil {
		sel.now = newest
	}
	return err
}

var errMailboxGone = fault.New(fault.NotFound, "The mailbox was deleted")

// byeGone ends a session whose mailbox was deleted underneath (RFC 2180 3.1):
// what the client knows of it holds no longer.
const byeGone = "The selected mailbox was deleted"

// current returns the newest record of the message at a place of seen, nil when
// it is gone.
func (sel *selected) current(place int) *mailbox.Record {
	old := sel.seen.At(place)
	if sel.now == sel.seen {
		return old
	}
	if place < sel.now.Len() { // nothing before it is gone
		if r := sel.now.At(place); r.UID == old.UID {
			return r
		}
	}
	if i, ok := sel.now.Find(old.UID); ok {
		return sel.now.At(i)
	}
	return nil
}

// note remembers that the client was told the flags of a record of now.
func (sel *selected) note(r *mailbox.Record) {
	if sel.now == sel.seen {
		return
	}
	if sel.told == nil {
		sel.told = make(map[mailbox.UID]mailbox.Record)
	}
	sel.told[r.UID] = *r
}

// known returns the record of a message at a place of seen that the client was
// told of last.
func (sel *selected) known(place int) *mailbox.Record {
	old := sel.seen.At(place)
	if len(sel.told) > 0 {
		if r, ok := sel.told[old.UID]; ok {
			return &r
		}
	}
	return old
}

// knows tells whether the client was told the flags of a record that is newer
// than seen.
func (sel *selected) knows(r *mailbox.Record) bool {
	if len(sel.told) == 0 {
		return false
	}
	t, ok := sel.told[r.UID]
	return ok && t.ModSeq >= r.ModSeq
}

// maxHeldBack bounds what a session holds back; what is more is told at once.
const maxHeldBack = 1000

// hold takes a message whose flags changed for later. false: it is to be told now.
func (sel *selected) hold(uid mailbox.UID) bool {
	if !sel.holds || len(sel.held) >= maxHeldBack {
		return false
	}
	if sel.held == nil {
		sel.held = make(map[mailbox.UID]struct{})
	}
	sel.held[uid] = struct{}{}
	return true
}

// advance makes a snapshot, all of which was told, the one that the client knows.
func (sel *selected) advance(to *mailbox.Snapshot) {
	sel.seen, sel.now = to, to
	sel.forget()
}

// forget empties told.
func (sel *selected) forget() {
	if len(sel.told) > 1000 {
		sel.told = nil // let go of what a STORE on all took
	}
	clear(sel.told)
}

// recents are the UIDs of the messages that this session was the first to be
// told of (RFC 3501 2.3.2), in ranges that ascend.
type recents imapwire.NumSet

// maxRecents bounds what a session remembers: of more, the oldest are recent no
// longer.
const maxRecents = 1000

// add appends a range that is behind all others.
func (r recents) add(from, to mailbox.UID) recents {
	if from > to {
		return r
	}
	if n := len(r); n > 0 && r[n-1].Stop+1 >= uint32(from) {
		r[n-1].Stop = max(uint32(to), r[n-1].Stop)
		return r
	}
	if len(r) == maxRecents {
		r = append(r[:0], r[maxRecents/2:]...)
	}
	return append(r, imapwire.Range{Start: uint32(from), Stop: uint32(to)})
}

// has tells whether a message is recent.
func (r recents) has(uid mailbox.UID) bool {
	for i := len(r) - 1; i >= 0; i-- { // mostly one range at the end
		if uint32(uid) >= r[i].Start {
			return uint32(uid) <= r[i].Stop
		}
	}
	return false
}

// count returns how many messages of a snapshot are recent.
func (r recents) count(in *mailbox.Snapshot) int {
	n := 0
	for _, u := range r {
		sp := placesOf(in, mailbox.UID(u.Start), mailbox.UID(u.Stop))
		n += sp.to - sp.from
	}
	return n
}
