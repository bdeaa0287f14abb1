package server

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"facteur/plugins/lua"
	"facteur/server/control"
	"facteur/server/hook"
)

// scriptCounts counts what scripts do, for `facteur status`. It begins anew with the
// server, and for a script when that changes.
type scriptCounts struct {
	mu   sync.Mutex
	list map[string]*scriptCount // by the name in mail.toml
}

// scriptCount is that of one script.
type scriptCount struct {
	control.ScriptStatus
	hour      int64     // in which its CPU was counted, in hours since 1970
	suspended time.Time // the last time that it did not run for that
}

// maxMetrics is how many names a script may count under.
const maxMetrics = 100

func newScriptCounts() *scriptCounts {
	return &scriptCounts{list: make(map[string]*scriptCount)}
}

// load takes the scripts of settings: those that are new or changed count from now.
func (c *scriptCounts) load(live *settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, sc := range live.scripts {
		hash := sc.Program.Hash()
		if old := c.list[name]; old == nil || old.Hash != hash {
			c.list[name] = &scriptCount{ScriptStatus: control.ScriptStatus{Name: name, Hash: hash, Since: live.loaded}}
		}
	}
	maps.DeleteFunc(c.list, func(name string, _ *scriptCount) bool { return live.scripts[name] == nil })
}

// ran counts runs.
func (c *scriptCounts) ran(list []hook.Ran, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range list {
		n := c.list[r.Script]
		if n == nil || n.Hash != r.Hash { // a run that a reload has overtaken, or what is built in
			continue
		}
		n.Runs++
		if r.Err != nil {
			n.Failures++
		}
		if n.suspended = (time.Time{}); errors.Is(r.Err, lua.ErrSuspended) {
			n.suspended = now
		}
		if hour := now.Unix() / 3600; hour != n.hour {
			n.hour, n.CPU = hour, 0
		}
		n.CPU += r.Elapsed.Seconds()
	}
}

// metric adds to a count of a script's own (hook.Services.Metric).
func (c *scriptCounts) metric(script, name string, by float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.list[script]
	if n == nil {
		return
	}
	if n.Metrics == nil {
		n.Metrics = make(map[string]float64)
	}
	if _, known := n.Metrics[name]; known || len(n.Metrics) < maxMetrics {
		n.Metrics[name] += by
	}
}

// status lists all, by name.
func (c *scriptCounts) status(now time.Time) []control.ScriptStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []control.ScriptStatus
	for _, n := range c.list {
		s := n.ScriptStatus
		if now.Unix()/3600 != n.hour {
			s.CPU = 0
		}
		s.Metrics = maps.Clone(s.Metrics)
		s.Suspended = now.Sub(n.suspended) < time.Hour
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b control.ScriptStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func printScripts(w io.Writer, list []control.ScriptStatus) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range list {
		state := ""
		if s.Suspended {
			state = ", SUSPENDED: it used too much CPU within an hour"
		}
		fmt.Fprintf(tw, "  %s\t%s\tsince %s\t%s, %s, %.1f s of CPU this hour%s\n", s.Name, s.Hash, s.Since.Local().Format(time.DateTime),
			counted(s.Runs, "run"), counted(s.Failures, "failure"), s.CPU, state)
		var metrics []string
		for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
			metrics = append(metrics, fmt.Sprintf("%s %g", name, s.Metrics[name]))
		}
		if len(metrics) > 0 {
			fmt.Fprintf(tw, "  \t\tcounted\t%s\n", strings.Join(metrics, ", "))
		}
	}
	if len(list) > 0 {
		fmt.Fprintln(w, "scripts:")
	}
	tw.Flush()
}
