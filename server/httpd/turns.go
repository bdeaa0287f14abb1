package httpd

import (
	"context"
	"net/http"
	"sync"

	"facteur/server/address"
)

// The bounds of one account: requests that are worked on at once, each of which may hold an
// object in memory, how many of them may have large bodies, so that small ones go on beside those,
// and how many wait for their turn.
const (
	maxAtOnce  = 10
	maxLarge   = 6
	maxWaiting = 200

	largeBody = 64 << 10 // octets
)

// isLarge tells whether the body of a request is large, or may be.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > largeBody }

// turns lets an account have so many requests at once; more of them wait.
type turns struct {
	mu sync.Mutex
	of map[address.Key]*turn
}

type turn struct {
	slots chan struct{}
	large chan struct{} // one who has a large body takes it first
	users int           // that have one, or wait; with turns.mu held
}

func newTurns() *turns { return &turns{of: make(map[address.Key]*turn)} }

// take waits for a turn of an account, for a request with a large body or another. ok is false when too many wait, or ctx has ended.
// Else done gives the turn back.
func (t *turns) take(ctx context.Context, account address.Key, large bool) (done func(), ok bool) {
	t.mu.Lock()
	mine := t.of[account]
	if mine == nil {
		mine = &turn{slots: make(chan struct{}, maxAtOnce), large: make(chan struct{}, maxLarge)}
		t.of[account] = mine
	}
	if mine.users >= maxAtOnce+maxWaiting {
		t.mu.Unlock()
		return nil, false
	}
	mine.users++
	t.mu.Unlock()
	need := []chan struct{}{mine.slots}
	if large {
		need = []chan struct{}{mine.large, mine.slots}
	}
	for i, slots := range need {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			t.leave(account, mine, need[:i])
			return nil, false
		}
	}
	return func() { t.leave(account, mine, need) }, true
}

// leave gives back what was taken of a turn.
func (t *turns) leave(account address.Key, mine *turn, taken []chan struct{}) {
	for _, slots := range taken {
		<-slots
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.of, account)
	}
}
