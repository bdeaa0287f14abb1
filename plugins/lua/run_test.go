package lua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// Nothing that a script leaves behind is there in the next run, whoever's
// message that is about: neither globals, nor locals of the chunk, nor what a
// failed run left.
func TestRunsAreIsolated(t *testing.T) {
	h := newQuietHost()
	h.slots = make(chan struct{}, 1) // so that one state serves all runs
	keeper := mustCompile(t, h, `
		local kept = {}
		seen = (seen or 0) + 1
		function deliver(m, box)
			assert(seen == 1 and #kept == 0 and last == nil and helper == nil, "something was kept")
			last, kept[1] = box.address, box.address
			function helper() return last end
			seen = seen + 1
			log(helper(), m.from, box.addresses[1])
		end`)
	spy := mustCompile(t, h, `
		function deliver(m, box)
			log(tostring(seen), tostring(last), tostring(helper), tostring(deliver ~= nil))
			string_rep = string.rep
			if m.from == "fail@example.net" then local x = nil + 1 end
		end`)
	for i := range 50 {
		call := testCall(hook.Deliver)
		owner := fmt.Sprintf("user%d@example.org", i)
		call.Box = box{address: owner}
		out := keeper.Run(t.Context(), call)
		if out.Err != nil || logged(out)[0] != owner+"\tcarol@elsewhere.net\t"+owner {
			t.Fatal(i, out.Err, logged(out))
		}
		if i%7 == 0 {
			call.Message.ReversePath = address.MustParse("fail@example.net")
		}
		out = spy.Run(t.Context(), call)
		if failed := out.Err != nil; failed != (i%7 == 0) || logged(out)[0] != "nil\tnil\tnil\ttrue" {
			t.Fatal(i, out.Err, logged(out))
		}
	}
}

// A state that failed is not used again; one that did not is.
func TestFailedStatesAreDropped(t *testing.T) {
	h := newQuietHost()
	var made int
	h.states.New = func() any { made++; return newState(h) }
	bad := mustCompile(t, h, wrap(`error("no")`))
	for range 5 {
		if out := bad.Run(t.Context(), testCall(hook.Deliver)); out.Err == nil {
			t.Fatal("no error")
		}
	}
	if made != 5 {
		t.Errorf("%d states for 5 runs that failed", made)
	}
}

// One script and many may run at once; run with -race.
func TestConcurrentRuns(t *testing.T) {
	h := New(Options{Parallel: 8})
	scripts := []*Script{
		mustCompile(t, h, `function deliver(m, box) box:fileinto("for/" .. box.address:gsub("%.", "-"), {create = true}) end`),
		mustCompile(t, h, `local n = 0 function deliver(m, box) for w in m:text():gmatch("%a+") do n = n + 1 end assert(n == 6) box:keep() end`),
		mustCompile(t, h, `function deliver(m, box) error("always") end`),
		mustCompile(t, h, `function deliver(m, box) local t = {} for i = 1, 500 do t[i] = i % 7 end table.sort(t) box:flag("k" .. t[500]) end`),
	}
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 60 {
				call := testCall(hook.Deliver)
				if i%3 == 0 {
					call.Trace = hook.TraceLines
				}
				name := fmt.Sprintf("user%d-%d@example.org", g, i)
				call.Box = box{address: name}
				out := scripts[(g+i)%len(scripts)].Run(t.Context(), call)
				switch (g + i) % len(scripts) {
				case 0:
					if out.Err != nil || out.Actions[0].Folder != "for/"+strings.ReplaceAll(name, ".", "-") {
						t.Error(out.Err, out.Actions)
					}
				case 1, 3:
					if out.Err != nil || len(out.Actions) != 1 {
						t.Error(out.Err, out.Actions)
					}
				case 2:
					if out.Err == nil {
						t.Error("no error")
					}
				}
			}
		})
	}
	group.Wait()
}

// However many hostile scripts come at once, what they hold together has a
// bound.
func TestHostileCrowd(t *testing.T) {
	each := 25
	if testing.Short() {
		each = 5
	}
	h := New(Options{Parallel: 2, Log: slog.New(slog.DiscardHandler), Limits: Limits{Hourly: time.Hour, DeliverTime: 300 * time.Millisecond}})
	var all []hostile
	var compiled []*Script // the server compiles one at a time
	for _, one := range readHostile(t) {
		if s, err := h.compile(one.name, one.source, false); err == nil {
			all, compiled = append(all, one), append(compiled, s)
		}
	}
	grown := leastResident(mostTogether, func() {
		var group sync.WaitGroup
		for g := range 6 {
			group.Go(func() {
				order := rand.New(rand.NewPCG(uint64(g), 0)).Perm(len(all))
				for _, i := range order[:each] {
					compiled[i].Run(t.Context(), serving(all[i].stage, newStore()))
				}
			})
		}
		group.Wait()
	})
	if grown > mostTogether && !raceEnabled {
		t.Errorf("the process grew by %d MB", grown>>20)
	}
	t.Logf("%d at once: the process grew by %d MB", cap(h.slots), grown>>20)
}

