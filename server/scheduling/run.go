package scheduling

import (
	"context"
	"slices"
	"time"
)

// pending is a task that waits.
type pending struct {
	id    string
	next  time.Time // not before
	tries int
	mail  bool
	again bool // it was begun before a crash, or more than once
	// about is the meeting that its mail is about, which another task may replace; "": none.
	about string
	made  time.Time
	calm  time.Time // its mail not before
}

// pending is a task until a time.
func (s *Scheduler) pending(t *task, next time.Time) pending {
	about, _ := s.waits(t)
	return pending{id: t.ID, next: next, tries: t.tries, mail: t.Arrived != nil, again: t.again, about: about, made: t.Made, calm: t.calm}
}

// retry is how long a task waits that failed for a while.
func (t *task) retry() time.Duration { return min(firstRetry<<min(t.tries, 10), lastRetry) }

// postpone leaves what is left of a task for later.
func (s *Scheduler) postpone(t *task, wait time.Duration) {
	s.keepTask(t)
	t.tries, t.again = t.tries+1, true
	s.later(s.pending(t, s.opts.Now().Add(wait)))
}

// keepTask writes a task anew. Where that fails what is done already is done again.
func (s *Scheduler) keepTask(t *task) {
	if err := s.journal.add(t); err != nil {
		s.opts.Log.Error("scheduling.task", "id", t.ID, "error", err)
	}
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
		list, wait := s.next()
		if wait == 0 {
			s.work(ctx, list)
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

// next returns a task that is due, with those whose mail goes with its own; else how long to
// wait for one.
func (s *Scheduler) next() (list []pending, wait time.Duration) {
	now := s.opts.Now()
	wait = lastRetry
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.waiting {
		if p.next.After(now) {
			wait = min(wait, p.next.Sub(now))
			continue
		}
		list = []pending{p}
		s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
		if p.about == "" || p.calm.After(now) {
			return list, 0
		}
		s.waiting = slices.DeleteFunc(s.waiting, func(q pending) bool {
			with := q.about == p.about && len(list) < maxTogether
			if with {
				list = append(list, q)
			}
			return with
		})
		return list, 0
	}
	return nil, wait
}

// work does what is to be done of tasks; of several they are about one meeting.
func (s *Scheduler) work(ctx context.Context, list []pending) {
	var tasks []*task
	for _, p := range list {
		t, err := s.journal.read(p.id)
		if err != nil {
			s.opts.Log.Error("scheduling.task", "id", p.id, "error", err, "result", "it is left as it is")
			continue
		}
		t.tries, t.again, t.calm = p.tries, p.again, p.calm
		tasks = append(tasks, t)
	}
	if len(tasks) > 1 {
		s.merge(tasks)
	}
	for _, t := range tasks {
		switch {
		case t.Arrived != nil:
			s.workMail(ctx, t)
		case t.Move != nil:
			s.finishMove(ctx, t)
		default:
			s.do(ctx, t, time.Time{})
		}
	}
}
