package itip

import (
	"errors"
	"strings"
	"testing"

	"facteur/server/ical"
)

const (
	bob   = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\n"
	carol = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:carol@example.org\n"
	yes   = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org\n"
	self  = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:org@example.org\n"
	daily = "DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY;COUNT=5\n"
)

// planCase is a change by a person, and what follows.
type planCase struct {
	name          string
	before, after string // "": there is none
	messages      string
	kept          string // "": not looked at
	more          func(*Change)
}

func (c planCase) run(t *testing.T, who Person) {
	t.Helper()
	change := Change{Self: who, Now: now}
	if c.before != "" {
		change.Before = event(t, c.before)
	}
	if c.after != "" {
		change.After = event(t, c.after)
	}
	if c.more != nil {
		c.more(&change)
	}
	var was []string
	for _, x := range []*ical.Calendar{change.Before, change.After} {
		if x != nil {
			was = append(was, string(x.Append(nil)))
		}
	}
	plan, err := change.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := told(plan.Messages), strings.TrimSpace(c.messages); got != want {
		t.Errorf("the messages are\n%s\nnot\n%s", got, want)
	}
	wellFormed(t, plan.Messages)
	if c.kept != "" && shortAll(plan.Object) != strings.TrimSpace(c.kept) {
		t.Errorf("what is kept is\n%s\nnot\n%s", shortAll(plan.Object), c.kept)
	}
	if plan.Altered != (plan.Object != change.After) {
		t.Errorf("altered: %v", plan.Altered)
	}
	for _, x := range []*ical.Calendar{change.Before, change.After} {
		if x != nil {
			if string(x.Append(nil)) != was[0] {
				t.Error("what was given was changed")
			}
			was = was[1:]
		}
	}
}

