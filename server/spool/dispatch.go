package spool

import (
	"slices"
	"time"
)

// enter takes an entry into the schedule. s.mu is held.
func (s *Spool) enter(id string, r *record) {
	it := &item{id: id}
	s.items[id] = it
	due := make(map[destination]*slot)
	for i := range r.Recipients {
		to := &r.Recipients[i]
		if to.Done {
			continue
		}
		dest := to.destination()
		if sl := due[dest]; sl == nil {
			due[dest] = s.addSlot(it, dest, to.Next)
		} else if to.Next.Before(sl.due) {
			sl.due = to.Next
			s.agenda.moved(sl)
		}
	}
	if r.owesReports() || r.finished() {
		s.addSlot(it, housekeeping, s.now())
	}
}

func (s *Spool) addSlot(it *item, dest destination, due time.Time) *slot {
	sl := &slot{item: it, dest: dest, due: due}
	it.slots = append(it.slots, sl)
	s.agenda.add(sl)
	return sl
}

// wake starts what is due and sets the timer for the rest.
func (s *Spool) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	now := s.now()
	for next := s.agenda.next(); next != nil && !next.due.After(now); next = s.agenda.next() {
		s.lanes.add(s.agenda.pop())
	}
	for sl := s.lanes.next(s.opts.Concurrency, s.opts.PerDestination); sl != nil; sl = s.lanes.next(s.opts.Concurrency, s.opts.PerDestination) {
		s.wg.Go(func() { s.run(sl) })
	}
	if next := s.agenda.next(); next != nil {
		s.timer.Reset(next.due.Sub(now))
	}
}

// run carries out a slot and puts it back for the next time, if there is one.
func (s *Spool) run(sl *slot) {
	var next time.Time
	if sl.dest == housekeeping {
		next = s.housekeep(sl)
	} else {
		next = s.attempt(sl)
	}
	s.mu.Lock()
	s.lanes.done(sl)
	if sl.again {
		sl.again, next = false, s.now()
	}
	if next.IsZero() {
		s.dropSlot(sl)
	} else {
		sl.due = next
		s.agenda.add(sl)
	}
	s.mu.Unlock()
	s.wake()
}

// dropSlot ends a slot, and with the last one its item. s.mu is held.
func (s *Spool) dropSlot(sl *slot) {
	it := sl.item
	it.slots = slices.DeleteFunc(it.slots, func(other *slot) bool { return other == sl })
	if len(it.slots) == 0 {
		delete(s.items, it.id)
	}
}

// wantHousekeeping sees to it that an entry is looked after at a time.
func (s *Spool) wantHousekeeping(it *item, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(it.slots, func(sl *slot) bool { return sl.dest == housekeeping })
	switch {
	case i < 0:
		s.addSlot(it, housekeeping, due)
	case it.slots[i].index < 0: // it may have looked already
		it.slots[i].again = true
	case due.Before(it.slots[i].due):
		it.slots[i].due = due
		s.agenda.moved(it.slots[i])
	}
}
