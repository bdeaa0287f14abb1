// Package resident is what a store has in memory: a home for each account and shared
// mailbox, and those of its parts that are loaded.
//
// It knows nothing of what they are. A Store (packages mailbox, collection and files) has a
// Homes, in which each home is made when it is first asked for, and is the same for all who
// ask; what the store does in the background ends with it. Loaded are the parts of homes
// that were read, and are let go when nobody uses them for a while.
//
// All methods may be called by several goroutines at once. Their locks are held for a
// moment, and while no function of the store is called.
package resident

import (
	"errors"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

// ErrClosed is the error of all that is asked of a store after its Close.
var ErrClosed = fault.New(fault.Unavailable, "The server is shutting down")

// Homes are the homes of a store. H is a pointer.
type Homes[H any] struct {
	open func(address.Address) H
	stop chan struct{}
	work sync.WaitGroup

	mu     sync.Mutex
	closed bool
	known  map[address.Key]H
}

// NewHomes returns Homes without any. The function makes one; it must not wait for anything.
func NewHomes[H any](open func(address.Address) H) *Homes[H] {
	return &Homes[H]{open: open, stop: make(chan struct{}), known: make(map[address.Key]H)}
}

// Get returns the home of an account, the same for all who ask. The error is ErrClosed.
func (s *Homes[H]) Get(a address.Address) (h H, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return h, ErrClosed
	}
	h, ok := s.known[a.Key()]
	if !ok {
		h = s.open(a)
		s.known[a.Key()] = h
	}
	return h, nil
}

// Forget takes the home of an account out, and returns it when there is one: the caller
// ends it.
func (s *Homes[H]) Forget(a address.Address) (h H, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok = s.known[a.Key()]
	delete(s.known, a.Key())
	return h, ok
}

// All returns the homes in memory, in any order.
func (s *Homes[H]) All() []H {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]H, 0, len(s.known))
	for _, h := range s.known {
		all = append(all, h)
	}
	return all
}

// Go runs f in the background. Close waits for it, and must not have returned.
func (s *Homes[H]) Go(f func()) { s.work.Go(f) }

// Every calls f again and again, with a pause between, until Close.
func (s *Homes[H]) Every(pause time.Duration, f func()) {
	s.work.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
				f()
			}
		}
	})
}

// Closing is closed when Close begins.
func (s *Homes[H]) Closing() <-chan struct{} { return s.stop }

// Closed tells whether Close has begun.
func (s *Homes[H]) Closed() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// enders is how many homes are ended at once: the disk combines their syncs.
const enders = 8

// Close gives no home from now on, has end called for each that is there, and waits for what
// runs in the background. The second Close does nothing.
func (s *Homes[H]) Close(end func(H) error) error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	close(s.stop)
	homes := s.All()
	errs := make([]error, len(homes))
	slots := make(chan struct{}, enders)
	var ending sync.WaitGroup
	for i, h := range homes {
		slots <- struct{}{}
		ending.Go(func() {
			errs[i] = end(h)
			<-slots
		})
	}
	ending.Wait()
	s.work.Wait()
	return errors.Join(errs...)
}
