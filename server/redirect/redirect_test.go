package redirect

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/statedb"
)

var ctx = context.Background()

func addr(s string) address.Address { return address.MustParse(s) }

// world is a Memory over a database, with a clock.
type world struct {
	*testing.T
	path  string
	db    *statedb.DB
	clock time.Time
	*Memory
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, path: filepath.Join(t.TempDir(), "state.db"), clock: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { w.db.Close() })
	return w
}

func (w *world) open() {
	w.Helper()
	var err error
	if w.db, err = statedb.Open(w.path, nil); err != nil {
		w.Fatal(err)
	}
	if w.Memory, err = Open(ctx, w.db, func() time.Time { return w.clock }); err != nil {
		w.Fatal(err)
	}
}

// restart closes the database, which writes what was for later.
func (w *world) restart() {
	w.Helper()
	if err := w.db.Close(); err != nil {
		w.Fatal(err)
	}
	w.open()
}

// ask asks for one message from a forwarder to targets, and commits what may go unless
// entry is "".
func (w *world) ask(entry, text, forwarder string, limited bool, targets ...string) []Verdict {
	w.Helper()
	r := Request{Forwarder: addr(forwarder), Limited: limited, Message: []byte(text)}
	for _, s := range targets {
		r.Targets = append(r.Targets, addr(s))
	}
	l, err := w.Ask(ctx, r)
	if err != nil {
		w.Fatal(err)
	}
	if entry == "" {
		l.Cancel()
	} else if err := l.Commit(ctx, entry); err != nil {
		w.Fatal(err)
	}
	return l.Verdicts
}

func (w *world) want(what string, got []Verdict, want ...Reason) {
	w.Helper()
	var reasons []Reason
	for _, v := range got {
		reasons = append(reasons, v.Why)
		if v.Suppressed != (v.Why != "") {
			w.Errorf("%s: %+v", what, v)
		}
	}
	if fmt.Sprint(reasons) != fmt.Sprint(want) {
		w.Errorf("%s: %q, want %q", what, reasons, want)
	}
}

// TestOnce: the same message goes to the same target from the same account once in 12
// hours, over a restart too.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	w.want("first", w.ask("e1", "m", "a@example.org", true, "x@example.net", "y@example.net"), "", "")
	w.want("again", w.ask("e2", "m", "A@example.org", true, "X@Example.net"), Repeated)
	w.want("another message", w.ask("e3", "n", "a@example.org", true, "x@example.net"), "")
	w.want("another account", w.ask("e4", "m", "b@example.org", true, "x@example.net"), "")
	w.want("another target", w.ask("e5", "m", "a@example.org", true, "z@example.net", "x@example.net"), "", Repeated)
	w.want("an alias", w.ask("e6", "m", "list@example.org", false, "x@example.net"), "")
	w.want("an alias again", w.ask("e7", "m", "list@example.org", false, "x@example.net"), Repeated)
	w.want("not carried out", w.ask("", "o", "a@example.org", true, "x@example.net"), "")
	w.want("carried out then", w.ask("e8", "o", "a@example.org", true, "x@example.net"), "")
	w.restart()
	w.want("after a restart", w.ask("e9", "m", "a@example.org", true, "x@example.net"), Repeated)
	w.clock = w.clock.Add(Window - time.Second)
	w.want("nearly 12 hours later", w.ask("e10", "m", "a@example.org", true, "x@example.net"), Repeated)
	w.clock = w.clock.Add(time.Second)
	w.want("12 hours later", w.ask("e11", "m", "a@example.org", true, "x@example.net"), "")
}

// TestBackAgain: what came back may go again, for it has reached nobody.
func TestBackAgain(t *testing.T) {
	w := newWorld(t)
	w.ask("e1", "m", "list@example.org", false, "x@example.net", "y@example.net")
	w.Told(Outcome{Entry: "e1", Forwarder: addr("list@example.org"), Target: addr("x@example.net"), Fault: fault.New(fault.Policy, ""), Final: true})
	w.Told(Outcome{Entry: "e1", Forwarder: addr("list@example.org"), Target: addr("y@example.net"), Fault: fault.New(fault.TryLater, "")})
	w.restart()
	w.want("again", w.ask("e2", "m", "list@example.org", false, "x@example.net", "y@example.net"), "", Repeated)
}

