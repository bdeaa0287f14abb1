package lua

import (
	"context"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

const (
	callDepth       = 200     // calls that are open at once
	registrySize    = 1 << 10 // values on the stack, at first
	registryMax     = 1 << 15
	registryStep    = 1 << 12
	maxUnpack       = 8000 // values that unpack returns, as in Lua 5.1
	maxTrace        = 100  // lines of a trace, the last ones
	maxVerboseTrace = 1000
)

// state is a Lua state with what belongs to it. One goroutine uses it at a time.
type state struct {
	meter
	host   *Host
	L      *lua.LState
	in     internals
	mem    memory
	limits Limits

	modules []Module
	globals *lua.LTable // what scripts find, read only
	envMeta *lua.LTable // of the environment of each run
	guard   *lua.LFunction
	onError func(*lua.LState)
	iterate *lua.LFunction // of ipairs
	base    int            // register of the innermost protected call
	objects objects

	common        *patterns           // of the host
	patterns      map[string]*pattern // that this state used
	patternWeight int

	spare *lua.LTable // the environment of the run before, emptied

	// Of the run.
	env    *lua.LTable
	script *Script
	call   *hook.Call
	run    run
}

// run is what one run gathers.
type run struct {
	actions  []hook.Action
	lines    ring
	lastFile string
	lastLine int
	errFile  string
	errLine  int // where the last error was raised
	random   *random
	text     excerpt // of the message
	html     excerpt
	nature   *hook.Nature
	contact  *hook.Contact // what the mailbox knows of the author
	state    hook.State    // the script's memory, once it was used
	kvCalls  int
	kvOctets int
	lookups  int
	busy     int // calls of box:busy
	outside  int
	virus    *string         // m.virus, once it was asked for
	scanned  bool            // every module could tell
	context  context.Context // of what the run waits for, once it does
	release  context.CancelFunc
	large    bool // holds Host.large
}

func newState(h *Host) *state {
	s := &state{host: h, limits: h.limits, modules: h.modules, common: &h.patterns}
	s.L = lua.NewState(lua.Options{
		CallStackSize:    callDepth,
		RegistrySize:     registrySize,
		RegistryMaxSize:  registryMax,
		RegistryGrowStep: registryStep,
		SkipOpenLibs:     true,
	})
	s.in = internalsOf(s.L)
	*s.in.keepUpvalues = true // raised closes those that must be
	s.meter.init()
	s.meter.sample = s.sampleMemory
	s.mem.init()
	s.L.SetContext(&s.meter)
	s.onError = s.raised
	s.guard = s.L.NewFunction(s.guarded)
	s.iterate = s.function(luaIterate)
	s.globals = s.newGlobals()
	s.envMeta = s.L.CreateTable(0, 1)
	s.envMeta.RawSetString("__index", s.globals)
	s.objects = s.newObjects()
	return s
}

// begin prepares a run.
func (s *state) begin(ctx context.Context, script *Script, call *hook.Call) {
	s.script, s.call = script, call
	s.run = run{lines: ring{max: maxTrace}}
	var trace func()
	cpu := s.limits.cpu(call.Stage)
	if call.Trace >= hook.TraceCalls {
		s.run.lines.max = maxVerboseTrace
	}
	if call.Trace >= hook.TraceLines {
		trace = s.traceLine
		cpu *= 10 // most of it goes into the trace
	}
	if s.env = s.spare; s.env == nil {
		s.env = s.L.CreateTable(0, 8)
	}
	s.spare = nil
	s.env.Metatable = s.envMeta
	s.mem.start(min(s.limits.Memory-slack, smallMemory))
	s.meter.start(ctx, s.limits.Instructions, cpu, s.limits.WallTime, trace)
}

// end forgets a run.
func (s *state) end() {
	s.L.SetTop(0)
	if emptied(s.env) {
		s.spare = s.env
	}
	s.env, s.script, s.call = nil, nil, nil
	s.run = run{}
}

// protected calls the function below nargs arguments on the stack, which it
// replaces by the results.
func (s *state) protected(nargs int) *lua.ApiError {
	outer := s.base
	s.base = s.in.registry.top - nargs - 1
	s.L.Insert(s.guard, -(nargs + 1))
	err := s.L.PCall(nargs+1, lua.MultRet, nil)
	s.base = outer
	*s.in.keepUpvalues = true // PCall resets it
	if err == nil {
		return nil
	}
	apiErr, ok := err.(*lua.ApiError)
	if !ok {
		apiErr = &lua.ApiError{Type: lua.ApiErrorPanic, Object: lua.LString(err.Error())}
	}
	return apiErr
}

// guarded is the function that PCall calls: it lets raised take the errors.
func (s *state) guarded(L *lua.LState) int {
	L.Panic = s.onError
	L.Call(L.GetTop()-1, lua.MultRet)
	return L.GetTop()
}

// raised is called where an error is raised, before the stack is unwound. The
// error object is on top.
func (s *state) raised(L *lua.LState) {
	s.in.closeUpvalues(s.base)
	object := L.Get(-1)
	s.run.errFile, s.run.errLine = s.place(0)
	if str, ok := object.(lua.LString); ok {
		object = lua.LString(s.reword(string(str)))
	}
	// A stack trace that is not empty keeps gopher-lua from making one.
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: object, StackTrace: "-"})
}

