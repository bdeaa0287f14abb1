package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// TestHold: what is held is not tried, does not expire and is not called late; once it
// is released all of that counts from then.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.start()
		e := entry("m1", "bob@example.net", "local:erin@example.org")
		e.Hold = "too many"
		w.add(e).Release()
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		same(t, "held", w.tried())
		if c := w.Counts(); c.Entries != 1 || c.Held != 1 || c.Recipients != 2 || !c.Oldest.Equal(w.began.Truncate(time.Second)) {
			t.Errorf("%+v", c)
		}
		if s := w.List()[0]; s.Hold != "too many" || s.Recipients[0].State != Held || s.Recipients[0].Words != "too many" {
			t.Errorf("%+v", s)
		}
		if err := w.Retry("m1", Match{}); !fault.Is(err, fault.NotPossible) {
			t.Error(err)
		}
		w.RetryAll()
		synctest.Wait()
		same(t, "still held", w.tried())
		w.stop()
		w.start()
		synctest.Wait()
		same(t, "held after a restart", w.tried())
		if err := w.Release("m1"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "released", w.tried(), "+240h0m0s example.net: bob@example.net", "+240h0m0s local: erin@example.org")
		if err := w.Release("m1"); !fault.Is(err, fault.NotPossible) {
			t.Error(err)
		}
		time.Sleep(4*time.Hour - time.Second)
		synctest.Wait()
		if n := len(w.reported()); n != 0 {
			t.Errorf("%d reports too early", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(w.reported()); n != 2 {
			t.Errorf("%d reports of the delay", n)
		}
		time.Sleep(5*24*time.Hour - 4*time.Hour)
		synctest.Wait()
		if n := len(w.reported()); n != 2 || w.Len() != 0 {
			t.Errorf("%d reports at the end, %d entries", n, w.Len())
		}
		w.stop()
	})
}

// TestHoldWhileTried holds an entry during an attempt: that counts, the next one waits.
func TestHoldWhileTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.setAnswer(func(it Item) []Result {
			time.Sleep(time.Minute)
			return []Result{{}, {Fault: busy}}
		})
		w.start()
		w.add(entry("m1", "bob@example.net", "carol@example.net")).Release()
		time.Sleep(time.Second)
		if err := w.Hold("m1", "wait"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		same(t, "tried", w.tried(), "+0s example.net: bob@example.net carol@example.net")
		got := w.List()[0].Recipients
		if got[0].State != Passed || got[1].State != Held || got[1].Attempts != 1 || w.Counts().Recipients != 1 {
			t.Errorf("%+v", got)
		}
		// Held again and released at once while it runs: nothing is lost.
		w.setAnswer(func(it Item) []Result {
			time.Sleep(time.Minute)
			return []Result{{}}
		})
		for _, err := range []error{w.Release("m1"), w.Hold("m1", "no"), w.Release("m1")} {
			if err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, "on disk", w.queued())
		w.stop()
	})
}

// TestNotBefore: nobody gets a message before the time that its sender wants, unless
// the operator says so.
func TestNotBefore(t *testing.T) {
	for _, hold := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.failWith(busy, "mx.example.net")
			w.start()
			e := entry("m1", "bob@example.net")
			e.NotBefore = w.began.Add(time.Hour)
			e.Envelope.Sender.HoldUntil = w.began.Add(24 * time.Hour)
			if hold {
				e.Hold = "too many"
			}
			w.add(e).Release()
			if hold { // released for its time
				if err := w.Release("m1"); err != nil {
					t.Error(err)
				}
			}
			w.RetryAll()
			time.Sleep(time.Hour)
			w.stop()
			w.start()
			if err := w.Retry("m1", Match{}); !fault.Is(err, fault.NotPossible) {
				t.Error(err)
			}
			time.Sleep(23*time.Hour - time.Second)
			synctest.Wait()
			same(t, "before", w.tried())
			time.Sleep(time.Second)
			synctest.Wait()
			same(t, "then", w.tried(), "+24h0m0s example.net: bob@example.net")
			time.Sleep(5*24*time.Hour - time.Second)
			synctest.Wait()
			if w.Len() != 1 {
				t.Error("given up too early")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if w.Len() != 0 {
				t.Error("not given up")
			}
			w.stop()
		})
	}
}

