package httpd

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns()
		var done []func()
		for range maxAtOnce {
			d, ok := all.take(t.Context(), "a", false)
			if !ok {
				t.Fatal("no turn")
			}
			done = append(done, d)
		}
		if d, ok := all.take(t.Context(), "b", false); !ok {
			t.Error("another account has no turn")
		} else {
			d()
		}
		waiting := make(chan bool, maxWaiting)
		for range maxWaiting {
			go func() {
				d, ok := all.take(t.Context(), "a", false)
				if ok {
					d()
				}
				waiting <- ok
			}()
		}
		synctest.Wait()
		if _, ok := all.take(t.Context(), "a", false); ok {
			t.Error("a turn for one too many")
		}
		done[0]() // one after the other takes it
		for range maxWaiting {
			if !<-waiting {
				t.Error("waited in vain")
			}
		}
		for range maxAtOnce - 1 { // one was given back
			if _, ok := all.take(t.Context(), "c", false); !ok {
				t.Error("no turn")
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, d := range done[1:] {
			d()
		}
		for range maxAtOnce {
			all.take(t.Context(), "a", false)
		}
		if _, ok := all.take(gone, "a", false); ok {
			t.Error("a turn for one who is gone")
		}
		if len(all.of) != 2 || all.of["a"].users != maxAtOnce {
			t.Errorf("%d accounts", len(all.of))
		}
	})
}

// TestLargeTurns: large requests leave turns to small ones.
func TestLargeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns()
		ctx, cancel := context.WithCancel(t.Context())
		had := make(chan func(), maxAtOnce)
		for range maxAtOnce {
			go func() {
				if done, ok := all.take(ctx, "a", true); ok {
					had <- done
				}
			}()
		}
		synctest.Wait()
		if len(had) != maxLarge {
			t.Errorf("%d large ones", len(had))
		}
		for range maxAtOnce - maxLarge {
			done, ok := all.take(t.Context(), "a", false)
			if !ok {
				t.Fatal("no turn for a small one")
			}
			defer done()
		}
		(<-had)() // the next large one takes it
		synctest.Wait()
		if len(had) != maxLarge {
			t.Errorf("%d large ones", len(had))
		}
		cancel()
		synctest.Wait()
		if got := all.of["a"].users; got != maxAtOnce {
			t.Errorf("%d have a turn or wait", got)
		}
	})
}
