package httpd

import (
	"context"
	"sync"

	"facteur/server/address"
)

// The bounds of one account: requests that are worked on at once, each of which may hold an
// object in memory, and those that wait for their turn.
const (
	maxAtOnce  = 10
	maxWaiting = 200
)

// turns lets an account have so many requests at once; more of them wait.
type turns struct {
	mu sync.Mutex
	of map[address.Key]*turn
}

type turn struct {
	slots chan struct{}
	users int // that have one, or wait; with turns.mu held
}

func newTurns() *turns { return &turns{of: make(map[address.Key]*turn)} }

// take waits for a turn of an account. ok is false when too many wait, or ctx has ended.
// Else done gives the turn back.
func (t *turns) take(ctx context.Context, account address.Key) (done func(), ok bool) {
	t.mu.Lock()
	mine := t.of[account]
	if mine == nil {
		mine = &turn{slots: make(chan struct{}, maxAtOnce)}
		t.of[account] = mine
	}
	if mine.users >= maxAtOnce+maxWaiting {
		t.mu.Unlock()
		return nil, false
	}
	mine.users++
	t.mu.Unlock()
	select {
	case mine.slots <- struct{}{}:
		return func() {
			<-mine.slots
			t.leave(account, mine)
		}, true
	case <-ctx.Done():
		t.leave(account, mine)
		return nil, false
	}
}

func (t *turns) leave(account address.Key, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.of, account)
	}
}
