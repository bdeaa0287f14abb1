package davd

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/itip"
	"facteur/server/scheduling"
)

// implicitScheduling is RFC 6638: the inbox and outbox of each home, and what objects of
// calendars have when people are invited.
func implicitScheduling() part {
	availability := davxml.C("calendar-availability")
	return part{
		classes: []string{"calendar-auto-schedule", "calendar-availability"}, // RFC 6638 2, RFC 7953 7.2.1
		methods: map[string]method{
			"POST": {kinds: outboxNode, needs: maySendFreeBusy, run: postFreeBusy},
		},
		reports:  map[davxml.Name]report{davxml.C("free-busy-query"): {kinds: calendarNode | homeNode, run: freeBusyQuery}},
		segments: map[string]segment{"inbox": {open: openInbox, list: true}, "outbox": {open: openOutbox, list: true}},
		properties: []property{
			{name: davxml.C("schedule-inbox-URL"), kinds: principalNode, has: hasHome, write: func(_ *request, n *node, w *davxml.Writer) { // RFC 6638 2.2.1
				w.Element(davxml.D("href"), href(true, n.owner.String(), "inbox"))
			}},
			{name: davxml.C("schedule-outbox-URL"), kinds: principalNode, has: hasOutbox, write: func(_ *request, n *node, w *davxml.Writer) { // RFC 6638 2.1.1
				w.Element(davxml.D("href"), href(true, n.owner.String(), "outbox"))
			}},
			{name: davxml.C("schedule-tag"), kinds: eventNode, has: hasTag, write: func(_ *request, n *node, w *davxml.Writer) { // RFC 6638 9.3
				w.Text(scheduling.Tag(n.entry))
			}},
			{name: davxml.C("max-attendees-per-instance"), kinds: calendarNode, write: func(r *request, _ *node, w *davxml.Writer) { // RFC 4791 5.2.9
				r.number(w, itip.MaxAttendees)
			}},
			{name: davxml.C("schedule-default-calendar-URL"), kinds: inboxNode, loads: loadProps, has: hasDefault, write: writeDefault, set: setDefault},
			{name: availability, kinds: inboxNode, loads: loadProps, has: hasKept(availability), write: writeAvailability, set: setAvailability}, // RFC 7953 7.2.4
			// A Mac asks for it by the name that it had before the RFC, and takes it amiss when it is not there.
			{name: davxml.CS("calendar-availability"), kinds: inboxNode, loads: loadProps, write: writeAvailability, set: setAvailability},
		},
	}
}

// openInbox opens the scheduling inbox of a home, or a message in it.
func openInbox(_ *request, home *node, rest []string) (*node, error) {
	c, err := home.home.Inbox()
	if err != nil {
		return nil, err
	}
	n := home.collection(c)
	n.kind = inboxNode
	switch len(rest) {
	case 0:
		return n, nil
	case 1:
	default:
		return nil, errNotFound
	}
	e, err := c.Entry(rest[0])
	if err != nil {
		return nil, err
	}
	m := n.object(e)
	m.href, m.segment = n.href+string(appendSegment(nil, rest[0])), ""
	return m, nil
}

// openOutbox opens the scheduling outbox of a home, in which nothing is.
func openOutbox(_ *request, home *node, rest []string) (*node, error) {
	if len(rest) > 0 || !home.rights.Has(homes.Schedule) {
		return nil, errNotFound
	}
	return &node{kind: outboxNode, href: home.href + "outbox/", name: "outbox", owner: home.owner, home: home.home, rights: home.rights, parent: home}, nil
}

// hasOutbox says whether the viewer may invite in the name of a principal.
func hasOutbox(r *request, n *node) bool {
	h, err := r.home(n.owner)
	return err == nil && h.Rights.Has(homes.Schedule)
}

func hasTag(_ *request, n *node) bool { return scheduling.Tag(n.entry) != "" }

// hasDefault says whether there is a calendar that takes what others send.
func hasDefault(r *request, n *node) bool {
	c, err := r.opt.Scheduling.DefaultCalendar(n.owner)
	return err == nil && c != nil
}

func writeDefault(r *request, n *node, w *davxml.Writer) { // RFC 6638 9.2
	if c, err := r.opt.Scheduling.DefaultCalendar(n.owner); err == nil {
		w.Element(davxml.D("href"), href(true, n.owner.String(), c.Segment))
	}
}

