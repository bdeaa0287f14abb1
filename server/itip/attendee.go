package itip

import (
	"slices"
	"strings"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// attend is the Plan of a change by an attendee (RFC 6638 3.2.2).
func (c Change) attend(before, after *object) (*Plan, error) {
	plan := &Plan{Role: AsAttendee, Object: c.After}
	line, by, ok := after.organizer()
	if !ok {
		line, by, _ = before.organizer()
	}
	if !byServer(line) {
		return plan, nil
	}
	a := attending{Change: c, before: before, after: after, organizer: by.User}
	a.forced = strings.EqualFold(line.Param("SCHEDULE-FORCE-SEND"), string(Reply))
	if c.After != nil {
		if err := a.check(); err != nil {
			return nil, err
		}
		a.after, plan.Altered = a.correct()
		plan.Object = a.after.cal
	}
	if parts := a.answers(); len(parts) > 0 {
		zones := c.After
		if zones == nil {
			zones = c.Before
		}
		plan.Messages = []Outgoing{{From: a.from, To: a.organizer, Message: newMessage(Reply, zones, parts)}}
	}
	return plan, nil
}

// attending is the work of attend.
type attending struct {
	Change
	before, after *object
	organizer     User
	from          User // the attendee, as the organizer calls him
	forced        bool
}

// own returns the line of the attendee in a component.
func (a *attending) own(o *object, c *ical.Component) (ical.Prop, bool) {
	i := o.attendee(c, a.Self)
	if i < 0 {
		return ical.Prop{}, false
	}
	return c.Props[i], true
}

// base returns what described the instances of a component of after before: its own
// component, or one made of that of all.
func (a *attending) base(p part) (part, bool) {
	if was, ok := a.before.part(p.id); ok {
		return was, true
	}
	at, _ := p.Prop("RECURRENCE-ID")
	c := a.before.described(a.after.portable(at))
	return part{c, p.id}, c != nil
}

// check refuses what an attendee may not change (RFC 6638 3.2.2.1). What programs write
// anew in other words is no change.
func (a *attending) check() error {
	if len(a.before.parts) == 0 {
		return nil
	}
	refuse := func(what string) error {
		return &Precondition{AllowedAttendee, "only the organizer may change " + what}
	}
	master, whole := a.after.master()
	if _, was := a.before.master(); was != whole {
		return refuse("which instances there are")
	}
	var excluded []string
	if whole {
		excluded, _ = a.after.points(master.Component, "EXDATE")
	}
	for _, p := range a.before.parts {
		_, there := a.after.part(p.id)
		_, out := slices.BinarySearch(excluded, p.id)
		if !there && !out && whole && !a.sameAsAll(p) {
			return refuse("an instance back to what all are")
		}
	}
	for _, p := range a.after.parts {
		was, ok := a.base(p)
		if !ok {
			return refuse("which instances there are")
		}
		if what := a.forbidden(part{withTexts(p.Component, was.Component), p.id}, was); what != "" {
			return refuse(what)
		}
	}
	return nil
}

// texts are those of the organizer.
var texts = [...]string{"SUMMARY", "LOCATION", "DESCRIPTION"}

// withTexts is a component with the organizer's texts that a client left out.
func withTexts(c, was *ical.Component) *ical.Component {
	out := c
	for _, name := range texts {
		_, there := c.Prop(name)
		if p, had := was.Prop(name); had && !there {
			if out == c {
				out = copyOf(c)
			}
			out.Props = append(out.Props, p)
		}
	}
	return out
}

// sameAsAll says whether an exception of before differs from the other instances in nothing
// that the organizer says.
func (a *attending) sameAsAll(p part) bool {
	if _, ok := a.before.master(); !ok {
		return false
	}
	at, _ := p.Prop("RECURRENCE-ID")
	derived := part{a.before.described(at), p.id}
	b := attending{Change: a.Change, before: a.before, after: a.before}
	return b.forbidden(p, derived) == ""
}

// forbidden names what changed that an attendee may not change.
func (a *attending) forbidden(p, was part) string {
	if a.after.timesOf(p.Component) != a.before.timesOf(was.Component) {
		return "when it is"
	}
	dates, _ := a.after.points(p.Component, "RDATE")
	old, _ := a.before.points(was.Component, "RDATE")
	out, _ := a.after.points(p.Component, "EXDATE")
	oldOut, _ := a.before.points(was.Component, "EXDATE")
	his := a.before.ownDates(was.Component)
	oldOut = slices.DeleteFunc(oldOut, func(id string) bool { _, is := his[id]; return is })
	if !slices.Equal(rulesOf(p.Component), rulesOf(was.Component)) || !slices.Equal(dates, old) || !subset(oldOut, out) {
		return "when it recurs"
	}
	for _, name := range texts {
		if plainText(p.Value(name)) != plainText(was.Value(name)) {
			return "its " + name
		}
	}
	if p.Name == "VEVENT" && status(p.Component) != status(was.Component) {
		return "its STATUS"
	}
	known := a.before.lines(was.Component)
	for i, u := range a.after.attendees(p.Component) {
		from, _ := mailto(p.Props[i].Param("DELEGATED-FROM"))
		if _, ok := known[u.key]; !ok && !a.Self(u.User) && !a.Self(Mailto(from)) {
			return "who is invited"
		}
	}
	return ""
}

// status returns STATUS; what is not there is CONFIRMED to most programs.
func status(c *ical.Component) string {
	s := strings.ToUpper(strings.TrimSpace(c.Value("STATUS")))
	if s == "" {
		return "CONFIRMED"
	}
	return s
}

// correct returns the object with what is the organizer's: SEQUENCE and DTSTAMP, by which
// the age of messages is told, and the lines of the other attendees.
func (a *attending) correct() (kept *object, altered bool) {
	parts := make([]*ical.Component, len(a.after.parts))
	for i, p := range a.after.parts {
		out := a.corrected(p)
		if was, ok := a.base(p); ok && len(a.before.parts) > 0 {
			out = withTexts(out, was.Component)
			a.restore(out, was.Component)
			a.claim(out, was.Component)
		}
		if !sameProps(out.Props, p.Props) {
			parts[i], altered = out, true
		}
	}
	if !altered {
		return a.after, false
	}
	return a.after.replaced(parts), true
}

// corrected is a component without what a client may only ask for.
func (a *attending) corrected(p part) *ical.Component {
	out := copyOf(p.Component)
	for i, l := range out.Props {
		if (l.Name == "ATTENDEE" || l.Name == "ORGANIZER") && l.Param("SCHEDULE-FORCE-SEND") != "" {
			out.Props[i] = l.Without("SCHEDULE-FORCE-SEND")
		}
	}
	return out
}

// restore puts back what an attendee can't change.
func (a *attending) restore(out, was *ical.Component) {
	if n, ok := sequence(was); ok {
		if now, has := sequence(out); !has || now != n {
			setSequence(out, n)
		}
	} else if _, has := sequence(out); has {
		out.Props = without(out, "SEQUENCE").Props
	}
	if p, ok := was.Prop("DTSTAMP"); ok && !stamp(out).Equal(stamp(was)) {
		setProp(out, p)
	}
	lines := a.before.lines(was)
	kept := out.Props[:0:0]
	for _, l := range out.Props {
		switch l.Name {
		case "ORGANIZER":
			if old, ok := was.Prop("ORGANIZER"); ok && l.Param("SCHEDULE-STATUS") == "" {
				l = setParam(l, "SCHEDULE-STATUS", old.Param("SCHEDULE-STATUS"))
			}
		case "ATTENDEE":
			u := a.after.user(l)
			old, ok := lines[u.key]
			delete(lines, u.key)
			if ok && !a.Self(u.User) {
				l = old
			}
		}
		kept = append(kept, l)
	}
	for _, l := range was.Props { // whom a client left out, in their order
		if l.Name != "ATTENDEE" {
			continue
		}
		if _, left := lines[a.before.user(l).key]; left {
			kept = append(kept, l)
		}
	}
	out.Props = kept
}

// sameProps says whether two lists of properties are the same.
func sameProps(a, b []ical.Prop) bool {
	return slices.EqualFunc(a, b, func(x, y ical.Prop) bool {
		return x.Name == y.Name && x.Value == y.Value && slices.EqualFunc(x.Params, y.Params, func(p, q contentline.Param) bool {
			return p.Name == q.Name && slices.Equal(p.Values, q.Values)
		})
	})
}

// declined is what an instance has of which the attendee wants to know no more.
const declined = "DECLINED"

// answers returns the components of the REPLY that follows; none: nothing does.
func (a *attending) answers() []*ical.Component {
	var parts []*ical.Component
	add := func(o *object, c *ical.Component, status string, was *ical.Component) {
		line, ok := a.own(o, c)
		if !ok {
			return
		}
		if a.from.URI == "" {
			a.from = ParseUser(line)
		}
		parts = append(parts, replyPart(reply{component: c, line: line, status: status, now: a.Now, comments: newComments(c, was)}))
	}
	all := a.ofAll(a.after)
	_, whole := a.after.master()
	anew := whole && all != a.ofAll(a.before) // so what he answers else to some is said with it
	for _, p := range a.after.parts {
		line, ok := a.own(a.after, p.Component)
		if !ok {
			continue
		}
		now, was, known := partStat(line), needsAction, false
		base, has := a.base(p)
		if has && len(a.before.parts) > 0 {
			var old ical.Prop
			if old, known = a.own(a.before, base.Component); known {
				was = partStat(old)
			}
		}
		if a.before.tookOut(p.id) {
			was = declined // and has it again
		}
		if now != was || a.forced || a.apart(p, now) || anew && now != all || p.Name == "VTODO" && known && progress(p.Component) != progress(base.Component) {
			add(a.after, p.Component, now, base.Component)
		}
	}
	if anew && all != declined {
		for _, c := range a.stillOut() {
			add(a.after, c, declined, c)
		}
	}
	for _, c := range a.again() {
		if line, ok := a.own(a.after, c); ok {
			add(a.after, c, partStat(line), c)
		}
	}
	for _, c := range a.dropped() {
		if line, ok := a.own(a.before, c); ok && partStat(line) != declined && !isCancelled(c) {
			add(a.before, c, declined, c)
		}
	}
	return parts
}

// ofAll is what the attendee answers to all instances of an object.
func (a *attending) ofAll(o *object) string {
	if master, ok := o.master(); ok {
		if line, ok := a.own(o, master.Component); ok {
			return partStat(line)
		}
	}
	return needsAction
}

// apart says whether an exception is new, and answered in another way than all instances.
func (a *attending) apart(p part, status string) bool {
	master, ok := a.after.master()
	if _, known := a.before.part(p.id); known || !ok || p.id == "" || len(a.before.parts) == 0 {
		return false
	}
	line, ok := a.own(a.after, master.Component)
	return ok && partStat(line) != status
}

// progress is how far a task is.
func progress(c *ical.Component) string {
	return c.Value("PERCENT-COMPLETE") + " " + c.Value("COMPLETED") + " " + c.Value("STATUS")
}

// dropped returns what the attendee took out of his calendar: components of before, or made
// of it for instances.
func (a *attending) dropped() []*ical.Component {
	var list []*ical.Component
	master, whole := a.before.master()
	if len(a.after.parts) == 0 {
		if a.NoReply {
			return nil // RFC 6638 8.1
		}
		if whole {
			if _, ok := a.own(a.before, master.Component); ok {
				return []*ical.Component{master.Component}
			}
		}
		for _, p := range a.before.parts {
			list = append(list, p.Component)
		}
		return list
	}
	if now, ok := a.after.master(); ok && whole {
		out, lines := a.after.points(now.Component, "EXDATE")
		had, _ := a.before.points(master.Component, "EXDATE")
		for _, id := range out {
			_, before := slices.BinarySearch(had, id)
			if _, there := a.after.part(id); before || there {
				continue
			}
			c := a.before.derive(master.Component, a.after.portable(lines[id]))
			if p, own := a.before.part(id); own {
				c = p.Component
			}
			list = append(list, c)
		}
		return list
	}
	for _, p := range a.before.parts {
		if _, there := a.after.part(p.id); !there {
			list = append(list, p.Component)
		}
	}
	return list
}

// newComments returns what the attendee writes to the organizer.
func newComments(c, was *ical.Component) []ical.Prop {
	var list []ical.Prop
	for _, p := range c.All("COMMENT") {
		old := was != nil && slices.ContainsFunc(was.All("COMMENT"), func(q ical.Prop) bool { return q.Value == p.Value })
		if !old && len(p.Value) <= maxComment && len(list) < 10 {
			list = append(list, p)
		}
	}
	return list
}

// maxComment bounds a comment, in octets.
const maxComment = 4 << 10
