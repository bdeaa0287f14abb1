package spool

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/safefile"
)

// promise is what holds on the disk after so many operations, until one begins.
type promise struct {
	what     string
	from, to int // to 0: for ever
	holds    func(map[string]Summary) bool
}

// recordStates plays a story with all that holds an entry back, and returns what was
// promised at which operation.
func recordStates(t *testing.T) (*safefile.Recorder, []*promise) {
	var promises []*promise
	var recorder *safefile.Recorder
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		recorder = safefile.NewRecorder(w.dir)
		w.opts.FS = recorder
		w.failWith(busy, "mx.example.net")
		w.start()
		made := func(what string, holds func(map[string]Summary) bool) *promise {
			p := &promise{what: what, from: recorder.Len(), holds: holds}
			promises = append(promises, p)
			return p
		}
		add := func(e Entry) {
			d := w.draft()
			defer d.Discard()
			p, err := w.Add(t.Context(), e, d)
			if err != nil {
				t.Fatal(err)
			}
			p.Release()
		}
		held := entry("held", "bob@example.net")
		held.Hold = "too many"
		add(held)
		isHeld := made("it is held from the start", func(m map[string]Summary) bool { return m["held"].Hold == "too many" })
		later := entry("later", "bob@example.net")
		later.NotBefore = w.began.Add(48 * time.Hour)
		add(later)
		waits := made("it waits for its time", func(m map[string]Summary) bool { return m["later"].NotBefore.Equal(w.began.Add(48 * time.Hour)) })
		add(entry("slow", "bob@example.net", "carol@example.com"))
		isThere := made("it is there", func(m map[string]Summary) bool { return len(m["slow"].Recipients) == 2 })
		synctest.Wait()

		isHeld.to = recorder.Len()
		if err := w.Release("held"); err != nil {
			t.Fatal(err)
		}
		released := made("it is released", func(m map[string]Summary) bool { return m["held"].ID != "" && m["held"].Hold == "" })
		if err := w.Hold("slow", "let me look"); err != nil {
			t.Fatal(err)
		}
		holds := made("it is held by the operator", func(m map[string]Summary) bool { return m["slow"].Hold == "let me look" })
		match, err := ParseMatch("carol@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Drop("slow", match); err != nil {
			t.Fatal(err)
		}
		partly := made("a recipient is dropped", func(m map[string]Summary) bool {
			return len(m["slow"].Recipients) == 2 && m["slow"].Recipients[1].State == Dropped && m["slow"].Recipients[0].State == Held
		})
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		delayed := made("the sender was told of the delay", func(m map[string]Summary) bool {
			return len(m["held"].Recipients) == 1 && m["held"].Recipients[0].Delayed && !m["held"].Recipients[0].Owed
		})
		for _, p := range []*promise{waits, isThere, released, holds, partly, delayed} {
			p.to = recorder.Len()
		}
		for _, id := range []string{"held", "later", "slow"} {
			if _, err := w.Drop(id, Match{}); err != nil {
				t.Fatal(err)
			}
			made(id+" is dropped", func(m map[string]Summary) bool { return m[id].ID == "" })
		}
		w.Close(t.Context())
		if n := len(w.reported()); n != 1 {
			t.Errorf("%d reports", n)
		}
	})
	return recorder, promises
}

// TestPowerCutStates replays each prefix of the operations: what was promised by then
// is so, and nothing is damaged.
func TestPowerCutStates(t *testing.T) {
	recorder, promises := recordStates(t)
	checked := 0
	for n := range recorder.Len() + 1 {
		for name, written := range map[string]func(string) bool{"power cut": nil, "kill": func(string) bool { return true }} {
			dir := t.TempDir()
			if err := recorder.Replay(dir, n, written); err != nil {
				t.Fatal(err)
			}
			checkAfterCut(t, dir, fmt.Sprintf("%s after %d of %d", name, n, recorder.Len()), func(list []Summary) error {
				entries := make(map[string]Summary)
				for _, e := range list {
					entries[e.ID] = e
				}
				var broken []error
				for _, p := range promises {
					if n < p.from || p.to != 0 && n > p.to {
						continue
					}
					checked++
					if !p.holds(entries) {
						broken = append(broken, fmt.Errorf("not so: %s: %+v", p.what, list))
					}
				}
				return errors.Join(broken...)
			})
		}
	}
	if len(promises) != 10 || checked < 100 {
		t.Errorf("%d promises, checked %d times", len(promises), checked)
	}
}
