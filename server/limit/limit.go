// Package limit counts: what our own users send (Sending), what comes in from
// others (Inbound), and from where an account is used (places.go). It decides,
// and has no part in SMTP, mail or settings files.
//
// Sending counts the recipients of messages, for each account and for each client
// (an IPv4 address, or the /64 of an IPv6 one), over all windows of a Table at
// once. The windows slide: no period of that length, wherever it begins, holds
// more than the limit. What is remembered grows coarser with its age (a 64th of
// it), always to the side of counting too long, so the memory for one subject is
// bounded whatever the windows are, and they may change while it runs.
//
// A message that is to leave later (RFC 4865) counts at the time when it leaves: else the
// allowance of many days could be saved up for one moment.
//
// A subject's counts live in memory and are written to state.db within a second;
// a crash loses at most that. Which accounts are closed is durable at once.
//
// One lock guards a Sending, another an Inbound; neither is held during input or
// output, so that a Take is some microseconds. Time is an argument. A clock that
// is set back makes nothing expire early: what would lie in the future counts as
// of now.
package limit

import (
	"fmt"
	"math"
	"time"
)

// Window bounds the recipients in any period of a length.
type Window struct {
	Period time.Duration // whole seconds
	Warn   int           // more than so many: the message is held
	Refuse int           // more than so many: it is refused; at least Warn
}

// Table is [limits.sending] of mail.toml.
type Table struct {
	Account []Window // of each account; none: no limit
	Client  []Window // of each client
	Night   Night
	Weekend int            // divides the limits of Saturday and Sunday, nights excepted; 0: 1
	Zone    *time.Location // of night and weekend; nil: UTC
}

// Night is a part of each day in which the limits are divided.
type Night struct {
	From, To Clock // To may be the next day's; the same: there is no night
	Divide   int   // 0: 1
}

// Clock is a time of day, in minutes since midnight.
type Clock int

// String returns "07:00".
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Defaults is the Table that holds where mail.toml says nothing.
func Defaults() Table {
	const m, h = time.Minute, time.Hour
	return Table{
		Account: []Window{{m, 50, 100}, {10 * m, 100, 200}, {h, 200, 400}, {10 * h, 500, 1000}},
		Client:  []Window{{m, 50, 100}, {10 * m, 100, 200}, {h, 300, 600}, {10 * h, 600, 1000}},
		Night:   Night{From: 20 * 60, To: 7 * 60, Divide: 4},
		Weekend: 2,
	}
}

// zone is never nil.
func (t *Table) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

// longest returns the longest period of all windows.
func (t *Table) longest() time.Duration {
	var most time.Duration
	for _, list := range [][]Window{t.Account, t.Client} {
		for _, w := range list {
			most = max(most, w.Period)
		}
	}
	return most
}

// has tells whether the night holds a time of day.
func (n Night) has(c Clock) bool {
	if n.From <= n.To {
		return n.From <= c && c < n.To
	}
	return c >= n.From || c < n.To
}

// season is what a time is to the limits.
type season uint8

const (
	day season = iota
	night
	weekend
)

// season returns that of a time: a night of the weekend is a night.
func (t *Table) season(at time.Time) season {
	at = at.In(t.zone())
	switch {
	case t.Night.has(Clock(at.Hour()*60 + at.Minute())):
		return night
	case at.Weekday() == time.Saturday || at.Weekday() == time.Sunday:
		return weekend
	}
	return day
}

// divisor returns what the limits of a season are divided by.
func (t *Table) divisor(s season) int {
	d := 1
	switch s {
	case night:
		d = t.Night.Divide
	case weekend:
		d = t.Weekend
	}
	return max(d, 1)
}

// words tells of a season whose limits are divided.
func (t *Table) words(s season) string {
	if t.divisor(s) == 1 {
		return ""
	}
	return [...]string{"", " at night", " at the weekend"}[s]
}

// allowed returns a limit of the table for an account with a factor, in a
// season. It is never less than one.
func (t *Table) allowed(limit int, factor float64, s season) int {
	n := float64(limit) * factor / float64(t.divisor(s))
	return int(min(max(n, 1), math.MaxInt32))
}

// change returns the next time after at when the season may change. The clock is
// put forward and back at such times, too, which may then come twice or never: an
// hour early and late are asked as well.
func (t *Table) change(at time.Time) time.Time {
	local := at.In(t.zone())
	year, month, today := local.Date()
	next := at.Add(48 * time.Hour)
	if _, end := local.ZoneBounds(); !end.IsZero() && end.Before(next) {
		next = end
	}
	for days := range 3 {
		for _, c := range []Clock{0, t.Night.From, t.Night.To} {
			edge := time.Date(year, month, today+days, 0, int(c), 0, 0, t.zone())
			for _, shift := range []time.Duration{-time.Hour, 0, time.Hour} {
				if e := edge.Add(shift); e.After(at) && e.Before(next) {
					next = e
				}
			}
		}
	}
	return next
}