// TestLimits: 200 an hour and 2000 a day of an account, whatever is under way at the same
// time; an alias has none. The owner is told once a day.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	sent, told := 0, 0
	start := w.clock
	send := func(n int) {
		r := Request{Forwarder: addr("a@example.org"), Limited: true, Message: fmt.Append(nil, w.clock)}
		for i := range n {
			r.Targets = append(r.Targets, addr(fmt.Sprintf("x%d@example.net", i)))
		}
		l, err := w.Ask(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if l.TellOver {
			told++
		}
		for _, v := range l.Verdicts {
			if !v.Suppressed {
				sent++
			} else if v.Why != Over {
				t.Fatal(l.Verdicts)
			}
		}
		if err := l.Commit(ctx, "e"); err != nil {
			t.Fatal(err)
		}
	}
	send(PerHour + 5)
	if sent != PerHour || told != 1 {
		t.Errorf("%d in an hour, told %d times", sent, told)
	}
	w.want("an alias", w.ask("e", "m", "list@example.org", false, "x@example.net"), "")
	w.want("several", w.ask("e", "m", "b@example.org", true, "1@example.net", "2@example.net"), "", "")
	for w.clock.Sub(start) < 23*time.Hour {
		w.clock = w.clock.Add(time.Hour)
		if w.clock.Hour() == 3 {
			w.restart()
		}
		send(PerHour + 1)
	}
	if sent != PerDay || told != 1 {
		t.Errorf("%d in a day, told %d times", sent, told)
	}
	w.clock = start.Add(24*time.Hour + time.Second)
	send(PerHour + 1)
	if sent != PerDay+PerHour || told != 2 {
		t.Errorf("%d after a day, told %d times", sent, told)
	}
}

// TestRoomIsTaken: deliveries at the same time share the room.
func TestRoomIsTaken(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	went := 0
	for i := range 8 {
		wg.Go(func() {
			for j := range PerHour / 4 {
				l, err := w.Ask(ctx, Request{Forwarder: addr("a@example.org"), Limited: true, Message: fmt.Append(nil, i, j), Targets: []address.Address{addr("x@example.net")}})
				if err != nil {
					t.Error(err)
					return
				}
				if l.Verdicts[0].Suppressed {
					l.Cancel()
					continue
				}
				mu.Lock()
				went++
				mu.Unlock()
				if err := l.Commit(ctx, "e"); err != nil {
					t.Error(err)
				}
				l.Cancel() // harmless
			}
		})
	}
	wg.Wait()
	if went != PerHour {
		t.Errorf("%d went", went)
	}
	if len(w.taken) != 0 {
		t.Errorf("room is still taken: %v", w.taken)
	}
}

