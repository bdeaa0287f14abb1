package mailbox

import (
	"sync"

	"facteur/server/feed"
)

// Watch is a session's interest in a mailbox, which stays in memory and is
// looked at each second for what other programs did.
type Watch struct {
	// C receives when there is a newer Snapshot than when it received last, or
	// the mailbox is gone.
	C <-chan struct{}

	m     *Mailbox
	sub   *feed.Subscription
	close sync.Once
}

// Watch begins to watch, and looks for what other programs did before. It must be
// closed.
func (m *Mailbox) Watch() (*Watch, error) { return m.WatchOn(make(chan struct{}, 1)) }

// WatchOn is Watch with a channel of the caller's, which may be that of several
// watches and feeds: it needs a buffer of one.
func (m *Mailbox) WatchOn(c chan struct{}) (*Watch, error) {
	m.Poll()
	if err := m.lockIndex(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	m.watches.Add(1)
	sub := m.news.SubscribeOn(c)
	return &Watch{C: sub.C, m: m, sub: sub}, nil
}

// Gone tells whether the mailbox was deleted, its home dropped or the store
// closed.
func (w *Watch) Gone() bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.m.fail != nil
}

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() {
	w.close.Do(func() {
		w.sub.Close()
		w.m.touchUsed()
		w.m.watches.Add(-1)
	})
}
