package spool

import (
	"time"

	"facteur/server/fault"
)

// A destination of which no server answered several times in a row is cold for a
// while: what else is due for it is put off as if it had been tried, so that a server
// that is down does not take up the places of all others.
const (
	coldAfter = 3
	coldFor   = 5 * time.Minute
	maxCold   = 10_000 // remembered at once
)

// cold is a destination that did not answer the last times.
type cold struct {
	failures int
	until    time.Time // zero: it is not cold yet
	last     *fault.Fault
}

// reached notes whether a server of a destination answered.
func (s *Spool) reached(it Item, dest destination, results []Result) {
	if it.Local || s.ctx.Err() != nil {
		return
	}
	var unreachable *fault.Fault
	for _, res := range results {
		if res.Fault == nil || res.Remote != "" || res.Reached || !fault.Temporary(res.Fault) {
			unreachable = nil
			break
		}
		unreachable = res.Fault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if unreachable == nil {
		delete(s.cold, dest)
		return
	}
	c := s.cold[dest]
	if c == nil {
		s.forgetCold()
		c = &cold{}
		s.cold[dest] = c
	}
	c.failures++
	if c.failures >= coldAfter {
		c.until = s.now().Add(coldFor)
		c.last = fault.Reply(fault.Undeliverable, unreachable.Code, unreachable.Enhanced(), unreachable.Text+" (as just before, so not tried anew)")
	}
}

// forgetCold makes room: what is not cold any more first, then anything. s.mu is held.
func (s *Spool) forgetCold() {
	if len(s.cold) < maxCold {
		return
	}
	now := s.now()
	for dest, c := range s.cold {
		if !c.until.After(now) {
			delete(s.cold, dest)
		}
	}
	for dest := range s.cold {
		if len(s.cold) < maxCold {
			return
		}
		delete(s.cold, dest)
	}
}

// putOff returns why a destination is not tried, nil when it is: also for the last
// time.
func (s *Spool) putOff(dest destination, r *record) *fault.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	c := s.cold[dest]
	if c == nil || !c.until.After(now) || s.opts.Schedule.expired(r.began(), now) {
		return nil
	}
	return c.last
}
