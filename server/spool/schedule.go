package spool

import (
	"math/rand/v2"
	"time"
)

// Schedule says when to try again.
type Schedule struct {
	// Remote and Local are the times from one attempt to the next; the last one is
	// repeated. Empty: 5 min, 15 min, 30 min, 1 h, 2 h, 4 h; for Local the same
	// after 1 min.
	Remote, Local []time.Duration
	// Expire is how long after it was received a message is given up; 0 is 5 days
	// (RFC 5321 4.5.4.1).
	Expire time.Duration
	// Delay is when the sender is told that it takes long (RFC 3461 4.1 DELAY), if it
	// does; 0 is 4 hours. There is an attempt at that time.
	Delay time.Duration
	// Jitter is the part of a time by which it is made longer or shorter at random,
	// so that what failed together is not tried together; 0 is 0.1, negative none.
	Jitter float64
}

func (s *Schedule) fill() {
	if len(s.Remote) == 0 {
		s.Remote = []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
	}
	if len(s.Local) == 0 {
		s.Local = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
	}
	if s.Expire == 0 {
		s.Expire = 5 * 24 * time.Hour
	}
	if s.Delay == 0 {
		s.Delay = 4 * time.Hour
	}
	if s.Jitter == 0 {
		s.Jitter = 0.1
	}
}

// expired tells whether a message is to be given up when it fails now. It counts
// from when it began.
func (s *Schedule) expired(began, now time.Time) bool { return !now.Before(began.Add(s.Expire)) }

// late tells whether the sender of a message is to be told that it takes long, when
// it fails now.
func (s *Schedule) late(began, now time.Time) bool { return !now.Before(began.Add(s.Delay)) }

// next returns when to try again after that many attempts. There is a try when the
// sender is to be told of the delay, and the last one is when the time is up.
func (s *Schedule) next(attempts int, local bool, began, now time.Time) time.Time {
	delays := s.Remote
	if local {
		delays = s.Local
	}
	d := delays[min(max(attempts, 1), len(delays))-1]
	if s.Jitter > 0 {
		d += time.Duration(float64(d) * s.Jitter * (2*rand.Float64() - 1))
	}
	next := now.Add(d)
	for _, mark := range []time.Time{began.Add(s.Delay), began.Add(s.Expire)} {
		if mark.After(now) && next.After(mark) {
			return mark
		}
	}
	return next
}