// TestReleaseEarly sends a scheduled message at once.
func TestReleaseEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		e := entry("m1", "bob@example.net")
		e.Envelope.Sender.HoldUntil = w.began.Add(24 * time.Hour)
		w.add(e).Release()
		time.Sleep(time.Hour)
		if err := w.Release("m1"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "tried", w.tried(), "+1h0m0s example.net: bob@example.net")
		same(t, "on disk", w.queued())
		w.stop()
	})
}

func TestDropByOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		var removed []string
		w.opts.Told = func(e Event) {
			if e.Kind == Removed && e.Result.Fault != nil {
				removed = append(removed, e.ID+" "+e.Recipient.ForwardPath.String())
			}
		}
		w.start()
		w.add(entry("m1", "bob@example.net", "carol@example.com", "dave@example.com")).Release()
		w.add(entry("m2", "bob@example.net")).Release()
		synctest.Wait()
		w.tried()
		m, err := ParseMatch("example.com")
		if err != nil {
			t.Fatal(err)
		}
		sum, err := w.Drop("m1", m)
		if err != nil || len(sum.Recipients) != 2 || w.Counts().Recipients != 2 {
			t.Errorf("%+v, %v", sum, err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		same(t, "the rest", w.tried(), "+5m0s example.net: bob@example.net", "+5m0s example.net: bob@example.net")
		for _, id := range []string{"m1", "m2"} {
			if sum, err := w.Drop(id, Match{}); err != nil || len(sum.Recipients) != 1 {
				t.Errorf("%+v, %v", sum, err)
			}
			if _, err := w.Drop(id, Match{}); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
		same(t, "told", removed, "m1 carol@example.com", "m1 dave@example.com", "m1 bob@example.net", "m2 bob@example.net")
		same(t, "on disk", w.queued())
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		same(t, "tried", w.tried())
		if len(w.reported()) > 0 {
			t.Error("somebody was told")
		}
		w.stop()
	})
}

// TestDropWhileTried drops all of an entry, or one recipient, during an attempt.
func TestDropWhileTried(t *testing.T) {
	for _, match := range []string{"", "carol@example.net"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.setAnswer(func(it Item) []Result {
				time.Sleep(time.Minute)
				return []Result{{Fault: nobody}, {Fault: nobody}}
			})
			w.start()
			w.add(entry("m1", "bob@example.net", "carol@example.net")).Release()
			time.Sleep(time.Second)
			m, err := ParseMatch(match)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Drop("m1", m); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			reports := w.reported()
			if match == "" && len(reports) != 0 || match != "" && (len(reports) != 1 || strings.Contains(reports[0].text, "carol@")) {
				t.Errorf("%q: %+v", match, reports)
			}
			if w.Len() != 0 {
				t.Error("it is still there")
			}
			same(t, "on disk", w.queued())
			w.stop()
		})
	}
}

