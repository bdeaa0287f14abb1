// Package feed wakes those who wait for a change inside this process.
//
// A Feed carries no data: who wakes looks at what it watches. So a slow
// subscriber costs nothing, and many changes may be one wake-up.
package feed

import "sync"

// Feed is a set of subscribers. The zero Feed is ready for use.
type Feed struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{}
}

// Subscription is one subscriber's place in a Feed.
type Subscription struct {
	// C receives after each change; changes that nobody received yet are one.
	C    <-chan struct{}
	c    chan struct{}
	feed *Feed
}

// Subscribe adds a subscriber. It must be closed.
func (f *Feed) Subscribe() *Subscription { return f.SubscribeOn(make(chan struct{}, 1)) }

// SubscribeOn is Subscribe with a channel of the caller's, which may be that of
// several subscriptions: it needs a buffer of one.
func (f *Feed) SubscribeOn(c chan struct{}) *Subscription {
	s := &Subscription{C: c, c: c, feed: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs == nil {
		f.subs = make(map[*Subscription]struct{})
	}
	f.subs[s] = struct{}{}
	return s
}

// Publish wakes all subscribers. It never blocks.
func (f *Feed) Publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		select {
		case s.c <- struct{}{}:
		default:
		}
	}
}

// Len returns the number of subscribers.
func (f *Feed) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

// Close removes the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subs, s)
}
