package itip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/ical"
)

// TestTask is the life of a task (RFC 5546 3.4, 4.5).
func TestTask(t *testing.T) {
	org, guest := person("org@example.org"), person("bob@example.org")
	todo := func(lines string) *ical.Calendar { return calendarOf(t, "", "VTODO", lines) }
	plan, err := Change{After: todo("DUE:20260401T100000Z\nSUMMARY:Write\n" + bob), Self: org, Now: now}.Plan()
	if err != nil || told(plan.Messages) != "org -> bob: REQUEST\n  seq=0 due=20260401T100000Z summary=Write bob:NEEDS-ACTION" {
		t.Fatalf("%v\n%s", err, told(plan.Messages))
	}
	hers := plan.Object
	r := Delivery{Message: plan.Messages[0].Message, Self: guest, From: org, Now: now, Create: true}.Apply()
	if r.Outcome != Applied {
		t.Fatalf("%s", result(r))
	}
	his := r.Object
	done := todo("SEQUENCE:0\nDTSTAMP:20260302T090000Z\nDUE:20260401T100000Z\nSUMMARY:Write\nSTATUS:COMPLETED\nPERCENT-COMPLETE:100\nCOMPLETED:20260310T100000Z\nATTENDEE;PARTSTAT=COMPLETED:mailto:bob@example.org\n")
	plan, err = Change{Before: his, After: done, Self: guest, Now: now}.Plan()
	if err != nil || told(plan.Messages) != "bob -> org: REPLY\n  seq=0 due=20260401T100000Z summary=Write status=COMPLETED percent-complete=100 bob:COMPLETED" {
		t.Fatalf("%v\n%s", err, told(plan.Messages))
	}
	r = Delivery{Message: plan.Messages[0].Message, Stored: hers, Self: org, From: guest, Now: now}.Apply()
	if got := shortAll(r.Object); got != "due=20260401T100000Z summary=Write status=COMPLETED percent-complete=100 bob:COMPLETED(2.0)" {
		t.Errorf("%s %s", r.Reason, got)
	}
	// Half of it says nothing new about the participation.
	half := todo("SEQUENCE:0\nDTSTAMP:20260302T090000Z\nDUE:20260401T100000Z\nSUMMARY:Write\nSTATUS:IN-PROCESS\nPERCENT-COMPLETE:50\n" + bob)
	plan, err = Change{Before: his, After: half, Self: guest, Now: now}.Plan()
	if err != nil || len(plan.Messages) != 1 {
		t.Errorf("%v\n%s", err, told(plan.Messages))
	}
}

