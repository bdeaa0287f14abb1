package mailbox

import (
	"maps"
	"slices"
	"sync"
)

// Annotated tells that annotations were set or removed.
type Annotated struct {
	Mailbox *Mailbox // nil: those of the account
	Names   []string // of entries, sorted
}

// maxAnnotated bounds the changes of annotations that a home remembers.
const maxAnnotated = 256

// annotationLog holds the newest changes of annotations of a home.
type annotationLog struct {
	mu   sync.Mutex
	list []Annotated
	lost uint64 // how many there were before those of list
}

func (h *Home) noteAnnotated(m *Mailbox, changes map[string][]byte) {
	l := &h.annotated
	l.mu.Lock()
	if len(l.list) == maxAnnotated {
		l.list = slices.Delete(l.list, 0, maxAnnotated/2)
		l.lost += maxAnnotated / 2
	}
	l.list = append(l.list, Annotated{Mailbox: m, Names: slices.Sorted(maps.Keys(changes))})
	l.mu.Unlock()
	h.changed.Publish()
}

// Annotations is the number of changes of annotations there were in the home.
func (h *Home) Annotations() uint64 {
	l := &h.annotated
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost + uint64(len(l.list))
}

// Annotated returns the changes of annotations after the first since ones, and
// how many there were in all. When some of them are forgotten complete is false.
// Home.Changed tells when there are more.
func (h *Home) Annotated(since uint64) (changes []Annotated, now uint64, complete bool) {
	l := &h.annotated
	l.mu.Lock()
	defer l.mu.Unlock()
	now = l.lost + uint64(len(l.list))
	from := max(since, l.lost)
	if from < now {
		changes = slices.Clone(l.list[from-l.lost:])
	}
	return changes, now, since >= l.lost
}
