package itip

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	later1 = "DTSTAMP:20260301T120000Z\n"
	alarm5 = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n"
	no     = "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\n"
	third  = "--\nRECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T100000Z\nDTEND:20260403T110000Z\n"
	third3 = "--\nRECURRENCE-ID:20260403T100000Z\nDTSTART:20260403T150000Z\nDTEND:20260403T160000Z\n"
)

// TestOwnStays: what an attendee has added stays when the organizer changes the meeting, and what is
// the organizer's is as the organizer says.
func TestOwnStays(t *testing.T) {
	const at = "dtstart=20260401T100000Z dtend=20260401T110000Z"
	const series = at + " rrule=FREQ=DAILY;COUNT=5"
	for _, c := range []applyCase{
		{name: "alarms of the organizer are not his", stored: yes, message: later1 + "SUMMARY:b\n" + bob + alarm5, want: "applied\n" + at + " summary=b bob:ACCEPTED"},
		{name: "each property in its way",
			stored:  "SUMMARY:a\nTRANSP:TRANSPARENT\nCOLOR:red\nX-MOZ-A:1\nCLASS;X-FACTEUR-OWN=TRUE:PRIVATE\nCATEGORIES;X-FACTEUR-OWN=TRUE:Blue\nATTACH:https://example.org/1\nATTACH;X-FACTEUR-OWN=TRUE:https://example.org/2\nCOMMENT:of hers\nCOMMENT;X-FACTEUR-OWN=TRUE:of his\nX-A;X-FACTEUR-OWN=TRUE:1\nX-ALT-DESC:old\n" + yes + alarm5,
			message: later1 + "SUMMARY:b\nTRANSP:OPAQUE\nCLASS:PUBLIC\nCATEGORIES:Work\nATTACH:https://example.org/3\nX-ALT-DESC:new\n" + bob,
			want:    "applied\n" + at + " summary=b transp=TRANSPARENT comment=of his(own) class=PRIVATE(own) categories=Blue(own) color=red attach=https://example.org/3 attach=https://example.org/2(own) x-a=1(own) x-moz-a=1 x-alt-desc=new bob:ACCEPTED +VALARM"},
		{name: "what he did not change follows the organizer", stored: "CLASS:PUBLIC\nCATEGORIES:A,B\nX-A:1\n" + yes, message: later1 + "CLASS:PRIVATE\nCATEGORIES:C\n" + bob,
			want: "applied\n" + at + " class=PRIVATE categories=C bob:ACCEPTED"},
		{name: "X- properties that the organizer has, too", stored: "X-A;X-FACTEUR-OWN=TRUE:1\n" + yes, message: later1 + "X-A:2\n" + bob, want: "applied\n" + at + " x-a=2 bob:ACCEPTED"},
		{name: "one that is busy, not both", stored: "X-MICROSOFT-CDO-BUSYSTATUS:FREE\nTRANSP:TRANSPARENT\n" + yes, message: later1 + "SUMMARY:b\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\n" + bob,
			want: "applied\n" + at + " summary=b transp=TRANSPARENT bob:ACCEPTED"},
		{name: "another time", stored: "TRANSP:TRANSPARENT\n" + yes + alarm5, message: later1 + "SEQUENCE:1\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\n" + bob,
			want: "applied\nseq=1 dtstart=20260402T100000Z dtend=20260402T110000Z transp=TRANSPARENT bob:NEEDS-ACTION +VALARM"},
		{name: "who schedules", stored: "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:org@example.org\n" + yes, message: later1 + "SUMMARY:b\n" + bob, want: "applied\n" + at + " summary=b bob:ACCEPTED"},
		{name: "a copy that was exported with a mark", message: "X-A;X-FACTEUR-OWN=TRUE:1\n" + bob, create: true, want: "applied, new\n" + at + " x-a=1 bob:NEEDS-ACTION"},

		{name: "a reminder for one date, and another title", stored: daily + yes + third + yes + alarm5, message: later1 + daily + "SUMMARY:b\n" + bob,
			want: "applied\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z summary=b bob:ACCEPTED +VALARM\n" + series + " summary=b bob:ACCEPTED"},
		{name: "no reminder for one date", stored: daily + yes + alarm5 + third + yes, message: later1 + daily + "SUMMARY:b\n" + bob,
			want: "applied\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z summary=b bob:ACCEPTED\n" + series + " summary=b bob:ACCEPTED +VALARM"},
		{name: "one date declined, with the reminder of all", stored: daily + yes + alarm5 + third + no + alarm5, message: later1 + daily + "SUMMARY:b\n" + bob,
			want: "applied\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z summary=b bob:DECLINED +VALARM\n" + series + " summary=b bob:ACCEPTED +VALARM"},
		{name: "labels of one date", stored: daily + "CATEGORIES:Work\n" + yes + third + "CATEGORIES;X-FACTEUR-OWN=TRUE:Blue\n" + yes, message: later1 + daily + "SUMMARY:b\nCATEGORIES:Work\n" + bob,
			want: "applied\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z summary=b categories=Blue(own) bob:ACCEPTED\n" + series + " summary=b categories=Work bob:ACCEPTED"},
		{name: "a series that ends earlier", stored: daily + yes + third + yes + alarm5 + strings.ReplaceAll(third, "20260403", "20260405") + yes + alarm5,
			message: later1 + "SEQUENCE:1\nDTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY;UNTIL=20260404T100000Z\n" + bob,
			want:    "applied\nid=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM\nseq=1 " + at + " rrule=FREQ=DAILY;UNTIL=20260404T100000Z bob:ACCEPTED"},
		{name: "a series two hours later", stored: daily + yes + third + no + alarm5, message: later1 + "SEQUENCE:1\nDTSTART:20260401T120000Z\nDTEND:20260401T130000Z\nRRULE:FREQ=DAILY;COUNT=5\n" + bob,
			want: "applied\nid=20260403T120000Z seq=1 dtstart=20260403T120000Z dtend=20260403T130000Z bob:NEEDS-ACTION +VALARM\nseq=1 dtstart=20260401T120000Z dtend=20260401T130000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION"},
		{name: "a series that begins a day later", stored: daily + yes + strings.ReplaceAll(third, "20260403", "20260401") + yes + alarm5 + strings.ReplaceAll(third, "20260403", "20260402") + "TRANSP:TRANSPARENT\n" + yes,
			message: later1 + "SEQUENCE:1\nDTSTART:20260402T100000Z\nDTEND:20260402T110000Z\nRRULE:FREQ=DAILY;COUNT=5\n" + bob,
			want:    "applied\nid=20260402T100000Z seq=1 dtstart=20260402T100000Z dtend=20260402T110000Z transp=TRANSPARENT bob:NEEDS-ACTION\nseq=1 dtstart=20260402T100000Z dtend=20260402T110000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION"},
		{name: "an exception is as all are again", stored: daily + yes + third3 + yes + alarm5, message: later1 + "SEQUENCE:1\n" + daily + bob,
			want: "applied\nid=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM\nseq=1 " + series + " bob:ACCEPTED"},
		{name: "a new exception beside his", stored: daily + yes + third + yes + alarm5, message: later1 + "SEQUENCE:1\n" + daily + bob + strings.ReplaceAll(third3, "20260403", "20260404") + bob,
			want: "applied\nid=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM\nseq=1 " + series + " bob:ACCEPTED\nid=20260404T100000Z dtstart=20260404T150000Z dtend=20260404T160000Z bob:NEEDS-ACTION"},
		{name: "his exception is moved", stored: daily + yes + third + yes + alarm5, message: "SEQUENCE:1\n" + later1 + strings.TrimPrefix(third3, "--\n") + bob,
			want: "applied\n" + series + " bob:ACCEPTED\nid=20260403T100000Z seq=1 dtstart=20260403T150000Z dtend=20260403T160000Z bob:NEEDS-ACTION +VALARM"},
		{name: "his exception is not for him any more", stored: daily + yes + third + yes + alarm5, message: later1 + "SEQUENCE:1\n" + daily + bob + third + carol,
			want: "applied\nseq=1 " + series + " exdate=20260403T100000Z bob:ACCEPTED"},
		{name: "from one date on at another time", stored: daily + yes + third + yes + alarm5 + strings.ReplaceAll(third, "20260403", "20260404") + yes + alarm5,
			message: later1 + "SEQUENCE:1\n" + strings.TrimPrefix(strings.Replace(strings.ReplaceAll(third3, "20260403", "20260404"), "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", 1), "--\n") + "SUMMARY:b\n" + bob,
			want:    "applied\n" + series + " bob:ACCEPTED\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM\nid=20260404T100000Z seq=1 dtstart=20260404T150000Z dtend=20260404T160000Z summary=b bob:NEEDS-ACTION +VALARM"},
		{name: "from a date before his on", stored: daily + yes + third + yes + alarm5,
			message: later1 + "SEQUENCE:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260402T100000Z\nDTSTART:20260402T150000Z\nDTEND:20260402T170000Z\nSUMMARY:b\n" + bob,
			want:    "applied\n" + series + " bob:ACCEPTED\nid=20260403T100000Z seq=1 dtstart=20260403T150000Z dtend=20260403T170000Z summary=b bob:NEEDS-ACTION +VALARM\nid=20260402T100000Z seq=1 dtstart=20260402T150000Z dtend=20260402T170000Z summary=b bob:NEEDS-ACTION"},
		{name: "only one date is left to him", stored: daily + yes + alarm5, message: later1 + "SEQUENCE:1\n" + strings.TrimPrefix(third, "--\n") + bob,
			want: "applied\n" + series + " bob:ACCEPTED +VALARM\nid=20260403T100000Z seq=1 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM"},
		{name: "one more (RFC 5546 3.2.4)", method: Add, stored: daily + "TRANSP:TRANSPARENT\n" + yes + alarm5 + third + yes, message: later1 + "SEQUENCE:1\nDTSTART:20260420T100000Z\nDTEND:20260420T110000Z\n" + bob,
			want: "applied\nseq=1 " + series + " rdate=20260420T100000Z transp=TRANSPARENT bob:ACCEPTED +VALARM\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED\nid=20260420T100000Z seq=1 dtstart=20260420T100000Z dtend=20260420T110000Z transp=TRANSPARENT bob:NEEDS-ACTION +VALARM"},
		{name: "another date is called off", method: Cancel, stored: daily + "TRANSP:TRANSPARENT\n" + yes + alarm5 + third + yes, message: later1 + "SEQUENCE:1\nRECURRENCE-ID:20260402T100000Z\nSTATUS:CANCELLED\n" + bob,
			want: "applied\n" + series + " exdate=20260402T100000Z transp=TRANSPARENT bob:ACCEPTED +VALARM\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED"},
		{name: "all from a later date on are called off", method: Cancel, stored: daily + yes + alarm5 + third + yes + strings.ReplaceAll(third, "20260403", "20260405") + yes, message: later1 + "SEQUENCE:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260404T100000Z\nSTATUS:CANCELLED\n" + bob,
			want: "applied\n" + at + " rrule=FREQ=DAILY;UNTIL=20260404T095959Z bob:ACCEPTED +VALARM\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED"},
	} {
		if c.method == "" {
			c.method = Request
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, "bob@example.org", "org@example.org") })
	}
}