func setDefault(r *request, n *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, scheduling.DefaultCalendar)
	if e == nil {
		return nil
	}
	wrong := forbidden(davxml.C("valid-schedule-default-calendar-URL"), "That is no calendar of this home")
	at := e.Child(davxml.D("href"))
	if at == nil {
		return wrong
	}
	segments, err := r.parseHref(at.Trimmed())
	if err != nil || len(segments) != 2 {
		return wrong
	}
	to, err := r.resolve(segments)
	if err != nil || to.kind != calendarNode || to.absent || to.coll.Origin != homes.Kept || to.owner.Key() != n.owner.Key() {
		return wrong
	}
	kept.Other[scheduling.DefaultCalendar] = to.name
	return nil
}

// writeAvailability writes when somebody can be met, with the time zones that the request wants.
func writeAvailability(r *request, n *node, w *davxml.Writer) {
	octets, _ := r.zones().octets([]byte(n.props.Other[scheduling.Availability])) // RFC 7809 3.1.3
	w.TextBytes(octets)
}

// setAvailability keeps when somebody can be met at all: a calendar with VAVAILABILITY.
func setAvailability(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, scheduling.Availability)
	if e == nil || e.Trimmed() == "" {
		return nil
	}
	if err := scheduling.CheckAvailability(e.Text); err != nil {
		return forbidden(davxml.C("valid-calendar-data"), "%v", err)
	}
	kept.Other[scheduling.Availability] = e.Text
	return nil
}

// scheduled puts an object of a calendar, and tells those whom it concerns.
func (r *request) scheduled(n *node, data []byte, cond collection.Condition) (s stored, err error) {
	done, err := r.opt.Scheduling.Put(r.Context(), r.scheduling(n, cond), data)
	if err != nil {
		return s, schedulingFailure(err)
	}
	if done.Tag != "" { // RFC 6638 8.2
		r.w.Header().Set("Schedule-Tag", done.Tag)
	}
	return stored{entry: done.Entry, created: done.Created, changed: done.Changed}, nil
}

// unscheduled removes an object of a calendar, and tells those whom it concerns.
func (r *request) unscheduled(n *node, cond collection.Condition) error {
	return schedulingFailure(r.opt.Scheduling.Remove(r.Context(), r.scheduling(n, cond)))
}

func (r *request) scheduling(n *node, cond collection.Condition) scheduling.Request {
	return scheduling.Request{
		Account: r.viewer, Collection: n.coll, Href: n.name, Condition: cond,
		IfTag:   ifScheduleTag(r.Request),
		NoReply: strings.EqualFold(strings.TrimSpace(r.Header.Get("Schedule-Reply")), "F"), // RFC 6638 8.1
	}
}

// ifScheduleTag is the header If-Schedule-Tag-Match (RFC 6638 8.3).
func ifScheduleTag(r *http.Request) string {
	return strings.TrimSpace(r.Header.Get("If-Schedule-Tag-Match"))
}

// schedulingFailure gives the preconditions of RFC 6638 3.2.4 their answer.
func schedulingFailure(err error) error {
	var p *scheduling.Precondition
	if !errors.As(err, &p) {
		return err
	}
	name, _ := davxml.ParseName(p.Name)
	f := forbidden(name, "%s", p.Text)
	if p.In != nil {
		f.href = href(false, p.In.Owner.String(), p.In.Segment, p.Href)
	}
	return f
}

// maxQuestion bounds a question of when people are busy, in octets.
const maxQuestion = 256 << 10

// postFreeBusy answers when people are busy (RFC 6638 5).
func postFreeBusy(r *request, n *node) error {
	if t := r.Header.Get("Content-Type"); t != "" {
		if media, _, err := mime.ParseMediaType(t); err != nil || media != "text/calendar" {
			return forbidden(davxml.C("supported-calendar-data"), "A question is text/calendar")
		}
	}
	question, err := io.ReadAll(io.LimitReader(r.Body, maxQuestion+1))
	if err != nil {
		return &failure{status: http.StatusBadRequest, text: "The body could not be read", cause: err}
	}
	if len(question) > maxQuestion {
		return forbidden(davxml.C("max-resource-size"), "The question has more than %d octets", maxQuestion)
	}
	answers, err := r.opt.Scheduling.FreeBusy(r.Context(), r.viewer, n.owner, question)
	if err != nil {
		return schedulingFailure(err)
	}
	r.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w := davxml.NewWriter(r.w)
	w.Begin(davxml.C("schedule-response"))
	for _, a := range answers {
		w.Begin(davxml.C("response"))
		w.Begin(davxml.C("recipient"))
		w.Element(davxml.D("href"), a.Recipient)
		w.End()
		w.Element(davxml.C("request-status"), a.Status)
		if a.Data != nil {
			w.Element(davxml.C("calendar-data"), string(a.Data))
		}
		w.End()
	}
	w.End()
	w.Flush() // an error: the client is gone
	return nil
}
