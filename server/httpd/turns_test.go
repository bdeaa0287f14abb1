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
			d, ok := all.take(t.Context(), "a")
			if !ok {
				t.Fatal("no turn")
			}
			done = append(done, d)
		}
		if d, ok := all.take(t.Context(), "b"); !ok {
			t.Error("another account has no turn")
		} else {
			d()
		}
		waiting := make(chan bool, maxWaiting)
		for range maxWaiting {
			go func() {
				d, ok := all.take(t.Context(), "a")
				if ok {
					d()
				}
				waiting <- ok
			}()
		}
		synctest.Wait()
		if _, ok := all.take(t.Context(), "a"); ok {
			t.Error("a turn for one too many")
		}
		done[0]() // one after the other takes it
		for range maxWaiting {
			if !<-waiting {
				t.Error("waited in vain")
			}
		}
		for range maxAtOnce - 1 { // one was given back
			if _, ok := all.take(t.Context(), "c"); !ok {
				t.Error("no turn")
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, d := range done[1:] {
			d()
		}
		for range maxAtOnce {
			all.take(t.Context(), "a")
		}
		if _, ok := all.take(gone, "a"); ok {
			t.Error("a turn for one who is gone")
		}
		if len(all.of) != 2 || all.of["a"].users != maxAtOnce {
			t.Errorf("%d accounts", len(all.of))
		}
	})
}