// TestTakenOut: a date that an attendee has taken out of a series does not come back by what the
// organizer changes, unless it is at another time then.
func TestTakenOut(t *testing.T) {
	const series = "dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5"
	stored := daily + "EXDATE;X-FACTEUR-OWN=TRUE:20260403T100000Z\n" + yes
	one := strings.TrimPrefix(third, "--\n")
	for _, c := range []applyCase{
		{name: "another title", stored: stored, message: later1 + daily + "SUMMARY:b\n" + bob, want: "applied\n" + series + " exdate=20260403T100000Z(own) summary=b bob:ACCEPTED", events: "[updated]"},
		{name: "the organizer knows", stored: stored, message: later1 + daily + "SUMMARY:b\n" + bob + third + no, want: "applied\n" + series + " exdate=20260403T100000Z(own) summary=b bob:ACCEPTED", events: "[updated]"},
		{name: "another answered for that date", stored: stored, message: later1 + one + no + "ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org\n", want: "ignored: " + string(Declined)},
		{name: "another title of that date, from who knows no answers", stored: stored, message: later1 + one + "SUMMARY:b\nATTENDEE:mailto:bob@example.org\n", want: "ignored: " + string(Declined)},
		{name: "that date is moved", stored: stored, message: later1 + "SEQUENCE:1\n" + strings.TrimPrefix(third3, "--\n") + bob,
			want: "applied\n" + series + " bob:ACCEPTED\nid=20260403T100000Z seq=1 dtstart=20260403T150000Z dtend=20260403T160000Z bob:NEEDS-ACTION", events: "[invited 20260403T100000Z]"},
		{name: "he is asked anew", stored: stored, message: later1 + one + bob, want: "applied\n" + series + " bob:ACCEPTED\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:NEEDS-ACTION"},
		{name: "all is moved", stored: stored, message: later1 + "SEQUENCE:1\nDTSTART:20260401T120000Z\nDTEND:20260401T130000Z\nRRULE:FREQ=DAILY;COUNT=5\n" + bob,
			want: "applied\nseq=1 dtstart=20260401T120000Z dtend=20260401T130000Z rrule=FREQ=DAILY;COUNT=5 bob:NEEDS-ACTION"},
		{name: "it ends before", stored: stored, message: later1 + "SEQUENCE:1\nDTSTART:20260401T100000Z\nDTEND:20260401T110000Z\nRRULE:FREQ=DAILY;COUNT=2\n" + bob,
			want: "applied\nseq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=2 bob:ACCEPTED"},
		{name: "it is called off", method: Cancel, stored: stored, message: later1 + "SEQUENCE:1\nRECURRENCE-ID:20260403T100000Z\nSTATUS:CANCELLED\n" + bob, want: "applied\n" + series + " exdate=20260403T100000Z bob:ACCEPTED"},
		{name: "what was called off comes back", stored: strings.Replace(stored, ";X-FACTEUR-OWN=TRUE", "", 1), message: later1 + "SEQUENCE:1\n" + daily + bob, want: "applied\nseq=1 " + series + " bob:NEEDS-ACTION"},
		{name: "all of it, which he removed", message: later1 + "SUMMARY:b\n" + no + carol, create: true, want: "ignored: " + string(Declined)},
		{name: "all of it, which he removed, is moved", message: later1 + "SEQUENCE:1\n" + bob + carol, create: true, want: "applied, new\nseq=1 dtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION carol:NEEDS-ACTION"},
		{name: "one of the dates to which he was invited alone", stored: strings.ReplaceAll(one, "20260403", "20260402") + yes, message: later1 + one + no, want: "ignored: " + string(Declined)},
	} {
		if c.method == "" {
			c.method = Request
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, "bob@example.org", "org@example.org") })
	}
}

