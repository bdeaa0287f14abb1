package spool

import (
	"slices"
	"time"
)

// enter takes an entry into the schedule; fresh tells that it came in just now. s.mu
// is held.
func (s *Spool) enter(id string, r *record, fresh bool) {
	it := &item{id: id, received: r.Received.Unix()}
	s.items[id] = it
	s.plan(it, r)
	if fresh {
		now := s.now()
		for _, sl := range it.slots {
			sl.fresh = !sl.due.After(now)
		}
	}
	if r.owesReports() || r.finished() {
		s.addSlot(it, housekeeping, s.now())
	}
}

// plan gives each destination of an entry that waits its slot, and none to what is
// held. s.mu is held.
func (s *Spool) plan(it *item, r *record) {
	it.held, it.waiting = r.Hold != "", int32(r.open())
	if it.held {
		it.slots = slices.DeleteFunc(it.slots, func(sl *slot) bool {
			idle := sl.dest != housekeeping && sl.index >= 0 // others see that it is held when they run
			if idle {
				s.agenda.remove(sl)
			}
			return idle
		})
		return
	}
	planned := make(map[destination]*slot)
	for i := range r.Recipients {
		to := &r.Recipients[i]
		if to.Done {
			continue
		}
		dest := to.destination()
		if sl := planned[dest]; sl == nil {
			planned[dest] = s.planSlot(it, dest, to.Next)
		} else if sl.index >= 0 && to.Next.Before(sl.due) {
			sl.due = to.Next
			s.agenda.moved(sl)
		}
	}
}

// planSlot sees to it that a destination is tried at a time. s.mu is held.
func (s *Spool) planSlot(it *item, dest destination, due time.Time) *slot {
	i := slices.IndexFunc(it.slots, func(sl *slot) bool { return sl.dest == dest })
	if i < 0 {
		return s.addSlot(it, dest, due)
	}
	sl := it.slots[i]
	if sl.index < 0 { // it may have looked already
		sl.again = true
	} else {
		sl.due = due
		s.agenda.moved(sl)
	}
	return sl
}

func (s *Spool) addSlot(it *item, dest destination, due time.Time) *slot {
	sl := &slot{item: it, dest: dest, due: due, fresh: dest == housekeeping}
	it.slots = append(it.slots, sl)
	s.agenda.add(sl)
	return sl
}

// wake starts what is due and sets the timer for the rest.
func (s *Spool) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.opts.Idle {
		return
	}
	now := s.now()
	for next := s.agenda.next(); next != nil && !next.due.After(now); next = s.agenda.next() {
		s.lanes.add(s.agenda.pop())
	}
	wait := s.start(now)
	if next := s.agenda.next(); next != nil && (wait == 0 || next.due.Sub(now) < wait) {
		wait = next.due.Sub(now)
	}
	if wait > 0 {
		s.timer.Reset(wait)
	}
}

// start starts what the lanes let run. It returns how long the rate holds up the rest,
// zero when it does not. s.mu is held.
func (s *Spool) start(now time.Time) time.Duration {
	lim := limits{s.opts.Concurrency, s.opts.PerDestination, s.opts.Rate}
	for {
		sl, wait := s.lanes.next(now, lim)
		if sl == nil {
			return wait
		}
		s.wg.Go(func() { s.run(sl) })
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
	sl.fresh = sl.dest == housekeeping
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
	if len(it.slots) == 0 && !it.held && s.items[it.id] == it {
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
