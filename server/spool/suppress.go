package spool

import (
	"sync"
	"time"

	"facteur/server/address"
)

// The reports that go to one reverse-path in an hour. Our own users, who have logged
// in, lose none: what is over the limit waits. All others may not be who they say, and
// a flood of reports would hit someone innocent: what is over is not sent.
const (
	reportWindow     = time.Hour
	reportsToOthers  = 20
	reportsToOurOwn  = 100
	maxReportReaders = 10_000 // remembered at once
)

// reader is who gets reports. Our own users are counted by themselves, so that nobody
// who writes in their name uses up what they may get.
type reader struct {
	key address.Key
	own bool
}

// readers counts the reports of the last hour or so.
type readers struct {
	mu     sync.Mutex
	counts map[reader]*readerCount
}

type readerCount struct {
	since time.Time
	n     int
}

func (r *record) reader() reader {
	return reader{address.Address(r.Sender.ReversePath).Key(), !address.Address(r.Session.Account).IsZero()}
}

func (r reader) limit() int {
	if r.own {
		return reportsToOurOwn
	}
	return reportsToOthers
}

// take counts one more report of a reader. When it has had all that it may get, nothing
// is counted, and until is when the next may go.
func (rs *readers) take(r reader, now time.Time) (until time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	c := rs.counts[r]
	if c == nil || !now.Before(c.since.Add(reportWindow)) {
		rs.forget(now)
		c = &readerCount{since: now}
		rs.counts[r] = c
	}
	if c.n >= r.limit() {
		return c.since.Add(reportWindow)
	}
	c.n++
	return time.Time{}
}

// giveBack takes a report out of the count that could not be sent.
func (rs *readers) giveBack(r reader) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if c := rs.counts[r]; c != nil && c.n > 0 {
		c.n--
	}
}

// forget makes room: what is over first, then anything.
func (rs *readers) forget(now time.Time) {
	if rs.counts == nil {
		rs.counts = make(map[reader]*readerCount)
	}
	if len(rs.counts) < maxReportReaders {
		return
	}
	for r, c := range rs.counts {
		if !now.Before(c.since.Add(reportWindow)) {
			delete(rs.counts, r)
		}
	}
	for r := range rs.counts {
		if len(rs.counts) < maxReportReaders {
			return
		}
		delete(rs.counts, r)
	}
}
