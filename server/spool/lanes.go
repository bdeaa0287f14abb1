package spool

import "time"

// limits are those of lanes.
type limits struct {
	concurrency    int // attempts at once
	perDestination int // attempts at once of one destination
	// rate is how many slots of the backlog begin in a second.
	rate int
}

// behind is the share of n that the backlog may use, so that fresh mail always finds
// a place.
func behind(n int) int { return max(1, n*3/4) }

// lanes hold the slots that are due, by destination, and take turns between them, so
// that a destination with many or slow messages does not hold up the others.
//
// Fresh mail goes before the backlog, which is all that was tried before or lay here
// when the server started: of four slots that begin, three are fresh as long as there
// are so many. The backlog begins at a limited rate, so that a server that was off for
// a day does not open all connections at once.
type lanes struct {
	byDest  map[destination]*lane
	turn    [2][]*lane // by class: those that have something waiting and are not known to be full
	running int
	behind  int // of them, from the backlog
	begun   int // slots so far, to take turns between the classes
	// paced is when the bucket of the rate is full again: a slot of the backlog fills
	// it by one interval.
	paced time.Time
}

// The classes of slots.
const (
	freshClass = iota
	backlogClass
)

func (s *slot) class() int {
	if s.fresh {
		return freshClass
	}
	return backlogClass
}

// lane is the slots of one destination.
type lane struct {
	waiting [2][]*slot // by class
	inTurn  [2]bool
	running int
	behind  int // of them, from the backlog
}

func newLanes() lanes { return lanes{byDest: make(map[destination]*lane)} }

// add puts a slot at the end of its lane.
func (l *lanes) add(s *slot) {
	ln := l.byDest[s.dest]
	if ln == nil {
		ln = &lane{}
		l.byDest[s.dest] = ln
	}
	c := s.class()
	ln.waiting[c] = append(ln.waiting[c], s)
	l.queue(ln, c)
}

func (l *lanes) queue(ln *lane, class int) {
	if !ln.inTurn[class] && len(ln.waiting[class]) > 0 {
		ln.inTurn[class] = true
		l.turn[class] = append(l.turn[class], ln)
	}
}

// next takes a slot to run out, nil when none may run. Then, when the rate is what
// holds the backlog up, wait is how long it does.
func (l *lanes) next(now time.Time, lim limits) (s *slot, wait time.Duration) {
	if l.running >= lim.concurrency {
		return nil, 0
	}
	fair := l.begun%4 == 3
	if !fair {
		if s = l.take(freshClass, lim); s != nil {
			return s, 0
		}
	}
	if l.behind < behind(lim.concurrency) && len(l.turn[backlogClass]) > 0 {
		if wait = l.pace(now, lim.rate); wait == 0 {
			s = l.take(backlogClass, lim)
		}
		if s != nil {
			l.paced = later(l.paced, now).Add(time.Second / time.Duration(lim.rate))
			return s, 0
		}
	}
	if fair {
		s = l.take(freshClass, lim)
	}
	return s, wait
}

// pace returns how long the backlog must wait for the rate. A tenth of a second's
// worth, or one slot, may begin at once.
func (l *lanes) pace(now time.Time, rate int) time.Duration {
	interval := time.Second / time.Duration(rate)
	burst := max(interval, time.Second/10) - interval
	return max(0, l.paced.Add(-burst).Sub(now))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take takes a slot of a class out, nil when none may run.
func (l *lanes) take(class int, lim limits) *slot {
	for len(l.turn[class]) > 0 {
		ln := l.turn[class][0]
		l.turn[class][0] = nil
		l.turn[class] = l.turn[class][1:]
		ln.inTurn[class] = false
		if ln.running >= lim.perDestination || class == backlogClass && ln.behind >= behind(lim.perDestination) {
			continue // done queues it again
		}
		s := ln.waiting[class][0]
		ln.waiting[class][0] = nil
		ln.waiting[class] = ln.waiting[class][1:]
		ln.running++
		l.running++
		l.begun++
		if class == backlogClass {
			ln.behind++
			l.behind++
		}
		l.queue(ln, class)
		return s
	}
	return nil
}

// widened gives each lane its turn again after a change of the limits.
func (l *lanes) widened() {
	for _, ln := range l.byDest {
		l.queue(ln, freshClass)
		l.queue(ln, backlogClass)
	}
}

// done tells that a slot which next returned does not run any more. It must be of the
// same class as then.
func (l *lanes) done(s *slot) {
	ln := l.byDest[s.dest]
	ln.running--
	l.running--
	if s.class() == backlogClass {
		ln.behind--
		l.behind--
	}
	if ln.running == 0 && len(ln.waiting[freshClass]) == 0 && len(ln.waiting[backlogClass]) == 0 {
		delete(l.byDest, s.dest)
		return
	}
	l.queue(ln, freshClass)
	l.queue(ln, backlogClass)
}
