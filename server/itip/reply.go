package itip

import (
	"slices"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// maxTold is up to how many attendees each is told what another one answered.
const maxTold = 100

// sender returns who sent a message of an attendee: as the organizer calls him.
func (a *applying) sender() (known, Reason) {
	_, by, ok := a.stored.organizer()
	switch {
	case a.Stored == nil:
		return known{}, NoObject
	case !ok || !a.Self(by.User):
		return known{}, OtherOrganizer
	}
	named := make(map[string]bool)
	for _, p := range a.message.parts {
		for _, u := range a.message.attendees(p.Component) {
			named[u.key] = true
		}
	}
	var found known
	for _, p := range a.stored.parts {
		for _, u := range a.stored.attendees(p.Component) {
			if u.key == "" || !a.From(u.User) {
				continue
			}
			if named[u.key] {
				return u, ""
			}
			if found.key == "" {
				found = u
			}
		}
	}
	if found.key == "" {
		return found, NotAttendee
	}
	// He may name himself as the organizer did not, as long as it is him.
	for _, p := range a.message.parts {
		for _, u := range a.message.attendees(p.Component) {
			if a.From(u.User) {
				return found, ""
			}
		}
	}
	return known{}, NotAttendee
}

// said returns the line in which the sender answers.
func (a *applying) said(c *ical.Component, who known) (ical.Prop, bool) {
	for i, u := range a.message.attendees(c) {
		if u.key == who.key {
			return c.Props[i], true
		}
	}
	n := a.message.attendee(c, a.From)
	if n < 0 {
		return ical.Prop{}, false
	}
	return c.Props[n], true
}

// reply works in a REPLY (RFC 5546 3.2.3; RFC 6638 4.1).
func (a *applying) reply() Result {
	who, why := a.sender()
	if why != "" {
		return refused(why)
	}
	w := replying{applying: a, who: who, parts: make(map[string]*ical.Component), result: Result{Outcome: Applied, Role: AsOrganizer}}
	w.why = Same
	if p, ok := a.message.master(); ok {
		w.take(p)
	}
	for _, p := range a.message.parts {
		if p.id != "" {
			w.take(p)
		}
	}
	if len(w.parts) == 0 {
		if w.refused != "" {
			return refused(w.refused)
		}
		return ignored(w.why)
	}
	var list []*ical.Component
	for _, p := range a.stored.parts {
		c := p.Component
		if now := w.parts[p.id]; now != nil {
			c = now
		}
		list = append(list, c)
	}
	for _, id := range w.added {
		list = append(list, w.parts[id])
	}
	w.result.Object = a.object(a.Stored, list)
	if len(w.result.Events) > 0 {
		w.tell()
	}
	return w.result
}

// replying is the work of reply.
type replying struct {
	*applying
	who     known
	parts   map[string]*ical.Component // that changed
	added   []string                   // instances of parts that are new
	looked  int                        // instances that were looked for
	series  *ical.Object               // the stored object, to look in
	why     Reason
	refused Reason
	result  Result
}

// take works in one component.
func (w *replying) take(p part) {
	line, ok := w.said(p.Component, w.who)
	if !ok {
		w.refused = NotAttendee
		return
	}
	if !answers(p.Name, partStat(line)) {
		w.refused = Unusable
		return
	}
	if p.id != "" {
		w.instance(p, line)
		return
	}
	series, whole := w.ofSeries()
	for _, q := range w.stored.parts {
		n := w.stored.attendee(q.Component, w.isSender)
		if n < 0 {
			continue
		}
		// What is said of all instances does not change what else was said of one.
		_, own := w.message.part(q.id)
		if is := partStat(q.Props[n]); q.id == "" || !own && (is == needsAction || is == series || !whole) {
			w.answer(p, q, n, line)
		}
	}
	if len(w.parts) == 0 && w.refused == "" && w.why == Same && !w.listed() {
		w.refused = NotAttendee
	}
}

func (w *replying) isSender(u User) bool { return u.Key() == w.who.key }

// ofSeries returns what the sender answered to all instances; false: he was not invited to all.
func (w *replying) ofSeries() (status string, ok bool) {
	m, ok := w.stored.master()
	if !ok {
		return "", false
	}
	n := w.stored.attendee(m.Component, w.isSender)
	if n < 0 {
		return "", false
	}
	return partStat(m.Props[n]), true
}

func (w *replying) listed() bool {
	return slices.ContainsFunc(w.stored.parts, func(p part) bool { return w.stored.attendee(p.Component, w.isSender) >= 0 })
}

// answers says whether a participation is one that may be answered (RFC 5545 3.2.12).
func answers(kind, status string) bool {
	switch status {
	case "ACCEPTED", declined, "TENTATIVE", "DELEGATED", needsAction:
		return true
	case "COMPLETED", "IN-PROCESS":
		return kind == "VTODO"
	}
	return false
}

// instance works in the answer for one instance, which becomes an exception when it is
// none.
func (w *replying) instance(p part, line ical.Prop) {
	q, own := w.stored.part(p.id)
	at, _ := p.Prop("RECURRENCE-ID")
	at = w.message.portable(at.Without("RANGE"))
	if !own {
		master, ok := w.stored.master()
		if !ok || !w.occurs(at) {
			w.refused = NoInstance
			return
		}
		all := master.Component
		if now := w.parts[""]; now != nil {
			all = now // as it was answered just now
		}
		c := w.stored.derive(all, at)
		q = part{c, w.stored.instance(c)}
		if there, twice := w.stored.part(q.id); twice {
			q, own = there, true
		}
	}
	n := w.stored.attendee(q.Component, w.isSender)
	if n < 0 {
		w.refused = NotAttendee
		return
	}
	w.answer(p, q, n, line)
	if w.parts[q.id] != nil && !own && !slices.Contains(w.added, q.id) {
		w.added = append(w.added, q.id)
	}
}

// maxLooked bounds the instances that one reply makes exceptions of.
const maxLooked = 200

// occurs says whether the stored object has an instance at a time of the message.
func (w *replying) occurs(at ical.Prop) bool {
	v, err := ical.ParseValue(at, w.message.zones)
	if w.looked++; err != nil || w.looked > maxLooked {
		return false
	}
	if w.series == nil {
		if w.series, err = ical.NewObject(w.Stored); err != nil {
			return false
		}
	}
	// An instance that RANGE=THISANDFUTURE moved is not at its own time.
	from := v.Time(w.Floating)
	to := from.Add(time.Second)
	if v.IsDate() || w.stored.ranges() {
		from, to = from.Add(-36*time.Hour), from.Add(36*time.Hour)
	}
	list, _, err := w.series.Instances(from, to, w.Floating, maxNear)
	return err == nil && slices.ContainsFunc(list, func(i ical.Instance) bool { return w.names(v, i.ID) })
}

// maxNear bounds the instances that are looked at around one.
const maxNear = 2000

// names says whether a RECURRENCE-ID names an instance. Some programs write a day for a
// time, and a time for a day.
func (w *replying) names(v, id ical.Value) bool {
	if v.IsDate() == id.IsDate() {
		return v.IsDate() && v.String() == id.String() || !v.IsDate() && v.Time(w.Floating).Equal(id.Time(w.Floating))
	}
	return v.String()[:8] == id.String()[:8]
}

// answer writes what the sender answers into a component of the stored object.
func (w *replying) answer(p, q part, n int, line ical.Prop) {
	src := q.Component
	if now := w.parts[q.id]; now != nil {
		src = now
	}
	old := src.Props[n]
	if why := w.older(p, q, old); why != "" {
		w.why = why
		return
	}
	was, is := partStat(old), partStat(line)
	comment := clip(p.Text("COMMENT"), maxComment)
	moved := src.Name == "VTODO" && w.single(q) && progress(p.Component) != progress(src)
	if was == is && comment == "" && !moved && old.Param("DELEGATED-TO") == line.Param("DELEGATED-TO") {
		return
	}
	at := stamp(p.Component)
	if at.IsZero() || at.After(w.Now) {
		at = w.Now
	}
	out := copyOf(src)
	now := setParam(old, "PARTSTAT", is)
	now = setParam(now, "SCHEDULE-STATUS", replyStatus(p.Component))
	now = setParam(now, replied, at.UTC().Format(utcForm))
	now = setParam(now, "DELEGATED-TO", w.delegate(p, line, is))
	out.Props[n] = now
	if moved {
		for _, name := range []string{"PERCENT-COMPLETE", "COMPLETED", "STATUS"} {
			if l, ok := p.Prop(name); ok {
				setProp(out, ical.Prop{Name: name, Value: l.Value})
			}
		}
	}
	e := Event{Instance: q.Value("RECURRENCE-ID"), User: w.who.User, Was: was, Is: is, Comment: comment, What: Answered}
	if is == "DELEGATED" {
		e.What = Delegated
		w.addDelegate(out, p, line)
	}
	w.parts[q.id] = out
	w.result.Events = append(w.result.Events, e)
}

// single says whether a component has one attendee beside its organizer.
func (w *replying) single(q part) bool {
	n := 0
	for _, u := range w.stored.attendees(q.Component) {
		if !w.Self(u.User) {
			n++
		}
	}
	return n == 1
}

// older says why a reply does not count any more (RFC 5546 2.1.5). One that knew an older
// version counts when the time that it answers for is still the same.
func (w *replying) older(p, q part, old ical.Prop) Reason {
	n, has := sequence(p.Component)
	now, _ := sequence(q.Component)
	if has && n < now {
		start, ok := p.Prop("DTSTART")
		same := w.stored.timesOf(q.Component).start
		if all, whole := w.stored.master(); whole && p.id == "" && q.id == same { // at the time that the series has then
			same = w.stored.timesOf(all.Component).start
		}
		if !ok || w.message.point(start) != same {
			return Older
		}
	}
	last, err := ical.ParseValue(ical.Prop{Value: old.Param(replied)}, nil)
	if at := stamp(p.Component); err == nil && !at.IsZero() && at.Before(last.Time(nil)) {
		return Older
	}
	return ""
}

// replyStatus returns the code of REQUEST-STATUS (RFC 5545 3.8.8.3), 2.0 where there is none.
func replyStatus(c *ical.Component) string {
	code, _, _ := strings.Cut(c.Value("REQUEST-STATUS"), ";")
	if len(code) < 3 || len(code) > 5 || strings.Trim(code, "0123456789.") != "" {
		return "2.0"
	}
	return code
}

// delegate returns to whom the sender delegates.
func (w *replying) delegate(p part, line ical.Prop, is string) string {
	if is != "DELEGATED" {
		return ""
	}
	if to := line.Param("DELEGATED-TO"); len(to) <= maxUID {
		return to
	}
	return ""
}

// addDelegate invites who comes in the place of the sender (RFC 5546 2.2.3).
func (w *replying) addDelegate(c *ical.Component, p part, line ical.Prop) {
	to := ParseUser(ical.Prop{Value: line.Param("DELEGATED-TO")})
	if to.Address.IsZero() || w.stored.attendee(c, func(u User) bool { return u.Key() == to.Key() }) >= 0 {
		return
	}
	l := ical.Prop{Name: "ATTENDEE", Value: to.URI, Params: []contentline.Param{
		{Name: "DELEGATED-FROM", Values: []string{w.who.URI}}, {Name: "PARTSTAT", Values: []string{needsAction}}, {Name: "RSVP", Values: []string{"TRUE"}},
	}}
	for i, u := range w.message.attendees(p.Component) {
		if u.key == to.Key() {
			l = setParam(l, "CN", clip(p.Props[i].Param("CN"), 200))
			l = setParam(l, "CUTYPE", clip(p.Props[i].Param("CUTYPE"), 40))
		}
	}
	c.Props = append(c.Props, l)
}

// tell makes what the other attendees are told, and invites delegates.
func (w *replying) tell() {
	if len(Attendees(w.Stored)) > maxTold {
		return
	}
	_, by, _ := w.stored.organizer()
	b := broadcast{
		before: w.stored, after: readObject(w.result.Object, w.Floating), now: w.Now, from: by.User, participation: true,
		self: func(u User) bool { return w.Self(u) || u.Key() == w.who.key },
	}
	list, err := b.messages()
	if err != nil {
		return
	}
	_, before := w.stored.invitees(w.Self)
	for _, o := range list {
		if before[o.To.Key()] == nil {
			w.result.Answers = append(w.result.Answers, o)
		} else {
			w.result.Others = append(w.result.Others, o)
		}
	}
}

// counter takes note of what an attendee proposes (RFC 5546 3.2.7).
func (a *applying) counter() Result {
	who, why := a.sender()
	if why != "" {
		return refused(why)
	}
	r := Result{Outcome: Noted, Role: AsOrganizer}
	for _, p := range a.message.parts {
		r.Events = append(r.Events, Event{Instance: p.Value("RECURRENCE-ID"), User: who.User, What: Proposed, Comment: clip(p.Text("COMMENT"), maxComment)})
	}
	return r
}

// refresh answers an attendee who asks for the newest version (RFC 5546 3.2.6).
func (a *applying) refresh() Result {
	who, why := a.sender()
	if why != "" {
		return refused(why)
	}
	_, by, _ := a.stored.organizer()
	b := broadcast{before: readObject(nil, nil), after: a.stored, now: a.Now, from: by.User, self: func(u User) bool { return u.Key() != who.key }}
	list, err := b.messages()
	if err != nil || len(list) == 0 {
		return refused(NotInvited)
	}
	return Result{Outcome: Noted, Role: AsOrganizer, Answers: list}
}

// Decline makes the DECLINECOUNTER for a COUNTER (RFC 5546 3.2.8).
func (d Delivery) Decline(comment string) (Outgoing, bool) {
	a := applying{Delivery: d, message: readObject(d.Message.Calendar, d.Floating), stored: readObject(d.Stored, d.Floating)}
	who, why := a.sender()
	if why != "" || d.Message.Method != Counter {
		return Outgoing{}, false
	}
	line, by, _ := a.stored.organizer()
	var parts []*ical.Component
	for _, p := range a.message.parts {
		src, ok := a.stored.covering(p.id)
		if !ok {
			continue
		}
		c := &ical.Component{Name: p.Name, Props: append(only(p.Component, "UID", "RECURRENCE-ID"), cleanLine(line))}
		c.Props = append(c.Props, only(src.Component, "SEQUENCE")...)
		c.Props = append(c.Props, ical.Prop{Name: "ATTENDEE", Value: who.URI})
		if comment = clip(comment, maxComment); comment != "" {
			c.Props = append(c.Props, commentLine(comment))
		}
		setStamp(c, d.Now)
		parts = append(parts, c)
	}
	if len(parts) == 0 {
		return Outgoing{}, false
	}
	return Outgoing{From: by.User, To: who.User, Message: newMessage(DeclineCounter, d.Message.Calendar, parts)}, true
}
