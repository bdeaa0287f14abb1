package scheduling

import (
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/ical"
)

// maxLooked bounds the events that are read for one answer to a script.
const maxLooked = 2000

var busyKinds = map[ical.BusyType]hook.BusyKind{
	ical.Busy: hook.Taken, ical.BusyTentative: hook.Tentative, ical.BusyUnavailable: hook.Unavailable,
}

// Busy tells scripts when the owner of a mailbox is busy (hook.Box), as FreeBusy tells others.
// The error is a fault, NotPossible when too many events are in question.
func (s *Scheduler) Busy(box address.Address, from, to time.Time, except string) ([]hook.Busy, error) {
	if !s.opts.Homes.Has(box) {
		return nil, nil
	}
	all, err := s.calendars(box)
	if err != nil {
		return nil, err
	}
	left := maxLooked
	for _, c := range all {
		if left, err = s.countIn(c, from, to, left); err != nil {
			return nil, err
		}
	}
	if left < 0 {
		return nil, fault.Newf(fault.NotPossible, "there are more than %d events in question: ask for less time", maxLooked)
	}
	list, err := s.busy(box, BusyQuestion{Range: ical.TimeRange{From: from, To: to}, Except: except})
	if err != nil {
		return nil, err
	}
	out := make([]hook.Busy, 0, len(list))
	for _, p := range list {
		out = append(out, hook.Busy{Start: p.Start, End: p.End, Kind: busyKinds[p.Type]})
	}
	return out, nil
}

// countIn takes the objects that may be in a range from what is left.
func (s *Scheduler) countIn(c *homes.Collection, from, to time.Time, left int) (int, error) {
	snapshot, err := c.Snapshot()
	if err != nil {
		return left, err
	}
	for range snapshot.Query(from, to, "") {
		if left--; left < 0 {
			break
		}
	}
	return left, nil
}
