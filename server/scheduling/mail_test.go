package scheduling

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/collection"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/schedule"
	"facteur/server/statedb"
)

// mailed is a mail with a message.
func mailed(t *testing.T, from, method, event string) Mail {
	t.Helper()
	raw := "From: <" + from + ">\r\nTo: <alice@example.org>\r\nMessage-ID: <m1@example.com>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: text/calendar; method=" + method + "; charset=utf-8\r\n\r\n" +
		strings.Replace(event, "PRODID", "METHOD:"+method+"\r\nPRODID", 1)
	h, err := message.ReadHeader(envelope.Bytes(raw))
	if err != nil {
		t.Fatal(err)
	}
	authors, _ := h.Addresses("From")
	return Mail{Content: message.NewContent(h, envelope.Bytes(raw)), Authors: authors, Proven: true, About: "<m1@example.com>"}
}

// arrive has a mail worked into alice's calendars.
func (w *world) arrive(m Mail) Outcome {
	w.Helper()
	o, err := w.Scheduler.Mail(context.Background(), addr("alice@example.org"), m)
	if err != nil {
		w.Fatal(err)
	}
	w.settle()
	same(w.TB, "tasks left", w.tasks(), 0)
	return o
}

// TestMailWords: a mail is written in the language and the zone of the settings.
func TestMailWords(t *testing.T) {
	w := newWorld(t)
	w.opts.Language = func() string { return "fr" }
	w.opts.Location = func() *time.Location { return time.FixedZone("here", 2*60*60) }
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "alice@example.org", "guest@example.com"))
	w.settle()
	if len(w.mail) != 1 || !strings.Contains(w.mail[0].raw, "Quand : vendredi 10 juillet 2026, 12:00 =E2=80=93 13:00 (here)") {
		t.Errorf("%+v", w.mail)
	}
}

// TestMailTrust: mail changes a calendar only when it is known who sent it, who sent it is no
// stranger, and may say what it says.
func TestMailTrust(t *testing.T) {
	const friend = "friend@example.com"
	invitation := meeting("m1", friend, "alice@example.org")
	for _, c := range []struct {
		name   string
		from   string
		change func(*Mail)
		taken  bool
		kept   bool
	}{
		{name: "a friend", from: friend, taken: true, kept: true},
		{name: "nobody knows who", from: friend, change: func(m *Mail) { m.Proven = false }},
		{name: "junk", from: friend, change: func(m *Mail) { m.Junk = true }},
		{name: "two authors", from: friend, change: func(m *Mail) { m.Authors = append(m.Authors, addr("eve@example.com")) }},
		{name: "no author", from: friend, change: func(m *Mail) { m.Authors = nil }},
		{name: "not the organizer", from: "eve@example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			m := mailed(t, c.from, "REQUEST", invitation)
			if c.change != nil {
				c.change(&m)
			}
			o := w.arrive(m)
			if o.Taken != c.taken || !o.Taken && o.Reason == "" {
				t.Errorf("%+v", o)
			}
			same(t, "kept", w.event("alice", "m1") != "", c.kept)
			same(t, "told by the inbox", w.inbox("alice") != "", c.kept)
		})
	}
}

// TestStrangers: their events stay mail, unless a script says otherwise.
func TestStrangers(t *testing.T) {
	for _, c := range []struct {
		script hook.Kind
		kept   bool
		mail   []string
	}{
		{"", false, nil}, {hook.Accept, true, []string{"eve@example.com REPLY"}}, {hook.Decline, false, []string{"eve@example.com REPLY"}},
	} {
		w := newWorld(t)
		w.script["alice@example.org"] = Decision{Kind: c.script, Comment: "Said"}
		w.arrive(mailed(t, "eve@example.com", "REQUEST", meeting("m1", "eve@example.com", "alice@example.org")))
		same(t, "asked", len(w.asked), 1)
		same(t, "kept", w.event("alice", "m1") != "", c.kept)
		same(t, "mail", w.takeMail(), fmt.Sprint(c.mail))
	}
}

