package itip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/ical"
)

// story is an organizer and three attendees, each with an object of his own, who tell each
// other what they change.
type story struct {
	*testing.T
	rand    *rand.Rand
	at      time.Time
	objects map[string]*ical.Calendar // by the local part
	replies []Outgoing                // of the room, which leave when all is delivered
	log     []string
}

func attendees() []string { return []string{"bob", "carol", "dave", "room"} }

// taken are the hours at which the room is taken, on all days: it declines what begins then.
func taken(i ical.Instance) bool { return i.Start.Hour() == 12 || i.Start.Day() == 2 }

// room is the answer of the room to what is new: it accepts, and declines instances.
func (s *story) room(r Result) {
	if len(r.News) == 0 {
		return
	}
	whole := slices.ContainsFunc(r.News, func(c *ical.Component) bool { _, one := c.Prop("RECURRENCE-ID"); return !one })
	a := Answer{Self: s.person("room"), PartStat: "ACCEPTED", Among: r.News, Now: s.at}
	for _, i := range s.instances(r.Object) {
		if taken(i) && (whole || slices.Contains(r.News, i.Component)) {
			a.Declined = append(a.Declined, i.ID)
		}
	}
	reply, ok := a.Reply(r.Object)
	if !ok {
		s.fail("the room has no answer to %s", shortAll(r.Object))
	}
	s.objects["room"] = a.Set(r.Object)
	s.replies = append(s.replies, reply)
}

// TestStories: whatever the organizer changes and the attendees answer, when all messages
// have arrived each attendee has what the organizer wants him to have, and the organizer
// knows what each answered, instance by instance.
func TestStories(t *testing.T) {
	for seed := range uint64(300) {
		s := &story{T: t, rand: rand.New(rand.NewPCG(seed, 7)), at: now, objects: make(map[string]*ical.Calendar)}
		s.log = []string{fmt.Sprintf("seed %d", seed)}
		for range 10 {
			s.at = s.at.Add(time.Minute)
			switch s.rand.IntN(6) {
			case 0, 1:
				s.answer()
			case 2:
				s.add()
			case 3:
				s.takeOut()
			default:
				s.change()
			}
			for len(s.replies) > 0 {
				list := s.replies
				s.replies = nil
				s.deliver(list)
			}
			s.compare()
			if t.Failed() {
				return
			}
		}
	}
}

func (s *story) fail(format string, args ...any) {
	s.Helper()
	for name, c := range s.objects {
		s.log = append(s.log, name+" has", shortAll(c))
	}
	s.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(s.log, "\n"))
}

func (s *story) person(name string) Person { return person(name + "@example.org") }

// deliver brings messages to those whom they are for.
func (s *story) deliver(list []Outgoing) {
	s.log = append(s.log, told(list))
	for _, o := range list {
		only := o.First != nil && s.rand.IntN(2) == 0 // it is worked in at once
		if o.First != nil && !only {
			s.arrive(o, o.First, false)
		}
		r := s.arrive(o, o.Message, only)
		s.deliver(append(r.Others, r.Answers...))
	}
}

// arrive brings one message to whom it is for.
func (s *story) arrive(o Outgoing, sent *Message, only bool) Result {
	c, err := ical.ParseBytes(sent.Octets())
	if err != nil {
		s.fail("%v", err)
	}
	m, err := Read(c)
	if err != nil {
		s.fail("%v", err)
	}
	to := name(o.To)
	d := Delivery{Message: m, Stored: s.objects[to], Self: s.person(to), From: s.person(name(o.From)), Now: s.at, Create: true, Only: only}
	r := d.Apply()
	if name(o.From) == "room" && r.Reason == Same {
		return Result{} // it answers anew what was answered before
	}
	if r.Reason == Declined || m.Method == Cancel && (r.Reason == NoObject || r.Reason == NoInstance) {
		return Result{} // he has declined it, and does not have it any more
	}
	if r.Outcome != Applied {
		s.fail("%s of %s to %s is %s", m.Method, name(o.From), to, result(r))
	}
	if r.Remove {
		delete(s.objects, to)
	} else {
		s.objects[to] = r.Object
	}
	if r.Role == AsAttendee && r.Object != nil {
		s.stays(d.Stored, r.Object, to)
	}
	again := d
	again.Stored, again.Create = s.objects[to], false
	if r := again.Apply(); r.Outcome == Applied && shortAll(r.Object) != shortAll(s.objects[to]) {
		s.fail("twice it is\n%s", shortAll(r.Object))
	}
	if to == "room" && r.Role == AsAttendee {
		s.room(r)
	}
	return r
}

