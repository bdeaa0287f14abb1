package itip

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/ical"
)

// applyCase is a message that arrives, and what becomes of it.
type applyCase struct {
	name    string
	method  Method
	stored  string // "": nothing
	message string
	from    string // "": who usually sends it
	create  bool
	want    string // outcome, and what is kept
	others  string
	answers string
	events  string
}

func (c applyCase) run(t *testing.T, self, from string) {
	t.Helper()
	if c.from == "" {
		c.from = from
	}
	d := Delivery{Message: arriving(t, c.method, c.message), Self: person(self), From: person(c.from), Now: now, Create: c.create}
	was := ""
	if c.stored != "" {
		d.Stored = event(t, c.stored)
		was = string(d.Stored.Append(nil))
	}
	r := d.Apply()
	if got, want := result(r), strings.TrimSpace(c.want); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
	for _, x := range []struct {
		list []Outgoing
		want string
	}{{r.Others, c.others}, {r.Answers, c.answers}} {
		if got := told(x.list); got != strings.TrimSpace(x.want) {
			t.Errorf("told is\n%s\nnot\n%s", got, x.want)
		}
		wellFormed(t, x.list)
	}
	if c.events != "" && fmt.Sprint(eventsOf(r)) != c.events {
		t.Errorf("events: %v, not %s", eventsOf(r), c.events)
	}
	if was != "" && was != string(d.Stored.Append(nil)) {
		t.Error("what was stored was changed")
	}
	if r.Object != nil && strings.Contains(string(r.Object.Append(nil)), "METHOD") {
		t.Error("METHOD is kept")
	}
}

func eventsOf(r Result) []string {
	var list []string
	for _, e := range r.Events {
		s := string(e.What)
		if e.User.URI != "" {
			s += " " + name(e.User) + " " + e.Was + ">" + e.Is
		}
		if e.Instance != "" {
			s += " " + e.Instance
		}
		if e.Comment != "" {
			s += " " + e.Comment
		}
		list = append(list, s)
	}
	return list
}

func result(r Result) string {
	s := []string{"refused", "ignored", "applied", "noted"}[r.Outcome]
	switch {
	case r.Reason != "":
		s += ": " + string(r.Reason)
	case r.Remove:
		s += ", removed"
	case r.Created:
		s += ", new"
	}
	if r.Object != nil {
		s += "\n" + shortAll(r.Object)
	}
	return s
}

const at10 = "DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\n"

