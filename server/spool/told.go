package spool

import "sync"

// Message is the message of an Event. It can be read as long as somebody keeps it, also
// when its entry is gone by now.
type Message struct {
	body

	mu   sync.Mutex
	kept int // by how many; 0: it is closed
}

// Keep keeps the message for who was told of an Event, beyond the call; then it must be
// closed. false: it can't be had any more.
func (m *Message) Keep() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == 0 {
		return false
	}
	m.kept++
	return true
}

// Close ends what Keep began.
func (m *Message) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept--; m.kept > 0 {
		return nil
	}
	return m.body.Close()
}

// attach gives the events that are wanted the message of their entry, which may be gone
// when they are told. It is to be called after that.
func (s *Spool) attach(id string, r *record, events []Event) (release func()) {
	var m *Message
	for i := range events {
		if s.opts.Wanted == nil || !s.opts.Wanted(events[i]) {
			continue
		}
		if m == nil {
			b, err := s.store.open(id, r)
			if err != nil {
				s.log.Error("spool.unreadable", "id", id, "err", err)
				break
			}
			m = &Message{body: b, kept: 1}
		}
		events[i].Message = m
	}
	return func() {
		if m != nil {
			m.Close()
		}
	}
}