func TestFilter(t *testing.T) {
	w := newWorld(t)
	w.opts.Idle = true
	w.start()
	defer w.stop()
	w.add(entry("m1", "bob@example.net", "carol@example.com")).Release()
	null := entry("m2", "Bob@EXAMPLE.net")
	null.Envelope.Sender.ReversePath = address.Address{}
	w.add(null).Release()
	for _, c := range []struct{ from, to, want string }{
		{"", "", "m1 m2"},
		{"", "example.net", "m1 m2"},
		{"", "@Example.Com", "m1"},
		{"", "bob@example.net", "m1 m2"},
		{"", "carol@example.net", ""},
		{"<>", "", "m2"},
		{"alice@example.org", "example.net", "m1"},
		{"example.org", "", "m1"},
		{"example.net", "", ""},
	} {
		from, err1 := ParseMatch(c.from)
		to, err2 := ParseMatch(c.to)
		var got []string
		for e := range w.Entries(Filter{From: from, To: to}) {
			got = append(got, e.ID)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want || err1 != nil || err2 != nil {
			t.Errorf("%+v: %q, %v, %v", c, got, err1, err2)
		}
	}
	for _, bad := range []string{"a b", "a@b@c", "bob@", "-"} {
		if m, err := ParseMatch(bad); err == nil {
			t.Errorf("%q read as %+v", bad, m)
		}
	}
}

// TestParts: a message that leaves in several forms is one for who works on the queue.
func TestParts(t *testing.T) {
	w := newWorld(t)
	w.opts.Idle = true
	w.start()
	defer w.stop()
	for _, e := range []Entry{
		entry("m1", "bob@example.net"), entry("m1", "carol@example.net"), entry("m1", "dan@example.net"),
		entry("m11", "bob@example.net"), entry("m2", "bob@example.net"), entry("m2", "carol@example.net"),
	} {
		w.add(e).Release()
	}
	if _, err := w.Drop("m2", Match{}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"m1": "m1 m1-1 m1-2", "m1-1": "m1-1", "m11": "m11", "m2": "m2-1", "m": "", "": "",
	} {
		if got := strings.Join(w.Parts(id), " "); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
}

// TestIdle: nothing is tried, and what is done is there for the next one.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.start()
		for i := range 3 {
			w.add(entry(fmt.Sprintf("m%d", i), "bob@example.net")).Release()
		}
		synctest.Wait()
		w.stop()
		w.tried()
		w.opts.Idle = true
		w.start()
		time.Sleep(10 * time.Minute)
		if err := errors.Join(w.Hold("m0", "x"), w.Retry("m1", Match{})); err != nil {
			t.Error(err)
		}
		if _, err := w.Drop("m2", Match{}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "idle", w.tried())
		w.stop()
		w.opts.Idle = false
		w.start()
		synctest.Wait()
		same(t, "after it", w.tried(), "+10m0s example.net: bob@example.net")
		same(t, "on disk", w.queued(), "m0", "m1")
		w.stop()
	})
}

// TestTold: each result is told once, when it is durable, also when that took a while.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var told []string
		w.opts.Told = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			code := 250
			if e.Result.Fault != nil {
				code = e.Result.Fault.Code
			}
			told = append(told, fmt.Sprintf("+%s %s %s %s %d by %s", time.Since(w.began).Round(time.Minute), e.Kind, e.Sender, e.Recipient.ForwardPath, code, e.Forwarder))
		}
		w.setAnswer(func(it Item) []Result {
			switch it.Recipients[0].ForwardPath.Local {
			case "bob":
				return []Result{{Fault: nobody}}
			case "carol":
				return []Result{{Fault: busy}}
			}
			return []Result{{}}
		})
		w.start()
		e := entry("m1", "bob@example.net", "carol@example.com", "local:dave@example.org")
		e.Recipients[0].Forwarder = address.MustParse("info@example.org")
		e.Recipients[1].Notify = envelope.NotifyFailure | envelope.NotifyDelay
		w.add(e).Release()
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		same(t, "told", told,
			"+0s bounced alice@example.org bob@example.net 550 by info@example.org", "+0s sent alice@example.org dave@example.org 250 by ",
			"+0s deferred alice@example.org carol@example.com 450 by ", "+5m0s deferred alice@example.org carol@example.com 450 by ",
			"+20m0s deferred alice@example.org carol@example.com 450 by ", "+50m0s deferred alice@example.org carol@example.com 450 by ",
			"+1h50m0s deferred alice@example.org carol@example.com 450 by ", "+3h50m0s deferred alice@example.org carol@example.com 450 by ",
			"+4h0m0s delayed alice@example.org carol@example.com 450 by ")
		mu.Lock()
		told = nil
		mu.Unlock()
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()
		if last := told[len(told)-1]; last != "+120h0m0s expired alice@example.org carol@example.com 450 by " {
			t.Error(last)
		}
		w.Close(context.Background())
	})
}
