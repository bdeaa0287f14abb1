package follow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"facteur/server/address"
)

// quiet is how long nothing is logged after a line that told of what was dropped.
const quiet = time.Minute

// batch is n pieces of work for one mailbox, one after the other.
type batch struct {
	box  address.Key
	n    int
	lost int // pieces that there was no room for before
	do   func(ctx context.Context, i int)
	done func() // when the last one is done or dropped; may be nil
	next int
}

func (b *batch) end() {
	if b.done != nil {
		b.done()
	}
}

// queue holds work, bounded, and gives it out to one mailbox after the other. A mailbox
// that is worked on waits until that is done.
type queue struct {
	name string
	room int
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	closed  bool
	waiting int // pieces
	lanes   map[address.Key]*lane
	ring    []*lane       // those with work that nobody works on
	wake    chan struct{} // something is in the ring
	dropped int           // not logged yet
	logged  time.Time
}

// lane is what waits for a mailbox.
type lane struct {
	box     address.Key
	batches []*batch
	waiting int
}

func newQueue(name string, room int, log *slog.Logger, now func() time.Time) *queue {
	return &queue{name: name, room: room, log: log, now: now, lanes: make(map[address.Key]*lane), wake: make(chan struct{}, 1)}
}

// fits returns how many of n pieces for a mailbox there is room for now.
func (q *queue) fits(box address.Key, n int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return min(n, q.free(box))
}

// free is how much room there is for a mailbox. mu is held.
func (q *queue) free(box address.Key) int {
	if q.closed {
		return 0
	}
	room := min(q.room-q.waiting, q.room/perBox)
	if l := q.lanes[box]; l != nil {
		room = min(room, q.room/perBox-l.waiting)
	}
	return room
}

// put takes as much of a batch as there is room for. It never waits.
func (q *queue) put(b batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[b.box]
	if room := q.free(b.box); b.n > room || b.lost > 0 {
		kept := min(b.n, room)
		q.drop(b.lost + b.n - kept)
		b.n = kept
	}
	if b.n == 0 {
		b.end()
		return
	}
	if l == nil {
		l = &lane{box: b.box}
		q.lanes[b.box] = l
		q.ring = append(q.ring, l)
	}
	l.batches = append(l.batches, &b)
	l.waiting += b.n
	q.waiting += b.n
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// drop notes that something is dropped, and logs that once in a while. mu is held.
func (q *queue) drop(n int) {
	q.dropped += n
	if now := q.now(); now.Sub(q.logged) >= quiet {
		q.log.Warn("follow.dropped", "queue", q.name, "messages", q.dropped, "waiting", q.waiting, "result", "their scripts do not run")
		q.logged, q.dropped = now, 0
	}
}

// take returns the next piece of work; nil when there is none. mu is held.
func (q *queue) take() (l *lane, b *batch, i int) {
	if len(q.ring) == 0 {
		return nil, nil, 0
	}
	l, q.ring = q.ring[0], q.ring[1:]
	b = l.batches[0]
	i = b.next
	b.next++
	return l, b, i
}

// put back a lane after a piece of work. mu is held.
func (q *queue) back(l *lane, b *batch) (ended bool) {
	q.waiting--
	l.waiting--
	if ended = b.next == b.n; ended {
		l.batches = l.batches[1:]
	}
	if len(l.batches) == 0 {
		delete(q.lanes, l.box)
	} else {
		q.ring = append(q.ring, l)
		q.signal()
	}
	return ended
}

// work does what there is to do until ctx ends. There may be several.
func (q *queue) work(ctx context.Context) {
	for ctx.Err() == nil {
		q.mu.Lock()
		l, b, i := q.take()
		if len(q.ring) > 0 {
			q.signal() // for another worker
		}
		q.mu.Unlock()
		if l == nil {
			select {
			case <-q.wake:
			case <-ctx.Done():
			}
			continue
		}
		b.do(ctx, i)
		q.mu.Lock()
		ended := q.back(l, b)
		q.mu.Unlock()
		if ended {
			b.end()
		}
	}
}

// close drops what waits.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if n := q.waiting + q.dropped; n > 0 {
		q.log.Warn("follow.dropped", "queue", q.name, "messages", n, "result", "the server stops: their scripts do not run")
	}
	for _, l := range q.lanes {
		for _, b := range l.batches {
			b.end()
		}
	}
	q.lanes, q.ring, q.waiting = nil, nil, 0
}
