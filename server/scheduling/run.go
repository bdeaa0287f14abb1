package scheduling

import (
	"context"
	"time"
)

// pending is a task that waits.
type pending struct {
	id    string
	next  time.Time // not before
	tries int
	mail  bool
	again bool // it was begun before a crash, or more than once
}

// postpone leaves what failed of a task for later; soon: there was no time for it.
func (s *Scheduler) postpone(t *task, soon bool) {
	if err := s.journal.add(t); err != nil { // what is done already is done again, then
		s.opts.Log.Error("scheduling.task", "id", t.ID, "error", err)
	}
	wait := min(firstRetry<<min(t.tries, 10), lastRetry)
	if soon {
		wait = 0
	}
	s.later(pending{id: t.ID, next: s.opts.Now().Add(wait), tries: t.tries + 1, mail: t.Arrived != nil, again: true})
}

// later leaves a task to Run.
func (s *Scheduler) later(p pending) {
	s.mu.Lock()
	s.waiting = append(s.waiting, p)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run does what is left to do, until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	for ctx.Err() == nil {
		p, wait := s.next()
		if wait == 0 {
			s.work(ctx, p)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next returns a task that is due, else how long to wait for one.
func (s *Scheduler) next() (p pending, wait time.Duration) {
	now := s.opts.Now()
	wait = lastRetry
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.waiting {
		if !p.next.After(now) {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return p, 0
		}
		wait = min(wait, p.next.Sub(now))
	}
	return pending{}, wait
}

func (s *Scheduler) work(ctx context.Context, p pending) {
	t, err := s.journal.read(p.id)
	if err != nil {
		s.opts.Log.Error("scheduling.task", "id", p.id, "error", err, "result", "it is left as it is")
		return
	}
	t.tries, t.again = p.tries, p.again
	if t.Arrived != nil {
		s.workMail(ctx, t)
		return
	}
	if t.Move != nil {
		s.finishMove(ctx, t)
		return
	}
	s.do(ctx, t, time.Time{})
}
