package scheduling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"facteur/server/collection"
	"facteur/server/fault"
)

// TestMeeting is the life of a meeting of two people here and one outside.
func TestMeeting(t *testing.T) {
	w := newWorld(t)
	r := w.put("alice", "m.ics", meeting("m1", "alice@example.org", "alice@example.org", "bob@example.org", "dave@example.com"))
	if !r.Created || !r.Changed || r.Tag == "" {
		t.Errorf("%+v", r)
	}
	same(t, "mail", w.takeMail(), []string{"dave@example.com REQUEST"})
	same(t, "bob's answer", partStatOf(w.event("bob", "m1"), "bob"), "NEEDS-ACTION")
	same(t, "bob's inbox", w.inbox("bob"), "REQUEST")
	if e := w.event("alice", "m1"); !strings.Contains(e, "SCHEDULE-STATUS=1.2:mailto:bob@") || !strings.Contains(e, "SCHEDULE-STATUS=1.1:mailto:dave@") {
		t.Errorf("what alice has: %s", e)
	}

	accepted := strings.Replace(w.event("bob", "m1"), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob", "PARTSTAT=ACCEPTED:mailto:bob", 1)
	w.put("bob", w.href("bob", "m1"), accepted)
	same(t, "bob's answer at alice", partStatOf(w.event("alice", "m1"), "bob"), "ACCEPTED")
	same(t, "alice's inbox", w.inbox("alice"), "REPLY")
	same(t, "mail", len(w.takeMail()), 0)

	moved := strings.NewReplacer("20260710T", "20260711T").Replace(w.event("alice", "m1"))
	w.put("alice", "m.ics", moved)
	same(t, "mail", w.takeMail(), []string{"dave@example.com REQUEST"})
	if e := w.event("bob", "m1"); !strings.Contains(e, "DTSTART:20260711T") {
		t.Errorf("not moved: %s", e)
	}

	w.remove("alice", "m.ics")
	same(t, "mail", w.takeMail(), []string{"dave@example.com CANCEL"})
	if e := w.event("bob", "m1"); e != "" {
		t.Errorf("not cancelled: %s", e)
	}
	same(t, "tasks left", w.tasks(), 0)
}

// TestDecline: an attendee who removes a meeting declines it.
func TestDecline(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		w := newWorld(t)
		w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org"))
		err := w.Remove(context.Background(), Request{
			Account: addr("bob@example.org"), Collection: w.calendar("bob", "bob"), Href: w.href("bob", "m1"), NoReply: quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "DECLINED"
		if quiet {
			want = "NEEDS-ACTION"
		}
		same(t, "bob's answer", partStatOf(w.event("alice", "m1"), "bob"), want)
	}
}

// TestPlain: what has nothing to do with others is kept as it came.
func TestPlain(t *testing.T) {
	w := newWorld(t)
	for i, data := range []string{meeting("p1", ""), meeting("p2", "somebody@example.com", "another@example.com")} {
		r := w.put("alice", fmt.Sprint(i, ".ics"), data)
		if r.Changed {
			t.Error("it is changed")
		}
	}
	same(t, "mail", len(w.takeMail()), 0)
	_, err := w.Put(context.Background(), Request{Account: addr("alice@example.org"), Collection: w.calendar("alice", "alice"), Href: "x"}, []byte("nonsense ORGANIZER"))
	if err == nil {
		t.Error("nonsense is kept")
	}
}

// TestConditions: a change that was made from what is there no longer is refused.
func TestConditions(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	data := meeting("m1", "alice@example.org", "alice@example.org", "bob@example.org")
	first := w.put("alice", "m.ics", data)
	request := Request{Account: addr("alice@example.org"), Collection: w.calendar("alice", "alice"), Href: "m.ics"}
	try := func(what string, change func(*Request), want error) {
		t.Helper()
		r := request
		change(&r)
		_, err := w.Put(ctx, r, []byte(strings.Replace(data, "Plan", what, 1)))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	try("none yet", func(r *Request) { r.Condition.Absent = true }, collection.ErrCondition)
	try("another", func(r *Request) { r.Condition.Match = []collection.ETag{`"x"`} }, collection.ErrCondition)
	try("another tag", func(r *Request) { r.IfTag = `"x"` }, collection.ErrCondition)

	// An answer changes the ETag, but not the schedule tag.
	w.put("bob", w.href("bob", "m1"), strings.Replace(w.event("bob", "m1"), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob", "PARTSTAT=ACCEPTED:mailto:bob", 1))
	try("ETag", func(r *Request) { r.Condition.Match = []collection.ETag{first.Entry.ETag} }, collection.ErrCondition)
	try("tag", func(r *Request) { r.IfTag = first.Tag }, nil)
	if e := w.event("alice", "m1"); !strings.Contains(e, "SUMMARY:tag") || partStatOf(e, "bob") != "ACCEPTED" {
		t.Errorf("the answer is lost: %s", e)
	}
	r := request
	r.IfTag = `"x"`
	if err := w.Remove(ctx, r); !errors.Is(err, collection.ErrCondition) {
		t.Errorf("removed: %v", err)
	}
	r.Href = "none.ics"
	if err := w.Remove(ctx, r); !fault.Is(err, fault.NotFound) && !errors.Is(err, collection.ErrCondition) {
		t.Errorf("removed what is not there: %v", err)
	}
}

// TestPreconditions of RFC 6638 3.2.4.
func TestPreconditions(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	home, err := w.homes.Own(addr("alice@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := home.Create("other", collection.Calendar, collection.Props{})
	if err != nil {
		t.Fatal(err)
	}
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org"))
	check := func(name string, r Request, data string) {
		t.Helper()
		_, err := w.Put(ctx, r, []byte(data))
		var p *Precondition
		if !errors.As(err, &p) || p.Name != caldav+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("unique-scheduling-object-resource", Request{Account: addr("alice@example.org"), Collection: other, Href: "m.ics"},
		meeting("m1", "alice@example.org", "bob@example.org"))
	bobs := Request{Account: addr("bob@example.org"), Collection: w.calendar("bob", "bob"), Href: w.href("bob", "m1")}
	check("allowed-attendee-scheduling-object-change", bobs, strings.Replace(w.event("bob", "m1"), "20260710T10", "20260710T09", 1))
	check("same-organizer-in-all-components", Request{Account: addr("alice@example.org"), Collection: w.calendar("alice", "alice"), Href: "n.ics"},
		strings.Replace(meeting("m2", "alice@example.org", "bob@example.org", "RRULE:FREQ=DAILY"), "END:VCALENDAR\r\n",
			strings.TrimPrefix(meeting("m2", "eve@example.org", "RECURRENCE-ID:20260711T100000Z"), "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n"), 1))
}

// TestNames: a person is the same under each address that leads to that person alone.
func TestNames(t *testing.T) {
	w := newWorld(t)
	w.put("bob", "m.ics", meeting("m1", "bob@example.net", "boss@example.org", "both@example.org", "nobody@example.org"))
	if e := w.event("alice", "m1"); e == "" {
		t.Error("alice is not invited under her other name")
	}
	same(t, "mail", w.takeMail(), []string{"both@example.org REQUEST"})
	if e := w.event("bob", "m1"); !strings.Contains(e, "SCHEDULE-STATUS=3.7:mailto:nobody@") {
		t.Errorf("nobody is told: %s", e)
	}
	w.put("alice", w.href("alice", "m1"), strings.Replace(w.event("alice", "m1"), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:boss", "PARTSTAT=TENTATIVE:mailto:boss", 1))
	same(t, "the answer", partStatOf(w.event("bob", "m1"), "boss"), "TENTATIVE")
}

// TestShared: a shared mailbox invites and answers by its members.
func TestShared(t *testing.T) {
	w := newWorld(t)
	put := func(who, href, data string) error {
		_, err := w.Put(context.Background(), Request{Account: addr(who + "@example.org"), Collection: w.calendar(who, "office"), Href: href}, []byte(data))
		return err
	}
	data := meeting("m1", "office@example.org", "alice@example.org", "dave@example.com")
	if err := put("carol", "m.ics", data); !fault.Is(err, fault.Policy) {
		t.Errorf("a reader invites: %v", err)
	}
	if err := put("bob", "m.ics", data); err != nil {
		t.Fatal(err)
	}
	if len(w.mail) != 1 || w.mail[0].account != "bob@example.org" || !strings.Contains(w.mail[0].raw, "<office@example.org>") {
		t.Errorf("mail: %+v", w.mail)
	}
	w.put("alice", w.href("alice", "m1"), strings.Replace(w.event("alice", "m1"), "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice", "PARTSTAT=ACCEPTED:mailto:alice", 1))
	same(t, "the answer", partStatOf(w.event("office", "m1"), "alice"), "ACCEPTED")
}

// TestOthers: what one answers, the others here see, and are not told.
func TestOthers(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org", "carol@example.org", "dave@example.com"))
	w.takeMail()
	w.put("bob", w.href("bob", "m1"), accept(w.event("bob", "m1"), "bob"))
	same(t, "bob's answer at carol", partStatOf(w.event("carol", "m1"), "bob"), "ACCEPTED")
	same(t, "carol's own", partStatOf(w.event("carol", "m1"), "carol"), "NEEDS-ACTION")
	same(t, "carol's inbox", w.inbox("carol"), "REQUEST")
	same(t, "mail", len(w.takeMail()), 0)
}

// TestTask: a task that is assigned goes among the tasks.
func TestTask(t *testing.T) {
	w := newWorld(t)
	task := strings.NewReplacer("VEVENT", "VTODO", "DTEND", "DUE").Replace(meeting("t1", "alice@example.org", "bob@example.org"))
	_, err := w.Put(context.Background(), Request{Account: addr("alice@example.org"), Collection: w.calendar("alice", "alice/tasks"), Href: "t.ics"}, []byte(task))
	if err != nil {
		t.Fatal(err)
	}
	o, err := w.find(addr("bob@example.org"), "t1")
	if err != nil || o.entry == nil || o.in.Segment != "tasks" {
		t.Errorf("it is at %+v, %v", o.in, err)
	}
}

// TestMany: of many a client does not wait for all.
func TestMany(t *testing.T) {
	w := newWorld(t)
	invited := []string{"bob@example.org"}
	for i := range maxAtOnce {
		invited = append(invited, fmt.Sprintf("guest%d@example.com", i))
	}
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", invited...))
	same(t, "before", len(w.takeMail()), 0)
	w.settle()
	same(t, "after", len(w.takeMail()), maxAtOnce)
	same(t, "bob's inbox", w.inbox("bob"), "REQUEST")
	same(t, "tasks left", w.tasks(), 0)
}

// TestHijack: who makes an event with the UID of another's changes nothing at others.
func TestHijack(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org"))
	w.put("carol", "m.ics", meeting("m1", "carol@example.org", "bob@example.org", "alice@example.org", "SUMMARY:Mine"))
	for _, who := range []string{"alice", "bob"} {
		if e := w.event(who, "m1"); !strings.Contains(e, "SUMMARY:Plan") {
			t.Errorf("%s has %s", who, e)
		}
	}
	if e := w.event("carol", "m1"); !strings.Contains(e, "SCHEDULE-STATUS="+statusRefused) {
		t.Errorf("carol is not told: %s", e)
	}
}

// TestAsSent: what a client puts with all that this server adds is kept as it was sent.
func TestAsSent(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org"))
	data := strings.Replace(w.event("alice", "m1"), "SUMMARY:Plan", "SUMMARY:An\r\n other", 1)
	if r := w.put("alice", "m.ics", data); r.Changed {
		t.Errorf("it is kept as %s", w.event("alice", "m1"))
	}
	if e := w.event("bob", "m1"); !strings.Contains(e, "SUMMARY:Another") {
		t.Errorf("bob has %s", e)
	}
}