// TestOwnPut: what an attendee adds is taken, marked where an update has to know, and told to nobody.
func TestOwnPut(t *testing.T) {
	const at = "dtstart=20260401T100000Z dtend=20260401T110000Z"
	const series = at + " rrule=FREQ=DAILY;COUNT=5"
	for _, c := range []planCase{
		{name: "an alarm, free, a colour", before: yes, after: "TRANSP:TRANSPARENT\nCOLOR:red\nX-MOZ-A:1\n" + yes + alarm5, kept: at + " transp=TRANSPARENT color=red x-moz-a=1 bob:ACCEPTED +VALARM"},
		{name: "it rang", before: yes + alarm5, after: "X-MOZ-LASTACK:20260401T095500Z\n" + yes + strings.Replace(alarm5, "END", "ACKNOWLEDGED:20260401T095500Z\nEND", 1)},
		{name: "labels, class, notes, files", before: "CLASS:PUBLIC\nCATEGORIES:A\nCOMMENT:of hers\nX-A:1\n" + yes, after: "CLASS:PRIVATE\nCATEGORIES:A,B\nCOMMENT:of hers\nCOMMENT:of his\nATTACH:https://example.org/1\nX-A:2\nX-ALT-DESC:x\n" + yes,
			kept: at + " comment=of hers comment=of his(own) class=PRIVATE(own) categories=A,B(own) attach=https://example.org/1(own) x-a=2 x-alt-desc=x bob:ACCEPTED"},
		{name: "labels in another order", before: "CATEGORIES:A,B\n" + yes, after: "CATEGORIES:B\nCATEGORIES:A\n" + yes, kept: at + " categories=B categories=A bob:ACCEPTED"},
		{name: "a client that drops the marks", before: "CLASS;X-FACTEUR-OWN=TRUE:PRIVATE\nCOMMENT;X-FACTEUR-OWN=TRUE:x\nATTACH:https://example.org/1\n" + yes, after: "CLASS:PRIVATE\nCOMMENT:x\nATTACH:https://example.org/1\n" + yes,
			kept: at + " comment=x(own) class=PRIVATE(own) attach=https://example.org/1 bob:ACCEPTED"},
		{name: "an alarm for one date", before: daily + yes, after: daily + yes + third + yes + alarm5},
		{name: "and none any more", before: daily + yes + third + yes + alarm5, after: daily + yes},
		{name: "an alarm for a date from which on it is moved", before: daily + yes + strings.Replace(third3, "ID:", "ID;RANGE=THISANDFUTURE:", 1) + yes,
			after: daily + yes + strings.Replace(third3, "ID:", "ID;RANGE=THISANDFUTURE:", 1) + yes + strings.ReplaceAll(third3, "20260403", "20260404") + yes + alarm5},
		{name: "takes a date out", before: daily + "EXDATE:20260402T100000Z\n" + yes, after: daily + "EXDATE:20260402T100000Z,20260403T100000Z\n" + yes, messages: `
bob -> org: REPLY
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:DECLINED`,
			kept: series + " exdate=20260402T100000Z exdate=20260403T100000Z(own) bob:ACCEPTED"},
		{name: "nothing more of that", before: daily + "EXDATE;X-FACTEUR-OWN=TRUE:20260403T100000Z\n" + yes, after: daily + "EXDATE:20260403T100000Z\n" + yes + alarm5, kept: series + " exdate=20260403T100000Z(own) bob:ACCEPTED +VALARM"},
		{name: "and puts it back", before: daily + "EXDATE;X-FACTEUR-OWN=TRUE:20260403T100000Z\n" + yes, after: daily + yes, messages: `
bob -> org: REPLY
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED`},
		{name: "back to the answer to all", before: daily + yes + third + no, after: daily + yes, messages: `
bob -> org: REPLY
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED`},
		{name: "accepts what he had declined, without the date that he took out", before: daily + "EXDATE;X-FACTEUR-OWN=TRUE:20260403T100000Z\n" + no, after: daily + "EXDATE;X-FACTEUR-OWN=TRUE:20260403T100000Z\n" + yes, messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:DECLINED`},
		{name: "accepts, and takes a date out", before: daily + bob, after: daily + "EXDATE:20260403T100000Z\n" + yes, messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:DECLINED`},
		{name: "accepts what he had declined, and takes a date out", before: daily + no, after: daily + "EXDATE:20260403T100000Z\n" + yes, messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:DECLINED`},
		{name: "an exception with an EXDATE, as some programs write it", before: daily + yes, after: daily + "EXDATE:20260403T100000Z\n" + yes + third + yes + alarm5},
		{name: "another answer to all but one date", before: daily + yes + third + yes, after: daily + no + third + yes, messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:DECLINED
  id=20260403T100000Z seq=0 dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED`},
		{name: "a word with the answer", before: bob, after: "COMMENT:yes\n" + yes, kept: at + " comment=yes(own) bob:ACCEPTED", messages: `
bob -> org: REPLY
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z comment=yes bob:ACCEPTED`},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, person("bob@example.org")) })
	}
	_, err := Change{Before: event(t, daily+"EXDATE:20260403T100000Z\n"+yes), After: event(t, daily+yes), Self: person("bob@example.org"), Now: now}.Plan()
	if err == nil {
		t.Error("what the organizer called off is put back")
	}
}