func TestOrganizer(t *testing.T) {
	for _, c := range []planCase{
		{name: "nobody is invited", after: "SUMMARY:a\n", messages: ""},
		{name: "the organizer alone", after: self, messages: ""},
		{name: "invites (RFC 5546 4.2.1, RFC 6638 B.1)", after: "SUMMARY:a\n" + self + bob + carol, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a org:ACCEPTED bob:NEEDS-ACTION carol:NEEDS-ACTION
org -> carol: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a org:ACCEPTED bob:NEEDS-ACTION carol:NEEDS-ACTION`},
		{name: "a client that sends by itself", after: "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bob@example.org\nATTENDEE;SCHEDULE-AGENT=NONE:mailto:carol@example.org\n"},
		{name: "the client sends by itself from now on (RFC 6638 3.2.1.2)", before: self + yes, after: self + "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-AGENT=CLIENT:mailto:bob@example.org\n", messages: `
org -> bob: CANCEL
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED`},
		{name: "the server sends from now on (RFC 6638 3.2.1.2)", before: self + "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bob@example.org\n", after: self + bob, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED bob:NEEDS-ACTION`},
		{name: "an alarm of his own is nothing to others", before: self + bob, after: self + bob + "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nX-MOZ-LASTACK:20260101T000000Z\n"},
		{name: "the same in other words", before: "SUMMARY:a\\, b\n" + self + bob, after: "DTSTART:20260401T100000Z\nDURATION:PT1H\nSUMMARY:a, b\nATTENDEE;CN=Bob:MAILTO:Bob@example.org\n" + self},
		{name: "another title: no SEQUENCE", before: "SEQUENCE:1\nSUMMARY:a\n" + yes, after: "SEQUENCE:1\nSUMMARY:b\n" + yes, messages: `
org -> bob: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z summary=b bob:ACCEPTED`},
		{name: "another time (RFC 5546 4.2.3; RFC 6638 3.2.8)", before: "SEQUENCE:1\n" + self + yes, after: "SEQUENCE:1\nDTSTART:20260401T120000Z\nDTEND:20260401T130000Z\n" + self + yes, messages: `
org -> bob: REQUEST
  seq=2 dtstart=20260401T120000Z dtend=20260401T130000Z org:ACCEPTED bob:NEEDS-ACTION`,
			kept: "seq=2 dtstart=20260401T120000Z dtend=20260401T130000Z org:ACCEPTED bob:NEEDS-ACTION"},
		{name: "SEQUENCE does not go back", before: "SEQUENCE:4\nSUMMARY:a\n" + bob, after: "SUMMARY:b\n" + bob, messages: `
org -> bob: REQUEST
  seq=4 dtstart=20260401T100000Z dtend=20260401T110000Z summary=b bob:NEEDS-ACTION`},
		{name: "one more, one less (RFC 5546 4.2.10)", before: self + bob, after: self + carol, messages: `
org -> carol: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z org:ACCEPTED carol:NEEDS-ACTION
org -> bob: CANCEL
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION`},
		{name: "removed (RFC 5546 4.2.9)", before: "SEQUENCE:2\nSUMMARY:a\n" + self + yes, messages: `
org -> bob: CANCEL
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a status=CANCELLED org:ACCEPTED bob:ACCEPTED`},
		{name: "cancelled by STATUS", before: "SEQUENCE:2\n" + bob, after: "SEQUENCE:2\nSTATUS:CANCELLED\n" + bob, messages: `
org -> bob: CANCEL
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z status=CANCELLED bob:NEEDS-ACTION`, kept: "seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z status=CANCELLED bob:NEEDS-ACTION"},
		{name: "no ORGANIZER any more", before: bob, after: "NOBODY\n", messages: `
org -> bob: CANCEL
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z status=CANCELLED bob:NEEDS-ACTION`},
		{name: "forced (RFC 6638 7.2)", before: bob + carol, after: "ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:bob@example.org\n" + carol, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION`,
			kept: "dtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION"},
		{name: "a reply that the client has not seen stays", before: "SUMMARY:a\nATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0;X-FACTEUR-REPLIED=20260301T100000Z:mailto:bob@example.org\n",
			after: "SUMMARY:b\n" + bob, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z summary=b bob:ACCEPTED`, kept: "dtstart=20260401T100000Z dtend=20260401T110000Z summary=b bob:ACCEPTED(2.0)"},
		{name: "one is told of a reply by telephone", before: "ATTENDEE;PARTSTAT=DECLINED;X-FACTEUR-REPLIED=20260301T100000Z:mailto:bob@example.org\n",
			after: "ATTENDEE;PARTSTAT=ACCEPTED;X-FACTEUR-REPLIED=20260301T100000Z:mailto:bob@example.org\n",
			kept:  "dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED"},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, person("org@example.org")) })
	}
}

