package scheduling

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/hook"
)

// TestBusyForScripts: a script is told of its own mailbox's time, without one event.
func TestBusyForScripts(t *testing.T) {
	w := newWorld(t)
	at := func(hour, minute int) time.Time { return time.Date(2026, 7, 10, hour, minute, 0, 0, time.UTC) }
	busy := func(who string, from, to time.Time, except string) string {
		t.Helper()
		list, err := w.Busy(addr(who+"@example.org"), from, to, except)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, b := range list {
			out = append(out, b.Start.Format("15:04")+"-"+b.End.Format("15:04 ")+string(b.Kind))
		}
		return strings.Join(out, ", ")
	}
	same(t, "somebody without a calendar", busy("carol", at(0, 0), at(23, 0), ""), "")
	same(t, "a home was made", w.homes.Has(addr("carol@example.org")), false)
	w.put("bob", "a.ics", meeting("a", "", "DTSTART:20260710T100000Z", "DURATION:PT1H"))
	w.put("bob", "b.ics", meeting("b", "x@example.com", "bob@example.org", "DTSTART:20260710T103000Z", "DURATION:PT1H"))
	w.put("alice", "c.ics", meeting("c", "", "DTSTART:20260710T130000Z", "DURATION:PT1H"))
	same(t, "bob", busy("bob", at(0, 0), at(23, 0), ""), "10:00-11:00 busy, 11:00-11:30 tentative")
	same(t, "bob but for one", busy("bob", at(0, 0), at(23, 0), "a"), "10:30-11:30 tentative")
	same(t, "bob for a moment", busy("bob", at(10, 59), at(10, 59).Add(time.Second), ""), "10:59-10:59 busy")
	same(t, "bob before", busy("bob", at(8, 0), at(10, 0), ""), "")
	same(t, "the office, of which bob is a member", busy("office", at(0, 0), at(23, 0), ""), "")

	w.clearMeetings("bob")
	for i := range maxLooked + 1 {
		data := meeting(fmt.Sprint("many", i), "", "DTSTART:20260710T100000Z", "DURATION:PT1H")
		file := filepath.Join(w.dir, "domains", addr("bob@example.org").Dir(), "calendars", "calendar", fmt.Sprint(i, ".ics"))
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Busy(addr("bob@example.org"), at(0, 0), at(23, 0), ""); !fault.Is(err, fault.NotPossible) {
		t.Errorf("very many events: %v", err)
	}
	same(t, "another day", busy("bob", at(48, 0), at(50, 0), ""), "")
}

func (w *world) clearMeetings(who string) {
	w.Helper()
	for _, href := range []string{"a.ics", "b.ics"} {
		if err := w.own(who).Remove(href, collection.Condition{}); err != nil {
			w.Fatal(err)
		}
	}
}

// TestScriptsAtPut: what a client puts that invites, changes or answers is refused when a
// script says so; what it says beside that changes nothing, for the person has decided.
func TestScriptsAtPut(t *testing.T) {
	put := func(w *world, who, href, data string) error {
		_, err := w.Put(context.Background(), Request{Account: addr(who + "@example.org"), Collection: w.calendar(who, who), Href: href}, []byte(data))
		return err
	}
	for _, kind := range []hook.Kind{"", hook.Accept, hook.Decline, hook.Reject} {
		w := newWorld(t)
		data := meeting("m1", "alice@example.org", "alice@example.org", "bob@example.org")
		w.script["alice@example.org"] = Decision{Kind: kind, Comment: "Nobody is invited in July"}
		err := put(w, "alice", "m.ics", data)
		same(t, "the invitation is refused", fault.Is(err, fault.Policy), kind == hook.Reject)
		same(t, "the organizer's script was asked for what was put", len(w.asked) > 0 && w.asked[0].Method == "" && w.asked[0].Organizer == "alice@example.org", true)
		if kind == hook.Reject {
			same(t, "why", strings.Contains(err.Error(), "Nobody is invited in July"), true)
			same(t, "what is kept", w.event("alice", "m1")+w.event("bob", "m1"), "")
			continue
		}
		same(t, "bob's answer", partStatOf(w.event("bob", "m1"), "bob"), "NEEDS-ACTION")

		w.script = map[string]Decision{"bob@example.org": {Kind: kind, Comment: "x"}}
		w.asked = nil
		same(t, "an alarm", put(w, "bob", w.href("bob", "m1"), strings.Replace(w.event("bob", "m1"), "END:VEVENT",
			"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT", 1)), nil)
		same(t, "asked about an alarm", len(w.asked), 0)
		same(t, "an answer", put(w, "bob", w.href("bob", "m1"), accept(w.event("bob", "m1"), "bob")), nil)
		same(t, "bob's answer", partStatOf(w.event("alice", "m1"), "bob"), "ACCEPTED")

		w.script["bob@example.org"] = Decision{Kind: hook.Reject, Comment: "It is too late"}
		declined := strings.Replace(w.event("bob", "m1"), "PARTSTAT=ACCEPTED", "PARTSTAT=DECLINED", 1)
		same(t, "another answer is refused", fault.Is(put(w, "bob", w.href("bob", "m1"), declined), fault.Policy), true)
		same(t, "bob's answer", partStatOf(w.event("alice", "m1"), "bob"), "ACCEPTED")
		w.script = map[string]Decision{}
	}
	w := newWorld(t)
	w.script["alice@example.org"] = Decision{Kind: hook.Reject, Comment: "x"}
	same(t, "an event of one's own", put(w, "alice", "own.ics", meeting("own", "")), nil)
	same(t, "asked about it", len(w.asked), 0)
}
