package imapd

import (
	"cmp"
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"facteur/server/mailbox"
)

// selected is the selected mailbox as the client knows it. The place of a message
// in messages is its sequence number less one (RFC 9051 2.3.1.2). A message that
// is gone stays until an EXPUNGE told of it, which must wait while the client may
// be using sequence numbers (RFC 9051 7.5.1).
type selected struct {
	box      *mailbox.Mailbox
	view     *mailbox.View
	readOnly bool

	messages []mailbox.Message
	told     int                      // how many of them EXISTS told of
	gone     map[mailbox.UID]struct{} // not yet told of by EXPUNGE
	changed  map[mailbox.UID]struct{} // their flags are not yet told
	keywords map[string]struct{}      // all that FLAGS told of, and newKeywords
	// newKeywords tells that FLAGS has to be written anew (RFC 9051 7.3.5).
	newKeywords bool
}

func newSelected(box *mailbox.Mailbox, view *mailbox.View, readOnly bool) *selected {
	sel := &selected{
		box: box, view: view, readOnly: readOnly, messages: view.Messages(),
		gone:     make(map[mailbox.UID]struct{}),
		changed:  make(map[mailbox.UID]struct{}),
		keywords: make(map[string]struct{}),
	}
	sel.told = len(sel.messages)
	for _, m := range sel.messages {
		sel.learn(m.Flags)
	}
	sel.newKeywords = false
	return sel
}

func (sel *selected) learn(flags []string) {
	for _, f := range flags {
		if _, known := sel.keywords[f]; !known && isFlag(f) && f[0] != '\\' {
			sel.keywords[f] = struct{}{}
			sel.newKeywords = true
		}
	}
}

// flags is the content of FLAGS.
func (sel *selected) flags() []imap.Flag {
	flags := slices.Clone(systemFlags)
	for k := range sel.keywords {
		flags = append(flags, imap.Flag(k))
	}
	slices.Sort(flags[len(systemFlags):])
	return flags
}

// index returns the place of uid in messages.
func (sel *selected) index(uid mailbox.UID) (int, bool) {
	return slices.BinarySearchFunc(sel.messages, uid, func(m mailbox.Message, uid mailbox.UID) int { return cmp.Compare(m.UID, uid) })
}

// take learns what happened since it was last called, and tells nobody.
func (sel *selected) take() {
	for _, e := range sel.view.Next() {
		i, found := sel.index(e.UID)
		switch {
		case e.Kind == mailbox.Added && !found:
			sel.messages = slices.Insert(sel.messages, i, e.Message) // at the end: UIDs ascend
			sel.learn(e.Message.Flags)
		case e.Kind == mailbox.Expunged && found:
			sel.gone[e.UID] = struct{}{}
			delete(sel.changed, e.UID)
		case e.Kind == mailbox.Flags && found:
			e.Message.Recent = sel.messages[i].Recent
			sel.messages[i] = e.Message
			sel.learn(e.Message.Flags)
			if e.By != sel.view {
				sel.changed[e.UID] = struct{}{}
			}
		}
	}
	if sel.view.Gone() { // RFC 2180 3.3: what is left of it is an empty mailbox
		for _, m := range sel.messages {
			sel.gone[m.UID] = struct{}{}
		}
		clear(sel.changed)
	}
}

// flush tells the client what it does not know yet.
func (sel *selected) flush(w *imapserver.UpdateWriter, allowExpunge bool) error {
	sel.take()
	if allowExpunge {
		if err := sel.flushGone(w.WriteExpunge); err != nil {
			return err
		}
	}
	if len(sel.messages) != sel.told {
		sel.told = len(sel.messages)
		if err := w.WriteNumMessages(uint32(sel.told)); err != nil {
			return err
		}
		if err := w.WriteNumRecent(sel.recent()); err != nil {
			return err
		}
	}
	if sel.newKeywords {
		sel.newKeywords = false
		if err := w.WriteMailboxFlags(sel.flags()); err != nil {
			return err
		}
	}
	return sel.flushFlags(w)
}

