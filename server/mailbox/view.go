package mailbox

import (
	"slices"

	"facteur/server/feed"
)

// View is what one session knows of a mailbox. Its methods belong to one
// goroutine, C to any.
type View struct {
	// C receives when Next has something to tell, or the mailbox is gone.
	C <-chan struct{}

	m        *Mailbox
	sub      *feed.Subscription
	readOnly bool
	cursor   *node // the last event that Next told
	messages []Message
}

// node is an event in the list that all views walk; what no view has to tell
// any more is garbage.
type node struct {
	event  Event
	recent *View // the one that is told \Recent
	next   *node
}

// View returns a session's view (SELECT): the recent messages are recent for it
// alone, and move from new to cur. It must be closed.
func (m *Mailbox) View() (*View, error) { return m.view(false) }

// Examine returns a view that changes nothing (EXAMINE): what is recent stays
// so. It must be closed.
func (m *Mailbox) Examine() (*View, error) { return m.view(true) }

func (m *Mailbox) view(readOnly bool) (*View, error) {
	m.Poll()
	if err := m.lockList(); err != nil {
		return nil, err
	}
	if m.tail == nil {
		m.tail = &node{}
		m.told = m.tail
		m.views = make(map[*View]struct{})
	}
	v := &View{m: m, sub: m.news.Subscribe(), readOnly: readOnly, cursor: m.tail}
	v.C = v.sub.C
	v.messages = make([]Message, len(m.list.recs))
	var taken []UID
	for i := range m.list.recs {
		r := &m.list.recs[i]
		v.messages[i] = m.message(r)
		v.messages[i].Recent = r.recent
		if r.recent && !readOnly {
			taken = append(taken, r.uid)
			r.recent = false
			m.list.recent--
		}
	}
	m.views[v] = struct{}{}
	m.mu.Unlock()
	m.take(taken)
	return v, nil
}

// message returns what is told of a record. With mu held and a list.
func (m *Mailbox) message(r *record) Message {
	return Message{UID: r.uid, Flags: m.flagNames(r.flags), Size: r.size}
}

// take moves messages from new to cur. What can't be moved is recent again for
// who reads the mailbox anew.
func (m *Mailbox) take(uids []UID) {
	for chunk := range slices.Chunk(uids, chunkSize) {
		if err := m.lockList(); err != nil {
			return
		}
		before := m.stampNow()
		for _, uid := range chunk {
			i, ok := m.list.find(uid)
			if !ok || !m.list.recs[i].inNew {
				continue
			}
			if err := m.renameFlags(i, m.list.recs[i].flags); err != nil {
				m.store.opt.Log.Debug("mailbox.take", "folder", m.name, "uid", uid, "err", err)
			}
		}
		m.stampOwn(before)
		m.mu.Unlock()
	}
}

// Messages returns the messages at the time of View, by UID. The slice is the
// caller's.
func (v *View) Messages() []Message { return v.messages }

// Next returns what happened since the last call, or since View.
func (v *View) Next() []Event {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	var events []Event
	for v.cursor.next != nil {
		v.cursor = v.cursor.next
		e := v.cursor.event
		e.Message.Recent = v.cursor.recent == v
		events = append(events, e)
	}
	return events
}

// Gone tells whether the mailbox was deleted, its home dropped or the store
// closed.
func (v *View) Gone() bool {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.m.fail != nil
}

// Close ends the view. It may be called more than once.
func (v *View) Close() {
	v.sub.Close()
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	delete(v.m.views, v)
	if len(v.m.views) == 0 {
		v.m.tail, v.m.told = nil, nil
	}
	v.m.used = v.m.store.opt.Now()
}

// emit adds an event for the views. With mu held and a list.
func (m *Mailbox) emit(kind EventKind, r *record, by, recent *View) {
	if len(m.views) == 0 {
		return
	}
	n := &node{event: Event{Kind: kind, UID: r.uid, By: by}, recent: recent}
	if kind != Expunged {
		n.event.Message = m.message(r)
	}
	m.tail.next = n
	m.tail = n
}

// wake tells the views when there are events since it was called last. With mu
// held.
func (m *Mailbox) wake() {
	if len(m.views) > 0 && m.told != m.tail {
		m.told = m.tail
		m.news.Publish()
	}
}

// selected tells whether a view is open that is not read-only. With mu held.
func (m *Mailbox) selected() bool { return m.firstSelected() != nil }

// firstSelected returns one such view, or nil.
func (m *Mailbox) firstSelected() *View {
	for v := range m.views {
		if !v.readOnly {
			return v
		}
	}
	return nil
}

// viewed tells whether a view is open.
func (m *Mailbox) viewed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.views) > 0
}
