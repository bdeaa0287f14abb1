package itip

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// broadcast finds what each attendee is told of a change. Attendees who knew the same, and
// are to know the same, get the same messages, which are made once.
type broadcast struct {
	before, after *object
	self          Person
	now           time.Time
	from          User
	forced        map[string]bool
	// participation: that somebody answered is a change, too.
	participation bool

	changedParts map[string]bool // by instance
	cleaned      map[*ical.Component]*ical.Component
	spent        int
}

// maxSpent bounds the components and excluded instances of all messages together.
const maxSpent = 200_000

// invitee is an attendee with the components to which the server invites him.
type invitee struct {
	known
	parts []int // of the object
}

// invitees returns who is invited to what. To what is cancelled, nobody is.
func (o *object) invitees(self Person) (list []*invitee, byKey map[string]*invitee) {
	byKey = make(map[string]*invitee)
	if m, ok := o.master(); ok && isCancelled(m.Component) {
		return nil, byKey
	}
	for i, p := range o.parts {
		if isCancelled(p.Component) {
			continue
		}
		for n, u := range o.attendees(p.Component) {
			if u.key == "" || !byServer(p.Props[n]) || self(u.User) {
				continue
			}
			in := byKey[u.key]
			if in == nil {
				in = &invitee{known: u}
				byKey[u.key] = in
				list = append(list, in)
			}
			if len(in.parts) == 0 || in.parts[len(in.parts)-1] != i {
				in.parts = append(in.parts, i)
			}
		}
	}
	return list, byKey
}

// group is attendees who are told the same.
type group struct {
	was, is []int // parts of before and of after
	forced  bool
	members map[string]bool
	list    []notice
}

// notice is what a group is told, with what has to arrive before (Outgoing.First).
type notice struct{ first, message *Message }

// messages returns what all attendees are told, in the order of the attendees.
func (b *broadcast) messages() ([]Outgoing, error) {
	was, wasByKey := b.before.invitees(b.self)
	is, isByKey := b.after.invitees(b.self)
	all := is
	for _, in := range was {
		if isByKey[in.key] == nil {
			all = append(all, in)
		}
	}
	if len(is) > MaxAttendees {
		return nil, &Precondition{TooManyAttendees, "there are more than " + strconv.Itoa(MaxAttendees) + " attendees"}
	}
	groups, order := make(map[string]*group), make([]*group, len(all))
	for i, in := range all {
		order[i] = b.group(groups, in.key, wasByKey[in.key], isByKey[in.key])
	}
	b.changedParts, b.cleaned = make(map[string]bool), make(map[*ical.Component]*ical.Component)
	for _, g := range groups {
		g.list = b.tell(g)
		if b.spent > maxSpent {
			return nil, ErrTooMuch
		}
	}
	var out []Outgoing
	for i, in := range all {
		for _, m := range order[i].list {
			out = append(out, Outgoing{From: b.from, To: in.User, Message: m.message, First: m.first})
		}
	}
	return out, nil
}

// group puts an attendee into the group that he belongs to.
func (b *broadcast) group(groups map[string]*group, key string, was, is *invitee) *group {
	g := &group{forced: b.forced[key]}
	if was != nil {
		g.was = was.parts
	}
	if is != nil {
		g.is = is.parts
	}
	var id strings.Builder
	for _, list := range [][]int{g.was, g.is} {
		for _, i := range list {
			id.WriteString(strconv.Itoa(i))
			id.WriteByte(' ')
		}
		id.WriteByte('|')
	}
	id.WriteString(strconv.FormatBool(g.forced))
	if old := groups[id.String()]; old != nil {
		g = old
	} else {
		groups[id.String()], g.members = g, make(map[string]bool)
	}
	g.members[key] = true
	return g
}

// view is what an attendee knows of an object, or is to know.
type view struct {
	*object
	parts    map[string]part
	excluded map[string]ical.Prop // instances of all that he is not invited to
	whole    bool                 // he is invited to all instances but those
}

func (b *broadcast) view(o *object, list []int) view {
	v := view{object: o, parts: make(map[string]part), excluded: make(map[string]ical.Prop)}
	for _, i := range list {
		v.parts[o.parts[i].id] = o.parts[i]
	}
	master, whole := v.parts[""]
	if v.whole = whole; !whole {
		return v
	}
	b.spent += len(o.parts)
	_, v.excluded = o.points(master.Component, "EXDATE")
	for _, p := range o.parts {
		if _, in := v.parts[p.id]; in {
			delete(v.excluded, p.id) // some programs write EXDATE for an exception, too
		} else {
			v.excluded[p.id], _ = p.Prop("RECURRENCE-ID")
		}
	}
	return v
}

