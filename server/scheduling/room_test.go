package scheduling

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
)

// TestRoom: a room accepts when it is free, and else says when it is not.
func TestRoom(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org"))
	same(t, "the first", partStatOf(w.event("alice", "a"), "room"), "ACCEPTED")
	w.put("bob", "b.ics", meeting("b", "bob@example.org", "room@example.org", "DTSTART:20260710T103000Z", "DURATION:PT1H"))
	same(t, "one that meets it", partStatOf(w.event("bob", "b"), "room"), "DECLINED")
	if w.event("room", "b") != "" {
		t.Error("the room keeps what it declined")
	}
	w.put("bob", "c.ics", meeting("c", "bob@example.org", "room@example.org", "DTSTART:20260710T110000Z", "DURATION:PT1H"))
	same(t, "one that begins as it ends", partStatOf(w.event("bob", "c"), "room"), "ACCEPTED")

	// The room is free again when the first is moved, and taken at the new time.
	w.put("alice", "a.ics", strings.ReplaceAll(w.event("alice", "a"), "20260710T1", "20260720T1"))
	same(t, "moved", partStatOf(w.event("alice", "a"), "room"), "ACCEPTED")
	w.put("bob", "d.ics", meeting("d", "bob@example.org", "room@example.org"))
	same(t, "in its place", partStatOf(w.event("bob", "d"), "room"), "ACCEPTED")
	w.put("bob", "e.ics", meeting("e", "bob@example.org", "room@example.org", "DTSTART:20260720T103000Z", "DURATION:PT1H"))
	same(t, "where it is now", partStatOf(w.event("bob", "e"), "room"), "DECLINED")

	// A meeting that is moved to where the room is taken: the room declines.
	w.put("bob", "d.ics", strings.ReplaceAll(w.event("bob", "d"), "20260710T1", "20260720T1"))
	same(t, "moved to what is taken", partStatOf(w.event("bob", "d"), "room"), "DECLINED")
	w.remove("alice", "a.ics")
	if w.event("room", "a") != "" {
		t.Error("the room is still taken")
	}
	same(t, "mail", len(w.takeMail()), 0)

	w.put("bob", "f.ics", meeting("f", "bob@example.org", "room@example.org", "DTSTART:20260730T103000Z", "DURATION:PT1M", "RRULE:FREQ=MINUTELY;INTERVAL=2"))
	same(t, "more dates than are looked at", partStatOf(w.event("bob", "f"), "room"), "DECLINED")
}

// answersOf lists what an event says of an attendee, of all instances and of each exception.
func answersOf(event, who string) string {
	var list []string
	for part := range strings.SplitSeq(event, "BEGIN:VEVENT") {
		if stat := partStatOf(part, who); stat != "" {
			_, at, own := strings.Cut(part, "RECURRENCE-ID")
			if own {
				_, at, _ = strings.Cut(at, ":")
				at, _, _ = strings.Cut(at, "\r\n")
				stat = at + " " + stat
			}
			list = append(list, stat)
		}
	}
	return strings.Join(list, ", ")
}

// instance adds an exception to a series.
func instance(event, id string, lines ...string) string {
	uid := strings.Split(strings.Split(event, "UID:")[1], "\r\n")[0]
	more := meeting(uid, "", append([]string{"RECURRENCE-ID:" + id}, lines...)...)
	return strings.Replace(event, "END:VCALENDAR", more[strings.Index(more, "BEGIN:VEVENT"):strings.Index(more, "END:VCALENDAR")]+"END:VCALENDAR", 1)
}

