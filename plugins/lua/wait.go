package lua

import (
	"context"
	"time"
)

// Slots bound how many scripts compute at once. A run that waits for a service or
// a module gives its slot back, so that others go on: slots bound memory and CPU,
// not waiting.
const (
	// smallRun is what a run may hold, in octets, to give its slot back. One that
	// holds more keeps it, and what it waits is its own CPU time.
	smallRun = 1 << 20
	// waitingSize is what a waiting run counts for, its state included, and
	// maxWaiting what all may count for: then the next ones keep their slots.
	waitingSize = 256 << 10
	maxWaiting  = 64 << 20
	// smallMemory is what a run may hold, less slack, while others hold as much.
	// Only one at a time holds more, up to its limit.
	smallMemory = 8 << 20
)

// enter takes a slot; it tells whether it got one before ctx ended.
func (h *Host) enter(ctx context.Context) bool {
	select {
	case h.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *Host) leave() { <-h.slots }

// wait runs a call that may wait for somebody else: a service, or a module. Its
// time is not the script's, and neither is that until there is a slot again.
func (s *state) wait(call func()) {
	began := time.Now()
	if s.tooLargeToWait() {
		defer s.waited(began)
		call()
		return
	}
	defer func() { s.meter.outside += s.waited(began) }()
	if s.host.waiting.Add(waitingSize) > maxWaiting {
		s.host.waiting.Add(-waitingSize)
		call()
		return
	}
	s.shrink()
	s.host.leave()
	defer func() {
		back := time.Now()
		s.host.slots <- struct{}{} // others compute for a bounded time
		s.host.waiting.Add(-waitingSize)
		s.meter.queued += time.Since(back)
	}()
	call()
}

// lookAfter is how long a call may take without a look at the clock after it.
const lookAfter = time.Millisecond

// waited returns the time since a call began, and has the clock looked at.
func (s *state) waited(began time.Time) time.Duration {
	took := time.Since(began)
	if took > lookAfter {
		s.meter.fired.Store(true)
	}
	return took
}

// tooLargeToWait tells whether the run holds so much that it must keep its slot.
func (s *state) tooLargeToWait() bool {
	if s.mem.held() <= smallRun {
		return false
	}
	s.mem.walked(s.walk())
	return s.mem.live > smallRun
}

// waitContext ends with the run, at the latest when its wall time is over.
func (s *state) waitContext() context.Context {
	if s.run.context == nil {
		s.run.context, s.run.release = context.WithDeadline(s.meter.Context, s.meter.started.Add(s.meter.wall))
	}
	return s.run.context
}

// enlarge lets the run hold as much as its limit says, once no other does.
func (s *state) enlarge() {
	if s.run.large {
		return
	}
	began := time.Now()
	s.host.large <- struct{}{} // who holds it computes, for a bounded time
	s.run.large = true
	s.meter.queued += time.Since(began)
	s.meter.outside += time.Since(began)
	s.mem.budget = s.limits.Memory - slack
}

// shrink lets another run hold much, before this one waits without a slot: who holds that
// must compute, or those who want it would keep all slots for as long.
func (s *state) shrink() {
	if !s.run.large {
		return
	}
	<-s.host.large
	s.run.large = false
	s.mem.budget = min(s.limits.Memory-slack, smallMemory)
}

// quit gives back what the run holds of others, and forgets what it noted unless
// it is kept.
func (s *state) quit(keep bool) {
	if s.run.release != nil {
		s.run.release()
	}
	if s.run.large {
		<-s.host.large
		s.run.large = false
	}
	if s.run.state != nil && !keep {
		s.run.state.Cancel()
	}
}
