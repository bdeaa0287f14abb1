package lua

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"facteur/server/hook"
)

func TestBudget(t *testing.T) {
	const limit = 30 * time.Second
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	type runs struct {
		n      int
		each   time.Duration
		failed bool
	}
	for name, c := range map[string]struct {
		runs []runs
		want bool
	}{
		"a million quick runs":       {[]runs{{1_000_000, 900 * time.Microsecond, false}}, false},
		"what is over a millisecond": {[]runs{{29_000, 2 * time.Millisecond, false}}, false},
		"summed":                     {[]runs{{31_000, 2 * time.Millisecond, false}}, true},
		"quick failures":             {[]runs{{310_000, 100 * time.Microsecond, true}}, true},
		"few failures":               {[]runs{{10, 2 * time.Second, true}}, false},
		"more failures":              {[]runs{{15, 2 * time.Second, true}}, true},
		"all together":               {[]runs{{10, 2 * time.Second, true}, {6, 2 * time.Second, false}}, true},
	} {
		b := &cpuHour{}
		told := 0
		for _, r := range c.runs {
			for range r.n {
				if until, suspended := b.add(start, r.each, r.failed, limit); suspended {
					told++
					if !until.Equal(start.Add(time.Hour)) {
						t.Errorf("%s: until %v", name, until)
					}
				}
			}
		}
		if b.suspended(start) != c.want || told == 1 != c.want {
			t.Errorf("%s: suspended %v, told %d times", name, b.suspended(start), told)
		}
		if b.suspended(start.Add(time.Hour)) {
			t.Errorf("%s: suspended for more than the hour", name)
		}
		if _, again := b.add(start.Add(time.Hour), 10*time.Second, true, limit); again {
			t.Errorf("%s: the next hour does not begin anew", name)
		}
	}
}

// The suspension holds for a version of a script, however often it is compiled.
func TestSuspendedVersion(t *testing.T) {
	var told []string
	o := Options{
		Limits: Limits{Hourly: time.Nanosecond}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return testNow },
		Suspended: func(script string, until time.Time) {
			if told = append(told, script); !until.Equal(testNow.Add(time.Hour)) {
				t.Errorf("until %v", until)
			}
		},
	}
	h := New(o)
	const slow = "function deliver() error('x') end"
	state := func(h *Host, source string) bool {
		return errors.Is(runScript(t, h, hook.Deliver, source).Err, ErrSuspended)
	}
	if state(h, slow) || !state(h, slow) {
		t.Error("the same version begins anew")
	}
	o.After = h
	if later := New(o); !state(later, slow) {
		t.Error("a new host forgets")
	}
	if state(h, slow+"\n") {
		t.Error("a new version is suspended, too")
	}
	if len(told) != 2 || told[0] != "test.lua" {
		t.Errorf("told of %q", told)
	}
}
