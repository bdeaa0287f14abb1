package davd

import (
	"net/http"
	"strconv"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/ical"
)

// maxBusy bounds the periods of one answer before they are joined.
const maxBusy = 100_000

// freeBusyQuery answers free-busy-query (RFC 4791 7.10). It is about all of a calendar
// whatever Depth says: an answer that nobody is busy because it was left out harms.
func freeBusyQuery(r *request, n *node, e *davxml.Element) error {
	span := e.Child(davxml.C("time-range"))
	if span == nil {
		return badRequest("There is no time-range")
	}
	within, err := timeRange(span, true)
	if err != nil {
		return err
	}
	if n.kind == calendarNode {
		if err := n.need(mayReadFreeBusy); err != nil {
			return err
		}
	}
	var list []ical.BusyPeriod
	add := func(c *node) error {
		list, err = r.busy(c, within, list)
		return err
	}
	if n.kind == calendarNode {
		err = add(n)
	} else {
		err = r.children(n, func(c *node) error {
			if c.kind != calendarNode || !c.rights.Has(homes.Busy) || c.owner != n.owner {
				return nil
			}
			if err := c.load(loadProps); err != nil {
				return err
			}
			if c.props.Other[transpKey] == "transparent" { // RFC 6638 9.1
				return nil
			}
			return add(c)
		})
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

// busy appends when the objects of a calendar take time.
func (r *request) busy(n *node, within ical.TimeRange, list []ical.BusyPeriod) ([]ical.BusyPeriod, error) {
	floating, err := n.zone()
	if err != nil {
		return nil, err
	}
	if err := n.load(loadSnapshot); err != nil {
		return nil, err
	}
	var buf []byte
	begin := time.Now()
	o := n.object(nil)
	for e := range n.snap.Query(within.From, within.To, "") {
		if !takesTime(e) {
			continue
		}
		o.become(e)
		data, _, ok, err := octets(o, buf)
		if err != nil {
			return nil, err
		}
		if buf = data; !ok {
			continue // it went, or another program broke it
		}
		object, err := readCalendar(data)
		if err != nil {
			return nil, err
		}
		periods, truncated, err := object.Busy(within, floating, 0)
		if err != nil {
			return nil, err
		}
		if list = append(list, periods...); truncated || len(list) > maxBusy || time.Since(begin) > r.opt.MaxLook {
			return nil, forbidden(davxml.D("number-of-matches-within-limits"), "Too much happens in that time")
		}
	}
	return list, nil
}

// takesTime says whether an object may take time (RFC 4791 7.10).
func takesTime(e *collection.Entry) bool {
	return e.Facts.Kind == "VEVENT" || e.Facts.Kind == "VFREEBUSY"
}
