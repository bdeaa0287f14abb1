package lua

import (
	"sync"
	"sync/atomic"
	"time"
)

// freeTime is what a run that succeeds may take without any of it being counted:
// it is part of what a message costs, and much mail is no fault of a script.
const freeTime = time.Millisecond

// budgets are the CPU times of scripts, by their names. A version of a script
// keeps its own however often it is compiled, also by a later Host.
type budgets struct {
	mu     sync.Mutex
	byName map[string]*cpuHour
}

// of returns the budget of a version of a script. A new version begins anew.
func (b *budgets) of(name, hash string) *cpuHour {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.byName[name]
	if c == nil || c.hash != hash {
		c = &cpuHour{hash: hash}
		b.byName[name] = c
	}
	return c
}

// cpuHour counts the CPU time of a script within an hour.
type cpuHour struct {
	hash  string
	until atomic.Int64 // suspended until then, in Unix nanoseconds

	mu    sync.Mutex
	began time.Time
	used  time.Duration
}

func (c *cpuHour) suspended(now time.Time) bool {
	until := c.until.Load()
	return until != 0 && now.UnixNano() < until
}

// add counts a run: all of its time when it failed, else what is over freeTime.
// It tells whether the script is suspended by it, and until when.
func (c *cpuHour) add(now time.Time, cpu time.Duration, failed bool, limit time.Duration) (until time.Time, suspended bool) {
	if !failed {
		cpu -= freeTime
	}
	if cpu <= 0 {
		return time.Time{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.began) >= time.Hour {
		c.began, c.used = now, 0
	}
	before := c.used
	if c.used += cpu; before >= limit || c.used < limit {
		return time.Time{}, false
	}
	until = c.began.Add(time.Hour)
	c.until.Store(until.UnixNano())
	return until, true
}

// metricNames are the names of a script's metrics.
type metricNames struct {
	mu    sync.Mutex
	names map[string]bool
}

// know tells whether a script may use a name: it has it already, or may have one
// more.
func (m *metricNames) know(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] {
		return true
	}
	if len(m.names) >= maxMetrics {
		return false
	}
	if m.names == nil {
		m.names = make(map[string]bool)
	}
	m.names[name] = true
	return true
}
