package scheduling

import (
	"strings"
	"testing"
)

// TestLeftOneDate: who is taken out of a series but for one date has one message about that, and
// keeps what is his own of it; who is elsewhere has a CANCEL of the rest first.
func TestLeftOneDate(t *testing.T) {
	w := newWorld(t)
	all := meeting("m1", "alice@example.org", "bob@example.org", "dave@example.com", "carol@example.org", "RRULE:FREQ=DAILY;COUNT=5")
	one := instance(all, "20260712T100000Z", "ORGANIZER:mailto:alice@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org",
		"ATTENDEE:mailto:dave@example.com", "ATTENDEE:mailto:carol@example.org", "DTSTART:20260712T100000Z", "DTEND:20260712T110000Z")
	w.put("alice", "m.ics", one)
	w.takeMail()
	w.put("bob", w.href("bob", "m1"), strings.ReplaceAll(accept(w.event("bob", "m1"), "bob"), "END:VEVENT",
		"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"))
	same(t, "bob's inbox before", w.inbox("bob"), "REQUEST")
	w.pass(1)

	hers := w.event("alice", "m1")
	series, date, _ := strings.Cut(hers, "END:VEVENT")
	var kept []string
	for line := range strings.SplitSeq(series, "\r\n") {
		if !strings.HasPrefix(line, "ATTENDEE") || strings.HasSuffix(line, ":mailto:carol@example.org") {
			kept = append(kept, line)
		}
	}
	w.put("alice", "m.ics", strings.Join(kept, "\r\n")+"END:VEVENT"+date)
	w.settle()
	same(t, "bob's inbox", w.inbox("bob"), "REQUEST REQUEST")
	e := w.event("bob", "m1")
	if strings.Count(e, "BEGIN:VEVENT") != 1 || !strings.Contains(e, "RECURRENCE-ID:20260712T100000Z") || strings.Contains(e, "RRULE") ||
		!strings.Contains(e, "BEGIN:VALARM") || partStatOf(e, "bob") != "ACCEPTED" {
		t.Errorf("bob has %s", e)
	}
	if e := w.event("carol", "m1"); !strings.Contains(e, "RRULE") {
		t.Errorf("carol has %s", e)
	}
	var methods []string
	for _, m := range w.mail {
		methods = append(methods, m.raw[strings.Index(m.raw, "method="):][:len("method=REQUEST")])
	}
	if got := strings.Join(methods, " "); !strings.HasPrefix(got, "method=CANCEL") || !strings.HasSuffix(got, "method=REQUEST") || len(methods) != 2 {
		t.Errorf("dave has %s", got)
	}
}

// TestStaysRemoved: a meeting that somebody has removed, and so declined, does not come back when others
// answer or its title changes, but does when it is at another time.
func TestStaysRemoved(t *testing.T) {
	w := newWorld(t)
	data := meeting("m1", "alice@example.org", "bob@example.org", "carol@example.org")
	w.put("alice", "m.ics", data)
	w.remove("bob", w.href("bob", "m1"))
	same(t, "what alice knows", partStatOf(w.event("alice", "m1"), "bob"), "DECLINED")
	w.put("carol", w.href("carol", "m1"), accept(w.event("carol", "m1"), "carol"))
	w.put("alice", "m.ics", strings.Replace(w.event("alice", "m1"), "SUMMARY:Plan", "SUMMARY:Better", 1))
	if e := w.event("bob", "m1"); e != "" {
		t.Errorf("bob has %s", e)
	}
	if e := w.event("alice", "m1"); !strings.Contains(e, "SUMMARY:Better") || strings.Contains(e, "SCHEDULE-STATUS=3") {
		t.Errorf("alice has %s", e)
	}
	w.put("alice", "m.ics", strings.ReplaceAll(w.event("alice", "m1"), "20260710T1", "20260711T1"))
	if e := w.event("bob", "m1"); !strings.Contains(e, "SUMMARY:Better") || partStatOf(e, "bob") != "NEEDS-ACTION" {
		t.Errorf("bob has %s", e)
	}
	same(t, "tasks left", w.tasks(), 0)
}
