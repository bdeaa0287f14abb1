package imapd

import (
	"slices"

	"facteur/server/address"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// Stored is what a command of a client did to messages (Options.Stored).
type Stored struct {
	Account address.Address // of the client
	Box     address.Address // whose mailbox it is
	Kind    string          // "append", "copy", "move" or "flags"
	Mailbox *mailbox.Mailbox
	UIDs    []mailbox.UID
	From    string   // copy, move: the folder of Box where they were, "" when it was another's
	Added   []string // flags: what was set
	Removed []string // flags: what was removed
}

// follows tells whether somebody wants to know what is done to the messages of a mailbox,
// and whose it is.
func (s *session) follows(box *mailbox.Mailbox) (owner address.Address, ok bool) {
	opt := s.options()
	if opt.Follows == nil || opt.Stored == nil {
		return address.Address{}, false
	}
	owner = s.account
	if box.Home() != s.home {
		owner = s.shared[box.Home()]
	}
	return owner, opt.Follows(owner)
}

// storedNew tells of messages that the client put into a mailbox.
func (s *session) storedNew(to *mailbox.Mailbox, uids []mailbox.UID) {
	if owner, ok := s.follows(to); ok && len(uids) > 0 {
		s.options().Stored(Stored{Account: s.account, Box: owner, Kind: "append", Mailbox: to, UIDs: uids})
	}
}

// storedPairs tells of messages that were copied or moved out of the selected mailbox.
func (s *session) storedPairs(kind string, pairs []mailbox.Pair, to *mailbox.Mailbox) {
	owner, ok := s.follows(to)
	if !ok || len(pairs) == 0 {
		return
	}
	e := Stored{Account: s.account, Box: owner, Kind: kind, Mailbox: to, UIDs: make([]mailbox.UID, 0, len(pairs))}
	if from := s.sel.box; from.Home() == to.Home() {
		e.From = from.Name()
	}
	for _, p := range pairs {
		e.UIDs = append(e.UIDs, p.Dst)
	}
	s.options().Stored(e)
}

// flagsDiffer is how the flags and keywords of a message changed.
type flagsDiffer struct {
	old, now         maildir.Flags
	oldMore, nowMore uint32
}

// storedFlags tells of messages of the selected mailbox whose flags are others than
// before: once for all that changed in the same way.
func (s *session) storedFlags(before *mailbox.Snapshot, uids []mailbox.UID) {
	box := s.sel.box
	owner, ok := s.follows(box)
	if !ok {
		return
	}
	groups := make(map[flagsDiffer]*Stored)
	var order []*Stored
	for _, uid := range uids {
		i, was := before.Find(uid)
		j, is := s.sel.now.Find(uid)
		if !was || !is {
			continue
		}
		old, now := before.At(i), s.sel.now.At(j)
		key := flagsDiffer{old.Flags, now.Flags, old.More, now.More}
		if key.old == key.now && key.oldMore == key.nowMore {
			continue
		}
		e := groups[key]
		if e == nil {
			e = &Stored{Account: s.account, Box: owner, Kind: "flags", Mailbox: box}
			a, b := box.Flags(old), box.Flags(now)
			e.Added, e.Removed = without(b, a), without(a, b)
			groups[key] = e
			order = append(order, e)
		}
		e.UIDs = append(e.UIDs, uid)
	}
	for _, e := range order {
		s.options().Stored(*e)
	}
}

// without returns what of a is not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
