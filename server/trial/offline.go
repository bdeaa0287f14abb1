package trial

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"facteur/plugins/lua"
)

// Offline returns modules of the same names and functions that reach nobody: unless a
// module is local, a call returns nil and a text that says so.
func Offline(modules []lua.Module) []lua.Module {
	return offline(modules, func(string) (any, bool) { return nil, false })
}

// offline is Offline with answers that a test gives.
func (t *tester) offline(modules []lua.Module) []lua.Module {
	return offline(modules, func(name string) (any, bool) {
		v, ok := t.answers[name]
		return v, ok
	})
}

func offline(modules []lua.Module, answer func(name string) (any, bool)) []lua.Module {
	mute := func(name string) lua.Func {
		return func(*lua.Args) (any, error) {
			if v, ok := answer(name); ok {
				return v, nil
			}
			return nil, fmt.Errorf("%s is not asked in a dry run", name)
		}
	}
	var list []lua.Module
	for _, m := range modules {
		if m.Local {
			list = append(list, m)
			continue
		}
		made := lua.Module{Name: m.Name, Functions: make(map[string]lua.Func), Globals: make(map[string]lua.Func)}
		for name := range m.Functions {
			made.Functions[name] = mute(m.Name + "." + name)
		}
		for name := range m.Globals {
			made.Globals[name] = mute(name)
		}
		list = append(list, made)
	}
	return list
}

// luaAnswer is answer("module.function", value).
func (t *tester) luaAnswer(a *lua.Args) (any, error) {
	name := a.String(1)
	for _, m := range t.suite.Host.Modules {
		_, isGlobal := m.Globals[name]
		function, inModule := strings.CutPrefix(name, m.Name+".")
		if _, there := m.Functions[function]; isGlobal || inModule && there {
			t.answers[name] = a.Value(2)
			return nil, nil
		}
	}
	return nil, a.Errorf(1, "there is no function %q of a plugin", name)
}

// sayTable writes a table as Lua has it.
func sayTable(m map[string]any) string {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		items = append(items, key+" = "+say(m[key]))
	}
	return "{" + strings.Join(items, ", ") + "}"
}