// change is a change of the organizer: a whole new object, which has what was answered.
func (s *story) change() {
	before := s.objects["org"]
	var after *ical.Calendar
	if before == nil || s.rand.IntN(8) > 0 {
		after = s.random(before)
	}
	plan, err := Change{Before: before, After: after, Self: s.person("org"), Now: s.at}.Plan()
	if err != nil {
		s.fail("%v", err)
	}
	delete(s.objects, "org")
	if plan.Object != nil {
		s.objects["org"] = plan.Object
	}
	s.log = append(s.log, "the organizer writes", shortAll(after))
	s.deliver(plan.Messages)
}

// random makes an object of the organizer's; what is not new is as before.
func (s *story) random(before *ical.Calendar) *ical.Calendar {
	o := readObject(before, nil)
	var parts []string
	one := func(id string) {
		key := ""
		if at, err := time.Parse(utcForm, id); err == nil {
			key = strconv.FormatInt(at.Unix(), 10)
		}
		old, known := o.covering(key)
		var b strings.Builder
		summary := []string{"a", "b"}[s.rand.IntN(2)]
		shift := 0
		if id != "" {
			fmt.Fprintf(&b, "RECURRENCE-ID:%s\n", id)
			shift = s.rand.IntN(2) * 2
		}
		day := "20260401"
		if id != "" {
			day = id[:8]
		}
		fmt.Fprintf(&b, "DTSTART:%sT%02d0000Z\nDTEND:%sT%02d0000Z\nSUMMARY:%s\n", day, 10+shift, day, 11+shift+s.rand.IntN(2), summary)
		if id == "" {
			fmt.Fprintf(&b, "RRULE:FREQ=DAILY;COUNT=%d\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT1H\nEND:VALARM\n", 4+s.rand.IntN(2))
			for n := range 5 {
				if s.rand.IntN(6) == 0 {
					fmt.Fprintf(&b, "EXDATE:2026040%dT100000Z\n", n+1)
				}
			}
		} else if s.rand.IntN(6) == 0 {
			b.WriteString("STATUS:CANCELLED\n")
		}
		for _, who := range attendees() {
			if s.rand.IntN(3) > 0 {
				stat := needsAction
				if known {
					if i := o.attendee(old.Component, s.person(who)); i >= 0 {
						stat = partStat(old.Props[i])
					}
				}
				fmt.Fprintf(&b, "ATTENDEE;PARTSTAT=%s:mailto:%s@example.org\n", stat, who)
			}
		}
		parts = append(parts, b.String())
	}
	one("")
	master := parts[0]
	for n := range 5 {
		id := fmt.Sprintf("2026040%dT100000Z", n+1)
		p, own := o.part(strconv.FormatInt(time.Date(2026, 4, n+1, 10, 0, 0, 0, time.UTC).Unix(), 10))
		// No client drops an exception because somebody answered for it.
		keep := own && slices.ContainsFunc(p.All("ATTENDEE"), func(l ical.Prop) bool { return partStat(l) != needsAction })
		if (keep || s.rand.IntN(3) == 0) && !strings.Contains(master, "EXDATE:"+id) {
			one(id)
		}
	}
	return event(s.T, strings.Join(parts, "--\n"))
}

