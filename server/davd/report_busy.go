package davd

import (
	"errors"
	"net/http"
	"strconv"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/scheduling"
)

// freeBusyQuery answers free-busy-query (RFC 4791 7.10, RFC 7953 7.2). It is about all of a calendar
// whatever Depth says: an answer that nobody is busy because it was left out harms. Of a home
// it tells what the outbox tells of its owner, as far as the viewer may know it.
func freeBusyQuery(r *request, n *node, e *davxml.Element) error {
	span := e.Child(davxml.C("time-range"))
	if span == nil {
		return badRequest("There is no time-range")
	}
	within, err := timeRange(span, true)
	if err != nil {
		return err
	}
	q := scheduling.BusyQuestion{Owner: n.owner, Range: within, Look: r.opt.MaxLook}
	if n.kind == calendarNode {
		if err := n.need(mayReadFreeBusy); err != nil {
			return err
		}
		q.Calendars = []*homes.Collection{n.coll}
	} else if q.Calendars, err = n.countedCalendars(); err != nil {
		return err
	}
	if q.All = n.kind == homeNode; len(q.Calendars) == 0 {
		if err := n.need(mayReadFreeBusy); err != nil {
			return err
		}
	}
	list, err := r.opt.Scheduling.BusyTime(q)
	if errors.Is(err, scheduling.ErrTooBusy) {
		return forbidden(davxml.D("number-of-matches-within-limits"), "%s", scheduling.ErrTooBusy.Text)
	}
	if err != nil {
		return err
	}
	answer := ical.FreeBusy(within, list, product, n.path(), r.opt.Now()).Append(nil)
	r.w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	r.w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	r.w.WriteHeader(http.StatusOK)
	r.w.Write(answer) // an error: the client is gone
	return nil
}

// product is what answers that are made here name as their PRODID.
const product = "-//facteur//davd//EN"

// countedCalendars are those of a home that tell when its owner is busy, and of which the viewer
// may know it.
func (n *node) countedCalendars() (out []*homes.Collection, err error) {
	all, err := n.home.Collections()
	for _, c := range all {
		if c.Origin == homes.Kept && !c.Mounted && c.Kind() == collection.Calendar && n.collection(c).need(mayReadFreeBusy) == nil {
			out = append(out, c)
		}
	}
	return out, err
}
