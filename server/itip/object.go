package itip

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/ical"
)

// object is a calendar with what is asked of it again and again. The calendar does not
// change.
type object struct {
	cal      *ical.Calendar
	zones    *ical.Zones
	floating *time.Location
	parts    []part
	byID     map[string]int // of parts
	known    map[string]known
	excluded map[string]bool      // EXDATE, when it was asked for
	out      map[string]ical.Prop // of these what an attendee took out, when it was asked for

	ranged     []part // with RANGE=THISANDFUTURE, when they were asked for
	readRanges bool
}

// part is one component that an object describes something with.
type part struct {
	*ical.Component
	id string // of the instance that it is for, in a form to compare; "": all
}

// known is a user whose line was read.
type known struct {
	User
	key string
}

// readObject reads a calendar; nil has no parts. What can't be read counts as absent:
// ical.Calendar.Check is for that.
func readObject(c *ical.Calendar, floating *time.Location) *object {
	o := &object{cal: c, floating: floating, byID: make(map[string]int), known: make(map[string]known)}
	if c == nil {
		return o
	}
	o.zones, _ = c.Zones()
	for _, child := range c.Children {
		if isPart(child) {
			o.parts = append(o.parts, part{Component: child})
		}
	}
	o.name(o)
	return o
}

// name gives the components the ids by which they are told apart: as the component of all
// instances has its times, that of the object or of another one.
func (o *object) name(as *object) {
	var all *ical.Component
	for _, p := range as.parts {
		if _, single := p.Prop("RECURRENCE-ID"); !single {
			all = p.Component
			break
		}
	}
	clear(o.byID)
	for i, p := range o.parts {
		id := o.instance(p.Component)
		if at, _ := p.Prop("RECURRENCE-ID"); id != "" && all != nil {
			if as != o {
				at = o.portable(at)
			}
			id = as.point(as.asStart(all, at))
		}
		for _, twice := o.byID[id]; twice; _, twice = o.byID[id] {
			id += "+" // the same instance in other words
		}
		o.byID[id], o.parts[i].id = i, id
	}
}

// maxWork bounds the properties that are looked at when each exception is compared with
// that of all instances.
const maxWork = 10_000_000

// masterSize is how many properties the component of all instances has.
func (o *object) masterSize() int {
	m, ok := o.master()
	if !ok {
		return 0
	}
	return len(m.Props)
}

// twice says whether there are two components for an instance.
func (o *object) twice() bool {
	return slices.ContainsFunc(o.parts, func(p part) bool { return strings.HasSuffix(p.id, "+") })
}

// exceptions is how many components there are, and instances that are excluded.
func (o *object) exceptions() int {
	n := len(o.parts)
	if m, ok := o.master(); ok {
		for _, p := range m.Props {
			if p.Name == "EXDATE" {
				n += 1 + strings.Count(p.Value, ",")
			}
		}
	}
	return n
}

// tooMuch says whether it would take too long to compare the exceptions of two objects with
// what they are exceptions of.
func tooMuch(a, b *object) bool {
	return max(a.masterSize(), b.masterSize())*(a.exceptions()+b.exceptions()) > maxWork
}

// isPart says whether a component is part of what an object describes.
func isPart(c *ical.Component) bool {
	return c.Name != "VTIMEZONE" && !strings.HasPrefix(c.Name, "X-")
}

// instance returns the id of the instance that a component is for.
func (o *object) instance(c *ical.Component) string {
	p, ok := c.Prop("RECURRENCE-ID")
	if !ok {
		return ""
	}
	return o.point(p)
}

// point returns the time of a property in a form to compare: a day, a time of the day
// without a zone, or a point in time.
func (o *object) point(p ical.Prop) string {
	v, err := ical.ParseValue(p, o.zones)
	if err != nil {
		return "?" + p.Value
	}
	return pointOf(v)
}

// pointOf is point of a value.
func pointOf(v ical.Value) string {
	switch {
	case v.IsDate():
		return "D" + v.String()
	case v.Floating():
		return "L" + v.String()
	}
	return strconv.FormatInt(v.Time(nil).Unix(), 10)
}

// points returns all times of the properties of a name (EXDATE, RDATE), sorted, and for each
// a property with it alone.
func (o *object) points(c *ical.Component, name string) ([]string, map[string]ical.Prop) {
	var ids []string
	lines := make(map[string]ical.Prop)
	for _, p := range c.Props {
		if p.Name != name {
			continue
		}
		for v := range strings.SplitSeq(p.Value, ",") {
			one := p
			one.Value = strings.TrimSpace(v)
			start, _, isPeriod := strings.Cut(one.Value, "/")
			first := ical.Prop{Name: p.Name, Params: p.Params, Value: start}
			if name == "EXDATE" {
				first = o.asStart(c, first)
			}
			id := o.point(first)
			if isPeriod {
				id += "/" + one.Value
			}
			if _, ok := lines[id]; !ok {
				ids = append(ids, id)
				lines[id] = one
			}
		}
	}
	slices.Sort(ids)
	return ids, lines
}

// master returns the component of all instances.
func (o *object) master() (part, bool) { return o.part("") }

