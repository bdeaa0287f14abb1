package imapd

import (
	"slices"
	"strings"

	"facteur/server/feed"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// observer is what a session looks after besides its selected mailbox: for
// NOTIFY, and for METADATA that is enabled. Sessions that use neither have none.
type observer struct {
	c      chan struct{}      // receives when something may have changed
	reload *feed.Subscription // of the settings
	opt    *Options           // with which the rights were looked up
	asked  *notification      // nil: NOTIFY was not used yet
	homes  map[*mailbox.Home]*observedHome
	boxes  []*observedBox          // in the order of their names
	names  map[string]observedName // of mailboxes with listedEvents
	denied map[string]bool         // told as \NoAccess

	// What this session did by itself since observe ran last, which it is not
	// told (RFC 5465 5).
	caused    []string // names of mailboxes
	annotated []mailbox.Annotated
}

// observedHome is a home whose folders and annotations are looked after.
type observedHome struct {
	sub         *feed.Subscription
	version     uint64
	annotations uint64
}

// observedBox is a mailbox whose messages are looked after.
type observedBox struct {
	box    *mailbox.Mailbox
	watch  *mailbox.Watch
	events event
	told   *mailbox.Snapshot // what the client knows of, nil: nothing
	mine   imapwire.NumSet   // UIDs of messages that this session made
}

// observedName is a name in the hierarchy, as the client knows it.
type observedName struct {
	id         string // MAILBOXID, "": it is no mailbox
	subscribed bool
	events     event
}

// observed returns the observer, which is made when there is none.
func (s *session) observed() *observer {
	if s.observer == nil {
		o := &observer{c: make(chan struct{}, 1), homes: make(map[*mailbox.Home]*observedHome)}
		o.reload = s.srv.applied.SubscribeOn(o.c)
		s.observer = o
		s.observeHome(s.home)
	}
	return s.observer
}

// observeHome looks after a home from now on.
func (s *session) observeHome(home *mailbox.Home) {
	o := s.observer
	if o.homes[home] == nil {
		o.homes[home] = &observedHome{
			sub: home.Changed().SubscribeOn(o.c), version: home.Version(), annotations: home.Annotations(),
		}
	}
}

// unobserve ends all that the observer does.
func (s *session) unobserve() {
	o := s.observer
	if o == nil {
		return
	}
	o.reload.Close()
	for _, h := range o.homes {
		h.sub.Close()
	}
	o.unwatch(o.boxes)
	s.observer = nil
}

func (o *observer) unwatch(boxes []*observedBox) {
	for _, b := range boxes {
		b.watch.Close()
	}
}

// asked is what NOTIFY asked for, nil when it was not used.
func (s *session) asked() *notification {
	if s.observer == nil {
		return nil
	}
	return s.observer.asked
}

// notify replaces what NOTIFY asked for.
func (s *session) notify(n *notification, status bool) error {
	o := s.observed()
	old := *o
	o.asked = nil
	if s.update(true); s.over { // RFC 5465 3.1: all that there is to tell is told now
		return errLater
	}
	o.asked, o.names, o.denied = n, nil, nil
	if err := s.survey(true); err != nil {
		o.asked, o.names, o.denied = old.asked, old.names, old.denied
		return err
	}
	if !status {
		return nil
	}
	for _, b := range o.boxes {
		if s.sel == nil || s.sel.box != b.box {
			s.writeObserved(b, b.events)
		}
	}
	return s.enc.Err()
}

// overflow gives up what NOTIFY asked for (RFC 5465 5.8).
func (s *session) overflow() {
	o := s.observer
	s.enc.Raw("* OK [NOTIFICATIONOVERFLOW] This is too much to tell\r\n")
	o.unwatch(o.boxes)
	o.asked, o.boxes, o.names, o.denied = new(notification), nil, nil, nil
}

// observe writes what happened elsewhere than in the selected mailbox.
func (s *session) observe() {
	o := s.observer
	if o == nil || s.over {
		return
	}
	if s.outdated() {
		if err := s.survey(false); err != nil {
			if err == errOverflow {
				s.overflow()
			} else { // it may pass; what is new is told then
				s.failure("notify", err)
				o.opt = nil
			}
		}
	}
	s.tellStatus()
	s.tellAnnotations()
	o.caused, o.annotated = o.caused[:0], o.annotated[:0]
}

// outdated tells whether there may be other mailboxes or rights than before.
func (s *session) outdated() bool {
	o := s.observer
	same := o.opt == s.options()
	for home, h := range o.homes {
		if v := home.Version(); v != h.version {
			h.version, same = v, false
		}
	}
	return !same
}

// listens tells whether the client wants to be told without a command.
func (s *session) listens() bool {
	n := s.asked()
	return n != nil && (n.selected != 0 || len(n.groups) > 0)
}

// tellUnasked writes what happened, to a client that listens all the time
// (RFC 5465 3.1).
func (s *session) tellUnasked() {
	if !s.listens() {
		return
	}
	if s.state == inMailbox {
		s.tell(!s.asked().delayed)
	}
	s.observe()
}

// caused notes that the session itself changed what is at a name, or below it.
func (s *session) caused(names ...string) {
	if s.observer != nil {
		for _, name := range names {
			s.observer.caused = append(s.observer.caused, strings.TrimSuffix(name, string(separator)))
		}
	}
}

// made notes that the session itself put messages into a mailbox.
func (s *session) made(box *mailbox.Mailbox, uids ...mailbox.UID) {
	if s.observer == nil {
		return
	}
	if s.sel != nil && s.sel.box == box && s.observer.asked != nil && s.observer.asked.items != nil {
		for _, u := range uids {
			s.sel.mine = s.sel.mine.Add(uint32(u))
		}
	}
	i := slices.IndexFunc(s.observer.boxes, func(b *observedBox) bool { return b.box == box })
	if i < 0 {
		return
	}
	b := s.observer.boxes[i]
	for _, u := range uids {
		b.mine = b.mine.Add(uint32(u))
	}
}
