package davd

import (
	"iter"
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/ical"
)

// calendarReport prepares calendar-query and calendar-multiget.
func (r *request) calendarReport(n *node, e *davxml.Element) (*objectReport[*ical.Object], error) {
	a := &objectReport[*ical.Object]{kinds: eventNode | messageNode, folders: calendarNode | inboxNode, parse: readCalendar}
	data := e.Child(nProp).Child(davxml.C("calendar-data"))
	if data == nil {
		return a, a.ask(r, n, e)
	}
	d, err := parseCalendarData(data)
	if err != nil {
		return nil, err
	}
	var floating *time.Location
	if !d.asKept() {
		if floating, err = r.floating(n, e); err != nil {
			return nil, err
		}
	}
	zones := r.zones()
	left := maxExpansion
	a.data = data.Name
	a.asKept = func([]byte) bool { return zones == zonesAsKept && d.asKept() }
	a.apply = func(dst []byte, o *ical.Object) ([]byte, error) {
		c, changed := zones.of(o.Calendar())
		if !changed && d.asKept() {
			return append(dst, a.octets...), nil
		}
		if changed {
			if o, err = ical.NewObject(c); err != nil {
				return dst, err
			}
		}
		out, truncated, err := d.apply(dst, o, floating, &left)
		if truncated || left < 0 {
			return out, tooMany("It has more instances than fit into one answer")
		}
		return out, err
	}
	return a, a.ask(r, n, e)
}

func readCalendar(octets []byte) (*ical.Object, error) {
	c, err := ical.ParseBytes(octets)
	if err != nil {
		return nil, err
	}
	return ical.NewObject(c)
}

// calendarQuery answers calendar-query (RFC 4791 7.8).
func calendarQuery(r *request, n *node, e *davxml.Element) error {
	f, err := calendarFilter(e.Child(davxml.C("filter")))
	if err != nil {
		return err
	}
	a, err := r.calendarReport(n, e)
	if err != nil {
		return err
	}
	floating, err := r.floating(n, e)
	if err != nil {
		return err
	}
	span, kind := prefilter(f)
	a.list = func(s *collection.Snapshot) iter.Seq[*collection.Entry] { return s.Query(span.From, span.To, kind) }
	a.judge = newCalendarJudge(f).judge
	a.mayFind = func(raw *contentline.Raw) bool { return mayHave(f, raw) }
	a.finds = func(o *ical.Object) bool { return o.Match(f, floating) }
	return a.query(r, n)
}

// calendarMultiget answers calendar-multiget (RFC 4791 7.9).
func calendarMultiget(r *request, n *node, e *davxml.Element) error {
	a, err := r.calendarReport(n, e)
	if err != nil {
		return err
	}
	return a.multiget(r, n, e)
}