// TestRoomSeries: of a series a room declines the dates at which it is taken, and all of it
// when these are most; dates that are moved are answered one by one.
func TestRoomSeries(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org"))
	weekly := []string{"room@example.org", "DTSTART:20260703T103000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4"}
	w.put("bob", "b.ics", meeting("b", "bob@example.org", append(weekly, "guest@example.com")...))
	same(t, "what the organizer has", answersOf(w.event("bob", "b"), "room"), "ACCEPTED, 20260710T103000Z DECLINED")
	same(t, "what the room has", answersOf(w.event("room", "b"), "room"), "ACCEPTED, 20260710T103000Z DECLINED")
	same(t, "one reply", w.inbox("bob"), "REPLY")
	same(t, "mail", w.takeMail(), []string{"guest@example.com REQUEST"})

	// What was declined is free for others, and what was accepted is not.
	w.put("alice", "c.ics", meeting("c", "alice@example.org", "room@example.org", "DTSTART:20260710T110000Z", "DURATION:PT1H"))
	same(t, "after the first", partStatOf(w.event("alice", "c"), "room"), "ACCEPTED")
	w.put("alice", "d.ics", meeting("d", "alice@example.org", "room@example.org", "DTSTART:20260717T110000Z", "DURATION:PT1H"))
	same(t, "at a date of the series", partStatOf(w.event("alice", "d"), "room"), "DECLINED")

	// The date that was declined is moved to where the room is free.
	moved := strings.Replace(w.event("bob", "b"), "DTSTART:20260710T103000Z", "DTSTART:20260711T103000Z", 1)
	w.put("bob", "b.ics", moved)
	same(t, "moved", answersOf(w.event("bob", "b"), "room"), "ACCEPTED, 20260710T103000Z ACCEPTED")
	w.put("alice", "e.ics", meeting("e", "alice@example.org", "room@example.org", "DTSTART:20260711T110000Z", "DURATION:PT1H"))
	same(t, "where it is now", partStatOf(w.event("alice", "e"), "room"), "DECLINED")

	// One that was accepted is moved to where it is taken; the others keep what was answered.
	w.put("bob", "b.ics", instance(w.event("bob", "b"), "20260717T103000Z", "DTSTART:20260710T100000Z", "DURATION:PT1H", "ORGANIZER:mailto:bob@example.org",
		"ATTENDEE;PARTSTAT=ACCEPTED:mailto:room@example.org"))
	same(t, "one moved away", answersOf(w.event("bob", "b"), "room"), "ACCEPTED, 20260710T103000Z ACCEPTED, 20260717T103000Z DECLINED")
	w.put("alice", "d.ics", strings.Replace(w.event("alice", "d"), "T110000Z", "T111500Z", 1))
	same(t, "which is free now", partStatOf(w.event("alice", "d"), "room"), "ACCEPTED")

	// Most dates are taken: all of it is declined.
	w.put("alice", "f.ics", meeting("f", "alice@example.org", "room@example.org", "DTSTART:20260901T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10"))
	w.put("bob", "g.ics", meeting("g", "bob@example.org", "room@example.org", "DTSTART:20260905T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10"))
	same(t, "6 of 10 are taken", answersOf(w.event("bob", "g"), "room")+w.event("room", "g"), "DECLINED")
	w.put("bob", "h.ics", meeting("h", "bob@example.org", "room@example.org", "DTSTART:20260906T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10"))
	same(t, "5 of 10 are taken", strings.Count(answersOf(w.event("bob", "h"), "room"), "DECLINED"), 5)

	// Of what is declined one date may still be moved to a time that is free.
	w.put("bob", "g.ics", instance(w.event("bob", "g"), "20260906T100000Z", "DTSTART:20260906T150000Z", "DURATION:PT1H", "ORGANIZER:mailto:bob@example.org",
		"ATTENDEE:mailto:room@example.org"))
	same(t, "one date of it", answersOf(w.event("bob", "g"), "room"), "DECLINED, 20260906T100000Z ACCEPTED")
	same(t, "which the room has", answersOf(w.event("room", "g"), "room"), "20260906T100000Z ACCEPTED")
	same(t, "tasks left", w.tasks(), 0)
}

// TestRoomManyDates: more dates than one reply has are not declined one by one.
func TestRoomManyDates(t *testing.T) {
	for _, c := range []struct {
		taken int
		want  string
	}{{maxApart, "ACCEPTED"}, {maxApart + 1, "DECLINED"}} {
		w := newWorld(t)
		w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org", "DTSTART:20260703T103000Z", "DURATION:PT1H", fmt.Sprint("RRULE:FREQ=DAILY;COUNT=", c.taken)))
		w.put("bob", "b.ics", meeting("b", "bob@example.org", "room@example.org", "DTSTART:20260703T103000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=300"))
		same(t, "all", partStatOf(w.event("bob", "b"), "room"), c.want)
		if c.want == "ACCEPTED" {
			same(t, "declined", strings.Count(answersOf(w.event("bob", "b"), "room"), "DECLINED"), c.taken)
		}
	}
}