// flushGone writes an EXPUNGE for each message that is gone, the last one first,
// so that the numbers of the others hold.
func (sel *selected) flushGone(write func(seqNum uint32) error) error {
	if len(sel.gone) == 0 {
		return nil
	}
	for i := len(sel.messages) - 1; i >= 0; i-- {
		if _, gone := sel.gone[sel.messages[i].UID]; !gone || i >= sel.told {
			continue
		}
		sel.told--
		if err := write(uint32(i + 1)); err != nil {
			return err
		}
	}
	sel.messages = slices.DeleteFunc(sel.messages, func(m mailbox.Message) bool {
		_, gone := sel.gone[m.UID]
		return gone
	})
	clear(sel.gone)
	return nil
}

func (sel *selected) flushFlags(w *imapserver.UpdateWriter) error {
	if len(sel.changed) == 0 {
		return nil
	}
	for i, m := range sel.messages {
		if _, ok := sel.changed[m.UID]; !ok {
			continue
		}
		if err := w.WriteMessageFlags(uint32(i+1), imap.UID(m.UID), wireFlags(m.Flags)); err != nil {
			return err
		}
	}
	clear(sel.changed)
	return nil
}

func (sel *selected) recent() uint32 {
	n := uint32(0)
	for _, m := range sel.messages {
		if m.Recent {
			n++
		}
	}
	return n
}

// uids returns the UIDs of the messages at those places.
func (sel *selected) uids(places []int) []mailbox.UID {
	uids := make([]mailbox.UID, len(places))
	for i, p := range places {
		uids[i] = sel.messages[p].UID
	}
	return uids
}

// span is a range of places, [from, to).
type span struct{ from, to int }

// resolve returns the places of the messages in a set, ascending.
func (s *session) resolve(set imap.NumSet) ([]int, error) {
	spans, err := s.spans(set)
	if err != nil {
		return nil, err
	}
	var places []int
	for _, sp := range spans {
		for i := sp.from; i < sp.to; i++ {
			places = append(places, i)
		}
	}
	return places, nil
}

// spans returns the places of the messages in a set, as ranges that ascend and do
// not overlap. UIDs of which there is no message are passed over (RFC 9051 6.4.9).
func (s *session) spans(set imap.NumSet) ([]span, error) {
	messages := s.selected.messages[:s.selected.told]
	at := func(uid uint32) int { // the first message with a UID not under uid
		return sort.Search(len(messages), func(i int) bool { return uint32(messages[i].UID) >= uid })
	}
	var spans []span
	switch set := set.(type) {
	case imap.SeqSet:
		last := uint32(len(messages))
		for _, r := range set {
			if r.Stop > last { // RFC 9051 9, seq-number
				return nil, bad("There is no message with this number")
			}
			from, to := bounds(r.Start, r.Stop, last)
			spans = append(spans, span{int(from) - 1, int(min(to, last))}) // "9:*" is "*:9"
		}
	case imap.UIDSet:
		if imap.IsSearchRes(set) {
			return s.savedSpans(), nil
		}
		last := uint32(0)
		if len(messages) > 0 {
			last = uint32(messages[len(messages)-1].UID)
		}
		for _, r := range set {
			from, to := bounds(uint32(r.Start), uint32(r.Stop), last)
			j := at(to)
			if j < len(messages) && uint32(messages[j].UID) == to {
				j++
			}
			spans = append(spans, span{at(from), j})
		}
	}
	return merge(spans), nil
}

// savedSpans returns the places of what "$" stands for (RFC 5182 2.1).
func (s *session) savedSpans() []span {
	var spans []span
	for _, uid := range s.saved {
		if i, ok := s.selected.index(uid); ok && i < s.selected.told {
			spans = append(spans, span{i, i + 1})
		}
	}
	return merge(spans)
}

// bounds returns a range in which 0, "*", is the last, in order.
func bounds(start, stop, last uint32) (from, to uint32) {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop), max(start, stop)
}

// merge sorts spans and joins those that touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out []span
	for _, sp := range spans {
		n := len(out)
		switch {
		case sp.from < 0 || sp.from >= sp.to: // "*" in an empty mailbox
		case n > 0 && sp.from <= out[n-1].to:
			out[n-1].to = max(out[n-1].to, sp.to)
		default:
			out = append(out, sp)
		}
	}
	return out
}