// A limit between the chunk and the function of the stage is told as such.
func TestLimitBeforeStage(t *testing.T) {
	for _, stage := range hook.Stages {
		h := newQuietHost()
		st := h.states.Get().(*state)
		call := testCall(stage)
		st.begin(t.Context(), mustCompile(t, h, "local x = 1"), &call)
		st.reach(ErrTime)
		st.arguments()
		if _, err := st.stage(); !errors.Is(err, ErrTime) {
			t.Errorf("%s: %v", stage, err)
		}
	}
}

// A caller that gives up ends the run, also while it waits for its turn.
func TestCancelled(t *testing.T) {
	h := newQuietHost()
	s := mustCompile(t, h, wrap(`while true do end`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := s.Run(ctx, testCall(hook.Deliver))
	if !errors.Is(out.Err, ErrCancelled) {
		t.Error(out.Err)
	}
	h.slots = make(chan struct{}, 1)
	h.slots <- struct{}{}
	if out := s.Run(ctx, testCall(hook.Deliver)); !errors.Is(out.Err, ErrCancelled) {
		t.Error(out.Err)
	}
}

// A script that takes too much within an hour is suspended for the rest of it.
func TestSuspended(t *testing.T) {
	now := testNow
	var logs strings.Builder
	h := New(Options{
		Limits: Limits{Instructions: 1 << 40, DeliverTime: 20 * time.Millisecond, Hourly: 50 * time.Millisecond},
		Now:    func() time.Time { return now },
		Log:    slog.New(slog.NewTextHandler(&logs, nil)),
	})
	s := mustCompile(t, h, `function deliver(m, box) if m.size > 1 then while true do end end box:keep() end`)
	run := func() error { return s.Run(t.Context(), testCall(hook.Deliver)).Err }
	err := run()
	for range 2 { // two or three runs, as exact as the timer is
		if !errors.Is(err, ErrTime) {
			t.Fatal(err)
		}
		if err = run(); errors.Is(err, ErrSuspended) {
			break
		}
	}
	for range 3 {
		if err := run(); !errors.Is(err, ErrSuspended) || !strings.Contains(err.Error(), "suspended: it used more than 50ms") {
			t.Fatal(err)
		}
	}
	if n := strings.Count(logs.String(), "lua.suspended"); n != 1 {
		t.Errorf("told %d times: %s", n, logs.String())
	}
	now = now.Add(time.Hour + time.Second)
	if err := run(); !errors.Is(err, ErrTime) {
		t.Error(err)
	}
}

// Instructions are counted exactly, however they are spread over pcall.
func TestInstructionsAreExact(t *testing.T) {
	for _, source := range []string{
		"function deliver() for i = 1, 1e9 do end end",
		"function deliver() while true do pcall(function() for i = 1, 1e9 do end end) end end",
	} {
		for _, most := range []int{1, 2, 1000, 1023, 1024, 1025, 100_000} {
			h := New(Options{Limits: Limits{Instructions: most}})
			s := mustCompile(t, h, source)
			call := testCall(hook.Deliver)
			if out := s.Run(t.Context(), call); !errors.Is(out.Err, ErrInstructions) {
				t.Error(most, out.Err)
			}
		}
	}
	// A loop of n turns is n instructions, and the rest is constant.
	need := func(n int) int {
		source := fmt.Sprintf("function deliver() for i = 1, %d do end end", n)
		low, high := 1, 1_000_000
		for low < high {
			mid := (low + high) / 2
			h := New(Options{Limits: Limits{Instructions: mid}})
			if mustCompile(t, h, source).Run(t.Context(), testCall(hook.Deliver)).Err == nil {
				high = mid
			} else {
				low = mid + 1
			}
		}
		return low
	}
	if a, b := need(1000), need(5000); b-a != 4000 {
		t.Errorf("4000 turns more are %d instructions more", b-a)
	}
}

// A panic in a call of ours is an error of the run, which pcall can't hold.
func TestPanicsAreErrors(t *testing.T) {
	h := newQuietHost()
	call := testCall(hook.Deliver)
	call.Box = brokenBox{}
	s := mustCompile(t, h, `function deliver(m, box) pcall(function() return box:folders() end) box:keep() end`)
	out := s.Run(t.Context(), call)
	if out.Err == nil || !strings.Contains(out.Err.Error(), "internal error") || len(out.Actions) > 0 {
		t.Error(out.Err, out.Actions)
	}
	// The host goes on.
	if out := s.Run(t.Context(), testCall(hook.Deliver)); out.Err != nil {
		t.Error(out.Err)
	}
	call.Box = nil
	if out := s.Run(t.Context(), call); out.Err == nil {
		t.Error("no error without a box")
	}
}

// brokenBox panics when it is asked.
type brokenBox struct{ box }

func (brokenBox) Folders() []string { panic("broken") }