// TestOrganizersOwn: what an organizer has for himself is told to nobody, and asks nobody anew.
func TestOrganizersOwn(t *testing.T) {
	const series = "dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:ACCEPTED"
	for _, c := range []planCase{
		{name: "an alarm, free, a colour", before: "SEQUENCE:1\n" + yes, after: "SEQUENCE:1\nTRANSP:TRANSPARENT\nCOLOR:red\nX-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M\nX-MOZ-LASTACK:20260401T095500Z\n" + yes + alarm5,
			kept: "seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z transp=TRANSPARENT color=red bob:ACCEPTED +VALARM"},
		{name: "an alarm less", before: yes + alarm5, after: yes, kept: "dtstart=20260401T100000Z dtend=20260401T110000Z bob:ACCEPTED"},
		{name: "an alarm for one date", before: daily + yes, after: daily + yes + third + yes + alarm5, kept: series + "\nid=20260403T100000Z dtstart=20260403T100000Z dtend=20260403T110000Z bob:ACCEPTED +VALARM"},
		{name: "and none any more", before: daily + yes + third + yes + alarm5, after: daily + yes, kept: series},
		{name: "an answer for one date is more than that", before: daily + yes + third + no, after: daily + yes, kept: "seq=1 " + series, messages: `
org -> bob: REQUEST
  seq=1 dtstart=20260401T100000Z dtend=20260401T110000Z rrule=FREQ=DAILY;COUNT=5 bob:ACCEPTED`},
		{name: "travel and free stay here", after: "X-APPLE-TRAVEL-DURATION:PT30M\nX-APPLE-NEEDS-REPLY:TRUE\n" + bob + alarm5, messages: `
org -> bob: REQUEST
  seq=0 dtstart=20260401T100000Z dtend=20260401T110000Z bob:NEEDS-ACTION`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t, person("org@example.org"))
			if plan, err := (Change{After: event(t, c.after), Self: person("org@example.org"), Now: now}).Plan(); err == nil {
				for _, o := range plan.Messages {
					if text := string(o.Message.Octets()); strings.Contains(text, "X-APPLE") || strings.Contains(text, "VALARM") {
						t.Errorf("%s", text)
					}
				}
			}
		})
	}
}

