package spool

import (
	"container/heap"
	"sync"
	"time"
)

// item is an entry in memory.
type item struct {
	id    string
	slots []*slot // guarded by Spool.mu

	mu sync.Mutex // held while the record is replaced
	// unsaved is the record when it could not be written: then it, not the file, is
	// the truth. Guarded by mu.
	unsaved *record
}

// slot is a destination of an entry with the time at which it is due. It is in the
// agenda, or in a lane, or running. Guarded by Spool.mu.
type slot struct {
	item  *item
	dest  destination
	due   time.Time
	index int  // in the agenda, -1 when it is elsewhere
	again bool // it is wanted once more as soon as it has run
	tries int  // of housekeeping; belongs to who runs it
}

// agenda is a heap of slots, the next one first. The zero agenda is empty.
type agenda struct{ slots []*slot }

func (a *agenda) add(s *slot) { heap.Push((*byDue)(a), s) }

// moved puts a slot into its place after a change of due.
func (a *agenda) moved(s *slot) { heap.Fix((*byDue)(a), s.index) }

// next returns the slot that is due next, nil when there is none.
func (a *agenda) next() *slot {
	if len(a.slots) == 0 {
		return nil
	}
	return a.slots[0]
}

// pop takes the slot that is due next out.
func (a *agenda) pop() *slot { return heap.Pop((*byDue)(a)).(*slot) }

// byDue implements heap.Interface.
type byDue agenda

func (h *byDue) Len() int           { return len(h.slots) }
func (h *byDue) Less(i, j int) bool { return h.slots[i].due.Before(h.slots[j].due) }

func (h *byDue) Swap(i, j int) {
	h.slots[i], h.slots[j] = h.slots[j], h.slots[i]
	h.slots[i].index, h.slots[j].index = i, j
}

func (h *byDue) Push(x any) {
	s := x.(*slot)
	s.index = len(h.slots)
	h.slots = append(h.slots, s)
}

func (h *byDue) Pop() any {
	last := len(h.slots) - 1
	s := h.slots[last]
	h.slots[last] = nil
	h.slots = h.slots[:last]
	s.index = -1
	return s
}

// lanes hold the slots that are due, by destination, and take turns between them, so
// that a destination with many or slow messages does not hold up the others.
type lanes struct {
	byDest  map[destination]*lane
	turn    []*lane // those that have something waiting and are not known to be full
	running int
}

// lane is the slots of one destination.
type lane struct {
	waiting []*slot
	running int
	inTurn  bool
}

func newLanes() lanes { return lanes{byDest: make(map[destination]*lane)} }

// add puts a slot at the end of its lane.
func (l *lanes) add(s *slot) {
	ln := l.byDest[s.dest]
	if ln == nil {
		ln = &lane{}
		l.byDest[s.dest] = ln
	}
	ln.waiting = append(ln.waiting, s)
	l.queue(ln)
}

func (l *lanes) queue(ln *lane) {
	if !ln.inTurn && len(ln.waiting) > 0 {
		ln.inTurn = true
		l.turn = append(l.turn, ln)
	}
}

// next takes a slot to run out, nil when none may run.
func (l *lanes) next(concurrency, perDestination int) *slot {
	for l.running < concurrency && len(l.turn) > 0 {
		ln := l.turn[0]
		l.turn[0] = nil
		l.turn = l.turn[1:]
		ln.inTurn = false
		if ln.running >= perDestination {
			continue // done queues it again
		}
		s := ln.waiting[0]
		ln.waiting[0] = nil
		ln.waiting = ln.waiting[1:]
		ln.running++
		l.running++
		l.queue(ln)
		return s
	}
	return nil
}

// widened gives each lane its turn again after a change of the limits.
func (l *lanes) widened() {
	for _, ln := range l.byDest {
		l.queue(ln)
	}
}

// done tells that a slot which next returned does not run any more.
func (l *lanes) done(s *slot) {
	ln := l.byDest[s.dest]
	ln.running--
	l.running--
	if ln.running == 0 && len(ln.waiting) == 0 {
		delete(l.byDest, s.dest)
		return
	}
	l.queue(ln)
}
