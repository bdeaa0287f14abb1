package imapd

import (
	"maps"
	"slices"
	"strings"

	"facteur/server/fault"
	"facteur/server/mailbox"
)

// survey is what there is to look after at one moment.
type survey struct {
	tree   *tree
	at     map[string]*entry
	names  map[string]observedName
	denied map[string]bool
	boxes  []*observedBox // not watched yet
}

// survey looks for the mailboxes that NOTIFY is for, and watches those. What
// differs from before is told, unless it is the first time.
func (s *session) survey(first bool) error {
	o := s.observer
	o.opt = s.options()
	if o.asked == nil || len(o.asked.groups) == 0 {
		o.unwatch(o.boxes)
		o.boxes = nil
		return nil
	}
	v, err := s.lookAround()
	if err != nil {
		return err
	}
	if len(v.boxes) > maxWatched {
		return errOverflow
	}
	s.tellNames(v, first)
	o.names, o.denied = v.names, v.denied
	s.rewatch(v.boxes, first)
	return nil
}

// lookAround finds what the groups of NOTIFY are for, and who may see it.
func (s *session) lookAround() (*survey, error) {
	o := s.observer
	l := &listing{returnSubscribed: true}
	if o.asked.mayBeShared() {
		l.patterns = []string{"*"}
	}
	t, err := s.tree(l)
	if err != nil {
		return nil, err
	}
	for home := range s.shared {
		s.observeHome(home)
	}
	v := &survey{tree: t, at: make(map[string]*entry), names: make(map[string]observedName), denied: make(map[string]bool)}
	for i := range t.entries {
		e := &t.entries[i]
		v.at[e.Name] = e
		events := o.asked.events(e.Name, e.Subscribed)
		if events&(messageEvents|listedEvents) == 0 {
			continue
		}
		if err := s.find(v, e, events); err != nil {
			return nil, err
		}
	}
	s.findDenied(v)
	return v, nil
}

// findDenied adds the shared mailboxes that the session may not see any more
// (RFC 5465 5.9).
func (s *session) findDenied(v *survey) {
	for _, b := range s.observer.boxes {
		if !s.can(b.box, rightLookup) && !b.watch.Gone() {
			v.denied[s.wireName(b.box)] = true
		}
	}
	for name := range s.observer.denied {
		if v.at[name] == nil { // still
			v.denied[name] = true
		}
	}
}

// find adds what is at a name.
func (s *session) find(v *survey, e *entry, events event) error {
	name := observedName{subscribed: e.Subscribed, events: events}
	if e.Exists {
		box, err := e.place.home.Mailbox(e.place.name)
		switch {
		case fault.Is(err, fault.NotFound): // deleted meanwhile
		case err != nil:
			return err
		case !e.place.can(rightRead): // RFC 5465 5: all events need it
			v.denied[e.Name] = true
			name.id, name.events = box.ID(), events&(mailboxName|subscriptionChange)
		default:
			name.id = box.ID()
			if events&messageEvents != 0 {
				v.boxes = append(v.boxes, &observedBox{box: box, events: events & messageEvents})
			}
		}
	}
	if events&listedEvents != 0 {
		v.names[e.Name] = name
	}
	return nil
}

// rewatch watches those mailboxes and no others.
func (s *session) rewatch(boxes []*observedBox, first bool) {
	o := s.observer
	old := make(map[*mailbox.Mailbox]*observedBox, len(o.boxes))
	for _, b := range o.boxes {
		old[b.box] = b
	}
	kept := boxes[:0]
	for _, b := range boxes {
		if known := old[b.box]; known != nil {
			known.events = b.events
			kept = append(kept, known)
			delete(old, b.box)
			continue
		}
		var err error
		if b.watch, err = b.box.WatchOn(o.c); err != nil {
			continue // it is gone, or can't be read
		}
		if first {
			if b.told, err = b.box.Snapshot(); err != nil {
				b.watch.Close()
				continue
			}
		}
		kept = append(kept, b)
	}
	for _, b := range old {
		b.watch.Close()
	}
	o.boxes = kept
}

