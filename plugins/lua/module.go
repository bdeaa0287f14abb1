package lua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// Module is a set of functions that are written in Go. Scripts find them in a
// table of that name, which they can't change.
type Module struct {
	Name      string          // a Lua name, such as "lists"
	Functions map[string]Func // name.function(...)
	Globals   map[string]Func // function(...), without the name: for what is used a lot
	// Local: it asks nobody outside this program but by the services of the call. So
	// a dry run uses it, too.
	Local bool
	// Virus tells the name of the virus in the message, "" when there is none: it is
	// asked for m.virus, once a message. nil: the module knows nothing of viruses.
	Virus func(*Args) (string, error)
	// Learn is told of messages that a script says are "spam" or "ham". nil: the module
	// does not learn.
	Learn func(ctx context.Context, kind string, message io.Reader) error
}

// Func is a function of a Module. It may be called by several goroutines at once,
// and should return soon after Args.Context has ended. It must not keep Args.
//
// The result is nil, a bool, int, int64, float64, string, []string, []any or
// map[string]any of such, or Results for more than one. An *ArgError is raised in
// the script, at its line; of any other error the script gets nil and the text, so
// it goes on unless it looks. The text is for who wrote the script: no secrets.
type Func func(*Args) (any, error)

// Results are several results.
type Results []any

// ArgError is the error of a wrong argument. The methods of Args raise it by
// themselves.
type ArgError struct {
	Arg  int // from 1 on; 0: none of them
	Text string
}

func (e *ArgError) Error() string {
	if e.Arg == 0 {
		return e.Text
	}
	return fmt.Sprintf("argument %d: %s", e.Arg, e.Text)
}

// Args are the arguments of a call, numbered from 1. A method that finds another
// type than it returns ends the call with an error in the script: it does not
// return. They are used by the goroutine that called the Func, until it returns.
type Args struct{ s *state }

// Len is the number of arguments.
func (a *Args) Len() int { return a.s.L.GetTop() }

// IsNil tells whether an argument is nil, or not there.
func (a *Args) IsNil(i int) bool { return a.s.L.Get(i) == lua.LNil }

// IsMessage tells whether an argument is the object m.
func (a *Args) IsMessage(i int) bool { return a.s.isObject(i, messageKind.name) }

// String returns a string, or a number as text. It has at most 1 MB.
func (a *Args) String(i int) string { return strings.Clone(a.s.str(i)) }

// OptString is String, or def when the argument is nil.
func (a *Args) OptString(i int, def string) string {
	if a.IsNil(i) {
		return def
	}
	return a.String(i)
}

// Number returns a number.
func (a *Args) Number(i int) float64 { return a.s.number(i) }

// Int returns a number cut off to an integer, or def when the argument is nil.
func (a *Args) Int(i, def int) int { return a.s.optInteger(i, def) }

// Bool tells whether an argument is neither nil nor false.
func (a *Args) Bool(i int) bool { return lua.LVAsBool(a.s.L.Get(i)) }

// Value returns an argument as nil, bool, float64, string, []any or
// map[string]any. Tables are at most 16 deep and hold 10,000 values in all; one
// with the keys 1 to n is a []any. Functions and objects are wrong arguments.
func (a *Args) Value(i int) any {
	v, err := a.s.goValue(a.s.L.Get(i))
	if err != nil {
		a.s.argError(i, "%s", err.Error())
	}
	return v
}

// Table returns a table by its keys, of which numbers become text. It is empty
// when the argument is nil.
func (a *Args) Table(i int) map[string]any {
	if a.IsNil(i) {
		return map[string]any{}
	}
	a.s.table(i)
	switch v := a.Value(i).(type) {
	case map[string]any:
		return v
	case []any:
		m := make(map[string]any, len(v))
		for n, item := range v {
			m[formatNumber(float64(n+1))] = item
		}
		return m
	}
	return nil
}

// List returns an array. It is empty when the argument is nil.
func (a *Args) List(i int) []any {
	if a.IsNil(i) {
		return nil
	}
	a.s.table(i)
	switch v := a.Value(i).(type) {
	case []any:
		return v
	case map[string]any:
		if len(v) > 0 {
			a.s.argError(i, "an array expected")
		}
	}
	return nil
}

// Context ends when the run must, at the latest after its wall time.
func (a *Args) Context() context.Context { return a.s.waitContext() }

// Call is what the script was called with. It is read only.
func (a *Args) Call() *hook.Call { return a.s.call }

// Script is the name of the script.
func (a *Args) Script() string { return a.s.script.name }