// TestJournal: a journal has no invitations, but may be published and cancelled (RFC 5546 3.5).
func TestJournal(t *testing.T) {
	org, guest := person("org@example.org"), person("bob@example.org")
	plan, err := Change{After: calendarOf(t, "", "VJOURNAL", bob), Self: org, Now: now}.Plan()
	if err != nil || plan.Role != Bystander || len(plan.Messages) > 0 {
		t.Errorf("%v %+v", err, plan)
	}
	m, err := Read(calendarOf(t, "PUBLISH", "VJOURNAL", "SUMMARY:a\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := Delivery{Message: m, Self: guest, From: org, Now: now, Create: true}.Apply()
	if r.Outcome != Applied {
		t.Fatalf("%s", result(r))
	}
	m, err = Read(calendarOf(t, "CANCEL", "VJOURNAL", "SEQUENCE:1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r = (Delivery{Message: m, Stored: r.Object, Self: guest, From: org, Now: now}).Apply(); !r.Remove {
		t.Errorf("%s", result(r))
	}
	if r = (Delivery{Message: m, Stored: event(t, bob), Self: guest, From: org, Now: now}).Apply(); r.Reason != OtherKind {
		t.Errorf("%s", result(r))
	}
}

// TestFreeBusy is RFC 5546 4.3.2 and RFC 6638 B.5.
func TestFreeBusy(t *testing.T) {
	c := calendarOf(t, "REQUEST", "VFREEBUSY", "UID:f\\,1\nDTSTART:20260401T000000Z\nDTEND:20260402T000000Z\nX-CALENDARSERVER-MASK-UID:e1\n"+bob+carol)
	f, err := ReadFreeBusy(c)
	if err != nil || len(f.Attendees) != 2 || f.Masked != "e1" || f.Range.To.Sub(f.Range.From) != 24*time.Hour || f.Organizer.Address.String() != "org@example.org" {
		t.Fatalf("%+v, %v", f, err)
	}
	at := f.Range.From.Add(10 * time.Hour)
	m := f.Reply(f.Attendees[1], []ical.BusyPeriod{{Start: at, End: at.Add(time.Hour), Type: ical.Busy}}, now)
	text := string(m.Octets())
	for _, want := range []string{"METHOD:REPLY\r\n", "UID:f\\,1\r\n", "FREEBUSY;FBTYPE=BUSY:20260401T100000Z/20260401T110000Z\r\n", "ORGANIZER:mailto:org@example.org\r\n", "carol@example.org"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "bob@") || strings.Count(text, "PRODID") != 1 {
		t.Errorf("%s", text)
	}
	for name, lines := range map[string]string{
		"no end": "DTSTART:20260401T000000Z\n" + bob, "turned round": "DTSTART:20260402T000000Z\nDTEND:20260401T000000Z\n" + bob,
		"nobody": "DTSTART:20260401T000000Z\nDTEND:20260402T000000Z\n", "no organizer": "NOBODY\nDTSTART:20260401T000000Z\nDTEND:20260402T000000Z\n" + bob,
		"two": "DTSTART:20260401T000000Z\nDTEND:20260402T000000Z\n" + bob + "--\nDTSTART:20260401T000000Z\nDTEND:20260402T000000Z\n" + bob,
		"all": "DTSTART:20260401T000000Z\nDTEND:20260402T000000Z\n" + crowd(maxAsked+1),
	} {
		if _, err := ReadFreeBusy(calendarOf(t, "REQUEST", "VFREEBUSY", lines)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadFreeBusy(event(t, bob)); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := ReadFreeBusy(calendarOf(t, "REQUEST", "VFREEBUSY", "DTSTART:20260401T000000Z\nDURATION:P1D\n"+bob)); err != nil {
		t.Error(err)
	}
	msg, _ := Read(c)
	if r := (Delivery{Message: msg, Self: person("bob@example.org"), From: person("org@example.org"), Now: now, Create: true}).Apply(); r.Reason != NotHere {
		t.Errorf("%s", result(r))
	}
}

// TestProposal is RFC 5546 4.2.4 and 3.2.8: what was proposed, and is not wanted.
func TestProposal(t *testing.T) {
	stored := event(t, "SEQUENCE:1\n"+self+bob)
	d := Delivery{Message: arriving(t, Counter, "SEQUENCE:1\nDTSTART:20260401T150000Z\n"+yes), Stored: stored, Self: person("org@example.org"), From: person("bob@example.org"), Now: now}
	out, ok := d.Decline("no room")
	if got := told([]Outgoing{out}); !ok || got != "org -> bob: DECLINECOUNTER\n  seq=1 comment=no room bob:NEEDS-ACTION" {
		t.Errorf("%v %s", ok, got)
	}
	d.From = person("x@example.org")
	if _, ok := d.Decline(""); ok {
		t.Error("a stranger is answered")
	}
}

// TestInstanceForms: the RECURRENCE-ID of an answer need not look like the times of the
// stored object.
func TestInstanceForms(t *testing.T) {
	zone := "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0200\nEND:STANDARD\nEND:VTIMEZONE\n"
	for _, c := range []struct{ name, stored, id, want string }{
		{"a zone, and UTC", "DTSTART;TZID=Europe/Brussels:20260325T120000\nDTEND;TZID=Europe/Brussels:20260325T130000\nRRULE:FREQ=WEEKLY;COUNT=3\n", ":20260401T100000Z", "id=20260401T120000 dtstart=20260401T120000 dtend=20260401T130000"},
		{"UTC, and a zone of the message", "DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nRRULE:FREQ=WEEKLY;COUNT=3\n", ";TZID=Mine:20260401T120000", "id=20260401T100000Z dtstart=20260401T100000Z dtend=20260401T110000Z"},
		{"days", "DTSTART;VALUE=DATE:20260325\nDTEND;VALUE=DATE:20260327\nRRULE:FREQ=WEEKLY;COUNT=3\n", ";VALUE=DATE:20260401", "id=20260401 dtstart=20260401 dtend=20260403"},
		{"days, and a time", "DTSTART;VALUE=DATE:20260325\nRRULE:FREQ=WEEKLY;COUNT=3\n", ":20260401T000000Z", "id=20260401 dtstart=20260401"},
		{"floating", "DTSTART:20260325T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3\n", ":20260401T100000", "id=20260401T100000 dtstart=20260401T100000 duration=PT1H"},
		{"an end in another zone", "DTSTART;TZID=Europe/Brussels:20260325T120000\nDTEND:20260325T120000Z\nRRULE:FREQ=WEEKLY;COUNT=3\n", ";TZID=Europe/Brussels:20260401T120000", "id=20260401T120000 dtstart=20260401T120000 duration=PT3600S"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(arriving(t, Reply, "RECURRENCE-ID"+c.id+"\n"+yes).Octets())
			m, err := ParseMessage([]byte(strings.Replace(text, "BEGIN:VEVENT", strings.ReplaceAll(zone, "\n", "\r\n")+"BEGIN:VEVENT", 1)))
			if err != nil {
				t.Fatal(err)
			}
			r := Delivery{Message: m, Stored: event(t, c.stored+bob), Self: person("org@example.org"), From: person("bob@example.org"), Now: now}.Apply()
			lines := strings.Split(shortAll(r.Object), "\n")
			if got := lines[len(lines)-1]; got != c.want+" bob:ACCEPTED(2.0)" {
				t.Errorf("%s\n%s", r.Reason, got)
			}
		})
	}
}

// TestUsers: calendar users are compared by what they are, not how they are written.
func TestUsers(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"mailto:Bob@Example.ORG", "MAILTO:bob@example.org"}, {"mailto:b%6Fb@example.org", "mailto:bob@example.org"},
		{"urn:UUID:1", "urn:uuid:1"}, {"/dav/principals/bob/", "/dav/principals/bob"},
	} {
		a, b := ParseUser(ical.Prop{Value: c.a}), ParseUser(ical.Prop{Value: c.b})
		if a.Key() != b.Key() || a.Key() == "" {
			t.Errorf("%q is not %q", a.Key(), b.Key())
		}
	}
	if who := Addresses(address.Address{}); who(User{}) || who(ParseUser(ical.Prop{Value: "urn:uuid:1"})) {
		t.Error("nobody is somebody")
	}
	aside := ParseUser(ical.Prop{Value: "mailto:bob@example.org", Params: []contentline.Param{{Name: "EMAIL", Values: []string{"mallory@example.net"}}}})
	alone := ParseUser(ical.Prop{Value: "urn:uuid:1", Params: []contentline.Param{{Name: "EMAIL", Values: []string{"bob@example.org"}}}})
	mallory := person("mallory@example.net")
	if mallory(aside) || aside.Mailbox().String() != "bob@example.org" || !person("bob@example.org")(alone) || alone.Mailbox().String() != "bob@example.org" {
		t.Errorf("%+v %+v", aside, alone)
	}
	if u := Mailto(address.MustParse("bob@example.org")); u.Key() != "mailto:bob@example.org" || u.Mailbox() != u.Address {
		t.Errorf("%+v", u)
	}
}

func TestSetStatus(t *testing.T) {
	c := event(t, daily+bob+carol+"--\nRECURRENCE-ID:20260402T100000Z\n"+bob)
	got := shortAll(SetStatus(c, AsOrganizer, map[string]string{"mailto:bob@example.org": "1.2"}))
	if strings.Count(got, "bob:NEEDS-ACTION(1.2)") != 2 || strings.Contains(got, "carol:NEEDS-ACTION(") {
		t.Errorf("%s", got)
	}
	c = SetStatus(c, AsAttendee, map[string]string{"mailto:org@example.org": "2.0"})
	if text := string(c.Append(nil)); strings.Count(text, "ORGANIZER;SCHEDULE-STATUS=2.0:mailto:org@example.org") != 2 {
		t.Errorf("%s", text)
	}
	if text := string(SetStatus(c, AsAttendee, map[string]string{"mailto:org@example.org": ""}).Append(nil)); strings.Contains(text, "SCHEDULE-STATUS") {
		t.Errorf("%s", text)
	}
}
