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
		for range 8 {
			s.at = s.at.Add(time.Minute)
			if s.rand.IntN(3) == 0 {
				s.answer()
			} else {
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
	if r.Outcome != Applied {
		s.fail("%s of %s to %s is %s", m.Method, name(o.From), to, result(r))
	}
	if r.Remove {
		delete(s.objects, to)
	} else {
		s.objects[to] = r.Object
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
			fmt.Fprintf(&b, "RRULE:FREQ=DAILY;COUNT=%d\n", 4+s.rand.IntN(2))
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