// TestContacts: who stands in an address book is no stranger.
func TestContacts(t *testing.T) {
	w := newWorld(t)
	home, err := w.homes.Own(addr("alice@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	book, err := home.Open("contacts")
	if err != nil {
		t.Fatal(err)
	}
	card := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Eve\r\nN:;Eve;;;\r\nEMAIL:Eve@Example.com\r\nEND:VCARD\r\n"
	if _, _, err := book.Put("eve.vcf", []byte(card), collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"eve@example.com", "eva@example.com"} {
		w.arrive(mailed(t, from, "REQUEST", meeting("by "+from, from, "alice@example.org")))
		same(t, from+" is kept", w.event("alice", "by "+from) != "", from == "eve@example.com")
	}
}

// TestMailMethods: what each method does to a stored event, from whom it may come and from whom not.
func TestMailMethods(t *testing.T) {
	const friend, eve = "friend@example.com", "eve@example.com"
	theirs := meeting("m1", friend, "alice@example.org", "RRULE:FREQ=DAILY;COUNT=3")
	changed := strings.NewReplacer("Plan", "Better plan", "DTSTAMP:202606", "SEQUENCE:1\r\nDTSTAMP:202607").Replace(theirs)
	ours := meeting("m2", "alice@example.org", friend)
	answer := meeting("m2", "alice@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:"+friend, "DTSTART:20260710T100000Z")
	proposal := strings.Replace(ours, "20260710T10", "20260712T10", 1)
	for _, c := range []struct {
		name, from, method, event string
		uid, want                 string // what the event holds; "!": it is gone
		mail                      string
	}{
		{"moved", friend, "REQUEST", changed, "m1", "Better plan", ""},
		{"moved by another", eve, "REQUEST", strings.ReplaceAll(changed, friend, eve), "m1", "SUMMARY:Plan", ""},
		{"cancelled", friend, "CANCEL", changed, "m1", "!", ""},
		{"cancelled by another", eve, "CANCEL", strings.ReplaceAll(changed, friend, eve), "m1", "SUMMARY:Plan", ""},
		{"one more", friend, "ADD", strings.Replace(strings.Replace(changed, "RRULE:FREQ=DAILY;COUNT=3", "LOCATION:Elsewhere", 1), "20260710", "20260720", 2), "m1", "20260720", ""},
		{"an older one", friend, "REQUEST", strings.Replace(theirs, "DTSTAMP:2026", "DTSTAMP:2025", 1), "m1", "SUMMARY:Plan", ""},
		{"published", friend, "PUBLISH", meeting("m3", friend), "m3", "!", ""},
		{"answered", friend, "REPLY", answer, "m2", "PARTSTAT=ACCEPTED", ""},
		{"answered by another", eve, "REPLY", answer, "m2", "PARTSTAT=NEEDS-ACTION", ""},
		{"who came uninvited", eve, "REPLY", strings.Replace(answer, "mailto:"+friend, "mailto:"+eve, 1), "m2", "PARTSTAT=NEEDS-ACTION", ""},
		{"another time proposed", friend, "COUNTER", proposal, "m2", "DTSTART:20260710T100000Z", ""},
		{"asked for", friend, "REFRESH", meeting("m2", "alice@example.org", friend), "m2", "PARTSTAT=NEEDS-ACTION", "friend@example.com REQUEST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.arrive(mailed(t, friend, "REQUEST", theirs))
			w.put("alice", "m2.ics", ours)
			w.takeMail()
			w.pass(time.Hour)
			w.arrive(mailed(t, c.from, c.method, c.event))
			e := w.event("alice", c.uid)
			if c.want == "!" && e != "" || c.want != "!" && !strings.Contains(e, c.want) {
				t.Errorf("the event is %q\n%s", e, w.log.String())
			}
			same(t, "mail", strings.Join(w.takeMail(), " "), c.mail)
		})
	}
}

// TestMailAfterCancel: a mail that comes late, or is sent again, does not bring back what its
// organizer cancelled; a newer one does, and so does one of somebody here.
func TestMailAfterCancel(t *testing.T) {
	const friend, stranger = "friend@example.com", "eve@example.com"
	of := func(organizer, version string) string {
		return strings.Replace(meeting("m1", organizer, "alice@example.org"), "DTSTAMP:20260601T080000Z", version, 1)
	}
	invited, cancel := "SEQUENCE:1\r\nDTSTAMP:20260601T080000Z", "SEQUENCE:2\r\nDTSTAMP:20260602T080000Z"
	for _, c := range []struct {
		name   string
		before []Mail
		from   string
		again  string
		kept   bool
	}{
		{"again", []Mail{mailed(t, friend, "REQUEST", of(friend, invited)), mailed(t, friend, "CANCEL", of(friend, cancel))}, friend, invited, false},
		{"late", []Mail{mailed(t, friend, "CANCEL", of(friend, cancel))}, friend, invited, false},
		{"newer", []Mail{mailed(t, friend, "REQUEST", of(friend, invited)), mailed(t, friend, "CANCEL", of(friend, cancel))}, friend,
			"SEQUENCE:3\r\nDTSTAMP:20260603T080000Z", true},
		{"of another organizer", []Mail{mailed(t, stranger, "CANCEL", of(stranger, cancel))}, friend, invited, true},
		{"one instance", []Mail{mailed(t, friend, "CANCEL", strings.Replace(of(friend, cancel), "SUMMARY", "RECURRENCE-ID:20260711T100000Z\r\nSUMMARY", 1))}, friend, invited, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			db, err := statedb.Open(filepath.Join(t.TempDir(), "state.db"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if w.opts.Answers, err = schedule.Open(db); err != nil {
				t.Fatal(err)
			}
			for _, m := range c.before {
				w.arrive(m)
			}
			same(t, "before", w.event("alice", "m1"), "")
			w.arrive(mailed(t, c.from, "REQUEST", of(c.from, c.again)))
			if got := w.event("alice", "m1") != ""; got != c.kept {
				t.Errorf("kept: %v\n%s", got, w.log.String())
			}
		})
	}
}

// TestMailLater: what fails for a while is tried again, and given up in the end.
func TestMailLater(t *testing.T) {
	w := newWorld(t)
	w.down = errDown
	w.put("alice", "m.ics", meeting("m1", "alice@example.org", "dave@example.com"))
	same(t, "tasks left", w.tasks(), 1)
	w.settle()
	same(t, "mail", len(w.takeMail()), 0)
	w.down = nil
	w.pass(firstRetry)
	w.settle()
	same(t, "mail", w.takeMail(), []string{"dave@example.com REQUEST"})
	same(t, "tasks left", w.tasks(), 0)

	w.down = errDown
	w.put("alice", "n.ics", meeting("n1", "alice@example.org", "dave@example.com"))
	for range 100 {
		w.pass(lastRetry)
		w.settle()
	}
	same(t, "tasks left", w.tasks(), 0)
	if e := w.event("alice", "n1"); !strings.Contains(e, "SCHEDULE-STATUS=5.1") {
		t.Errorf("alice is not told: %s", e)
	}

	w.down = fault.New(fault.Policy, "no")
	w.put("alice", "o.ics", meeting("o1", "alice@example.org", "dave@example.com"))
	same(t, "tasks left", w.tasks(), 0)
	if e := w.event("alice", "o1"); !strings.Contains(e, "SCHEDULE-STATUS=5.1") {
		t.Errorf("alice is not told: %s", e)
	}
}

// TestPutInvitation: a script may look at an invitation that a client brings.
func TestPutInvitation(t *testing.T) {
	data := meeting("m1", "ann@example.com", "alice@example.org")
	for _, c := range []struct {
		kind hook.Kind
		want string
	}{{"", "NEEDS-ACTION"}, {hook.Accept, "ACCEPTED"}, {hook.Decline, "DECLINED"}, {hook.Reject, ""}} {
		w := newWorld(t)
		w.script["alice@example.org"] = Decision{Kind: c.kind, Comment: "Not now"}
		_, err := w.Put(context.Background(), Request{Account: addr("alice@example.org"), Collection: w.calendar("alice", "alice"), Href: "m.ics"}, []byte(data))
		same(t, "refused", fault.Is(err, fault.Policy), c.kind == hook.Reject)
		same(t, "the answer", partStatOf(w.event("alice", "m1"), "alice"), c.want)
		same(t, "mail", len(w.takeMail()) == 1, c.want == "ACCEPTED" || c.want == "DECLINED")
		if len(w.asked) != 1 || w.asked[0].Method != "" || w.asked[0].UID != "m1" || w.asked[0].Organizer != "ann@example.com" {
			t.Errorf("asked %+v", w.asked)
		}
	}
}