// answer is the answer of an attendee: to all, or to an instance, or he takes it out.
func (s *story) answer() {
	who := attendees()[s.rand.IntN(3)] // the room answers by itself
	before := s.objects[who]
	if before == nil {
		return
	}
	stat := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[s.rand.IntN(3)]
	after := Answer{Self: s.person(who), PartStat: stat, Now: s.at}.Set(before)
	list := s.instances(before)
	if len(list) > 0 && s.rand.IntN(2) == 0 {
		after = s.answerOne(before, list[s.rand.IntN(len(list))], who, stat)
	}
	plan, err := Change{Before: before, After: after, Self: s.person(who), Now: s.at}.Plan()
	if err != nil {
		s.fail("%v", err)
	}
	s.objects[who] = plan.Object
	s.log = append(s.log, who+" writes", shortAll(after))
	s.deliver(plan.Messages)
}

// answerOne answers one instance as clients do: with an exception.
func (s *story) answerOne(before *ical.Calendar, i ical.Instance, who, stat string) *ical.Calendar {
	o := readObject(before, nil)
	at := ical.Prop{Name: "RECURRENCE-ID", Value: i.ID.String()}
	c := i.Component
	var parts []*ical.Component
	if _, own := c.Prop("RECURRENCE-ID"); !own {
		c = o.derive(c, at)
		for _, p := range o.parts {
			parts = append(parts, p.Component)
		}
	} else {
		for _, p := range o.parts {
			if p.Component != i.Component {
				parts = append(parts, p.Component)
			}
		}
	}
	c = copyOf(c)
	n := o.attendee(c, s.person(who))
	if n < 0 {
		return before
	}
	c.Props[n] = setParam(c.Props[n], "PARTSTAT", stat)
	return withParts(before, append(parts, c))
}

// add has an attendee, or the organizer, set something of his own, for all instances or for one: that
// tells nobody anything.
func (s *story) add() {
	who := append(attendees(), "org")[s.rand.IntN(5)]
	before := s.objects[who]
	if before == nil {
		return
	}
	list := s.instances(before)
	if len(list) == 0 {
		return
	}
	i := list[s.rand.IntN(len(list))]
	c := i.Component
	o, after := readObject(before, nil), *before
	after.Children = nil
	for _, child := range before.Children {
		if child != c {
			after.Children = append(after.Children, child)
		}
	}
	if _, one := c.Prop("RECURRENCE-ID"); !one && s.rand.IntN(2) == 0 {
		after.Children = append(after.Children, c)
		c = o.derive(c, ical.Prop{Name: "RECURRENCE-ID", Value: i.ID.String()})
	}
	c = without(c, "TRANSP", "X-A")
	alarm := &ical.Component{Name: "VALARM", Props: []ical.Prop{{Name: "ACTION", Value: "DISPLAY"}, {Name: "TRIGGER", Value: fmt.Sprintf("-PT%dM", s.rand.IntN(3))}}}
	if c.Children = []*ical.Component{alarm}; s.rand.IntN(3) == 0 {
		c.Children = nil
	}
	if s.rand.IntN(2) == 0 {
		c.Props = append(c.Props, ical.Prop{Name: "TRANSP", Value: "TRANSPARENT"})
	}
	if who != "org" && s.rand.IntN(2) == 0 {
		c.Props = append(c.Props, ical.Prop{Name: "X-A", Value: fmt.Sprint(s.rand.IntN(3))})
	}
	after.Children = append(after.Children, c)
	s.put(who, &after, 0)
}

// takeOut has an attendee take an instance out of a series with EXDATE, and undo that now and then.
func (s *story) takeOut() {
	who := attendees()[s.rand.IntN(3)]
	before := s.objects[who]
	master, ok := readObject(before, nil).master()
	if !ok {
		return
	}
	list := s.instances(before)
	if len(list) < 2 {
		return
	}
	i, out, after := list[s.rand.IntN(len(list))], copyOf(master.Component), *before
	if n := readObject(before, nil).attendee(i.Component, s.person(who)); n >= 0 && partStat(i.Component.Props[n]) == declined {
		return // that would tell nothing
	}
	out.Props = append(out.Props, ical.Prop{Name: "EXDATE", Value: i.ID.String()})
	after.Children = nil
	for _, child := range before.Children {
		if child == master.Component {
			child = out
		}
		if child != i.Component || child == master.Component {
			after.Children = append(after.Children, child)
		}
	}
	s.put(who, &after, 1)
	if s.rand.IntN(2) == 0 && i.Component == master.Component { // what the organizer said of one date is not known any more
		s.put(who, before, 1)
	}
}