func (o *object) part(id string) (part, bool) {
	i, ok := o.byID[id]
	if !ok {
		return part{}, false
	}
	return o.parts[i], true
}

// covering returns the component that describes an instance: its own, else that of all.
func (o *object) covering(id string) (part, bool) {
	if p, ok := o.part(id); ok {
		return p, true
	}
	return o.master()
}

// user reads the user of a line.
func (o *object) user(p ical.Prop) known {
	at := p.Value + "\x00" + p.Param("EMAIL")
	k, ok := o.known[at]
	if !ok {
		k.User = ParseUser(p)
		k.key = k.Key()
		o.known[at] = k
	}
	k.Name = p.Param("CN")
	return k
}

// attendees yields the attendees of a component, with the index of their lines.
func (o *object) attendees(c *ical.Component) iter.Seq2[int, known] {
	return func(yield func(int, known) bool) {
		for i, p := range c.Props {
			if p.Name == "ATTENDEE" && !yield(i, o.user(p)) {
				return
			}
		}
	}
}

// attendee returns the index of the line of an attendee; -1: there is none.
func (o *object) attendee(c *ical.Component, who Person) int {
	for i, k := range o.attendees(c) {
		if who(k.User) {
			return i
		}
	}
	return -1
}

// organizer returns the organizer: that of the first component that names one.
func (o *object) organizer() (ical.Prop, known, bool) {
	for _, p := range o.parts {
		if line, ok := p.Prop("ORGANIZER"); ok && strings.TrimSpace(line.Value) != "" {
			return line, o.user(line), true
		}
	}
	return ical.Prop{}, known{}, false
}

// roleOf says what a person is.
func (o *object) roleOf(self Person) Role {
	_, by, ok := o.organizer()
	switch {
	case !ok:
		return Bystander
	case self(by.User):
		return AsOrganizer
	}
	for _, p := range o.parts {
		if o.attendee(p.Component, self) >= 0 {
			return AsAttendee
		}
	}
	return Bystander
}

// remembering asks a person about each user once.
func remembering(who Person) Person {
	seen := make(map[string]bool)
	return func(u User) bool {
		at := u.URI + "\x00" + string(u.Email.Key())
		is, ok := seen[at]
		if !ok {
			is = who(u)
			seen[at] = is
		}
		return is
	}
}

// Organizer returns the ORGANIZER of an object; false: it has none.
func Organizer(c *ical.Calendar) (User, bool) {
	for _, child := range c.Children {
		if p, ok := child.Prop("ORGANIZER"); ok && isPart(child) && strings.TrimSpace(p.Value) != "" {
			return ParseUser(p), true
		}
	}
	return User{}, false
}

// Attendees returns who is named as an ATTENDEE in any component of an object, each once,
// in their order.
func Attendees(c *ical.Calendar) []User {
	var list []User
	o, seen := readObject(c, nil), make(map[string]bool)
	for _, p := range o.parts {
		for _, k := range o.attendees(p.Component) {
			if !seen[k.key] && k.key != "" {
				seen[k.key] = true
				list = append(list, k.User)
			}
		}
	}
	return list
}

// RoleOf says what a person is for an object.
func RoleOf(c *ical.Calendar, self Person) Role { return readObject(c, nil).roleOf(self) }

// sequence returns the SEQUENCE of a component (RFC 5545 3.8.7.4); ok: it has one.
func sequence(c *ical.Component) (n int, ok bool) {
	p, has := c.Prop("SEQUENCE")
	n, err := strconv.Atoi(strings.TrimSpace(p.Value))
	if !has || err != nil || n < 0 {
		return 0, false
	}
	return min(n, maxSequence), true
}

// maxSequence leaves room for one more in an INTEGER (RFC 5545 3.3.8).
const maxSequence = 1<<31 - 2

// stamp returns the DTSTAMP of a component; zero: it has none that can be read.
func stamp(c *ical.Component) time.Time {
	p, ok := c.Prop("DTSTAMP")
	if !ok {
		return time.Time{}
	}
	v, err := ical.ParseValue(p.Without("TZID"), nil)
	if err != nil {
		return time.Time{}
	}
	return v.Time(nil)
}

// compareVersion compares what two components say of when they were written (RFC 5546
// 2.1.5): by SEQUENCE, then by DTSTAMP where both have it.
func compareVersion(a, b *ical.Component) int {
	sa, _ := sequence(a)
	sb, _ := sequence(b)
	return Version{sa, stamp(a)}.Compare(Version{sb, stamp(b)})
}

// isCancelled says whether a component is cancelled.
func isCancelled(c *ical.Component) bool {
	return strings.EqualFold(strings.TrimSpace(c.Value("STATUS")), "CANCELLED")
}

// partStat returns the participation of an ATTENDEE (RFC 5545 3.2.12).
func partStat(p ical.Prop) string {
	if s := strings.ToUpper(strings.TrimSpace(p.Param("PARTSTAT"))); s != "" {
		return s
	}
	return needsAction
}

const needsAction = "NEEDS-ACTION"

// byServer says whether the server schedules for the user of a line (RFC 6638 7.1).
func byServer(p ical.Prop) bool {
	agent := p.Param("SCHEDULE-AGENT")
	return agent == "" || strings.EqualFold(agent, "SERVER")
}