// TestRoomWholeDays: a room is taken by what takes none of the organizer's own time.
func TestRoomWholeDays(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org", "DTSTART;VALUE=DATE:20260710", "TRANSP:TRANSPARENT"))
	w.put("bob", "b.ics", meeting("b", "bob@example.org", "room@example.org", "DTSTART;VALUE=DATE:20260709", "RRULE:FREQ=DAILY;COUNT=3", "TRANSP:TRANSPARENT"))
	same(t, "a series of days", answersOf(w.event("bob", "b"), "room"), "ACCEPTED, 20260710 DECLINED")
}

// TestRoomByMail: an organizer elsewhere has one mail with all that a room answers.
func TestRoomByMail(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org"))
	m := mailed(t, "friend@example.com", "REQUEST", meeting("b", "friend@example.com", "room@example.org", "DTSTART:20260703T103000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4"))
	if _, err := w.Scheduler.Mail(context.Background(), addr("room@example.org"), m); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if len(w.mail) != 1 {
		t.Fatalf("mail: %+v", w.mail)
	}
	raw := w.mail[0].raw
	for _, want := range []string{"Subject: Accepted: Plan", "Taken: 2026-07-10 10:30", "Not: Friday 10 July 2026, 10:30"} {
		if !strings.Contains(raw, want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
}

// TestRoomSeriesOnce: of many who want a room for series that meet, each date is given once.
func TestRoomSeriesOnce(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	const many, dates = 6, 8
	for i := range many {
		wg.Go(func() {
			who := []string{"alice", "bob"}[i%2]
			w.put(who, fmt.Sprint(i, ".ics"), meeting(fmt.Sprint("r", i), who+"@example.org", "room@example.org",
				fmt.Sprintf("DTSTART:202607%02dT100000Z", 10+i), "DURATION:PT1H", fmt.Sprint("RRULE:FREQ=DAILY;COUNT=", dates)))
		})
	}
	wg.Wait()
	w.settle()
	given := make(map[time.Time]int)
	for i := range many {
		who := []string{"alice", "bob"}[i%2]
		event := w.event(who, fmt.Sprint("r", i))
		for day := range dates {
			at := time.Date(2026, 7, 10+i+day, 10, 0, 0, 0, time.UTC)
			if !strings.HasPrefix(answersOf(event, "room"), "DECLINED") && !strings.Contains(answersOf(event, "room"), at.Format("20060102T150405Z")+" DECLINED") {
				given[at]++
			}
		}
	}
	for at, n := range given {
		if n != 1 {
			t.Errorf("%v is given to %d", at, n)
		}
	}
	if len(given) < dates {
		t.Errorf("%d dates are given", len(given))
	}
}

// TestRoomDecidesAnew: a room that must begin anew, because another changed the object, does not
// give a time that was taken in between.
func TestRoomDecidesAnew(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "a.ics", meeting("a", "alice@example.org", "room@example.org"))
	room, asked := w.own("room"), 0
	w.opts.Room = func(a address.Address) bool {
		// Each try asks before it reads the object, and when it answers.
		if asked++; a.Local == "room" && asked == 2 {
			if _, _, err := room.Put(w.href("room", "a"), []byte(w.event("room", "a")+"\r\n"), collection.Condition{}); err != nil {
				t.Error(err)
			}
			if _, _, err := room.Put("x.ics", []byte(meeting("x", "", "DTSTART:20260720T100000Z", "DURATION:PT1H")), collection.Condition{}); err != nil {
				t.Error(err)
			}
		}
		return a.Local == "room"
	}
	w.put("alice", "a.ics", strings.ReplaceAll(w.event("alice", "a"), "20260710T1", "20260720T1"))
	same(t, "the answer", partStatOf(w.event("alice", "a"), "room"), "DECLINED")
	if asked < 4 {
		t.Errorf("it was not tried twice: %d", asked)
	}
}
