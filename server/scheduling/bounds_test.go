package scheduling

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/itip"
)

// TestLargeInvitation: what no program would read is not sent to each of many; who is here
// has it all the same.
func TestLargeInvitation(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org", "guest@example.com", "DESCRIPTION:"+strings.Repeat("x", itip.MaxSize)))
	w.settle()
	same(t, "mail", len(w.takeMail()), 0)
	same(t, "tasks left", w.tasks(), 0)
	same(t, "bob's inbox", w.inbox("bob"), "REQUEST")
	for line := range strings.SplitSeq(unfold(w.event("alice", "m1")), "\r\n") {
		if strings.Contains(line, "guest@example.com") && !strings.Contains(line, "SCHEDULE-STATUS="+statusFailed) {
			t.Error(line)
		}
	}
}

// TestInboxOctets: an inbox, which no quota bounds, holds so many octets at most, the newest.
func TestInboxOctets(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	w := newWorld(t)
	const size = 12 << 20
	for i := range inboxOctets/size + 2 {
		uid := string(rune('a' + i))
		w.put("alice", uid+".ics", meeting(uid, "alice@example.org", "bob@example.org", "DESCRIPTION:"+strings.Repeat("x", size)))
		if err := w.own("bob").Remove(w.href("bob", uid), collection.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "what is kept", len(strings.Fields(w.inbox("bob"))), inboxOctets/size)
}

// TestTakenName: an invitation takes the place of no object that has its name but not its UID.
func TestTakenName(t *testing.T) {
	w := newWorld(t)
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "bob@example.org"))
	href := w.href("bob", "m1")
	if err := w.own("bob").Remove(href, collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.own("bob").Put(href, []byte(meeting("mine", "")), collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	w.put("alice", "m.ics", strings.Replace(w.event("alice", "m1"), "20260710T1", "20260711T1", 2))
	if w.event("bob", "mine") == "" || w.event("bob", "m1") == "" {
		t.Errorf("bob has his own: %v, and the invitation: %v", w.event("bob", "mine") != "", w.event("bob", "m1") != "")
	}
}

// TestSendingLimit: when an account may send no more for now, not each of many is tried; all
// are told in the end.
func TestSendingLimit(t *testing.T) {
	w := newWorld(t)
	const guests = 3*maxRefused + maxAtOnce
	var invited []string
	for i := range guests {
		invited = append(invited, fmt.Sprintf("guest%d@example.com", i))
	}
	w.down = fault.New(fault.TryLater, "")
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", invited...))
	w.put("alice", "n.ics", meeting("n1", "alice@example.org", "guest@example.com"))
	for round := range 3 {
		w.settle()
		same(t, "tries", w.tried, (round+1)*maxRefused)
		if lines := strings.Count(w.log.String(), "scheduling.delayed"); lines > 2*(round+1) {
			t.Errorf("%d lines", lines)
		}
		same(t, "what waits", strings.Count(w.event("alice", "m1"), "SCHEDULE-STATUS="+statusPending) > 0, true)
		w.pass(limitWait)
	}
	w.down = nil
	w.settle()
	w.pass(limitWait)
	w.settle()
	same(t, "mail", len(w.takeMail()), guests+1)
	same(t, "what waits", strings.Count(w.event("alice", "m1")+w.event("alice", "n1"), "SCHEDULE-STATUS="+statusPending), 0)
	same(t, "what was sent", strings.Count(w.event("alice", "m1"), "SCHEDULE-STATUS="+statusSent), guests)
	same(t, "tasks left", w.tasks(), 0)
}