// put has a client put an object, of which at most so many are told.
func (s *story) put(who string, after *ical.Calendar, most int) {
	plan, err := Change{Before: s.objects[who], After: after, Self: s.person(who), Now: s.at}.Plan()
	s.log = append(s.log, who+" puts", shortAll(after))
	if err != nil {
		s.fail("%v", err)
	}
	if len(plan.Messages) > most {
		s.fail("that tells\n%s", told(plan.Messages))
	}
	s.objects[who] = plan.Object
	s.deliver(plan.Messages)
}

// isOut says whether an attendee has nothing of an instance because he took it out.
func (s *story) isOut(id, who string) bool {
	if s.objects[who] == nil {
		return true
	}
	o := readObject(s.objects[who], nil)
	m, ok := o.master()
	if !ok {
		return true // where would he write it?
	}
	at, err := time.Parse(utcForm, id)
	_, out := o.ownDates(m.Component)[strconv.FormatInt(at.Unix(), 10)]
	return err == nil && out
}

// stays checks that what the organizer sent has changed nothing that is an attendee's own. Of what
// is new he has what he has of all instances.
func (s *story) stays(was, is *ical.Calendar, who string) {
	before, all := make(map[string]string), ""
	if was != nil {
		for _, i := range s.instances(was) {
			before[i.ID.String()] = ownIn(i.Component)
		}
		if m, ok := readObject(was, nil).master(); ok {
			all = ownIn(m.Component)
		}
	}
	for _, i := range s.instances(is) {
		want, known := before[i.ID.String()]
		if !known {
			want = all
		}
		if got := ownIn(i.Component); got != want {
			s.fail("of %v %s has of his own\n%s\nand not\n%s", i.ID, who, got, want)
		}
	}
}

func (s *story) instances(c *ical.Calendar) []ical.Instance {
	o, err := ical.NewObject(c)
	if err != nil {
		s.fail("%v", err)
	}
	list, _, err := o.Instances(time.Time{}, time.Time{}, nil, 100)
	if err != nil {
		s.fail("%v", err)
	}
	return list
}

// knows lists what an object has for an attendee: when what is, and what he answered.
func (s *story) knows(c *ical.Calendar, who string) []string {
	if c == nil {
		return nil
	}
	o := readObject(c, nil)
	if m, ok := o.master(); ok && isCancelled(m.Component) {
		return nil
	}
	var list []string
	for _, i := range s.instances(c) {
		n := o.attendee(i.Component, s.person(who))
		if n < 0 || isCancelled(i.Component) {
			continue
		}
		list = append(list, fmt.Sprint(i.ID, " ", i.Start.Format("02T15"), "-", i.End.Format("15"), " ", i.Component.Value("SUMMARY"), " ", partStat(i.Component.Props[n])))
	}
	slices.Sort(list)
	return list
}

// compare compares what the attendees have with what the organizer has for them.
func (s *story) compare() {
	for _, who := range attendees() {
		want, got := s.knows(s.objects["org"], who), s.knows(s.objects[who], who)
		want = slices.DeleteFunc(want, func(line string) bool {
			return !slices.Contains(got, line) && strings.HasSuffix(line, declined) && s.isOut(line[:len(utcForm)], who)
		})
		if !slices.Equal(want, got) {
			s.fail("%s knows\n%s\nand not\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	c := s.objects["room"]
	if c == nil {
		return
	}
	o := readObject(c, nil)
	for _, i := range s.instances(c) {
		n := o.attendee(i.Component, s.person("room"))
		if is := partStat(i.Component.Props[n]); is != map[bool]string{false: "ACCEPTED", true: declined}[taken(i)] {
			s.fail("the room has %s for %v", is, i.Start)
		}
	}
}
