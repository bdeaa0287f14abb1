package spool

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSettleSome: what is done is durable while an attempt goes on for others, and
// is told and counted once.
func TestSettleSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var sent, deferred int
		w.opts.Told = func(e Event) {
			switch e.Kind {
			case Sent:
				sent++
			case Deferred:
				deferred++
			}
		}
		w.start()
		w.setAnswer(func(it Item) []Result {
			busyNow := Result{Fault: busy, Remote: "mx.example.net"}
			it.Done(map[int]Result{0: {}, 1: busyNow, 7: {}}) // the second is not done, the eighth is not there
			r, err := w.store.read(it.ID)
			if err != nil || !r.Recipients[0].Done || r.Recipients[1].Done || r.Recipients[1].Attempts != 0 {
				t.Errorf("on disk: %+v, %v", r, err)
			}
			return []Result{{}, busyNow}
		})
		w.add(entry("m1", "a@example.net", "busy@example.net")).Release()
		synctest.Wait()
		if r, err := w.store.read("m1"); err != nil || r.Recipients[0].Attempts != 1 || r.Recipients[1].Attempts != 1 {
			t.Errorf("after the attempt: %+v, %v", r, err)
		}
		if sent != 1 || deferred != 1 {
			t.Errorf("told of %d sent and %d deferred", sent, deferred)
		}
		w.setAnswer(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		same(t, "tried", w.tried(), "+0s example.net: a@example.net busy@example.net", "+5m0s example.net: busy@example.net")
		same(t, "on disk", w.queued())
		w.stop()
	})
}
