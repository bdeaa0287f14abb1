package imapd

import (
	"slices"
	"strings"

	"facteur/server/fault"
	"facteur/server/imapwire"
)

// event is a set of events that NOTIFY can ask for (RFC 5465 5).
type event uint8

// The events. AnnotationChange goes with an extension that is not here.
const (
	messageNew event = 1 << iota
	messageExpunge
	flagChange
	mailboxName
	subscriptionChange
	mailboxMetadataChange
	serverMetadataChange

	messageEvents = messageNew | messageExpunge | flagChange
	// listedEvents need the name of the mailbox to be kept.
	listedEvents = mailboxName | subscriptionChange | mailboxMetadataChange
)

// eventNames are in the order of the constants.
var eventNames = []string{
	"MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange", "MailboxMetadataChange", "ServerMetadataChange",
}

// errBadEvent names all events that there are (RFC 5465 3.1).
var errBadEvent = no("BADEVENT ("+strings.Join(eventNames, " ")+")", "There is no such event here")

// errOverflow refuses what would be too much to look after.
var errOverflow = no("NOTIFICATIONOVERFLOW", "These are too many mailboxes to watch")

// The bounds of a NOTIFY.
const (
	maxGroups     = 100
	maxGroupNames = 1000 // of mailboxes in all groups
	maxWatched    = 250  // mailboxes of which messages are watched, for one session
)

// mailboxFilter says which mailboxes a group of events is for (RFC 5465 6).
type mailboxFilter uint8

const (
	personalFilter mailboxFilter = iota
	subscribedFilter
	subtreeFilter
	mailboxesFilter
)

// eventGroup is what NOTIFY asks for of some mailboxes.
type eventGroup struct {
	filter mailboxFilter
	names  []string // of subtreeFilter and mailboxesFilter
	events event
}

// covers tells whether a group is for a mailbox.
func (g *eventGroup) covers(name string, subscribed bool) bool {
	switch g.filter {
	case personalFilter:
		return name != sharedRoot && !strings.HasPrefix(name, sharedPrefix)
	case subscribedFilter:
		return subscribed
	case subtreeFilter:
		return slices.ContainsFunc(g.names, func(top string) bool { return isBelow(name, top) })
	default:
		return slices.Contains(g.names, name)
	}
}

// isBelow tells whether a mailbox is another one or below it.
func isBelow(name, top string) bool {
	rest, ok := strings.CutPrefix(name, top)
	return ok && (rest == "" || rest[0] == separator)
}

// notification is what NOTIFY asked for. The zero value is NOTIFY NONE.
type notification struct {
	groups   []eventGroup
	selected event       // of the selected mailbox
	delayed  bool        // SELECTED-DELAYED
	items    *fetchItems // of new messages in the selected mailbox, nil: none
	bad      bool        // an event is unknown
	grouped  bool        // there was a group for the selected mailbox
	names    int         // of mailboxes
}

// events are those that are asked for of a mailbox that is not selected. What
// several groups ask for adds up (RFC 5465 6).
func (n *notification) events(name string, subscribed bool) event {
	e := event(0)
	for i := range n.groups {
		if g := &n.groups[i]; g.events&^e != 0 && g.covers(name, subscribed) {
			e |= g.events
		}
	}
	return e
}

// all are the events of all groups.
func (n *notification) all() event {
	e := event(0)
	for _, g := range n.groups {
		e |= g.events
	}
	return e
}

// mayBeShared tells whether a group may be for a shared mailbox.
func (n *notification) mayBeShared() bool {
	return slices.ContainsFunc(n.groups, func(g eventGroup) bool {
		return g.filter == subscribedFilter || slices.ContainsFunc(g.names, func(name string) bool { return isBelow(name, sharedRoot) })
	})
}

// cmdNotify is NOTIFY (RFC 5465 3.1).
func (s *session) cmdNotify(c *call) error {
	d := c.dec
	d.SP()
	n, status := new(notification), false
	switch d.Keyword() {
	case "NONE":
	case "SET":
		d.SP()
		if d.Peek() != '(' {
			if !d.TryKeyword("STATUS") {
				d.Fail("NOTIFY SET has STATUS here, or a group of events")
			}
			status = true
			d.SP()
		}
		n.parse(d)
	default:
		d.Fail("NOTIFY is followed by SET or NONE")
	}
	if err := c.end(); err != nil {
		return err
	}
	switch {
	case n.bad:
		return errBadEvent
	case len(n.groups) > maxGroups || n.names > maxGroupNames:
		return errOverflow
	}
	return s.notify(n, status)
}

