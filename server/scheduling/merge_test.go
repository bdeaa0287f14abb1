package scheduling

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/itip"
	"facteur/server/message"
	"facteur/server/safefile"
)

const calm = 10 * time.Second

// calmWorld is a world in which mail waits.
func calmWorld(t *testing.T) *world {
	w := newWorld(t)
	w.opts.Calm, w.calm = calm, calm
	return w
}

// letters returns what left since it was called last: "METHOD TO SEQUENCE SUMMARY", and what an
// attendee answers.
func (w *world) letters() string {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, m := range w.mail {
		h, err := message.ReadHeader(envelope.Bytes(m.raw))
		if err != nil {
			w.Fatal(err)
		}
		found, err := itip.Find(message.NewContent(h, envelope.Bytes(m.raw)))
		if err != nil {
			w.Fatal(err)
		}
		text := fmt.Sprint(found.Method, " ", addr(m.to).Local)
		for _, c := range found.Calendar.Children {
			text += " " + strings.TrimSpace(c.Value("RECURRENCE-ID")+" "+c.Value("SEQUENCE")+" "+c.Value("SUMMARY"))
		}
		if found.Method == itip.Reply {
			text += " " + partStatOf(unfold(string(found.Octets())), "bob")
		}
		list = append(list, text)
	}
	w.mail = nil
	return strings.Join(list, "; ")
}

// TestMerge: mail about changes that follow one another tells the last, and what took itself
// back is not told.
func TestMerge(t *testing.T) {
	first := meeting("m1", "alice@example.org", "bob@example.org", "dave@example.com")
	named := func(s, name string) string { return strings.Replace(s, "SUMMARY:Plan", "SUMMARY:"+name, 1) }
	with := func(s, who string) string {
		return strings.Replace(s, "END:VEVENT", "ATTENDEE:mailto:"+who+"@example.com\r\nEND:VEVENT", 1)
	}
	moved := func(s string) string { return strings.ReplaceAll(s, "20260710T1", "20260711T1") }
	daily := strings.Replace(first, "SUMMARY", "RRULE:FREQ=DAILY;COUNT=5\r\nSUMMARY", 1)
	one := func(s, id, name string) string {
		return instance(s, id+"T100000Z", "DTSTART:"+id+"T100000Z", "DURATION:PT1H", "SUMMARY:"+name, "ORGANIZER:mailto:alice@example.org",
			"ATTENDEE:mailto:bob@example.org", "ATTENDEE:mailto:dave@example.com")
	}
	for _, c := range []struct {
		name  string
		known string   // what all were told before
		puts  []string // "": it is removed
		want  string
	}{
		{"one", "", []string{first}, "REQUEST dave 0 Plan"},
		{"invited and changed", "", []string{first, named(first, "A"), named(first, "B")}, "REQUEST dave 0 B"},
		{"invited and called off", "", []string{first, ""}, ""},
		{"changed", first, []string{named(first, "A"), named(first, "B")}, "REQUEST dave 0 B"},
		{"moved twice", first, []string{moved(first), strings.ReplaceAll(first, "20260710T1", "20260712T1")}, "REQUEST dave 2 Plan"},
		{"moved and called off", first, []string{moved(first), ""}, "CANCEL dave 1 Plan"},
		{"moved there and back", first, []string{moved(first), first}, "REQUEST dave 2 Plan"},
		{"one more", first, []string{with(first, "eve")}, "REQUEST dave 0 Plan; REQUEST eve 0 Plan"},
		{"one more, who is left out", first, []string{with(first, "eve"), first}, "REQUEST dave 1 Plan"},
		{"who is left out comes back", with(first, "eve"), []string{first, with(first, "eve")}, "REQUEST dave 1 Plan; REQUEST eve 1 Plan"},
		{"two dates", daily, []string{one(daily, "20260711", "A"), one(one(daily, "20260711", "A"), "20260712", "B")},
			"REQUEST dave 20260711T100000Z 0 A 20260712T100000Z 0 B"},
		{"one date twice", daily, []string{one(daily, "20260711", "A"), one(daily, "20260711", "B")}, "REQUEST dave 20260711T100000Z 0 B"},
		{"called off and made again", first, []string{"", named(first, "A")}, "REQUEST dave 0 A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := calmWorld(t)
			put := func(data string) {
				if data == "" {
					w.remove("alice", "m.ics")
					return
				}
				w.put("alice", "m.ics", data)
				if e := w.event("bob", "m1"); e == "" {
					t.Error("bob is not told at once")
				}
			}
			if c.known != "" {
				put(c.known)
				w.pass(calm)
				w.settle()
				w.letters()
			}
			for _, data := range c.puts {
				put(data)
				w.settle()
				w.pass(calm - time.Second)
			}
			w.settle()
			same(t, "before", w.letters(), "")
			w.pass(time.Second)
			w.settle()
			same(t, "mail", w.letters(), c.want)
			same(t, "tasks left", w.tasks(), 0)
		})
	}
}

