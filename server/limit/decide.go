package limit

import (
	"fmt"
	"slices"
	"time"

	"facteur/server/fault"
)

// party is one whose limits a message must keep.
type party struct {
	name    string
	sent    history
	planned history
	windows []Window
}

// request is a message that is asked about.
type request struct {
	table   *Table
	parties []party
	n       int
	factor  float64
	later   bool // it is to leave at the time that is asked about (RFC 4865)
}

// decide returns the verdict; over is the index of the party whose limit it is.
func (r request) decide(now time.Time) (v Verdict, over int) {
	s := r.table.season(now)
	for i, p := range r.parties {
		for _, w := range p.windows {
			total := p.peak(now.Unix(), w.Period) + r.n
			refuse, warn := r.table.allowed(w.Refuse, r.factor, s), r.table.allowed(w.Warn, r.factor, s)
			switch {
			case total > refuse:
				return r.refusal(p, w, now), i
			case total > warn && v.Action == Accept:
				over = i
				v = Verdict{Action: Hold, Reason: fmt.Sprintf("%s has sent to %s in %s; more than %d%s are held",
					p.name, recipients(total), span(w.Period), warn, r.table.words(s))}
			}
		}
	}
	return v, over
}

// refusal tells which limit it is, and from when the message would be accepted.
func (r request) refusal(p party, w Window, now time.Time) Verdict {
	s := r.table.season(now)
	if r.later {
		return Verdict{Action: Refuse, Reason: fmt.Sprintf("%s may not send to more than %s in %s%s, and too much is to leave around that time: choose another one",
			p.name, recipients(r.table.allowed(w.Refuse, r.factor, s)), span(w.Period), r.table.words(s))}
	}
	v := Verdict{Action: Refuse, Until: r.until(now)}
	if v.Until.IsZero() {
		v.Reason = fmt.Sprintf("%s may never send to more than %s in %s: send it to fewer at a time", p.name,
			recipients(r.table.allowed(w.Refuse, r.factor, day)), span(w.Period))
		return v
	}
	v.Reason = fmt.Sprintf("%s may not send to more than %s in %s%s", p.name, recipients(r.table.allowed(w.Refuse, r.factor, s)), span(w.Period), r.table.words(s))
	return v
}

// maxSeasons is how many changes of the season are looked at: more than a week.
const maxSeasons = 100

// until returns the first time at which the message is not refused, if nothing
// is sent before; zero, when there is none.
func (r request) until(now time.Time) time.Time {
	if !r.fits(day) {
		return time.Time{}
	}
	at := now
	for range maxSeasons {
		s, end := r.table.season(at), r.table.change(at)
		if r.fits(s) {
			free := time.Unix(r.freed(at.Unix(), s), 0)
			if free.Before(at) {
				free = at // the same second
			}
			if free.Before(end) {
				return free.In(r.table.zone())
			}
		}
		at = end
	}
	return time.Time{}
}

// fits tells whether the message alone is within all limits of a season.
func (r request) fits(s season) bool {
	return !slices.ContainsFunc(r.parties, func(p party) bool {
		return slices.ContainsFunc(p.windows, func(w Window) bool { return r.n > r.table.allowed(w.Refuse, r.factor, s) })
	})
}

// freed returns when all windows have room for the message, by the limits of a season.
func (r request) freed(at int64, s season) int64 {
	most := at
	for _, p := range r.parties {
		for _, w := range p.windows {
			most = max(most, p.freed(at, w.Period, r.table.allowed(w.Refuse, r.factor, s)-r.n))
		}
	}
	return most
}

// Fault returns the reply of a refused message, nil for any other: 452, to be tried
// again, when it will be accepted once (RFC 5321 4.2.3, RFC 3463 3.8), 550 when not.
func (v Verdict) Fault() *fault.Fault {
	switch {
	case v.Action != Refuse:
		return nil
	case v.Closed:
		return fault.Reply(fault.Policy, 550, "5.7.1", "This account is closed for sending, because "+v.Reason+": ask your postmaster")
	case v.Until.IsZero():
		return fault.Reply(fault.Policy, 550, "5.7.1", v.Reason)
	}
	// The next whole minute: the text has no seconds.
	from := v.Until.Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
	return fault.Reply(fault.TryLater, 452, "4.7.1", v.Reason+"; this will be accepted from "+from.Format("2006-01-02 15:04 MST"))
}

// recipients is "1 recipient" or "20 recipients".
func recipients(n int) string { return counted(n, "recipient") }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// span is "10 minutes".
func span(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d%u.unit == 0 {
			return counted(int(d/u.unit), u.name)
		}
	}
	return counted(int(d/time.Second), "second")
}
