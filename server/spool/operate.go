package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"facteur/server/fault"
)

// Retry tries the waiting recipients of an entry that match now. It is fault.NotFound
// when there is no such entry, and fault.NotPossible when it is held back.
func (s *Spool) Retry(id string, to Match) error {
	it, err := s.find(id)
	if err != nil {
		return err
	}
	r, err := s.current(it)
	if err != nil {
		return gone(id, err)
	}
	now := s.now()
	switch {
	case r.Hold != "":
		return fault.Newf(fault.NotPossible, "%s is held (%s): release it first", id, r.Hold)
	case r.NotBefore.After(now):
		return fault.Newf(fault.NotPossible, "%s waits for its time, %s: release it to send it sooner", id, r.NotBefore.Local().Format("2 January 15:04"))
	case s.opts.Idle:
		return s.change(id, func(r *record) {
			for i := range r.Recipients {
				if rcpt := &r.Recipients[i]; !rcpt.Done && to.address(rcpt.Address) {
					rcpt.Next = now
				}
			}
		})
	}
	due := make(map[destination]bool)
	for i := range r.Recipients {
		if rcpt := &r.Recipients[i]; !rcpt.Done && to.address(rcpt.Address) {
			due[rcpt.destination()] = true
		}
	}
	s.mu.Lock()
	s.retry(it, func(d destination) bool { return due[d] || d == housekeeping })
	s.mu.Unlock()
	s.wake()
	return nil
}

// RetryAll tries all that is not held back now, and returns the number of entries in
// the queue.
func (s *Spool) RetryAll() int {
	s.mu.Lock()
	n := len(s.items)
	for _, it := range s.items {
		s.retry(it, func(destination) bool { return true })
	}
	s.mu.Unlock()
	s.wake()
	return n
}

// retry makes slots due. s.mu is held.
func (s *Spool) retry(it *item, want func(destination) bool) {
	now := s.now()
	for _, sl := range it.slots {
		if !want(sl.dest) {
			continue
		}
		delete(s.cold, sl.dest)
		if sl.index >= 0 && sl.due.After(now) {
			sl.due = now
			s.agenda.moved(sl)
		}
	}
}

// Hold holds an entry back, all of it, until it is released, and takes it out of
// quarantine, which ends. An attempt that is under way goes on. It is fault.NotFound when there is no such entry.
func (s *Spool) Hold(id, reason string) error {
	if reason == "" {
		return errors.New("a hold without a reason")
	}
	err := s.change(id, func(r *record) { r.Hold, r.Quarantine = clip(reason, maxHoldReason), false })
	if err == nil {
		s.log.Info("spool.held", "id", id, "reason", reason)
	}
	return err
}

// Release lets an entry go that is held. One that is not, but waits for its time, goes
// now. It is fault.NotFound when there is no such entry, and fault.NotPossible when
// nothing holds it back.
func (s *Spool) Release(id string) error {
	now := s.now()
	waited := false
	err := s.change(id, func(r *record) {
		held := r.Hold != ""
		waited = held || r.NotBefore.After(now)
		if !waited {
			return
		}
		r.Hold, r.Quarantine = "", false
		if !held || now.After(r.NotBefore) {
			r.NotBefore = now // what takes long counts from here
		}
		for i := range r.Recipients {
			if rcpt := &r.Recipients[i]; !rcpt.Done {
				rcpt.Next = r.NotBefore
			}
		}
	})
	switch {
	case err != nil:
		return err
	case !waited:
		return fault.Newf(fault.NotPossible, "Nothing holds %s back", id)
	}
	s.log.Info("spool.released", "id", id)
	s.wake()
	return nil
}

// Drop ends the waiting recipients of an entry that match, and the entry when none is
// left. Nobody is told. It returns what was dropped. An attempt that is under way goes
// on. It is fault.NotFound when there is no such entry.
func (s *Spool) Drop(id string, to Match) (Summary, error) {
	return s.drop(id, to, func(*record) bool { return true })
}

// drop is Drop for an entry of which may holds; for another one it does nothing.
func (s *Spool) drop(id string, to Match, may func(*record) bool) (Summary, error) {
	it, err := s.find(id)
	if err != nil {
		return Summary{}, err
	}
	it.mu.Lock()
	defer it.mu.Unlock()
	r, err := s.currentLocked(it)
	if err != nil {
		return Summary{}, gone(id, err)
	}
	if !may(r) {
		return Summary{}, notFound(id)
	}
	sum := s.summary(id, r)
	sum.Recipients = slices.DeleteFunc(sum.Recipients, func(st Status) bool { return st.Done || !to.match(st.Address) })
	var events []Event
	for i := range r.Recipients {
		rcpt := &r.Recipients[i]
		if matches := to.address(rcpt.Address); matches && !rcpt.Done {
			rcpt.Done, rcpt.Dropped, rcpt.Report, rcpt.ReportID = true, true, "", ""
			e := r.event(id, rcpt, Result{Fault: errRemoved})
			e.Kind = Removed
			events = append(events, e)
		}
	}
	if to == (Match{}) || r.finished() {
		err = s.removeLocked(it, r)
	} else {
		err = s.replaceLocked(it, r)
	}
	if err == nil {
		s.log.Warn("spool.dropped", "id", id, "recipients", len(sum.Recipients), "quarantine", r.Quarantine)
		s.tell(events)
	}
	return sum, err
}

// removeLocked ends an entry, whatever it owes. it.mu is held.
func (s *Spool) removeLocked(it *item, r *record) error {
	if err := s.store.remove(it.id, r); err != nil {
		return fmt.Errorf("drop %s from the spool: %w", it.id, err)
	}
	it.gone, it.unsaved = true, nil
	s.mu.Lock()
	defer s.mu.Unlock()
	it.slots = slices.DeleteFunc(it.slots, func(sl *slot) bool {
		if sl.index >= 0 {
			s.agenda.remove(sl)
		}
		return sl.index >= 0
	})
	it.held = false
	delete(s.items, it.id)
	return nil
}

// change changes the record of an entry and plans it anew.
func (s *Spool) change(id string, f func(*record)) error {
	it, err := s.find(id)
	if err != nil {
		return err
	}
	it.mu.Lock()
	defer it.mu.Unlock()
	r, err := s.currentLocked(it)
	if err != nil {
		return gone(id, err)
	}
	f(r)
	return s.replaceLocked(it, r)
}

// replaceLocked makes a changed record durable and plans the entry anew. On an error
// nothing has changed. it.mu is held.
func (s *Spool) replaceLocked(it *item, r *record) error {
	before := it.unsaved
	events, err := s.keep(it, r, nil)
	if err != nil {
		it.unsaved = before
		return fmt.Errorf("write the record of %s: %w", it.id, err)
	}
	s.mu.Lock()
	s.plan(it, r)
	s.mu.Unlock()
	s.tell(events)
	return nil
}

// gone turns the error of an entry that is not there any more into fault.NotFound.
func gone(id string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(id)
	}
	return err
}

func (s *Spool) find(id string) (*item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[id]; it != nil {
		return it, nil
	}
	return nil, notFound(id)
}

func notFound(id string) error {
	return fault.Newf(fault.NotFound, "There is no message %q in the queue", id)
}