func TestApplyRequest(t *testing.T) {
	alarm := "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n"
	moved := "--\nRECURRENCE-ID:20260402T100000Z\nSEQUENCE:1\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n"
	later := "DTSTAMP:20260301T120000Z\n"
	for _, c := range []applyCase{
		{name: "new (RFC 5546 4.2.1)", message: "SUMMARY:a\n" + bob + carol + alarm, create: true,
			want: "applied, new\ndtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:NEEDS-ACTION carol:NEEDS-ACTION", events: "[invited]"},
		{name: "new, but it may not", message: bob, want: "refused: " + string(Stranger)},
		{name: "new, from another", message: bob, create: true, from: "mallory@example.org", want: "refused: " + string(NotOrganizer)},
		{name: "new, for another", message: carol, create: true, want: "refused: " + string(NotInvited)},
		{name: "another organizer takes the UID", stored: bob, message: "ORGANIZER:mailto:mallory@example.org\n" + bob, from: "mallory@example.org", want: "refused: " + string(OtherOrganizer)},
		{name: "of what is nobody's", stored: "NOBODY\n", message: bob, want: "refused: " + string(OtherOrganizer)},
		{name: "in the name of the organizer", stored: bob, message: "SUMMARY:x\n" + bob, from: "mallory@example.org", want: "refused: " + string(NotOrganizer)},
		{name: "an update keeps what is his (RFC 5546 4.2.3)", stored: "SEQUENCE:1\nSUMMARY:a\nTRANSP:TRANSPARENT\n" + yes + alarm, message: later + "SEQUENCE:1\nSUMMARY:b\nTRANSP:OPAQUE\n" + bob + alarm,
			want: "applied\nseq=1 dtstart=20260401T100000Z dtend=20260401T110000Z summary=b transp=TRANSPARENT bob:ACCEPTED +VALARM", events: "[updated]"},
		{name: "another time asks anew", stored: "SEQUENCE:1\n" + yes + alarm, message: "SEQUENCE:2\nDTSTART:20260401T120000Z\nDTEND:20260401T130000Z\n" + bob,
			want: "applied\nseq=2 dtstart=20260401T120000Z dtend=20260401T130000Z bob:NEEDS-ACTION +VALARM", events: "[rescheduled]"},
		{name: "older by SEQUENCE", stored: "SEQUENCE:2\n" + bob, message: later + "SEQUENCE:1\nSUMMARY:b\n" + bob, want: "ignored: " + string(Older)},
		{name: "older by DTSTAMP", stored: later + "SEQUENCE:2\n" + bob, message: "SEQUENCE:2\nSUMMARY:b\n" + bob, want: "ignored: " + string(Older)},
		{name: "twice", stored: "SUMMARY:a\n" + yes, message: "SUMMARY:a\n" + bob, want: "ignored: " + string(Same)},
		{name: "others answered", stored: bob + carol, message: later + bob + "ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org\n",
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION carol:ACCEPTED", events: "[]"},
		{name: "a clock that is wrong", message: "DTSTAMP:20990101T000000Z\n" + bob, create: true, want: "applied, new\ndtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION"},
		{name: "one instance (RFC 5546 4.4.2)", stored: daily + yes + alarm, message: "RECURRENCE-ID:20260402T100000Z\nSEQUENCE:1\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n" + bob,
			want:   "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:ACCEPTED +VALARM\nid=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION +VALARM",
			events: "[rescheduled 20260402T100000Z]"},
		{name: "one instance alone", message: "RECURRENCE-ID:20260402T100000Z\nSEQUENCE:1\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n" + bob, create: true,
			want: "applied, new\nid=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION"},
		{name: "another instance alone", stored: "RECURRENCE-ID:20260402T100000Z\n" + at10 + yes, message: "RECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T150000Z\nDTEND:20260403T160000Z\n" + bob,
			want: "applied\nid=20260402T100000Z dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED\nid=20260403T100000Z dtstart=20260403T150000Z dtend=20260403T160000Z bob:NEEDS-ACTION"},
		{name: "then all of it", stored: "RECURRENCE-ID:20260402T100000Z\n" + at10 + yes, message: later + daily + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION"},
		{name: "an instance comes back", stored: daily + "EXDATE:20260402T100000Z,20260403T100000Z\n" + yes, message: later + "RECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n" + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260403T100000Z bob:ACCEPTED\nid=20260402T100000Z dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION"},
		{name: "all of it keeps the exception that he made", stored: daily + "SUMMARY:a\n" + yes + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\nSUMMARY:a\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n",
			message: later + daily + "SUMMARY:b\n" + yes,
			want:    "applied\nid=20260402T100000Z dtstart=20260402T100000Z dtend=20260402T110000Z summary=b bob:DECLINED\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 summary=b bob:ACCEPTED"},
		{name: "all of it drops exceptions of before", stored: daily + bob + moved + bob, message: "SEQUENCE:2\nSUMMARY:b\n" + daily + bob,
			want: "applied\nseq=2 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 summary=b bob:NEEDS-ACTION"},
		{name: "all of it, late, keeps a newer exception", stored: "DTSTAMP:20260228T000000Z\n" + daily + bob + moved + bob, message: "DTSTAMP:20260228T120000Z\n" + daily + "SUMMARY:b\n" + bob,
			want: "applied\nid=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 summary=b bob:NEEDS-ACTION"},
		{name: "an instance that is not for him", message: daily + bob + moved + carol, create: true,
			want: "applied, new\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260402T100000Z bob:NEEDS-ACTION"},
		{name: "an exception that names nobody", message: daily + bob + moved, create: true,
			want: "applied, new\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION\nid=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z"},
		{name: "published (RFC 5546 4.1.1)", method: Publish, message: "SUMMARY:a\n", create: true, want: "applied, new\ndtstart=20260401T100000Z dtend=20260401T110000Z summary=a"},
		{name: "published by a stranger", method: Publish, message: "SUMMARY:a\n", want: "refused: " + string(Stranger)},
		{name: "another kind of times", message: "DTSTART;TZID=Nowhere/Zone:20260401T100000\n" + bob, create: true, want: "refused: " + string(Unusable)},
		{name: "added (RFC 5546 4.4.6)", method: Add, stored: daily + yes, message: "SEQUENCE:1\nDTSTART:20260420T100000Z\nDTEND:20260420T110000Z\n" + bob,
			want: "applied\nseq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 rdate=20260420T100000Z bob:ACCEPTED\nid=20260420T100000Z seq=1 dtstart=20260420T100000Z dtend=20260420T110000Z bob:NEEDS-ACTION"},
		{name: "added to what is not known", method: Add, message: "SEQUENCE:1\n" + bob, create: true, want: "noted: " + string(NoObject), answers: "bob -> org: REFRESH\n  bob:NEEDS-ACTION"},
		{name: "an answer to a proposal (RFC 5546 3.2.8)", method: DeclineCounter, stored: bob, message: bob, want: "noted"},
	} {
		if c.method == "" {
			c.method = Request
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, "bob@example.org", "org@example.org") })
	}
}

func TestApplyCancel(t *testing.T) {
	moved := "--\nRECURRENCE-ID:20260402T100000Z\nSEQUENCE:1\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n" + bob
	for _, c := range []applyCase{
		{name: "all of it (RFC 5546 4.2.9)", stored: "SEQUENCE:1\n" + yes, message: "SEQUENCE:2\nSTATUS:CANCELLED\n" + bob + carol, want: "applied, removed", events: "[cancelled]"},
		{name: "the same SEQUENCE, as Outlook has it", stored: "SEQUENCE:1\n" + yes, message: "SEQUENCE:1\nSTATUS:CANCELLED\n" + bob, want: "applied, removed"},
		{name: "he is not invited any more", stored: yes + carol, message: "SEQUENCE:1\n" + bob, want: "applied, removed"},
		{name: "somebody else is not", stored: yes + carol, message: "SEQUENCE:1\n" + carol, want: "ignored: " + string(ForOthers)},
		{name: "older", stored: "SEQUENCE:3\n" + yes, message: "SEQUENCE:2\nSTATUS:CANCELLED\n" + bob, want: "ignored: " + string(Older)},
		{name: "in the name of the organizer", stored: yes, message: "SEQUENCE:2\nSTATUS:CANCELLED\n" + bob, from: "carol@example.org", want: "refused: " + string(NotOrganizer)},
		{name: "by who calls himself organizer", stored: yes, message: "ORGANIZER:mailto:carol@example.org\nSEQUENCE:2\nSTATUS:CANCELLED\n" + bob, from: "carol@example.org", want: "refused: " + string(OtherOrganizer)},
		{name: "unknown", message: "SEQUENCE:2\n" + bob, want: "ignored: " + string(NoObject)},
		{name: "one instance (RFC 5546 4.4.3)", stored: daily + yes, message: "SEQUENCE:1\nRECURRENCE-ID:20260402T100000Z\nSTATUS:CANCELLED\n" + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260402T100000Z bob:ACCEPTED", events: "[cancelled 20260402T100000Z]"},
		{name: "an exception", stored: daily + yes + moved, message: "SEQUENCE:2\nRECURRENCE-ID:20260402T100000Z\nSTATUS:CANCELLED\n" + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260402T100000Z bob:ACCEPTED"},
		{name: "twice", stored: daily + "EXDATE:20260402T100000Z\n" + yes, message: "SEQUENCE:1\nRECURRENCE-ID:20260402T100000Z\nSTATUS:CANCELLED\n" + bob, want: "ignored: " + string(Same)},
		{name: "the only instance", stored: "RECURRENCE-ID:20260402T100000Z\n" + at10 + bob, message: "SEQUENCE:1\nRECURRENCE-ID:20260402T100000Z\nSTATUS:CANCELLED\n" + bob, want: "applied, removed"},
		{name: "this and all later (RFC 5546 3.2.5)", stored: daily + "RDATE:20260502T100000Z\n" + yes + moved, message: "SEQUENCE:2\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260402T100000Z\nSTATUS:CANCELLED\n" + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;UNTIL=20260402T095959Z bob:ACCEPTED"},
		{name: "this and all later from the first on", stored: daily + yes, message: "SEQUENCE:2\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260401T100000Z\nSTATUS:CANCELLED\n" + bob, want: "applied, removed"},
	} {
		c.method = Cancel
		t.Run(c.name, func(t *testing.T) { c.run(t, "bob@example.org", "org@example.org") })
	}
}

func TestApplyReply(t *testing.T) {
	both := self + bob + carol
	for _, c := range []applyCase{
		{name: "accepted (RFC 5546 4.2.2)", stored: both, message: yes + "COMMENT:see you\n", events: "[answered bob NEEDS-ACTION>ACCEPTED see you]",
			want:   "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:ACCEPTED(2.0) carol:NEEDS-ACTION",
			others: "org -> carol: REQUEST\n  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:ACCEPTED carol:NEEDS-ACTION"},
		{name: "twice", stored: self + yes, message: yes, want: "ignored: " + string(Same)},
		{name: "who is not invited", stored: self + carol, message: yes, want: "refused: " + string(NotAttendee)},
		{name: "in the name of another", stored: both, message: yes, from: "carol@example.org", want: "refused: " + string(NotAttendee)},
		{name: "of another organizer", stored: "ORGANIZER:mailto:x@example.org\n" + both, message: yes, want: "refused: " + string(OtherOrganizer)},
		{name: "to nothing", message: yes, want: "refused: " + string(NoObject)},
		{name: "to an older version at another time", stored: "SEQUENCE:2\n" + both, message: "SEQUENCE:1\nDTSTART:20260401T080000Z\n" + yes, want: "ignored: " + string(Older)},
		{name: "to an older version of the same time", stored: "SEQUENCE:2\n" + self + bob, message: "SEQUENCE:1\n" + at10 + yes, want: "applied\nseq=2 dtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:ACCEPTED(2.0)"},
		{name: "older than one before (RFC 5546 2.1.5)", stored: "ATTENDEE;PARTSTAT=DECLINED;X-FACTEUR-REPLIED=20260301T120000Z:mailto:bob@example.org\n", message: yes, want: "ignored: " + string(Older)},
		{name: "newer than one before", stored: "ATTENDEE;PARTSTAT=DECLINED;X-FACTEUR-REPLIED=20260301T120000Z:mailto:bob@example.org\n", message: "DTSTAMP:20260301T130000Z\n" + yes,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED(2.0)"},
		{name: "nonsense", stored: both, message: "ATTENDEE;PARTSTAT=COMPLETED:mailto:bob@example.org\n", want: "refused: " + string(Unusable)},
		{name: "all instances, of which the organizer has one for an alarm alone", stored: daily + yes + "--\nRECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T100000Z\nDTEND:20260403T110000Z\n" + yes,
			message: "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.org\n",
			want:    "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:TENTATIVE(2.0)\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:TENTATIVE(2.0)"},
		{name: "all instances, but for one", stored: daily + yes + "--\nRECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T100000Z\nDTEND:20260403T110000Z\n" + yes,
			message: "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.org\n--\nRECURRENCE-ID:20260403T100000Z\n" + yes,
			want:    "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:TENTATIVE(2.0)\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED"},
		{name: "one instance (RFC 6638 B.7)", stored: daily + self + yes, message: "RECURRENCE-ID:20260403T100000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n",
			want:   "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 org:ACCEPTED bob:ACCEPTED\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z org:ACCEPTED bob:DECLINED(2.0)",
			events: "[answered bob ACCEPTED>DECLINED 20260403T100000Z]"},
		{name: "an instance that is none", stored: daily + self + bob, message: "RECURRENCE-ID:20260403T110000Z\n" + yes, want: "refused: " + string(NoInstance)},
		{name: "an instance after the end", stored: daily + self + bob, message: "RECURRENCE-ID:20260409T100000Z\n" + yes, want: "refused: " + string(NoInstance)},
		{name: "all instances", stored: daily + self + bob + "--\nRECURRENCE-ID:20260403T100000Z\n" + at10 + bob + "--\nRECURRENCE-ID:20260404T100000Z\n" + at10 + "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n", message: yes,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 org:ACCEPTED bob:ACCEPTED(2.0)\nid=20260403T100000Z dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED(2.0)\nid=20260404T100000Z dtstart=20260401T100000Z dtend=20260401T110000Z bob:DECLINED"},
		{name: "all instances but one", stored: daily + self + bob, message: yes + "--\nRECURRENCE-ID:20260402T100000Z\n" + bob,
			want: "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 org:ACCEPTED bob:ACCEPTED(2.0)\nid=20260402T100000Z dtstart=20260402T100000Z dtend=20260402T110000Z org:ACCEPTED bob:NEEDS-ACTION(2.0)"},
		{name: "delegated (RFC 5546 4.2.5)", stored: self + bob, message: "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:dave@example.org\":mailto:bob@example.org\nATTENDEE;CN=Dave;DELEGATED-FROM=\"mailto:bob@example.org\":mailto:dave@example.org\n",
			want:    "applied\ndtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:DELEGATED(2.0)(mailto:dave@example.org) dave:NEEDS-ACTION(mailto:bob@example.org)",
			answers: "org -> dave: REQUEST\n  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:DELEGATED(mailto:dave@example.org) dave:NEEDS-ACTION(mailto:bob@example.org)",
			events:  "[delegated bob NEEDS-ACTION>DELEGATED]"},
		{name: "a proposal (RFC 5546 4.2.4)", method: Counter, stored: both, message: "DTSTART:20260401T180000Z\nCOMMENT:later\n" + yes, want: "noted", events: "[proposed bob > later]"},
		{name: "a question (RFC 5546 4.4.8)", method: Refresh, stored: "SUMMARY:a\n" + both, message: bob, want: "noted",
			answers: "org -> bob: REQUEST\n  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a org:ACCEPTED bob:NEEDS-ACTION carol:NEEDS-ACTION"},
		{name: "a question of a stranger", method: Refresh, stored: both, message: bob, from: "x@example.org", want: "refused: " + string(NotAttendee)},
	} {
		if c.method == "" {
			c.method = Reply
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, "org@example.org", "bob@example.org") })
	}
}

// TestThereAndBack sends each message of a story from one person's object to the other's.
func TestThereAndBack(t *testing.T) {
	org, guest := person("org@example.org"), person("bob@example.org")
	var his, hers *ical.Calendar
	step := func(what string, plan *Plan, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, o := range plan.Messages {
			m, err := Read(parse(t, strings.ReplaceAll(string(o.Message.Octets()), "\r\n", "\n")))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			d := Delivery{Message: m, Now: now, Create: true, From: func(u User) bool { return u.Key() == o.From.Key() }}
			to := &his
			if org(o.To) {
				d.Self, to = org, &hers
			} else {
				d.Self = guest
			}
			d.Stored = *to
			r := d.Apply()
			if r.Outcome != Applied {
				t.Fatalf("%s: %s", what, result(r))
			}
			*to = r.Object
		}
	}
	organizer := func(what, lines string) {
		t.Helper()
		var after *ical.Calendar
		if lines != "" {
			after = event(t, lines)
		}
		plan, err := Change{Before: hers, After: after, Self: org, Now: now}.Plan()
		if err == nil {
			hers = plan.Object
		}
		step(what, plan, err)
	}
	answer := func(what string, a Answer) {
		t.Helper()
		a.Self, a.Now = guest, now
		after := a.Set(his)
		plan, err := Change{Before: his, After: after, Self: guest, Now: now}.Plan()
		if err == nil {
			his = plan.Object
		}
		step(what, plan, err)
	}
	zoned := "DTSTART;TZID=Europe/Brussels:20260323T100000\nDTEND;TZID=Europe/Brussels:20260323T110000\nRRULE:FREQ=WEEKLY;COUNT=4\n"
	organizer("invite", zoned+self+bob)
	answer("accept", Answer{PartStat: "ACCEPTED", Comment: "yes"})
	if !strings.Contains(shortAll(hers), "bob:ACCEPTED(2.0)") || !strings.Contains(shortAll(his), "bob:ACCEPTED") {
		t.Fatalf("%s\n%s", shortAll(hers), shortAll(his))
	}
	// Over the change of the clocks on March 29.
	organizer("move one", strings.TrimSuffix(zoned+self+bob+"--\nRECURRENCE-ID;TZID=Europe/Brussels:20260330T100000\nDTSTART;TZID=Europe/Brussels:20260330T150000\nDTEND;TZID=Europe/Brussels:20260330T160000\n"+self+bob, ""))
	answer("decline one", Answer{PartStat: "DECLINED", Among: his.Children[len(his.Children)-1:]})
	want := "dtstart=20260323T100000 dtend=20260323T110000 rrule=FREQ=WEEKLY;COUNT=4 org:ACCEPTED bob:ACCEPTED(2.0)\n" +
		"id=20260330T100000 seq=1 dtstart=20260330T150000 dtend=20260330T160000 org:ACCEPTED bob:DECLINED(2.0)"
	if got := shortAll(hers); got != want {
		t.Fatalf("%s", got)
	}
	organizer("take one out", zoned+"EXDATE;TZID=Europe/Brussels:20260406T100000\n"+self+bob+"--\nRECURRENCE-ID;TZID=Europe/Brussels:20260330T100000\nDTSTART;TZID=Europe/Brussels:20260330T150000\nDTEND;TZID=Europe/Brussels:20260330T160000\n"+self+bob)
	if got := shortAll(his); !strings.Contains(got, "exdate=20260406T100000") || !strings.Contains(got, "bob:DECLINED") {
		t.Fatalf("%s", got)
	}
	organizer("remove", "")
	if his != nil {
		t.Fatalf("%s", shortAll(his))
	}
}