// TestPause: only refusals of the address count, over three days with no success between.
func TestPause(t *testing.T) {
	refusal := fault.Reply(fault.Undeliverable, 550, "5.1.1", "No such user")
	disabled := fault.Reply(fault.Undeliverable, 550, "5.2.1", "Disabled")
	content := fault.Reply(fault.Undeliverable, 550, "5.7.1", "Spam")
	full := fault.Reply(fault.Undeliverable, 552, "5.2.2", "Full")
	later := fault.Reply(fault.Undeliverable, 450, "4.1.1", "Later")
	const hour = time.Hour
	type step struct {
		after  time.Duration
		fault  *fault.Fault
		paused bool // by this outcome
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  Reason
	}{
		{"an address that is gone", []step{{0, refusal, false}, {24 * hour, refusal, false}, {47 * hour, refusal, false}, {hour, disabled, true}, {hour, refusal, false}}, Paused},
		{"refused content", []step{{0, content, false}, {100 * hour, content, false}, {100 * hour, full, false}}, ""},
		{"a success between", []step{{0, refusal, false}, {48 * hour, nil, false}, {25 * hour, refusal, false}, {25 * hour, refusal, false}}, ""},
		{"content between", []step{{0, refusal, false}, {48 * hour, content, false}, {25 * hour, refusal, true}}, Paused},
		{"for a while", []step{{0, later, false}, {100 * hour, later, false}}, ""},
		{"long ago", []step{{0, refusal, false}, {31 * 24 * hour, refusal, false}}, ""},
		{"works again", []step{{0, refusal, false}, {72 * hour, refusal, true}, {hour, nil, false}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for i, s := range c.steps {
				w.clock = w.clock.Add(s.after)
				p, paused := w.Told(Outcome{Entry: "e", Forwarder: addr("a@example.org"), Target: addr("x@example.net"), Fault: s.fault, Final: s.fault == nil || !fault.Temporary(s.fault)})
				if paused != s.paused || paused && (p.Target != addr("x@example.net") || !strings.Contains(p.Reply, s.fault.Text)) {
					t.Errorf("step %d: %v, %+v", i, paused, p)
				}
				if i == len(c.steps)/2 {
					w.restart()
				}
			}
			w.restart()
			w.want("then", w.ask("", "m", "a@example.org", true, "x@example.net"), c.want)
			w.want("another target", w.ask("", "m", "a@example.org", true, "y@example.net"), "")
			if c.want != Paused {
				return
			}
			w.clock = w.clock.Add(probeEach)
			w.want("a day later", w.ask("e", "m", "a@example.org", true, "x@example.net"), "")
			v := w.ask("", "n", "a@example.org", true, "x@example.net")
			w.want("one tries it", v, Paused)
			if !v[0].Until.Equal(w.clock.Add(probeEach)) {
				t.Errorf("until %v", v[0].Until)
			}
			w.Told(Outcome{Forwarder: addr("a@example.org"), Target: addr("x@example.net"), Final: true})
			w.want("it works", w.ask("", "n", "a@example.org", true, "x@example.net"), "")
		})
	}
}

func TestToldOfOthers(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.clock = w.clock.Add(48 * time.Hour)
		if _, paused := w.Told(Outcome{Target: addr("x@example.net"), Fault: fault.New(fault.NoSuchAddress, ""), Final: true}); paused {
			t.Error("what nobody forwards is paused")
		}
	}
}

// TestSenders: long senders outlive a restart, and their time.
func TestSenders(t *testing.T) {
	w := newWorld(t)
	s := Senders{w.Memory}
	a := addr(`"odd, long"@example.net`)
	for range 2 {
		if err := s.Keep(ctx, "ID", a, w.clock.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	w.restart()
	s = Senders{w.Memory}
	if got, ok, err := s.Find(ctx, "ID"); got != a || !ok || err != nil {
		t.Errorf("%s, %v, %v", got, ok, err)
	}
	if got, ok, err := s.Find(ctx, "OTHER"); ok || err != nil {
		t.Errorf("%s, %v, %v", got, ok, err)
	}
	w.clock = w.clock.Add(2 * time.Hour)
	if err := s.Keep(ctx, "ID2", a, w.clock.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Find(ctx, "ID"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestFingerprint(t *testing.T) {
	print := func(raw string) string {
		h, err := message.ParseHeader([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := Fingerprint(h, envelope.Bytes(raw))
		if err != nil {
			t.Fatal(err)
		}
		return string(sum)
	}
	const raw = "From: a@b\r\nMessage-ID: <1@b>\r\nSubject: s\r\n\r\nText\r\n"
	if print(raw) != print("Received: x\r\nDelivered-To: y\r\n"+raw) {
		t.Error("the way that it took makes it another")
	}
	for _, other := range []string{
		strings.Replace(raw, "<1@b>", "<2@b>", 1), strings.Replace(raw, "Text", "Texts", 1), strings.Replace(raw, "a@b", "c@b", 1),
		strings.Replace(raw, "Subject: s\r\n", "", 1), strings.Replace(raw, "Subject: s", "Date: s", 1),
	} {
		if print(raw) == print(other) {
			t.Errorf("%q is the same", other)
		}
	}
}

// TestClosed: without the database nothing may go, for a while.
func TestClosed(t *testing.T) {
	w := newWorld(t)
	w.db.Close()
	if _, err := w.Ask(ctx, Request{Forwarder: addr("a@example.org"), Targets: []address.Address{addr("x@example.net")}}); err == nil || !fault.Temporary(err) {
		t.Errorf("%v", err)
	}
}