// reword puts some messages of gopher-lua into plainer words.
func (s *state) reword(text string) string {
	const called = "attempt to call a non-function object"
	if at, ok := strings.CutSuffix(text, called); ok {
		return at + s.notFunction(called)
	}
	const indexed = " attempt to index a non-table object("
	if at := strings.Index(text, indexed); at >= 0 {
		if what, key, ok := strings.Cut(text[at+len(indexed):], ")"); ok {
			text = text[:at] + " attempt to index a " + what + " value" + key
			if what == "nil" {
				text += ": nothing is there, try (x or \"\") or an if"
			}
		}
	}
	if strings.HasSuffix(text, "cannot perform add operation between string and string") {
		text += ": + adds numbers, .. puts texts together"
	}
	return text
}

// notFunction says what was called though it is no function.
func (s *state) notFunction(text string) string {
	names := s.calledNames()
	if len(names) > 1 { // those that are nothing are the mistake
		if odd := slices.DeleteFunc(slices.Clone(names), s.isMember); len(odd) > 0 {
			names = odd
		}
	}
	switch len(names) {
	case 0:
		return text
	case 1:
		k := hook.Kind(names[0])
		if hint := boxHint(k, s.call.Stage); hint != "" {
			return hint
		}
		if stagesOf(k) != "" {
			return notAllowed(k, s.call.Stage)
		}
		return names[0] + " is not a function"
	}
	return "one of " + strings.Join(names, ", ") + " is not a function"
}

// isMember tells whether a method or function of a library has this name.
func (s *state) isMember(name string) bool {
	for _, k := range kinds() {
		if _, ok := k.methods[name]; ok {
			return true
		}
	}
	if _, ok := boxActions[name]; ok {
		return true
	}
	for _, known := range s.host.Names() {
		if known == name || strings.HasSuffix(known, "."+name) {
			return true
		}
	}
	return false
}

// calledNames returns what the current line calls.
func (s *state) calledNames() []string {
	dbg, ok := s.L.GetStack(0)
	if !ok {
		return nil
	}
	value, err := s.L.GetInfo("fl", dbg, lua.LNil)
	fn, isFn := value.(*lua.LFunction)
	if err != nil || !isFn || fn.IsG {
		return nil
	}
	var names []string
	for _, c := range fn.Proto.DbgCalls {
		if fn.Proto.DbgSourcePositions[c.Pc] == dbg.CurrentLine && !strings.HasPrefix(c.Name, "(") && c.Name != "?" {
			names = append(names, c.Name)
		}
	}
	return names
}

// place returns the file and line of the innermost function of the script, from
// a level of the call stack on. Line 0: none.
func (s *state) place(level int) (file string, line int) {
	for ; ; level++ {
		dbg, ok := s.L.GetStack(level)
		if !ok {
			return s.script.name, 0
		}
		if _, err := s.L.GetInfo("Sl", dbg, lua.LNil); err == nil && dbg.CurrentLine > 0 {
			return dbg.Source, dbg.CurrentLine
		}
	}
}

// fail ends the run by a limit.
func (s *state) fail(l Limit) {
	s.reach(l)
	s.L.RaiseError("%s", l.Error())
}

// work counts n steps of a function of ours as instructions.
func (s *state) work(n int) {
	if s.spend(n) {
		s.L.RaiseError("%s", s.limit.Error())
	}
}

// failure puts the error of a protected call into words.
func (s *state) failure(err *lua.ApiError) *Error {
	e := &Error{Script: s.script.name, Line: s.run.errLine}
	if e.Line > 0 {
		e.Script = s.run.errFile
	}
	if s.limit != "" {
		e.Text, e.Cause = s.limits.explain(s.limit, s.call.Stage), s.limit
		return e
	}
	if err.Type == lua.ApiErrorPanic {
		e.Text = "internal error: " + quote(err.Object.String(), maxErrorText)
		return e
	}
	switch v := err.Object.(type) {
	case lua.LString, lua.LNumber:
		e.Text = clip(tostring(v), maxErrorText)
	default:
		e.Text = "error object is a " + typeName(v)
	}
	for _, name := range s.script.order {
		if line, text, ok := splitPosition(name, e.Text); ok {
			e.Script, e.Line, e.Text = name, line, text
			break
		}
	}
	return e
}