// Errorf is the error of a wrong argument.
func (a *Args) Errorf(i int, format string, args ...any) error {
	return &ArgError{Arg: i, Text: sprintf(format, args...)}
}

// moduleCost is the number of instructions that a call of a module counts for.
const moduleCost = 100

// moduleFunction makes a function for scripts of one in Go.
func moduleFunction(f Func) function {
	return func(s *state) int {
		s.work(moduleCost)
		var result any
		var err error
		s.wait(func() { result, err = f(&Args{s}) })
		if err != nil {
			return s.failed(err)
		}
		results, several := result.(Results)
		if !several {
			results = Results{result}
		}
		s.L.SetTop(0)
		for i, r := range results {
			v := s.luaValue(r)
			s.L.SetTop(i)
			s.L.Push(v)
		}
		return len(results)
	}
}

// failed is what a script sees of an error: nil and a text, or an error of its
// own when it is to blame.
func (s *state) failed(err error) int {
	var bad *ArgError
	if !errors.As(err, &bad) {
		return s.push(lua.LNil, s.text(clip(err.Error(), maxErrorText)))
	}
	if bad.Arg > 0 {
		s.argError(bad.Arg, "%s", clip(bad.Text, maxErrorText))
	}
	s.L.RaiseError("%s", clip(bad.Text, maxErrorText))
	return 0
}

// addModules adds the functions of modules to what scripts find.
func (s *state) addModules(globals *lua.LTable) {
	for _, m := range s.modules {
		t := s.L.CreateTable(0, len(m.Functions))
		for name, f := range m.Functions {
			t.RawSetString(name, s.function(traced(m.Name+"."+name, moduleFunction(f))))
		}
		if len(m.Functions) > 0 {
			globals.RawSetString(m.Name, s.readOnly(t, m.Name))
		}
		for name, f := range m.Globals {
			globals.RawSetString(name, s.function(traced(name, moduleFunction(f))))
		}
	}
}

// virus is m.virus: what the server knows already, or the first that a module
// finds. When a module can't tell, the trace says why, and the next run asks again.
func (s *state) virus() string {
	if s.call.Message.Virus != "" || s.call.Message.Scanned {
		return s.call.Message.Virus
	}
	if s.run.virus != nil {
		return *s.run.virus
	}
	found := ""
	s.run.scanned = s.call.Message.Content != nil
	for _, m := range s.modules {
		if m.Virus == nil || found != "" || s.call.Message.Content == nil {
			continue
		}
		s.work(moduleCost)
		var err error
		s.wait(func() { found, err = m.Virus(&Args{s}) })
		if err != nil {
			s.run.scanned = false
			s.logLine(m.Name + ": " + err.Error())
		}
	}
	s.work(0)
	s.run.virus = &found
	return found
}

// Names lists everything that a script of this host finds, sorted: functions
// without a prefix, and those of libraries and modules as "name.function".
// Actions that are methods, and fields of objects, are not among them.
func (h *Host) Names() []string {
	names := slices.Collect(maps.Keys(globalFunctions))
	names = slices.AppendSeq(names, maps.Keys(globalActions))
	names = slices.AppendSeq(names, maps.Keys(toolFunctions))
	for _, libs := range []map[string]library{libraries, toolLibraries} {
		for lib, l := range libs {
			names = appendMembers(names, lib, l.functions)
			names = appendMembers(names, lib, l.constants)
		}
	}
	for _, m := range h.modules {
		names = appendMembers(names, m.Name, m.Functions)
		names = slices.AppendSeq(names, maps.Keys(m.Globals))
	}
	slices.Sort(names)
	return names
}

func appendMembers[T any](names []string, lib string, members map[string]T) []string {
	for name := range members {
		names = append(names, lib+"."+name)
	}
	return names
}

// checkModules panics when two things of a host have the same name, or one is no
// name: an error of the program.
func (h *Host) checkModules() {
	seen := make(map[string]bool)
	for _, name := range (&Host{}).Names() {
		top, _, _ := strings.Cut(name, ".")
		seen[top] = true
	}
	for _, m := range h.modules {
		names := slices.AppendSeq([]string{m.Name}, maps.Keys(m.Globals))
		for i, name := range names {
			if !isName(name) || seen[name] && (i > 0 || len(m.Functions) > 0) {
				panic("lua: module " + m.Name + ": the name " + name + " is not free")
			}
			seen[name] = true
		}
		for name := range m.Functions {
			if !isName(name) {
				panic("lua: module " + m.Name + ": " + name + " is no name")
			}
		}
	}
}

func isName(s string) bool {
	return s != "" && !isDigit(s[0]) && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}
