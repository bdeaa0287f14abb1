package lua

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// function is a function that scripts may call. It finds its arguments on the
// stack, pushes its results and returns how many there are.
type function func(*state) int

// library is a set of functions and constants by name. It does not change.
type library struct {
	plain     bool // of Lua itself: not in the trace of calls
	functions map[string]function
	constants map[string]lua.LValue
}

// globalFunctions are what a script finds without a prefix, at every stage.
var globalFunctions = map[string]function{
	"api":      luaAPI,
	"assert":   luaAssert,
	"error":    luaError,
	"ipairs":   luaIpairs,
	"log":      luaLog,
	"next":     luaNext,
	"pairs":    luaPairs,
	"pcall":    luaPcall,
	"print":    luaLog,
	"select":   luaSelect,
	"tonumber": luaTonumber,
	"tostring": luaTostring,
	"type":     luaType,
	"unpack":   luaUnpack,
	"xpcall":   luaXpcall,
}

// rewritten are the functions that rewritten code calls.
var rewritten = map[string]function{
	fnConcat: luaConcat,
	fnStore:  luaStore,
	fnKey:    luaKey,
	fnOpen:   luaOpen,
}

// APIVersion is the number of the API that scripts see as facteur.api. It grows
// with each name that is added.
const APIVersion = 1

// libraries are the tables of functions.
var libraries = map[string]library{
	"facteur": {constants: map[string]lua.LValue{"api": lua.LNumber(APIVersion)}},
	"string": {plain: true, functions: map[string]function{
		"byte":    stringByte,
		"char":    stringChar,
		"find":    stringFind,
		"format":  stringFormat,
		"gmatch":  stringGmatch,
		"gsub":    stringGsub,
		"len":     stringLen,
		"lower":   stringLower,
		"match":   stringMatch,
		"rep":     stringRep,
		"reverse": stringReverse,
		"sub":     stringSub,
		"upper":   stringUpper,
	}},
	"table": {plain: true, functions: map[string]function{
		"concat": tableConcat,
		"insert": tableInsert,
		"remove": tableRemove,
		"sort":   tableSort,
	}},
	"math": {
		plain: true,
		functions: map[string]function{
			"abs":    mathOne(math.Abs),
			"ceil":   mathOne(math.Ceil),
			"exp":    mathOne(math.Exp),
			"floor":  mathOne(math.Floor),
			"fmod":   mathTwo(math.Mod),
			"log":    mathOne(math.Log),
			"log10":  mathOne(math.Log10),
			"max":    mathBest(math.Max),
			"min":    mathBest(math.Min),
			"modf":   mathModf,
			"pow":    mathTwo(math.Pow),
			"random": mathRandom,
			"sqrt":   mathOne(math.Sqrt),
		},
		constants: map[string]lua.LValue{"huge": lua.LNumber(math.Inf(1)), "pi": lua.LNumber(math.Pi)},
	},
	"os": {plain: true, functions: map[string]function{
		"date": osDate,
		"time": osTime,
	}},
}

// newGlobals makes the tables that scripts read.
func (s *state) newGlobals() *lua.LTable {
	globals := s.L.CreateTable(0, 64)
	for _, set := range []map[string]function{globalFunctions, rewritten} {
		for name, f := range set {
			globals.RawSetString(name, s.function(f))
		}
	}
	for name, f := range globalActions {
		globals.RawSetString(name, s.function(traced(name, globalAction(name, f))))
	}
	for name, f := range toolFunctions {
		if name != "trace" {
			f = traced(name, f)
		}
		globals.RawSetString(name, s.function(f))
	}
	s.addLibraries(globals, libraries)
	s.addLibraries(globals, toolLibraries)
	s.addModules(globals)
	return globals
}

// addLibraries adds tables of functions to what scripts find.
func (s *state) addLibraries(globals *lua.LTable, libs map[string]library) {
	for name, lib := range libs {
		t := s.L.CreateTable(0, 32)
		for fn, f := range lib.functions {
			if !lib.plain {
				f = traced(name+"."+fn, f)
			}
			t.RawSetString(fn, s.function(f))
		}
		for c, v := range lib.constants {
			t.RawSetString(c, v)
		}
		globals.RawSetString(name, s.readOnly(t, name))
		if name == "string" {
			// The methods of strings. No script can reach this table.
			meta := s.L.CreateTable(0, 1)
			meta.RawSetString("__index", t)
			s.L.SetMetatable(lua.LString(""), meta)
		}
	}
}

func (s *state) function(f function) *lua.LFunction {
	return s.L.NewFunction(func(*lua.LState) int { return f(s) })
}

// readOnly returns an empty table through which t can be read.
func (s *state) readOnly(t *lua.LTable, name string) *lua.LTable {
	meta := s.L.CreateTable(0, 2)
	meta.RawSetString("__index", t)
	meta.RawSetString("__newindex", s.L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s is read only", name)
		return 0
	}))
	proxy := s.L.CreateTable(0, 0)
	proxy.Metatable = meta
	return proxy
}

// Arguments. Each of these raises an error that names the argument.

func (s *state) argError(n int, format string, args ...any) {
	s.L.ArgError(n, sprintf(format, args...))
}

func (s *state) typeError(n int, want string) {
	s.argError(n, "%s expected, got %s", want, typeName(s.L.Get(n)))
}

// str returns argument n, a string or a number, as a string.
func (s *state) str(n int) string {
	switch v := s.L.Get(n).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return formatNumber(float64(v))
	}
	s.typeError(n, "string")
	return ""
}

// number returns argument n, a number or a string that is one.
func (s *state) number(n int) float64 {
	switch v := s.L.Get(n).(type) {
	case lua.LNumber:
		return float64(v)
	case lua.LString:
		if f, ok := parseNumber(string(v), 10); ok {
			return f
		}
	}
	s.typeError(n, "number")
	return 0
}

// integer returns argument n as an integer, cut off towards zero.
func (s *state) integer(n int) int {
	const most = 1 << 53
	f := s.number(n)
	if math.IsNaN(f) {
		return 0
	}
	return int(max(-most, min(most, f)))
}

func (s *state) optInteger(n, def int) int {
	if s.L.Get(n) == lua.LNil {
		return def
	}
	return s.integer(n)
}

// table returns argument n, a table of the script.
func (s *state) table(n int) *lua.LTable {
	t, ok := s.L.Get(n).(*lua.LTable)
	if !ok {
		s.typeError(n, "table")
	}
	return t
}

// writable is table for one that is about to be changed.
func (s *state) writable(n int) *lua.LTable {
	t := s.table(n)
	if t.Metatable != lua.LNil {
		s.argError(n, "the table is read only")
	}
	return t
}

// push returns values, and how many.
func (s *state) push(values ...lua.LValue) int {
	for _, v := range values {
		s.L.Push(v)
	}
	return len(values)
}

// typeName is the name of a value's type, as type() gives it.
func typeName(v lua.LValue) string { return v.Type().String() }