func TestOrganizerInstances(t *testing.T) {
	moved := "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T150000Z\nDTEND:20260402T160000Z\n"
	for _, c := range []planCase{
		{name: "one instance is moved (RFC 5546 4.4.2)", before: daily + yes + carol, after: daily + yes + carol + moved + yes + carol, messages: `
org -> bob: REQUEST
  id=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION carol:NEEDS-ACTION
org -> carol: REQUEST
  id=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION carol:NEEDS-ACTION`},
		{name: "one instance is taken out (RFC 5546 4.4.3)", before: daily + yes, after: daily + "EXDATE:20260403T100000Z\n" + yes, messages: `
org -> bob: CANCEL
  id=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z status=CANCELLED bob:ACCEPTED`,
			kept: "seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260403T100000Z bob:ACCEPTED"},
		{name: "one instance is cancelled by STATUS", before: daily + bob, after: daily + bob + "--\nRECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T100000Z\nDTEND:20260403T110000Z\nSTATUS:CANCELLED\n" + bob, messages: `
org -> bob: CANCEL
  id=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z status=CANCELLED bob:NEEDS-ACTION`},
		{name: "a guest for one instance (RFC 6638 3.2.6)", before: daily + bob, after: daily + bob + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\n" + bob + carol, messages: `
org -> bob: REQUEST
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION
org -> carol: REQUEST
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION`},
		{name: "not invited to one instance", before: daily + bob + carol, after: daily + bob + carol + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\n" + carol, messages: `
org -> bob: CANCEL
  id=20260402T100000Z seq=1 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION
org -> carol: REQUEST
  id=20260402T100000Z seq=1 dtstart=20260402T100000Z dtend=20260402T110000Z carol:NEEDS-ACTION`},
		{name: "a new series without one instance for some", after: daily + bob + carol + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T120000Z\nDTEND:20260402T130000Z\n" + carol, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 exdate=20260402T100000Z bob:NEEDS-ACTION carol:NEEDS-ACTION
org -> carol: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION carol:NEEDS-ACTION
  id=20260402T100000Z seq=0 dtstart=20260402T120000Z dtend=20260402T130000Z carol:NEEDS-ACTION`},
		{name: "the guest of one instance goes", before: daily + bob + moved + bob + carol, after: daily + bob + moved + bob, messages: `
org -> bob: REQUEST
  id=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z bob:NEEDS-ACTION
org -> carol: CANCEL
  id=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z carol:NEEDS-ACTION`},
		{name: "a series ends earlier: who accepted stays so", before: "DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY\n" + yes, after: daily + yes, messages: `
org -> bob: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:ACCEPTED`},
		{name: "a series goes on longer", before: daily + yes, after: "DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY;COUNT=6\n" + yes, messages: `
org -> bob: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=6 bob:NEEDS-ACTION`},
		{name: "an exception is again as all are", before: daily + bob + moved + bob, after: daily + bob, messages: `
org -> bob: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION`},
		{name: "out of the series, but for one instance", before: daily + bob + carol, after: daily + carol + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\n" + bob + carol, messages: `
org -> carol: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 carol:NEEDS-ACTION
  id=20260402T100000Z seq=1 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION
org -> bob: CANCEL
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION
org -> bob: REQUEST
  id=20260402T100000Z seq=1 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION`},
		{name: "a series is removed for the guest of one instance", before: daily + bob + moved + carol, messages: `
org -> bob: CANCEL
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 status=CANCELLED bob:NEEDS-ACTION
org -> carol: CANCEL
  id=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T160000Z status=CANCELLED carol:NEEDS-ACTION`},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, person("org@example.org")) })
	}
}

func TestAttendeePlan(t *testing.T) {
	long := "SEQUENCE:3\nSUMMARY:a\n"
	for _, c := range []planCase{
		{name: "accepts (RFC 5546 4.2.2, RFC 6638 B.3)", before: long + bob + carol, after: long + yes + carol, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED`},
		{name: "with a word", before: long + bob, after: long + "ATTENDEE;PARTSTAT=TENTATIVE:mailto:bob@example.org\nCOMMENT:perhaps\n", messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a comment=perhaps bob:TENTATIVE`},
		{name: "an alarm and TRANSP are his own", before: long + bob, after: long + bob + "TRANSP:TRANSPARENT\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n"},
		{name: "removes", before: long + yes, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:DECLINED`},
		{name: "removes, and says nothing (RFC 6638 8.1)", before: long + yes, more: func(c *Change) { c.NoReply = true }},
		{name: "removes what he declined", before: "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n"},
		{name: "removes what is cancelled", before: "STATUS:CANCELLED\n" + yes},
		{name: "new, not answered", after: long + bob},
		{name: "new, from a mail, answered (RFC 6638 3.2.2.2)", after: long + yes, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED`},
		{name: "the organizer is not of this server's business", before: "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:org@example.org\n" + bob, after: "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:org@example.org\n" + yes},
		{name: "forced (RFC 6638 7.2)", before: long + yes, after: long + "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY:mailto:org@example.org\n" + yes, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED`},
		{name: "others and SEQUENCE are not his", before: long + bob + "ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org\n", after: "SEQUENCE:9\nSUMMARY:a\n" + yes + carol, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED`, kept: "seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED carol:ACCEPTED"},
		{name: "he can't leave himself out", before: long + bob + carol, after: long + carol, kept: "seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a carol:NEEDS-ACTION bob:NEEDS-ACTION"},
		{name: "texts that he leaves out are put back", before: long + bob, after: "SEQUENCE:3\n" + yes, messages: `
bob -> org: REPLY
  seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED`, kept: "seq=3 dtstart=20260401T100000Z dtend=20260401T110000Z summary=a bob:ACCEPTED"},
		{name: "texts of one instance, too", before: daily + "SUMMARY:a\n" + yes, after: daily + yes + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n", messages: `
bob -> org: REPLY
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z summary=a bob:DECLINED`},
		{name: "declines one instance (RFC 6638 B.7)", before: daily + yes, after: daily + yes + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n", messages: `
bob -> org: REPLY
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z bob:DECLINED`},
		{name: "accepts, but for one instance", before: daily + bob, after: daily + yes + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\n" + bob, messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z bob:NEEDS-ACTION`},
		{name: "takes one instance out", before: daily + yes, after: daily + "EXDATE:20260402T100000Z\n" + yes, messages: `
bob -> org: REPLY
  id=20260402T100000Z seq=0 dtstart=20260402T100000Z dtend=20260402T110000Z bob:DECLINED`},
		{name: "delegates (RFC 5546 4.2.5)", before: bob, after: "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:dave@example.org\":mailto:bob@example.org\nATTENDEE;DELEGATED-FROM=\"mailto:bob@example.org\":mailto:dave@example.org\n", messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:DELEGATED(mailto:dave@example.org)`},
		{name: "one who is neither", before: carol, after: "SUMMARY:x\n" + carol},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, person("bob@example.org", "robert@example.org")) })
	}
}

func TestPreconditions(t *testing.T) {
	org, guest := person("org@example.org"), person("bob@example.org")
	for _, c := range []struct {
		name, before, after, want string
		self                      Person
	}{
		{"two organizers", "", daily + bob + "--\nRECURRENCE-ID:20260402T100000Z\nORGANIZER:mailto:x@example.org\n" + bob, SameOrganizer, org},
		{"another organizer", bob, "ORGANIZER:mailto:x@example.org\n" + bob, AllowedOrganizer, org},
		{"an attendee takes the event", bob, "ORGANIZER:mailto:bob@example.org\n" + carol, AllowedAttendee, guest},
		{"without organizer", bob, "NOBODY\n" + bob, AllowedAttendee, guest},
		{"the time", bob, "DTSTART:20260401T120000Z\nDTEND:20260401T130000Z\n" + bob, AllowedAttendee, guest},
		{"the title", "SUMMARY:a\n" + bob, "SUMMARY:b\n" + bob, AllowedAttendee, guest},
		{"an empty title", "SUMMARY:a\n" + bob, "SUMMARY:\n" + bob, AllowedAttendee, guest},
		{"the state", bob, "STATUS:CANCELLED\n" + bob, AllowedAttendee, guest},
		{"who is invited", bob, bob + carol, AllowedAttendee, guest},
		{"the rule", daily + bob, "DTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY;COUNT=3\n" + bob, AllowedAttendee, guest},
		{"the time of an instance", daily + bob, daily + bob + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T120000Z\nDTEND:20260402T130000Z\n" + bob, AllowedAttendee, guest},
		{"an instance back", daily + bob + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T120000Z\nDTEND:20260402T130000Z\n" + bob, daily + bob, AllowedAttendee, guest},
		{"an EXDATE back", daily + "EXDATE:20260402T100000Z\n" + bob, daily + bob, AllowedAttendee, guest},
		{"only an instance", daily + bob, "RECURRENCE-ID:20260402T100000Z\n" + bob, AllowedAttendee, guest},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := Change{After: event(t, c.after), Self: c.self, Now: now}
			if c.before != "" {
				change.Before = event(t, c.before)
			}
			_, err := change.Plan()
			var p *Precondition
			if !errors.As(err, &p) || p.Name != c.want {
				t.Errorf("%v", err)
			}
		})
	}
}
