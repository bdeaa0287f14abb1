package follow

import (
	"context"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/schedule"
)

const (
	// lookAgain is how often all mailboxes are looked at for snoozed messages: a client may
	// have put some there, too.
	lookAgain = time.Hour
	// afterError is when a mailbox that failed is looked at again.
	afterError = 5 * time.Minute
)

// snoozes is when the first snoozed message of each mailbox comes back.
type snoozes struct {
	mu   sync.Mutex
	due  map[address.Key]snooze
	wake chan struct{}
}

type snooze struct {
	box address.Address
	at  time.Time
}

func (s *snoozes) init() {
	s.due, s.wake = make(map[address.Key]snooze), make(chan struct{}, 1)
}

// look has a mailbox looked at soon: a message was snoozed there.
func (s *snoozes) look(box address.Address) {
	s.set(box, time.Time{})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *snoozes) set(box address.Address, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due[box.Key()] = snooze{box, at}
}

// take returns the mailboxes whose time has come, which are not noted any more, and when
// the next one's does; zero: never.
func (s *snoozes) take(now time.Time) (ready []address.Address, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, one := range s.due {
		switch {
		case !one.at.After(now):
			ready = append(ready, one.box)
			delete(s.due, key)
		case next.IsZero() || one.at.Before(next):
			next = one.at
		}
	}
	return ready, next
}

// runSnoozes brings snoozed messages back until ctx ends. It begins with those whose time
// came while the server was off.
func (f *Follower) runSnoozes(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for ctx.Err() == nil {
		now := f.opts.Now()
		if looked.IsZero() || now.Sub(looked) >= lookAgain {
			looked = now
			for _, a := range f.live.Load().Directory.Boxes() {
				if f.opts.Store.Holds(a, schedule.SnoozeFolder) {
					f.snoozes.set(a, time.Time{})
				}
			}
		}
		ready, next := f.snoozes.take(now)
		if len(ready) > 0 {
			for _, a := range ready {
				f.wakeUp(ctx, a)
			}
			continue
		}
		wait := looked.Add(lookAgain).Sub(now)
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-f.snoozes.wake:
		case <-ctx.Done():
		}
	}
}

// wakeUp brings back what is due in a mailbox, and notes when the next message is.
func (f *Follower) wakeUp(ctx context.Context, box address.Address) {
	if ctx.Err() != nil || !f.live.Load().box(box) {
		return
	}
	log := f.opts.Log.With("box", box.String())
	home, err := f.opts.Store.Home(box)
	var woken int
	var at time.Time
	if err == nil {
		woken, at, err = schedule.Wake(home, f.opts.Now())
	}
	if woken > 0 {
		log.Info("follow.woken", "messages", woken)
	}
	if err != nil {
		log.Error("follow.snoozed", "error", err)
		at = f.opts.Now().Add(afterError)
	}
	if !at.IsZero() {
		f.snoozes.set(box, at)
	}
}