// TestOwnTask: how far an attendee is with a task is what he says.
func TestOwnTask(t *testing.T) {
	stored := calendarOf(t, "", "VTODO", "SUMMARY:a\nSTATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20260301T110000Z\nATTENDEE;PARTSTAT=COMPLETED:mailto:bob@example.org\n"+carol+alarm5)
	for message, want := range map[string]string{
		"SUMMARY:b\nSTATUS:NEEDS-ACTION\nPERCENT-COMPLETE:0\n": "summary=b status=COMPLETED percent-complete=100 bob:COMPLETED carol:NEEDS-ACTION +VALARM",
		"SUMMARY:b\nSTATUS:CANCELLED\n":                        "summary=b status=CANCELLED percent-complete=100 bob:COMPLETED carol:NEEDS-ACTION +VALARM",
	} {
		m, err := Read(calendarOf(t, string(Request), "VTODO", later1+message+bob+carol))
		if err != nil {
			t.Fatal(err)
		}
		r := Delivery{Message: m, Stored: stored, Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
		if got := result(r); got != "applied\n"+want {
			t.Errorf("%s\nis not\n%s", got, want)
		}
	}
}

// TestWhoSchedules: an attendee's program that answers by itself goes on doing so (RFC 6638 7.1).
func TestWhoSchedules(t *testing.T) {
	stored := event(t, "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:org@example.org\n"+yes)
	r := Delivery{Message: arriving(t, Request, later1+"SUMMARY:b\n"+bob), Stored: stored, Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
	plan, err := Change{Before: r.Object, Self: person("bob@example.org"), Now: now}.Plan()
	if err != nil || len(plan.Messages) > 0 {
		t.Errorf("%v %s", err, told(plan.Messages))
	}
}

// TestManyOwn: an attendee's copy with very much of his own takes no more time than it has to.
func TestManyOwn(t *testing.T) {
	const many = 5000
	var notes, dates, days strings.Builder
	for i := range many {
		fmt.Fprintf(&notes, "X-A;X-FACTEUR-OWN=TRUE:%d\nCOMMENT:%d\nCATEGORIES:%d\n", i, i, i)
	}
	for i := range many / 5 {
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format("20060102")
		fmt.Fprintf(&dates, "EXDATE;X-FACTEUR-OWN=TRUE:%sT100000Z\n", day)
	}
	days.WriteString(exceptions(1000, func(int) string { return yes + "X-A;X-FACTEUR-OWN=TRUE:1\n" + alarm5 }))
	for name, x := range map[string]struct{ stored, message string }{
		"lines": {notes.String() + yes, later1 + "SUMMARY:b\n" + strings.ReplaceAll(notes.String(), ";X-FACTEUR-OWN=TRUE", "") + bob},
		"dates": {long + dates.String() + yes, later1 + long + "SUMMARY:b\n" + bob},
		"exceptions": {long + yes + strings.ReplaceAll(days.String(), "T120000Z\nDTEND", "T100000Z\nDTEND"),
			later1 + "DTSTART:20260101T110000Z\nDTEND:20260101T120000Z\nRRULE:FREQ=DAILY\nSEQUENCE:1\n" + bob},
	} {
		stored, m := event(t, x.stored), arriving(t, Request, x.message)
		quickly(t, name+" arrive", func() {
			r := Delivery{Message: m, Stored: stored, Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
			if r.Outcome != Applied {
				t.Errorf("%s: %s", name, r.Reason)
			}
		})
		after := parse(t, strings.ReplaceAll(strings.ReplaceAll(string(stored.Append(nil)), "\r\n", "\n"), ";X-FACTEUR-OWN=TRUE", ""))
		quickly(t, name+" are put", func() {
			plan, err := Change{Before: stored, After: after, Self: person("bob@example.org"), Now: now}.Plan()
			if err != nil || len(plan.Messages) > 0 || !strings.Contains(string(plan.Object.Append(nil)), own) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
