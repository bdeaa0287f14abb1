package lua

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/hook"
)

// slowDNS takes a second for each answer.
type slowDNS struct{}

func (slowDNS) Lookup(ctx context.Context, kind, name string) ([]string, error) {
	select {
	case <-time.After(time.Second):
		return []string{"192.0.2.1"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// waiters runs a script n times at once, in a host with two slots, and returns
// how long it took.
func waiters(t *testing.T, n int, source string) (took time.Duration, outs []hook.Outcome) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Parallel: 2})
		s := mustCompile(t, h, source)
		began := time.Now()
		outs = make([]hook.Outcome, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				call := testCall(hook.Deliver)
				call.Services.DNS = slowDNS{}
				outs[i] = s.Run(t.Context(), call)
			})
		}
		wg.Wait()
		took = time.Since(began)
		if len(h.slots) != 0 || len(h.large) != 0 || h.waiting.Load() != 0 {
			t.Errorf("%d slots, %d large, %d waiting", len(h.slots), len(h.large), h.waiting.Load())
		}
	})
	return took, outs
}

// Runs that wait don't hold up others.
func TestWaitWithoutSlot(t *testing.T) {
	took, outs := waiters(t, 100, `function deliver() assert(#dns.a("a.example") == 1) end`)
	if took != time.Second {
		t.Errorf("100 runs that wait for a second took %v", took)
	}
	for _, out := range outs {
		if out.Err != nil || out.Elapsed != 0 {
			t.Errorf("%v after %v", out.Err, out.Elapsed)
		}
	}
}

// When too many wait, the next ones keep their slots: what waits is bounded.
func TestWaitBounded(t *testing.T) {
	const most = maxWaiting / waitingSize
	took, outs := waiters(t, most+4, `function deliver() dns.a("a.example") end`)
	if took <= time.Second || took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if i := slices.IndexFunc(outs, func(o hook.Outcome) bool { return o.Err != nil }); i >= 0 {
		t.Error(outs[i].Err)
	}
}

// A run that holds much keeps its slot, and what it waits is its own time.
func TestWaitLarge(t *testing.T) {
	_, outs := waiters(t, 1, `function deliver()
		local t = {} for i = 1, 40 do t[i] = ("x"):rep(1e5) .. i end
		for i = 1, 5 do dns.a("a.example") end end`)
	if !errors.Is(outs[0].Err, ErrTime) {
		t.Errorf("%v", outs[0].Err)
	}
}

// The wall time ends what waits.
func TestWaitWall(t *testing.T) {
	took, outs := waiters(t, 1, `function deliver() for i = 1, 20 do dns.a("a.example") end end`)
	if !errors.Is(outs[0].Err, ErrTime) || took != 10*time.Second {
		t.Errorf("%v after %v", outs[0].Err, took)
	}
}

// Only one run at a time holds much.
func TestLarge(t *testing.T) {
	h := New(Options{Parallel: 4, Limits: Limits{SMTPTime: 20 * time.Second, DeliverTime: 20 * time.Second, WallTime: time.Minute}})
	s := mustCompile(t, h, `function deliver() local t = {} for i = 1, 200 do t[i] = ("x"):rep(1e5) .. i end assert(#t == 200) end`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if out := s.Run(t.Context(), testCall(hook.Deliver)); out.Err != nil {
				t.Error(out.Err)
			}
		})
	}
	wg.Wait()
	if len(h.large) != 0 {
		t.Error("a run is still large")
	}
}
