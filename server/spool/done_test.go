package spool

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// TestDone adds recipients whose fate is known: only the sender is told of it.
func TestDone(t *testing.T) {
	loop := &Result{Fault: fault.New(fault.Loop, "")}
	for _, c := range []struct {
		name   string
		from   string
		notify envelope.Notify
		done   *Result
		action string // "": no report
	}{
		{"failed", "alice@example.org", 0, loop, "failed"},
		{"failed, never told", "alice@example.org", envelope.NotifyNever, loop, ""},
		{"failed, null reverse-path", "", 0, loop, ""},
		{"delivered, not asked", "alice@example.org", 0, &Result{}, ""},
		{"delivered, asked", "alice@example.org", envelope.NotifySuccess, &Result{}, "delivered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.start()
				e := entry("m1", "local:info@example.org")
				e.Envelope.Sender.ReversePath = address.Address{}
				if c.from != "" {
					e.Envelope.Sender.ReversePath = address.MustParse(c.from)
				}
				e.Recipients[0].Notify, e.Recipients[0].Done = c.notify, c.done
				p := w.add(e)
				synctest.Wait()
				if got := w.reported(); len(got) > 0 {
					t.Error("told before it was released")
				}
				if n := len(w.queued()); (n == 1) != (c.action != "") {
					t.Errorf("%d entries", n)
				}
				p.Release()
				synctest.Wait()
				got := w.reported()
				if (len(got) == 1) != (c.action != "") {
					t.Fatalf("%d reports", len(got))
				}
				if c.action != "" && (!strings.Contains(got[0].text, "Action: "+c.action) || !strings.Contains(got[0].text, "info@example.org")) {
					t.Error(got[0].text)
				}
				same(t, "attempts", w.tried())
				same(t, "on disk", w.queued())
				w.stop()
			})
		})
	}
}

// TestRepeatedAdd adds an entry again, as after a crash: it is there once, also
// when the repetition is dropped.
func TestRepeatedAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.start()
		w.add(entry("m1", "bob@example.net")).Release()
		w.add(entry("m1", "carol@example.net")).Release()
		w.stop()
		w.start()
		w.add(entry("m1", "bob@example.net")).Release()
		again := w.add(entry("m1", "carol@example.net"))
		if again.ID() != "m1-1" {
			t.Error(again.ID())
		}
		if err := again.Drop(); err != nil {
			t.Error(err)
		}
		w.add(entry("m1", "local:carol@example.net")).Release() // not the same
		synctest.Wait()
		same(t, "on disk", w.queued(), "m1", "m1-1", "m1-2")
		w.stop()
	})
}

// TestReportRefused: a report that nobody takes for good, or for days, is dropped.
func TestReportRefused(t *testing.T) {
	for _, c := range []struct {
		refusal *fault.Fault
		after   time.Duration
		left    int
	}{
		{fault.New(fault.NoSuchAddress, ""), time.Second, 0},
		{fault.New(fault.OverQuota, ""), 9 * 24 * time.Hour, 1},
		{fault.New(fault.OverQuota, ""), 11 * 24 * time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.setInject(c.refusal)
			w.failWith(nobody, "mx.example.net")
			w.start()
			w.add(entry("m1", "bob@example.net")).Release()
			time.Sleep(c.after)
			synctest.Wait()
			if len(w.queued()) != c.left {
				t.Errorf("%v after %v: %q", c.refusal, c.after, w.queued())
			}
			w.Close(context.Background())
		})
	}
}
