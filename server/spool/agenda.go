package spool

import (
	"container/heap"
	"sync"
	"time"
)

// item is an entry in memory.
type item struct {
	id       string
	received int64 // Unix time, the order of lists

	// Guarded by Spool.mu.
	slots   []*slot
	waiting int32 // recipients that are not done
	held    bool

	mu   sync.Mutex // held while the record is replaced
	gone bool       // dropped by the operator. Guarded by mu.
	// unsaved is the record when it could not be written: then it, not the file, is
	// the truth. Guarded by mu.
	unsaved *unsaved
}

// unsaved is a record that could not be written, and what is to be told when it is.
type unsaved struct {
	record *record
	events []Event
}

// slot is a destination of an entry with the time at which it is due. It is in the
// agenda, or in a lane, or running. Guarded by Spool.mu.
type slot struct {
	item  *item
	dest  destination
	due   time.Time
	index int  // in the agenda, -1 when it is elsewhere
	fresh bool // it was never tried, and came in just now
	again bool // it is wanted once more as soon as it has run
	tries int  // of housekeeping; belongs to who runs it
}

// agenda is a heap of slots, the next one first. The zero agenda is empty.
type agenda struct{ slots []*slot }

func (a *agenda) add(s *slot) { heap.Push((*byDue)(a), s) }

// moved puts a slot into its place after a change of due.
func (a *agenda) moved(s *slot) { heap.Fix((*byDue)(a), s.index) }

// remove takes a slot out.
func (a *agenda) remove(s *slot) { heap.Remove((*byDue)(a), s.index) }

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
