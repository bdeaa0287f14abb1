package lua

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/hook"
)

// hostile is a script of testdata/hostile. Its first lines say
//
//	-- expect: ok, or alternatives of limits as "time|memory", or "error: TEXT", or "compile: TEXT"
//	-- stage: rcpt, data, submit or deliver (when there is no such line)
type hostile struct {
	name   string
	source []byte
	expect string
	stage  hook.Stage
}

func readHostile(t testing.TB) []hostile {
	files, err := filepath.Glob("testdata/hostile/*.lua")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d hostile scripts: %v", len(files), err)
	}
	var list []hostile
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h := hostile{name: filepath.Base(f), source: source, stage: hook.Deliver}
		lines := strings.Split(string(source), "\n")
		var ok bool
		if h.expect, ok = strings.CutPrefix(lines[0], "-- expect: "); !ok {
			t.Fatalf("%s does not say what to expect", f)
		}
		if stage, ok := strings.CutPrefix(lines[1], "-- stage: "); ok {
			h.stage = hook.Stage(stage)
		}
		list = append(list, h)
	}
	return list
}

// check compares what happened with what is expected.
func (h hostile) check(t testing.TB, s *Script, compileErr error, out hook.Outcome) {
	t.Helper()
	kind, text, _ := strings.Cut(h.expect, ": ")
	switch kind {
	case "compile":
		if compileErr == nil || !strings.Contains(compileErr.Error(), text) {
			t.Errorf("%s: compiled with %v, want %q", h.name, compileErr, text)
		}
		return
	case "ok":
		if compileErr != nil || out.Err != nil {
			t.Errorf("%s: %v, %v", h.name, compileErr, out.Err)
		}
		return
	}
	if compileErr != nil {
		t.Errorf("%s: %v", h.name, compileErr)
		return
	}
	if !s.Handles(h.stage) {
		t.Errorf("%s does not handle %s", h.name, h.stage)
	}
	if len(out.Actions) != 0 {
		t.Errorf("%s failed, and yet has actions: %v", h.name, out.Actions)
	}
	var err *Error
	if !errors.As(out.Err, &err) {
		t.Errorf("%s: %v, want %s", h.name, out.Err, h.expect)
		return
	}
	if kind == "error" {
		if err.Cause != nil || !strings.Contains(err.Text, text) || err.Line == 0 && h.name != "stage-no-function.lua" {
			t.Errorf("%s: %v (%v), want %q and a line", h.name, err, err.Cause, text)
		}
		return
	}
	var limit Limit
	// On a machine that is slow or busy, time is up first.
	if !errors.As(err, &limit) || limit != ErrTime && !slices.Contains(strings.Split(kind, "|"), string(limit)) {
		t.Errorf("%s: %v (%v), want %s", h.name, err, err.Cause, h.expect)
	}
}

// peak watches how much memory the process has in use until stop is called.
type peak struct {
	most atomic.Uint64
	quit chan struct{}
	done chan struct{}
}

func watchPeak() *peak {
	p := &peak{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			p.most.Store(max(p.most.Load(), inUse()))
			select {
			case <-p.quit:
				return
			case <-tick.C:
			}
		}
	}()
	return p
}

func (p *peak) stop() uint64 {
	close(p.quit)
	<-p.done
	return max(p.most.Load(), inUse())
}

// inUse is what the heap and the stacks take, garbage included.
func inUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64() + s[2].Value.Uint64()
}

// Every hostile script is held under the default limits, and the process
// stays small. The suspension is tested elsewhere.
func TestHostile(t *testing.T) {
	if raceEnabled {
		t.Skip("it measures")
	}
	for _, h := range readHostile(t) {
		t.Run(strings.TrimSuffix(h.name, ".lua"), func(t *testing.T) {
			var grown int64
			var took time.Duration
			for range 3 { // the collector of a busy machine may be late once
				var s *Script
				var out hook.Outcome
				var err error
				grown = resident(func() {
					host := newQuietHost()
					if h.name == "dns-slow.lua" {
						host.limits.WallTime = time.Second // it does nothing but wait
					}
					began := time.Now()
					s, out, err = h.run(host)
					took = time.Since(began)
				})
				h.check(t, s, err, out)
				if testing.Verbose() {
					t.Logf("%v, %d MB: %v %v", took.Round(time.Microsecond), grown>>20, err, out.Err)
				}
				if grown <= 64<<20 {
					break
				}
			}
			if grown > 64<<20 {
				t.Errorf("the process grew by %d MB", grown>>20)
			}
			if took > 12*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// mostTogether is by how much the process may grow, in octets, when as many
// hostile scripts run at once as a host allows: one holds as much as its limit
// says, the others what is always allowed, and the collector leaves as much again.
const mostTogether = 128 << 20

func TestHostileTogether(t *testing.T) {
	if raceEnabled {
		t.Skip("it measures")
	}
	var list []hostile
	for _, h := range readHostile(t) {
		if strings.HasPrefix(h.expect, "memory") {
			list = append(list, h)
		}
	}
	const parallel = 4
	most := int64(0)
	for some := range slices.Chunk(list, parallel) {
		host := New(Options{Log: slog.New(slog.DiscardHandler), Limits: Limits{Hourly: time.Hour}, Parallel: parallel})
		grown := leastResident(mostTogether, func() {
			var group sync.WaitGroup
			for _, h := range some {
				group.Go(func() {
					s, out, err := h.run(host)
					h.check(t, s, err, out)
				})
			}
			group.Wait()
		})
		if most = max(most, grown); grown > mostTogether {
			t.Errorf("the process grew by %d MB", grown>>20)
		}
	}
	t.Logf("%d at once: the process grew by at most %d MB", parallel, most>>20)
}

func newQuietHost() *Host {
	limits := Limits{Hourly: time.Hour}
	if raceEnabled { // which would use up what is enough without it
		limits.SMTPTime, limits.DeliverTime, limits.WallTime = 5*time.Second, 20*time.Second, time.Minute
	}
	return New(Options{Log: slog.New(slog.DiscardHandler), Limits: limits})
}

func (h hostile) run(host *Host) (*Script, hook.Outcome, error) {
	s, err := host.compile(h.name, h.source, false)
	if err != nil {
		return nil, hook.Outcome{}, err
	}
	return s, s.Run(context.Background(), serving(h.stage, newStore())), nil
}