// TestManyChanges: a client that puts all the time causes a mail once in a while, the last of
// which has the last change.
func TestManyChanges(t *testing.T) {
	w := calmWorld(t)
	for n := range 60 {
		w.put("alice", "m.ics", strings.Replace(meeting("m1", "alice@example.org", "bob@example.org", "dave@example.com"), "Plan", fmt.Sprint("Plan ", n), 1))
		if e := w.event("bob", "m1"); !strings.Contains(e, fmt.Sprint("SUMMARY:Plan ", n)) {
			t.Fatalf("bob has %s", e)
		}
		w.pass(5 * time.Second)
		w.settle()
	}
	w.pass(calm)
	w.settle()
	same(t, "mail", w.letters(), "REQUEST dave 0 Plan 23; REQUEST dave 0 Plan 47; REQUEST dave 0 Plan 59")
	same(t, "tasks left", w.tasks(), 0)
}

// TestMergeReplies: of the answers of a person the organizer has the last.
func TestMergeReplies(t *testing.T) {
	w := calmWorld(t)
	invited := meeting("m1", "friend@example.com", "bob@example.org")
	w.keep("bob", "x.ics", invited)
	answer := func(stat string) {
		w.put("bob", "x.ics", strings.Replace(accept(w.event("bob", "m1"), "bob"), "PARTSTAT=ACCEPTED", "PARTSTAT="+stat, 1))
		w.pass(time.Second)
		w.settle()
	}
	answer("ACCEPTED")
	answer("TENTATIVE")
	answer("DECLINED")
	w.pass(calm)
	w.settle()
	same(t, "mail", w.letters(), "REPLY friend 0 Plan DECLINED")
	answer("ACCEPTED")
	w.remove("bob", "x.ics")
	w.pass(calm)
	w.settle()
	same(t, "removed", w.letters(), "")
	same(t, "tasks left", w.tasks(), 0)

	// Who takes the event out without an answer has said what he said before.
	w.keep("bob", "x.ics", invited)
	answer("TENTATIVE")
	answer("ACCEPTED")
	err := w.Remove(context.Background(), Request{Account: addr("bob@example.org"), Collection: w.own("bob"), Href: "x.ics", NoReply: true})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(calm)
	w.settle()
	if got := w.letters(); !strings.HasSuffix(got, "REPLY friend 0 Plan ACCEPTED") {
		t.Errorf("%s", got)
	}
	same(t, "tasks left", w.tasks(), 0)
}

// TestMergeLater: what waits because it may not be sent yet is replaced, too, also after a start.
func TestMergeLater(t *testing.T) {
	for _, wait := range []time.Duration{0, calm} {
		w := worldIn(t, t.TempDir(), nil)
		w.calm, w.opts.Calm = wait, wait
		w.down = fault.New(fault.TryLater, "")
		data := meeting("m1", "alice@example.org", "dave@example.com")
		w.put("alice", "m.ics", data)
		w.pass(calm)
		w.settle()
		if e := w.event("alice", "m1"); !strings.Contains(e, "SCHEDULE-STATUS="+statusPending+":mailto:dave") {
			t.Errorf("alice is told %s", e)
		}
		w.put("alice", "m.ics", strings.Replace(data, "Plan", "A", 1))
		w.close()
		w.open()
		w.put("alice", "m.ics", strings.Replace(data, "Plan", "B", 1))
		w.down = nil
		w.pass(calm)
		w.settle()
		same(t, "mail", w.letters(), "REQUEST dave 0 B")
		if e := w.event("alice", "m1"); !strings.Contains(e, "SCHEDULE-STATUS="+statusSent+":mailto:dave") {
			t.Errorf("alice is told %s", e)
		}
		same(t, "tasks left", w.tasks(), 0)
		w.close()
	}
}

