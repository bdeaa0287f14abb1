package itip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/ical"
)

// crowd is n attendees.
func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "ATTENDEE;CN=Guest %d;RSVP=TRUE:mailto:guest%d@example.org\n", i, i)
	}
	return b.String()
}

// exceptions is n instances of a daily event at another time, with some attendees.
func exceptions(n int, who func(int) string) string {
	var b strings.Builder
	for i := range n {
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format("20060102")
		fmt.Fprintf(&b, "--\nRECURRENCE-ID:%[1]sT100000Z\nDTSTART:%[1]sT120000Z\nDTEND:%[1]sT130000Z\n%[2]s", day, who(i))
	}
	return b.String()
}

const long = "DTSTART:20260101T100000Z\nDTEND:20260101T110000Z\nRRULE:FREQ=DAILY\n"

// quickly tells how long something took. That it ends at all is what these tests show.
func quickly(t *testing.T, what string, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	t.Logf("%s: %v", what, time.Since(begin).Round(time.Millisecond))
}

func TestCrowd(t *testing.T) {
	after := event(t, "SUMMARY:a\n"+crowd(MaxAttendees))
	quickly(t, "10,000 are invited", func() {
		plan, err := Change{After: after, Self: person("org@example.org"), Now: now}.Plan()
		if err != nil || len(plan.Messages) != MaxAttendees || plan.Messages[0].Message != plan.Messages[MaxAttendees-1].Message {
			t.Fatalf("%v", err)
		}
	})
	moved := event(t, "DTSTART:20260401T120000Z\nSUMMARY:a\n"+crowd(MaxAttendees))
	quickly(t, "10,000 are told of another time", func() {
		plan, err := Change{Before: after, After: moved, Self: person("org@example.org"), Now: now}.Plan()
		if err != nil || len(plan.Messages) != MaxAttendees {
			t.Fatalf("%v", err)
		}
	})
	reply := arriving(t, Reply, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:guest9999@example.org\n")
	quickly(t, "one of 10,000 answers", func() {
		r := Delivery{Message: reply, Stored: after, Self: person("org@example.org"), From: person("guest9999@example.org"), Now: now}.Apply()
		if r.Outcome != Applied || len(r.Others) != 0 {
			t.Fatalf("%s, %d", r.Reason, len(r.Others))
		}
	})
	var p *Precondition
	if _, err := (Change{After: event(t, crowd(MaxAttendees+1)), Self: person("org@example.org"), Now: now}).Plan(); !errors.As(err, &p) || p.Name != TooManyAttendees {
		t.Errorf("%v", err)
	}
}

func TestManyExceptions(t *testing.T) {
	const n = 10_000
	all := event(t, long+bob+carol+exceptions(n, func(int) string { return bob + carol }))
	quickly(t, "a series with 10,000 exceptions", func() {
		plan, err := Change{After: all, Self: person("org@example.org"), Now: now}.Plan()
		if err != nil || len(plan.Messages) != 2 || plan.Messages[0].Message != plan.Messages[1].Message {
			t.Fatalf("%v", err)
		}
		m, err := Read(plan.Messages[0].Message.Calendar)
		if err != nil {
			t.Fatal(err)
		}
		r := Delivery{Message: m, Self: person("bob@example.org"), From: person("org@example.org"), Now: now, Create: true}.Apply()
		if r.Outcome != Applied {
			t.Fatalf("%s", r.Reason)
		}
		r = Delivery{Message: m, Stored: r.Object, Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
		if r.Reason != Same {
			t.Fatalf("%s", result(r))
		}
	})
	quickly(t, "bob is not invited to any of 10,000", func() {
		plan, err := Change{Before: all, After: event(t, long+bob+carol+exceptions(n, func(int) string { return carol })), Self: person("org@example.org"), Now: now}.Plan()
		if err != nil || len(plan.Messages) != 2 {
			t.Fatalf("%v %d", err, len(plan.Messages))
		}
	})
	quickly(t, "an attendee takes all of it out", func() {
		plan, err := Change{Before: all, Self: person("bob@example.org"), Now: now}.Plan()
		if err != nil || len(plan.Messages) != 1 {
			t.Fatalf("%v", err)
		}
	})
	quickly(t, "each of 10,000 is invited to another instance", func() {
		_, err := Change{After: event(t, long+crowd(n)+exceptions(n, func(i int) string { return fmt.Sprintf("ATTENDEE:mailto:guest%d@example.org\n", i) })), Self: person("org@example.org"), Now: now}.Plan()
		if !errors.Is(err, ErrTooMuch) {
			t.Fatalf("%v", err)
		}
	})
}

// TestManyAnswers: a reply for very many instances costs no more than some.
func TestManyAnswers(t *testing.T) {
	stored := event(t, "DTSTART:20260101T100000Z\nDTEND:20260101T110000Z\nRRULE:FREQ=SECONDLY\n"+self+bob)
	m := arriving(t, Reply, strings.TrimPrefix(exceptions(10_000, func(int) string { return yes }), "--\n"))
	quickly(t, "10,000 answers to a rule of seconds", func() {
		r := Delivery{Message: m, Stored: stored, Self: person("org@example.org"), From: person("bob@example.org"), Now: now}.Apply()
		if r.Outcome != Applied || len(r.Events) > maxLooked {
			t.Fatalf("%s %d", r.Reason, len(r.Events))
		}
	})
	m = arriving(t, Cancel, strings.TrimPrefix(exceptions(10_000, func(int) string { return bob }), "--\n"))
	quickly(t, "10,000 cancelled instances", func() {
		r := Delivery{Message: m, Stored: event(t, long+yes), Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
		if r.Outcome != Applied {
			t.Fatalf("%s", r.Reason)
		}
	})
	m = arriving(t, Request, strings.TrimPrefix(exceptions(10_000, func(int) string { return bob }), "--\n"))
	quickly(t, "10,000 instances come back", func() {
		var out []string
		for i := range 10_000 {
			out = append(out, time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format(utcForm))
		}
		r := Delivery{Message: m, Stored: event(t, long+"EXDATE:"+strings.Join(out, ",")+"\n"+yes), Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
		if r.Outcome != Applied {
			t.Fatalf("%s", r.Reason)
		}
	})
	m = arriving(t, Add, strings.TrimPrefix(exceptions(10_000, func(int) string { return bob }), "--\n"))
	quickly(t, "10,000 added instances", func() {
		Delivery{Message: m, Stored: event(t, long+yes), Self: person("bob@example.org"), From: person("org@example.org"), Now: now}.Apply()
	})
}

// FuzzApply: whatever arrives, what is to be kept may be kept, what is told can be read,
// nothing that was given changes, and only who may changes anything.
func FuzzApply(f *testing.F) {
	const head = "BEGIN:VCALENDAR\nVERSION:2.0\n"
	stored := head + "BEGIN:VEVENT\nUID:e1\nDTSTAMP:20260301T000000Z\nORGANIZER:mailto:org@example.org\n" + daily + self + bob + "END:VEVENT\nEND:VCALENDAR\n"
	for _, method := range []Method{Request, Reply, Cancel, Add, Counter, Refresh, Publish, DeclineCounter} {
		for _, lines := range []string{daily + yes, "RECURRENCE-ID:20260402T100000Z\nDTSTART:20260402T120000Z\n" + yes, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260403T100000Z\nSEQUENCE:3\nSTATUS:CANCELLED\n" + bob} {
			f.Add(stored, head+"METHOD:"+string(method)+"\nBEGIN:VEVENT\nUID:e1\nDTSTAMP:20260302T000000Z\nORGANIZER:mailto:org@example.org\n"+lines+"END:VEVENT\nEND:VCALENDAR\n")
		}
	}
	f.Add("", head+"METHOD:REQUEST\nBEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VTODO\nUID:e1\nDUE;TZID=x:20260401T100000\nORGANIZER:mailto:org@example.org\n"+bob+"END:VTODO\nEND:VCALENDAR\n")
	f.Fuzz(func(t *testing.T, before, arrived string) {
		if len(before)+len(arrived) > 20_000 {
			return
		}
		m, err := ParseMessage([]byte(arrived))
		if err != nil {
			return
		}
		stored, err := ical.ParseBytes([]byte(before))
		if err != nil || stored.Check() != nil {
			stored = nil
		}
		checkApply(t, stored, m)
	})
}

// checkApply checks what FuzzApply says.
func checkApply(t *testing.T, stored *ical.Calendar, m *Message) {
	t.Helper()
	was, before := string(m.Octets()), ""
	if stored != nil {
		before = string(stored.Append(nil))
	}
	for _, who := range []struct{ self, from string }{{"org@example.org", "bob@example.org"}, {"bob@example.org", "org@example.org"}, {"bob@example.org", "x@example.net"}} {
		d := Delivery{Message: m, Stored: stored, Self: person(who.self), From: person(who.from), Now: now, Create: true}
		r := d.Apply()
		if r.Outcome != Applied && (r.Object != nil || r.Remove) || r.Outcome == Applied && r.Object == nil && !r.Remove {
			t.Fatalf("%+v", r)
		}
		if r.Outcome == Applied && who.from == "x@example.net" && !named(m.Calendar, who.from) && !named(stored, who.from) {
			t.Fatalf("by a stranger: %+v", r)
		}
		if r.Object != nil {
			back, err := ical.ParseBytes(r.Object.Append(nil))
			if err != nil || back.Check() != nil {
				t.Fatalf("%v %v\n%s", err, back.Check(), r.Object.Append(nil))
			}
			checkAnswer(t, r, d.Self)
			d.Stored = r.Object
			if again := d.Apply(); again.Outcome == Applied && again.Object != nil && m.Method != Publish && shortAll(again.Object) != shortAll(r.Object) {
				t.Fatalf("twice:\n%s\n%s\n%s\n%s", before, was, shortAll(r.Object), shortAll(again.Object))
			}
			change := Change{Before: stored, After: r.Object, Self: d.Self, Now: now}
			if plan, err := change.Plan(); err == nil {
				readable(t, plan.Messages)
			}
		}
		only := d
		only.Stored, only.Only = stored, true
		if r := only.Apply(); r.Object != nil && r.Object.Check() != nil {
			t.Fatalf("only that: %v\n%s", r.Object.Check(), r.Object.Append(nil))
		}
		readable(t, r.Others)
		readable(t, r.Answers)
		if string(m.Octets()) != was || stored != nil && string(stored.Append(nil)) != before {
			t.Fatal("what was given was changed")
		}
	}
	mail := Mail{Message: m, From: address.MustParse("org@example.org"), To: address.MustParse("bob@example.org"), ID: "1", Now: now}
	if s := mail.text(); strings.ContainsAny(s.subject, "\r\n") {
		t.Fatalf("%q", s.subject)
	}
	m.Invitation(time.UTC)
}

// checkAnswer: who accepts what is new, but for some instances, has an object that may be kept,
// and a reply that can be read.
func checkAnswer(t *testing.T, r Result, self Person) {
	t.Helper()
	o, err := ical.NewObject(r.Object)
	if err != nil || r.Role != AsAttendee {
		return
	}
	list, _, err := o.Instances(time.Time{}, time.Time{}, nil, 20)
	if err != nil {
		return
	}
	a := Answer{Self: self, PartStat: "ACCEPTED", Comment: "c", Among: r.News, Now: now}
	for i, at := range list {
		if i%2 == 0 {
			a.Declined = append(a.Declined, at.ID)
		}
	}
	back, err := ical.ParseBytes(a.Set(r.Object).Append(nil))
	if err != nil || back.Check() != nil {
		t.Fatalf("answered: %v %v\n%s", err, back.Check(), a.Set(r.Object).Append(nil))
	}
	if reply, ok := a.Reply(r.Object); ok {
		readable(t, []Outgoing{reply})
	}
}

// named says whether anybody of an object may be an address.
func named(c *ical.Calendar, address string) bool {
	return c != nil && strings.Contains(strings.ToLower(string(c.Append(nil))), strings.Split(address, "@")[0])
}

func readable(t *testing.T, list []Outgoing) {
	t.Helper()
	for _, o := range list {
		c, err := ical.ParseBytes(o.Message.Octets())
		if err == nil {
			_, err = Read(c)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, o.Message.Octets())
		}
	}
}

// FuzzPlan: whatever a client writes, what is kept may be kept, and the messages can be read.
func FuzzPlan(f *testing.F) {
	const head = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:e1\nDTSTAMP:20260301T000000Z\nORGANIZER:mailto:org@example.org\n"
	const tail = "END:VEVENT\nEND:VCALENDAR\n"
	f.Add(head+daily+self+bob+tail, head+daily+self+yes+tail)
	f.Add(head+daily+self+bob+tail, head+daily+"EXDATE:20260402T100000Z\n"+self+yes+carol+tail)
	f.Add(head+daily+self+bob+tail, head+daily+self+bob+"END:VEVENT\nBEGIN:VEVENT\nUID:e1\nORGANIZER:mailto:org@example.org\nRECURRENCE-ID;VALUE=DATE:20260402\nDTSTART:20260403T000000\n"+yes+tail)
	f.Add("", head+"DTSTART;TZID=Europe/Brussels:20260329T023000\n"+bob+tail)
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 20_000 {
			return
		}
		read := func(text string) *ical.Calendar {
			c, err := ical.ParseBytes([]byte(text))
			if err != nil || c.Check() != nil {
				return nil
			}
			return c
		}
		b, a := read(before), read(after)
		if a == nil && b == nil {
			return
		}
		checkPlan(t, b, a)
	})
}

// checkPlan checks what FuzzPlan says.
func checkPlan(t *testing.T, before, after *ical.Calendar) {
	t.Helper()
	for _, who := range []string{"org@example.org", "bob@example.org"} {
		plan, err := Change{Before: before, After: after, Self: person(who), Now: now}.Plan()
		if err != nil {
			continue
		}
		readable(t, plan.Messages)
		if plan.Object == nil {
			continue
		}
		back, err := ical.ParseBytes(plan.Object.Append(nil))
		if err != nil || back.Check() != nil {
			t.Fatalf("%v %v\n%s", err, back.Check(), plan.Object.Append(nil))
		}
		again, err := Change{Before: plan.Object, After: plan.Object, Self: person(who), Now: now}.Plan()
		if err != nil {
			t.Fatalf("nothing changed, and yet: %v\n%s", err, plan.Object.Append(nil))
		}
		if len(again.Messages) > 0 {
			t.Fatalf("nothing changed, and yet: %s\n%s", told(again.Messages), plan.Object.Append(nil))
		}
	}
}

// vocabulary are lines of which odd objects are made.
func vocabulary() []string {
	return []string{
		"DTSTART:20260401T100000Z", "DTSTART;TZID=Europe/Brussels:20260329T023000", "DTSTART;VALUE=DATE:20260401", "DTSTART:20260401T100000", "DTSTART;TZID=Odd:20260401T100000",
		"DTEND:20260401T110000Z", "DTEND;VALUE=DATE:20260402", "DTEND;TZID=Europe/Brussels:20260401T130000", "DURATION:P1DT1H", "DURATION:PT0S",
		"RRULE:FREQ=DAILY;COUNT=5", "RRULE:FREQ=DAILY;UNTIL=20260405T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=WE", "RRULE:FREQ=YEARLY;UNTIL=20300401", "RDATE:20260410T100000Z", "RDATE;VALUE=PERIOD:20260410T100000Z/PT1H",
		"RDATE;VALUE=DATE:20260410,20260411", "EXDATE:20260402T100000Z", "EXDATE;VALUE=DATE:20260402,20260403", "EXDATE;TZID=Europe/Brussels:20260402T120000", "EXDATE:20260402T100000",
		"RECURRENCE-ID:20260402T100000Z", "RECURRENCE-ID;VALUE=DATE:20260402", "RECURRENCE-ID:20260402T100000", "RECURRENCE-ID;TZID=Odd:20260403T100000", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260403T100000Z", "RECURRENCE-ID;TZID=Europe/Brussels:20260403T120000",
		"SEQUENCE:1", "SEQUENCE:2147483647", "SEQUENCE:-1", "DTSTAMP:20260302T000000Z", "DTSTAMP:20990302T000000Z", "DTSTAMP:20260101T000000",
		"ATTENDEE:mailto:bob@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:MAILTO:bob@example.org", "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org", "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:dave@example.org\":mailto:bob@example.org",
		"ATTENDEE;DELEGATED-FROM=\"mailto:bob@example.org\":mailto:dave@example.org", "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:carol@example.org", "ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:carol@example.org", "ATTENDEE:urn:uuid:1", "ATTENDEE:",
		"ATTENDEE;PARTSTAT=ACCEPTED;X-FACTEUR-REPLIED=20260301T000000Z:mailto:carol@example.org", "ATTENDEE:mailto:org@example.org",
		"ORGANIZER:mailto:org@example.org", "ORGANIZER:mailto:bob@example.org", "ORGANIZER;SCHEDULE-AGENT=NONE:mailto:org@example.org", "STATUS:CANCELLED", "STATUS:CONFIRMED", "SUMMARY:a", "SUMMARY:b", "COMMENT:c", "TRANSP:TRANSPARENT",
		"BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM", "REQUEST-STATUS:3.7;No", "X-MOZ-LASTACK:20260101T000000Z",
		"EXDATE;X-FACTEUR-OWN=TRUE:20260402T100000Z,20260403T100000Z", "EXDATE;X-FACTEUR-OWN=TRUE;VALUE=DATE:20260403", "X-A;X-FACTEUR-OWN=TRUE:1", "X-A:2", "CLASS;X-FACTEUR-OWN=TRUE:PRIVATE", "CATEGORIES:a", "ATTACH:https://example.org/1",
	}
}

// odd makes an object of random lines.
func odd(r *rand.Rand, method Method) string {
	words := vocabulary()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	if method != "" {
		b.WriteString("METHOD:" + string(method) + "\n")
	}
	b.WriteString("BEGIN:VTIMEZONE\nTZID:Odd\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0217\nTZOFFSETTO:+0217\nEND:STANDARD\nEND:VTIMEZONE\n")
	kind := []string{"VEVENT", "VEVENT", "VEVENT", "VTODO"}[r.IntN(4)]
	for n := range 1 + r.IntN(3) {
		b.WriteString("BEGIN:" + kind + "\nUID:e1\n")
		if r.IntN(4) > 0 {
			b.WriteString("ORGANIZER:mailto:org@example.org\nATTENDEE:mailto:bob@example.org\n")
		}
		if n > 0 {
			b.WriteString(words[21+r.IntN(6)] + "\n")
		}
		b.WriteString(words[r.IntN(5)] + "\n")
		for range r.IntN(7) {
			b.WriteString(words[r.IntN(len(words))] + "\n")
		}
		b.WriteString("END:" + kind + "\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return b.String()
}

// TestOdd checks what the fuzz targets check, with objects that make some sense.
func TestOdd(t *testing.T) {
	methods := []Method{Request, Request, Reply, Reply, Cancel, Add, Counter, DeclineCounter, Refresh, Publish}
	read := func(text string) *ical.Calendar {
		c, err := ical.ParseBytes([]byte(text))
		if err != nil || c.Check() != nil {
			return nil
		}
		return c
	}
	kept, taken := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 11))
		before, after := read(odd(r, "")), read(odd(r, ""))
		if before != nil || after != nil {
			kept++
			checkPlan(t, before, after)
		}
		m, err := ParseMessage([]byte(odd(r, methods[r.IntN(len(methods))])))
		if err != nil {
			continue
		}
		taken++
		checkApply(t, before, m)
	}
	if kept < 500 || taken < 500 {
		t.Errorf("only %d objects and %d messages were of use", kept, taken)
	}
}
