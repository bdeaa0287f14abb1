package spool

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
	"facteur/server/hook"
)

// TestQuarantine: what a script held is listed until it is released or too old, over a
// restart; nobody is told when it goes.
func TestQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		for i, id := range []string{"m1", "m2", "m3"} {
			e := entry(id, "local:erin@example.org")
			e.Hold, e.Quarantine = "smells", i < 2
			w.add(e).Release()
		}
		ids := func() (ids []string) {
			for _, e := range w.Quarantined() {
				ids = append(ids, fmt.Sprint(e.ID, e.Told))
			}
			return ids
		}
		if err := w.NoteTold("m1"); err != nil {
			t.Error(err)
		}
		if err := w.NoteTold("m9"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		w.stop()
		w.start()
		same(t, "after a restart", ids(), "m1true", "m2false")
		if err := w.Release("m2"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "released", w.tried(), "+0s local: erin@example.org")
		same(t, "left", ids(), "m1true")
		time.Sleep(24 * time.Hour)
		for _, c := range []struct {
			before time.Time
			want   []string
		}{{time.Now().Add(-25 * time.Hour), nil}, {time.Now(), []string{"m1"}}, {time.Now(), nil}} {
			if gone, err := w.ExpireQuarantine(c.before); err != nil || !slices.Equal(gone, c.want) {
				t.Errorf("%v, %v", gone, err)
			}
		}
		if s := w.List(); len(s) != 1 || s[0].ID != "m3" {
			t.Errorf("%+v", s)
		}
		if n := len(w.reported()); n != 0 {
			t.Errorf("%d reports", n)
		}
		w.stop()
	})
}

// TestFindings: what scripts found stays with the entry, and so does the way out; those
// who leave by another server are tried apart.
func TestFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.start()
		e := entry("m1", "a@example.net", "b@example.net", "local:erin@example.org")
		e.Recipients[1].Via = "relay.example:26"
		e.Spam = hook.Spam{Score: 3.5, Rules: []hook.Rule{{Name: "A", Points: 3, Why: "a"}, {Name: "B", Points: 0.5}}}
		e.Virus = "Eicar"
		w.add(e).Release()
		synctest.Wait()
		same(t, "first", w.tried(), "+0s example.net: a@example.net", "+0s example.net: b@example.net", "+0s local: erin@example.org")
		w.stop()
		via := make(map[string]int)
		w.setAnswer(func(it Item) []Result {
			via[it.Via]++
			if it.Virus != "Eicar" || it.Spam.Score != 3.5 || len(it.Spam.Rules) != 2 || it.Spam.Rules[0].Why != "a" {
				t.Errorf("%+v", it)
			}
			return make([]Result, len(it.Recipients))
		})
		w.opts.Concurrency = 1
		w.start()
		time.Sleep(time.Hour)
		synctest.Wait()
		if via[""] != 2 || via["relay.example:26"] != 1 || w.Len() != 0 {
			t.Errorf("%v, %d left", via, w.Len())
		}
		w.stop()
	})
}

// TestManyRules: no more are kept than fit, and the score stays what it is.
func TestManyRules(t *testing.T) {
	var s hook.Spam
	for i := range 200 {
		s.Rules = append(s.Rules, hook.Rule{Name: fmt.Sprint(i), Points: 0.5})
	}
	r := record{Spam: newSpam(s)}
	if got := r.spam(); got.Score != 100 || len(got.Rules) != maxRules {
		t.Errorf("%v, %d rules", got.Score, len(got.Rules))
	}
}

// TestHoldQuarantined: what the operator holds is not removed when its time in quarantine is over.
func TestHoldQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		e := entry("m1", "local:erin@example.org")
		e.Hold, e.Quarantine = "smells", true
		w.add(e).Release()
		if err := w.Hold("m1", "to be looked at"); err != nil {
			t.Error(err)
		}
		if gone, err := w.ExpireQuarantine(time.Now().Add(time.Hour)); len(gone) != 0 || err != nil || w.Len() != 1 {
			t.Errorf("%v, %v", gone, err)
		}
		w.stop()
	})
}