// TestMergeCrash: a crash at any moment while mail waits, is merged or sent loses none, and sends
// nothing more than twice.
func TestMergeCrash(t *testing.T) {
	dir := t.TempDir()
	recorder := safefile.NewRecorder(dir)
	w := worldIn(t, dir, recorder)
	w.calm, w.opts.Calm = calm, calm
	mailed := 0
	w.opts.Send = func(ctx context.Context, account address.Address, env envelope.Envelope, body envelope.Body) error {
		mailed = recorder.Len()
		return w.send(ctx, account, env, body)
	}
	w.event("alice", "m1")
	data := meeting("m1", "alice@example.org", "dave@example.com")
	before := recorder.Len()
	w.put("alice", "m.ics", data)
	acked := []int{recorder.Len()}
	w.put("alice", "m.ics", strings.Replace(data, "Plan", "Better", 1))
	acked = append(acked, recorder.Len())
	w.pass(calm)
	w.settle()
	same(t, "mail", w.letters(), "REQUEST dave 0 Better")
	w.close()
	for n := before; n <= recorder.Len(); n++ {
		dir := t.TempDir()
		var written func(string) bool
		if n%2 == 0 {
			written = func(string) bool { return true }
		}
		if err := recorder.Replay(dir, n, written); err != nil {
			t.Fatal(err)
		}
		w := worldIn(t, dir, nil)
		w.settle()
		got := w.letters()
		if n >= mailed {
			got = strings.TrimPrefix("REQUEST dave 0 Better; "+got, "; ")
		}
		got = strings.TrimSuffix(got, "; ")
		hers := w.event("alice", "m1")
		switch {
		case hers == "" && got == "" && n < acked[0]:
		case strings.Contains(hers, "SUMMARY:Plan") && got == "REQUEST dave 0 Plan" && n < acked[1]:
		case strings.Contains(hers, "SUMMARY:Better") && (got == "REQUEST dave 0 Better" || got == "REQUEST dave 0 Better; REQUEST dave 0 Better"):
		default:
			t.Errorf("operation %d of %v, mailed at %d: %q, alice has %q", n, acked, mailed, got, hers)
		}
		same(t, "tasks left", w.tasks(), 0)
		w.close()
	}
}

// TestTakenBackBeforeCrash: after a crash a change counts as made that another took back, though the
// object is as it was before both.
func TestTakenBackBeforeCrash(t *testing.T) {
	data := meeting("m1", "alice@example.org", "dave@example.com")
	better := strings.Replace(data, "Plan", "Better", 1)
	for _, c := range []struct {
		name    string
		changes []string // "": it is removed
		want    string
	}{
		{"invited and called off", []string{data, ""}, ""},
		{"and once more", []string{data, "", data}, "REQUEST dave 0 Plan"},
		{"changed and back", []string{data, better, data}, "REQUEST dave 0 Plan"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			w := worldIn(t, dir, nil)
			w.calm, w.opts.Calm = calm, calm
			w.event("alice", "m1")
			for _, text := range c.changes {
				if text == "" {
					w.remove("alice", "m.ics")
				} else {
					w.put("alice", "m.ics", text)
				}
			}
			w.close()
			w = worldIn(t, dir, nil)
			w.settle()
			same(t, "mail", w.letters(), c.want)
			same(t, "tasks left", w.tasks(), 0)
			w.close()
		})
	}
}