// tellNames writes LIST for the names that are others than before (RFC 5465 5.4,
// 5.5, 5.9), with \NoAccess for what may not be read.
func (s *session) tellNames(v *survey, first bool) {
	affected := make(map[string]string) // to the old name, or ""
	if !first {
		s.affectedNames(affected, v)
	}
	for name := range v.denied {
		if !s.observer.denied[name] {
			affected[name] = ""
		}
	}
	for name := range s.observer.denied {
		if !v.denied[name] {
			affected[name] = ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(affected)) {
		e := v.at[name]
		if e == nil {
			e = &entry{Folder: mailbox.Folder{Name: name}}
		}
		s.writeName(e, affected[name], v.denied[name])
	}
}

// affectedNames adds the names that are others than before.
func (s *session) affectedNames(affected map[string]string, v *survey) {
	o := s.observer
	was := idsOf(o.names)
	renamed := make(map[string]string) // from to
	for name, now := range v.names {
		if from, ok := was[now.id]; ok && from != name && now.id != "" {
			renamed[from] = name
		}
	}
	is := idsOf(v.names)
	tell := func(name, from string) {
		if !s.isOwn(name) {
			affected[name] = from
		}
	}
	for name, now := range v.names {
		then := o.names[name]
		switch from, moved := was[now.id]; {
		case now.id == then.id || now.id == "" || now.events&mailboxName == 0:
		case moved && (movedAlong(renamed, from, name) || s.isOwn(from)):
		case moved:
			tell(name, from)
		default:
			s.tellWithParent(v, tell, name)
		}
		if now.subscribed != then.subscribed && (now.events|then.events)&subscriptionChange != 0 {
			if _, known := affected[name]; !known {
				tell(name, "")
			}
		}
	}
	for name, then := range o.names {
		if _, moved := is[then.id]; then.id != "" && !moved && v.names[name].id == "" && then.events&mailboxName != 0 {
			s.tellWithParent(v, tell, name)
		}
		if _, there := v.names[name]; !there && then.subscribed && then.events&subscriptionChange != 0 {
			tell(name, "")
		}
	}
}

// idsOf returns the names of mailboxes by their ids.
func idsOf(names map[string]observedName) map[string]string {
	ids := make(map[string]string, len(names))
	for name, n := range names {
		if n.id != "" {
			ids[n.id] = name
		}
	}
	return ids
}

// movedAlong tells whether a mailbox was renamed because one above it was: there
// is no event for it (RFC 5465 5.4).
func movedAlong(renamed map[string]string, from, to string) bool {
	for {
		i, j := strings.LastIndexByte(from, separator), strings.LastIndexByte(to, separator)
		if i < 0 || j < 0 || from[i:] != to[j:] {
			return false
		}
		if from, to = from[:i], to[:j]; renamed[from] == to {
			return true
		}
	}
}

// tellWithParent tells of a mailbox that was made or deleted: the name above it is
// affected too (RFC 5465 5.4).
func (s *session) tellWithParent(v *survey, tell func(name, from string), name string) {
	tell(name, "")
	i := strings.LastIndexByte(name, separator)
	if i < 0 {
		return
	}
	up := name[:i]
	subscribed := v.at[up] != nil && v.at[up].Subscribed
	if s.observer.asked.events(up, subscribed)&mailboxName != 0 {
		tell(up, "")
	}
}

// isOwn tells whether the session itself changed what is at a name: it or what is
// above or directly below.
func (s *session) isOwn(name string) bool {
	return slices.ContainsFunc(s.observer.caused, func(own string) bool {
		return isBelow(name, own) || strings.HasPrefix(own, name) && strings.LastIndexByte(own, separator) == len(name)
	})
}

// writeName writes the LIST response of an event.
func (s *session) writeName(e *entry, from string, denied bool) {
	s.enc.Raw("* LIST (").Append(func(dst []byte) []byte {
		dst = append(dst, `\HasNoChildren`...)
		if e.have {
			dst = append(dst[:len(dst)-len(`\HasNoChildren`)], `\HasChildren`...)
		}
		if !e.Exists {
			dst = append(dst, ` \NonExistent`...)
		}
		if denied {
			dst = append(dst, ` \NoAccess`...)
		}
		if e.Subscribed {
			dst = append(dst, ` \Subscribed`...)
		}
		if e.Use != "" {
			dst = append(append(dst, ' '), e.Use...)
		}
		return dst
	})
	s.enc.Raw(`) "/" `).Mailbox(e.Name)
	if from != "" {
		s.writeOldName(from)
	}
	s.enc.CRLF()
}

// writeOldName writes the extended data item OLDNAME (RFC 9051 6.3.9.7).
func (s *session) writeOldName(from string) {
	s.enc.Raw(` ("OLDNAME" (`).Mailbox(from).Raw("))")
}