// tell returns what a group is told.
func (b *broadcast) tell(g *group) []notice {
	was, is := b.view(b.before, g.was), b.view(b.after, g.is)
	b.spent += len(g.was) + len(g.is) + 1
	switch {
	case len(g.is) == 0 && len(g.was) == 0:
		return nil
	case len(g.is) == 0:
		return []notice{{message: b.cancel(g, was, is, b.left(was, is))}}
	case was.whole && !is.whole: // RFC 5546 has no message that says both
		return []notice{{first: b.cancel(g, was, is, []string{""}), message: b.request(is, b.all(is))}}
	case len(g.was) == 0 || g.forced || is.whole && !was.whole, is.whole && b.seriesChanged(was, is):
		return []notice{{message: b.request(is, b.all(is))}}
	}
	var list []notice
	if gone := b.left(was, is); len(gone) > 0 {
		list = append(list, notice{message: b.cancel(g, was, is, gone)})
	}
	var news []string
	for _, id := range b.all(is) {
		_, wasOut := was.excluded[id]
		if id != "" && (wasOut || b.changed(id)) {
			news = append(news, id)
		}
	}
	if len(news) > 0 {
		list = append(list, notice{message: b.request(is, news)})
	}
	return list
}

// all returns the instances of a view, in their order in the object.
func (b *broadcast) all(v view) []string {
	var ids []string
	for _, p := range v.object.parts {
		if own, ok := v.parts[p.id]; ok && own.Component == p.Component {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// left returns the instances that are not any more; "" for all of them.
func (b *broadcast) left(was, is view) []string {
	if was.whole && !is.whole {
		return []string{""}
	}
	var ids []string
	for _, id := range b.all(was) {
		if _, in := is.parts[id]; !in && !is.whole {
			ids = append(ids, id)
		}
	}
	for id := range is.excluded {
		if _, before := was.excluded[id]; !before {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// seriesChanged says whether more changed than single instances.
func (b *broadcast) seriesChanged(was, is view) bool {
	if b.changed("") {
		return true
	}
	for id := range was.excluded { // an instance is back as all are
		_, out := is.excluded[id]
		if _, own := is.parts[id]; !out && !own {
			return true
		}
	}
	for id, p := range was.parts {
		_, out := is.excluded[id]
		if _, own := is.parts[id]; !out && !own && !b.before.asAll(p, b.after) {
			return true
		}
	}
	return false
}

// asAll says whether an exception tells nothing but what another object tells of all instances.
func (o *object) asAll(p part, now *object) bool {
	master, ok := now.master()
	if !ok || p.id == "" {
		return false
	}
	at, _ := p.Prop("RECURRENCE-ID")
	return o.content(p.Component, true) == now.content(now.derive(master.Component, o.portable(at)), true)
}

// changed says whether a component of after tells something new.
func (b *broadcast) changed(id string) bool {
	if is, ok := b.changedParts[id]; ok {
		return is
	}
	p, _ := b.after.part(id)
	was, own := b.before.part(id)
	is := false
	switch master, ok := b.before.master(); {
	case own:
		is = b.before.content(was.Component, b.participation) != b.after.content(p.Component, b.participation)
	case !ok:
		is = true
	default:
		at, _ := p.Prop("RECURRENCE-ID")
		derived := b.before.derive(master.Component, b.after.portable(at))
		is = b.before.content(derived, b.participation) != b.after.content(p.Component, b.participation)
	}
	b.changedParts[id] = is
	return is
}

// request makes a REQUEST with some components of a view.
func (b *broadcast) request(v view, ids []string) *Message {
	var parts []*ical.Component
	for _, id := range ids {
		c := b.clean(v.parts[id].Component)
		if id == "" {
			c = v.excluding(c)
		}
		parts = append(parts, c)
	}
	b.spent += len(parts) + len(v.excluded)
	return newMessage(Request, v.cal, parts)
}

// excluding returns the component of all instances without those that are not in the view.
func (v view) excluding(c *ical.Component) *ical.Component {
	had, _ := v.points(c, "EXDATE")
	if len(had) == len(v.excluded) {
		return c
	}
	out := copyOf(c)
	for _, id := range slices.Sorted(maps.Keys(v.excluded)) {
		if _, ok := slices.BinarySearch(had, id); !ok {
			v.exclude(out, v.excluded[id])
		}
	}
	return out
}

// exclude adds an EXDATE to a component that is a copy already.
func (o *object) exclude(c *ical.Component, at ical.Prop) {
	mark := at.Param(own)
	at = setParam(o.asStart(c, at), own, mark)
	at.Name = "EXDATE"
	for i := len(c.Props) - 1; i >= 0; i-- {
		p := c.Props[i]
		if p.Name == "EXDATE" && p.Param("TZID") == at.Param("TZID") && p.Param("VALUE") == at.Param("VALUE") && p.Param(own) == mark &&
			strings.HasSuffix(p.Value, "Z") == strings.HasSuffix(at.Value, "Z") && len(p.Value) < maxExcludeLine {
			c.Props[i].Value += "," + at.Value
			return
		}
	}
	c.Props = append(c.Props, at)
}

// maxExcludeLine is the length from which on EXDATE goes on in another line.
const maxExcludeLine = 2000

// clean returns a component as others may see it (RFC 6638 3.2.5, 7): it has the DTSTAMP of
// the message, and neither alarms nor what is between a client and its server.
func (b *broadcast) clean(c *ical.Component) *ical.Component {
	out := b.cleaned[c]
	if out == nil {
		out = clean(c)
		setStamp(out, b.now)
		if _, ok := sequence(out); !ok {
			setSequence(out, 0)
		}
		b.cleaned[c] = out
	}
	return out
}

func clean(c *ical.Component) *ical.Component {
	out := *c
	out.Props = make([]ical.Prop, 0, len(c.Props)+2)
	for _, p := range c.Props {
		switch {
		case p.Name == "ATTENDEE" || p.Name == "ORGANIZER":
			out.Props = append(out.Props, cleanLine(p))
		case p.Name == "ACKNOWLEDGED" || strings.HasPrefix(p.Name, "X-") && p.Name != "X-MICROSOFT-CDO-BUSYSTATUS" && ofOwner(p.Name):
		default:
			out.Props = append(out.Props, setParam(p, own, ""))
		}
	}
	out.Children = slices.DeleteFunc(slices.Clone(c.Children), func(c *ical.Component) bool { return c.Name == "VALARM" })
	return &out
}

// cleanLine is the line of a user without what is between a client and its server.
func cleanLine(p ical.Prop) ical.Prop {
	server := func(q contentline.Param) bool {
		return strings.HasPrefix(q.Name, "SCHEDULE-") || q.Name == replied || q.Name == own
	}
	if slices.ContainsFunc(p.Params, server) {
		p.Params = slices.DeleteFunc(slices.Clone(p.Params), server)
	}
	return p
}

// cancel makes a CANCEL of instances (RFC 5546 3.2.5).
func (b *broadcast) cancel(g *group, was, is view, ids []string) *Message {
	var parts []*ical.Component
	zones := was.cal
	for _, id := range ids {
		p, own := was.parts[id]
		if !own {
			// Nothing described the instance alone.
			c := was.derive(was.parts[""].Component, b.after.portable(is.excluded[id]))
			p = part{c, id}
		}
		now, there := b.after.part(id)
		_, left := b.after.covering(id)
		_, _, meeting := b.after.organizer()
		gone := !there || !meeting || isCancelled(now.Component)
		if m, ok := b.after.master(); ok && isCancelled(m.Component) {
			gone = true
		}
		parts = append(parts, b.cancelled(g, p, left, gone))
	}
	b.spent += len(parts)
	return newMessage(Cancel, zones, parts)
}

// cancelled makes the component of a CANCEL. gone: there is no such instance for anybody,
// else only the group is not invited any more.
func (b *broadcast) cancelled(g *group, p part, left, gone bool) *ical.Component {
	n, _ := sequence(p.Component)
	n++
	if left {
		now, _ := b.after.covering(p.id)
		n, _ = sequence(now.Component)
	}
	src := clean(p.Component)
	out := &ical.Component{Name: src.Name, Props: only(src, "UID", "RECURRENCE-ID", "ORGANIZER", "DTSTART", "DTEND", "DUE", "DURATION",
		"RRULE", "SUMMARY", "LOCATION", "ATTENDEE")}
	if !gone {
		out.Props = slices.DeleteFunc(out.Props, func(l ical.Prop) bool { return l.Name == "ATTENDEE" && !g.members[b.before.user(l).key] })
	} else {
		setValue(out, "STATUS", "CANCELLED")
	}
	setSequence(out, n)
	setStamp(out, b.now)
	return out
}