// parse reads the groups of events (RFC 5465 8).
func (n *notification) parse(d *imapwire.Decoder) {
	for {
		d.Expect('(')
		n.parseGroup(d)
		d.Expect(')')
		if !d.TrySP() {
			return
		}
	}
}

func (n *notification) parseGroup(d *imapwire.Decoder) {
	var g eventGroup
	selected := false
	switch word := d.Keyword(); word {
	case "SELECTED", "SELECTED-DELAYED":
		if n.grouped {
			d.Fail("There can be one group for the selected mailbox") // RFC 5465 6.1
		}
		selected, n.grouped, n.delayed = true, true, word == "SELECTED-DELAYED"
	case "PERSONAL", "INBOXES": // any mailbox may be delivered to (RFC 5465 6.3)
	case "SUBSCRIBED":
		g.filter = subscribedFilter
	case "SUBTREE", "MAILBOXES":
		g.filter = mailboxesFilter
		if word == "SUBTREE" {
			g.filter = subtreeFilter
		}
		d.SP()
		g.names = n.parseNames(d)
	default:
		d.Fail("NOTIFY has no such filter of mailboxes")
	}
	d.SP()
	g.events = n.parseEvents(d, selected)
	switch {
	case selected && g.events&^messageEvents != 0:
		d.Fail("Only events of messages go with the selected mailbox") // RFC 5465 6.1
	case selected:
		n.selected = g.events
	case len(n.groups) <= maxGroups: // one more is refused
		n.groups = append(n.groups, g)
	}
}

func (n *notification) parseNames(d *imapwire.Decoder) []string {
	var names []string
	one := func() {
		if n.names++; n.names <= maxGroupNames { // one more is refused
			names = append(names, strings.TrimSuffix(d.Mailbox(), string(separator)))
		} else {
			d.Mailbox()
		}
	}
	if d.Peek() != '(' {
		one()
		return names
	}
	d.List(one)
	if len(names) == 0 {
		d.Fail("A list of mailboxes must not be empty")
	}
	return names
}

// parseEvents reads the events of a group. Not by List: only what follows the
// space behind MessageNew tells whether it has FETCH items.
func (n *notification) parseEvents(d *imapwire.Decoder, selected bool) event {
	if d.Peek() != '(' {
		if !d.TryKeyword("NONE") {
			d.Fail("A group has a list of events, or NONE")
		}
		return 0
	}
	d.Expect('(')
	e := event(0)
	for d.Err() == nil {
		word := d.Keyword()
		i := slices.IndexFunc(eventNames, func(name string) bool { return strings.EqualFold(name, word) })
		if i < 0 {
			n.bad = true
		} else {
			e |= 1 << i
		}
		if d.Try(')') {
			break
		}
		d.SP()
		if d.Peek() == '(' {
			if word != "MESSAGENEW" || !selected {
				d.Fail("FETCH items go with MessageNew of the selected mailbox")
			}
			n.parseItems(d)
			if d.Try(')') {
				break
			}
			d.SP()
		}
	}
	// RFC 5465 5: BAD.
	switch both := messageNew | messageExpunge; {
	case e&both != 0 && e&both != both:
		d.Fail("MessageNew and MessageExpunge go together")
	case e&flagChange != 0 && e&both == 0:
		d.Fail("FlagChange needs MessageNew and MessageExpunge beside it")
	}
	return e
}

// parseItems reads the FETCH items that are wanted of new messages. None of them
// sets \Seen: nobody reads at that moment.
func (n *notification) parseItems(d *imapwire.Decoder) {
	d.Expect('(')
	n.items = new(fetchItems)
	n.items.parseList(d)
	n.items.reads = 0
}

// tellNew writes the items that NOTIFY asked for of the newest messages, but for
// those that this session made (RFC 5465 5.2).
func (s *session) tellNew(added int) {
	n, sel := s.asked(), s.sel
	mine := sel.mine
	sel.mine = nil
	if n == nil || n.items == nil || added == 0 {
		return
	}
	items := *n.items
	items.modseq = items.modseq || s.has(condstore)
	f := newFetcher(s, &items)
	defer f.close()
	for i := sel.seen.Len() - added; i < sel.seen.Len(); i++ {
		r := sel.seen.At(i)
		if mine.Contains(uint32(r.UID)) {
			continue
		}
		err := f.fetch(i, r)
		if err != nil && !fault.Is(err, fault.NotFound) && err != errUnknownCTE {
			s.log.Warn("imapd.failed", "command", "notify", "error", err)
			return
		}
		if s.enc.Err() != nil { // the client is gone, or a literal is cut
			s.over = true
			return
		}
	}
}
