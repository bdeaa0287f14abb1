package imapd

import (
	"slices"
	"strings"

	"facteur/server/mailbox"
	"facteur/server/msgindex"
)

// tellStatus writes STATUS for the mailboxes in which messages came, went or
// changed (RFC 5465 5.1 to 5.3).
func (s *session) tellStatus() {
	for _, b := range s.observer.boxes {
		if s.sel != nil && s.sel.box == b.box { // RFC 5465 3.1: the group of the selected mailbox goes for it
			b.told, b.mine = s.sel.seen, nil
			continue
		}
		now, err := b.box.Snapshot()
		if err != nil || now == b.told { // gone, or it may pass
			continue
		}
		if events := b.news(now, s.has(condstore)); events != 0 {
			s.writeObserved(b, events)
		}
		b.told, b.mine = now, nil
	}
}

// news tells what the client wants to know of what happened in a mailbox.
func (b *observedBox) news(now *mailbox.Snapshot, modSeq bool) event {
	if b.told == nil {
		if now.Len() == 0 {
			return 0
		}
		return b.events
	}
	changes := msgindex.Diff(b.told, now)
	e := event(0)
	if len(changes.Gone) > 0 || changes.Added > int(b.mine.Len()) {
		e = messageNew | messageExpunge
		if b.events&flagChange != 0 {
			e |= flagChange
		}
	}
	if len(changes.Changed) > 0 && (modSeq || now.Unseen() != b.told.Unseen()) { // RFC 5465 5.1
		e |= flagChange
	}
	return e & b.events
}

// writeObserved writes the STATUS response for events.
func (s *session) writeObserved(b *observedBox, e event) {
	want := []string{"UIDVALIDITY"}
	if e&messageNew != 0 {
		want = append(want, "UIDNEXT", "MESSAGES")
	}
	if e&flagChange != 0 {
		want = append(want, "UNSEEN")
	}
	if e&flagChange != 0 || s.has(condstore) {
		want = append(want, highestModSeqItem)
	}
	items := make([]statusItem, len(want))
	for i, name := range want {
		items[i] = statusItems[slices.IndexFunc(statusItems, func(it statusItem) bool { return it.name == name })]
	}
	_ = s.writeStatus(s.wireName(b.box), b.box, items) // nothing is told of a mailbox that can't be had
}

// tellAnnotations writes METADATA for the annotations that changed (RFC 5465 5.6
// and 5.7, RFC 5464 4.4.2).
func (s *session) tellAnnotations() {
	o := s.observer
	if s.has(metadataEnabled) {
		for home := range s.shared {
			s.observeHome(home)
		}
	}
	for home, h := range o.homes {
		if h.annotations == home.Annotations() {
			continue
		}
		changes, now, complete := home.Annotated(h.annotations)
		h.annotations = now
		if !complete && o.asked != nil && o.asked.all()&(mailboxMetadataChange|serverMetadataChange) != 0 {
			s.overflow()
		}
		for _, a := range changes {
			if s.wantsAnnotation(home, a.Mailbox) && !s.ownAnnotation(a) {
				s.writeAnnotated(home, a)
			}
		}
	}
}

// wantsAnnotation tells whether the client wants to hear of annotations of a
// mailbox, or of the server, and may.
func (s *session) wantsAnnotation(home *mailbox.Home, box *mailbox.Mailbox) bool {
	n := s.asked()
	switch {
	case box == nil:
		return home == s.home && (s.has(metadataEnabled) || n != nil && n.all()&serverMetadataChange != 0)
	case !s.can(box, rightLookup) || !s.can(box, rightRead):
		return false
	}
	return s.has(metadataEnabled) || s.observer.names[s.wireName(box)].events&mailboxMetadataChange != 0
}

// ownAnnotation tells whether the session itself made a change.
func (s *session) ownAnnotation(a mailbox.Annotated) bool {
	return slices.ContainsFunc(s.observer.annotated, func(own mailbox.Annotated) bool {
		return own.Mailbox == a.Mailbox && slices.Equal(own.Names, a.Names)
	})
}

// writeAnnotated writes the names of the annotations that the session may see.
func (s *session) writeAnnotated(home *mailbox.Home, a mailbox.Annotated) {
	var names []string
	for _, stored := range a.Names {
		name, owner, private := strings.Cut(stored, ownerMark)
		if home == s.home || !private || owner == s.ownerHash() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	s.enc.Raw("* METADATA ")
	if a.Mailbox == nil {
		s.enc.Quoted("")
	} else {
		s.enc.Mailbox(s.wireName(a.Mailbox))
	}
	for _, name := range names {
		s.enc.SP().AString(name)
	}
	s.enc.CRLF()
}