// TestTakenBackAfterNote: so does one after which something else changed the object before another took
// it back: what became of its mail was noted, or somebody answered.
func TestTakenBackAfterNote(t *testing.T) {
	data := meeting("m1", "alice@example.org", "bob@example.org", "dave@example.com")
	for name, between := range map[string]func(*world){
		"noted": func(w *world) {
			w.pass(calm)
			w.settle()
			if e := w.event("alice", "m1"); !strings.Contains(e, "SCHEDULE-STATUS="+statusPending+":mailto:dave") {
				w.Errorf("alice has %s", e)
			}
		},
		"answered": func(w *world) {
			w.put("bob", w.href("bob", "m1"), accept(w.event("bob", "m1"), "bob"))
		},
		"noted, and a start": func(w *world) {
			w.pass(calm)
			w.settle()
			w.close()
			w.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := worldIn(t, dir, nil)
			w.calm, w.opts.Calm = calm, calm
			w.down = fault.New(fault.TryLater, "")
			w.put("alice", "m.ics", data)
			between(w)
			w.remove("alice", "m.ics")
			same(t, "tasks that wait", w.tasks(), 2)
			w.close()
			w = worldIn(t, dir, nil)
			w.settle()
			w.pass(limitWait)
			w.settle()
			same(t, "mail", w.letters(), "")
			same(t, "tasks left", w.tasks(), 0)
			if e := w.event("bob", "m1"); e != "" {
				t.Errorf("bob has %s", e)
			}
			w.close()
		})
	}
}

// TestTasksInOrder: tasks are in the order in which they were made, whatever the clock says.
func TestTasksInOrder(t *testing.T) {
	w := newWorld(t)
	alice, last := address.MustParse("alice@example.org"), ""
	for i := range 50 {
		now := w.now.Add(-time.Duration(i/2) * time.Second) // it is set back
		w.Scheduler.opts.Now = func() time.Time { return now }
		id := w.newTask(alice, alice, nil).ID
		if id <= last {
			t.Fatalf("%s comes after %s", id, last)
		}
		last = id
	}
}

// TestMergeSize: what many people knew is kept once.
func TestMergeSize(t *testing.T) {
	w := calmWorld(t)
	guests := []string{"alice@example.org"}
	for i := range 100 {
		guests = append(guests, fmt.Sprintf("guest%d@example.com", i))
	}
	data := meeting("m1", "alice@example.org", guests...)
	data = strings.Replace(data, "SUMMARY:Plan", "SUMMARY:Plan\r\nX-LONG:"+strings.Repeat("x", 20_000), 1)
	w.put("alice", "m.ics", data)
	w.pass(calm)
	w.settle()
	w.letters()
	w.down = fault.New(fault.Unavailable, "")
	for _, name := range []string{"A", "B", "C"} {
		w.put("alice", "m.ics", strings.Replace(data, "SUMMARY:Plan", "SUMMARY:"+name, 1))
		w.settle()
	}
	w.pass(calm)
	w.settle()
	octets := 0
	err := w.journal.each(w.opts.Log, func(task *task) error {
		for _, b := range task.Bases {
			octets += len(b)
		}
		return nil
	})
	if most := 4 * len(data); err != nil || octets > most {
		t.Errorf("what was known takes %d octets, of %d at most, %v", octets, most, err)
	}
	w.down = nil
	w.pass(time.Hour)
	w.settle()
	same(t, "letters", strings.Count(w.letters(), "REQUEST"), 100)
	same(t, "tasks left", w.tasks(), 0)
}

// TestMergeCrowd: so much of a meeting waits at most, whatever a client does, and of all that its mail
// tells the last.
func TestMergeCrowd(t *testing.T) {
	w := calmWorld(t)
	guests := []string{"dave@example.com"}
	for i := range 2 * maxAtOnce {
		guests = append(guests, fmt.Sprintf("guest%d@example.com", i))
	}
	for name, data := range map[string]string{"few": meeting("m1", "alice@example.org", guests[0]), "many": meeting("m1", "alice@example.org", guests...)} {
		for n := range 3 * maxTogether {
			w.put("alice", "m.ics", strings.Replace(data, "Plan", fmt.Sprint("Plan ", n), 1))
			if n := w.tasks(); n > maxTogether {
				t.Fatalf("%s: %d tasks wait", name, n)
			}
		}
		same(t, name+", before", w.letters(), "")
		w.pass(maxCalm * calm)
		w.settle()
		letters, sends := w.letters(), strings.Count(data, "example.com")
		if last := fmt.Sprint("Plan ", 3*maxTogether-1); strings.Count(letters, "REQUEST") != sends || strings.Count(letters, last) != sends {
			t.Errorf("%s: %s", name, letters)
		}
		same(t, name+", tasks left", w.tasks(), 0)
		w.remove("alice", "m.ics")
		w.pass(maxCalm * calm)
		w.settle()
		w.letters()
	}
}
