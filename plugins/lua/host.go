// Package lua runs hooks that are written in Lua 5.1, on yuin/gopher-lua. It
// implements hook.Program for all stages. What a script may use is in
// plugins/README.md, and a test holds the two together.
//
// # Names
//
// What scripts find comes from tables: functions of the language (lib.go), tools
// (tools.go), actions (actions.go), objects by their kind (object_*.go), and the
// modules that are written in Go (module.go). Everything that speaks of names
// reads these tables: the state that runs a script, the check that looks through
// it before (check.go), the trace of calls (calls.go), and the test of the page.
//
// # Sandbox
//
// gopher-lua looks at its context between instructions only, and has no memory
// limit. So:
//   - Before a source is parsed, its nesting is bounded (scan.go), for parser
//     and compiler would otherwise overflow the Go stack, which is fatal.
//   - Before it is compiled, what allocates without bound in one instruction
//     is rewritten into calls of ours: "..", stores under a computed key,
//     table constructors with an open end (rewrite.go). Tail calls become
//     calls, for their traces have no bound either (proto.go).
//   - The context's Done counts instructions and looks at the clock (meter.go).
//     Once a limit is reached every further instruction fails, so pcall can't
//     hold it.
//   - Memory is charged where our functions allocate, sampled elsewhere, and
//     what a state holds is walked when it may be too much (memory.go).
//   - Values that a function of ours builds are on the stack while it does, for
//     the walk sees nothing else (values.go).
//   - Regular expressions are weighed before they are compiled (regex.go), and
//     read a long text rune by rune, so that a limit ends them (tools_re.go).
//   - Every library function is ours and bounded. There are no metatables, no
//     coroutines, nothing that loads code.
//
// # State
//
// Only compiled code is shared. A run takes a state from a pool, executes the
// chunk in an environment of its own over tables that can't be written, then
// calls the function of the stage. A state that failed in any way is dropped.
// A Host and its Scripts may be used by several goroutines. What runs have in
// common are the slots, which bound how many compute at once: a run that waits for
// a service or a module gives its slot back (wait.go). Locks are held for a look
// at a map only: at compiled regular expressions, and at the CPU time of a script
// when a run took long or failed (budget.go).
//
// # What it does not do
//
// It carries nothing out: a run returns hook.Actions. It reads no files
// but through Options.Load, when it compiles.
package lua

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Options are the settings of a Host.
type Options struct {
	Limits Limits
	// Parallel is how many scripts run at once, so that what scripts hold in
	// all has a bound. 0: one for each processor, at least 2, at most 4.
	Parallel int
	Modules  []Module
	// Load reads a file that a script includes: its name is that of the including
	// script, with the last part replaced. nil: there is nothing to include.
	Load func(name string) ([]byte, error)
	// Suspended is told that a script is suspended for using too much CPU. It must
	// not wait.
	Suspended func(script string, until time.Time)
	// Prelude is a script that runs in the environment of each run before the script
	// itself: what it defines, the script finds. A wrong one panics in New. With a
	// prelude Compile does not check names, for it may define any.
	Prelude []byte
	// After is a Host that this one replaces: the CPU time of its scripts counts on.
	After *Host
	Log   *slog.Logger     // nil: slog.Default()
	Now   func() time.Time // nil: time.Now. Only the hour of Limits.Hourly is counted by it.
}

// Host compiles scripts and runs them.
type Host struct {
	limits    Limits
	modules   []Module
	prelude   *Script // nil: none
	log       *slog.Logger
	now       func() time.Time
	slots     chan struct{}
	large     chan struct{} // held by the one run that may hold much memory
	waiting   atomic.Int64  // octets, of runs without a slot
	load      func(string) ([]byte, error)
	suspended func(string, time.Time)
	budgets   *budgets
	patterns  patterns
	states    sync.Pool
}

// arrayLimit is the first key that lives in the hash part of a table. The
// memory limit is reached before an array gets there.
const arrayLimit = 1 << 21

// lowerArrayLimit guards the one setting that gopher-lua keeps in a variable.
var lowerArrayLimit sync.Once

// New returns a Host.
func New(o Options) *Host {
	lowerArrayLimit.Do(func() { lua.MaxArrayIndex = arrayLimit })
	if o.Parallel <= 0 {
		o.Parallel = min(max(runtime.GOMAXPROCS(0), 2), 4)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Host{
		limits:    o.Limits.withDefaults(),
		modules:   o.Modules,
		log:       o.Log,
		now:       o.Now,
		slots:     make(chan struct{}, o.Parallel),
		large:     make(chan struct{}, 1),
		load:      o.Load,
		suspended: o.Suspended,
	}
	h.budgets = &budgets{byName: make(map[string]*cpuHour)}
	if o.After != nil {
		h.budgets = o.After.budgets
	}
	h.checkModules()
	h.states.New = func() any { return newState(h) }
	if o.Prelude != nil {
		h.prelude = h.mustPrelude(o.Prelude)
	}
	return h
}
