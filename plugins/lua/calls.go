package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// Bounds of a value in the trace.
const (
	maxValueText = 100 // octets of a string
	maxValueKeys = 8   // of a table
)

// traced adds the calls of a function to the trace, at the levels that want them.
func traced(name string, f function) function {
	return func(s *state) int {
		if s.call.Trace < hook.TraceCalls {
			return f(s)
		}
		file, line := s.place(0)
		args := ""
		if s.call.Trace >= hook.TraceValues {
			args = s.valuesText(1, s.L.GetTop())
		}
		at := len(s.run.actions)
		n := f(s)
		if s.call.Trace < hook.TraceValues {
			s.traceCall(file, line, name)
			return n
		}
		result := ""
		if n > 0 {
			result = " = " + s.valuesText(s.L.GetTop()-n+1, s.L.GetTop())
		} else if len(s.run.actions) > at {
			result = " noted: " + s.run.actions[len(s.run.actions)-1].String()
		}
		s.traceCall(file, line, name+"("+args+")"+result)
		return n
	}
}

// traceField adds the reading of a field, at the level of values.
func (s *state) traceField(object, name string, v lua.LValue) {
	if _, part := v.(*lua.LUserData); part || s.call.Trace < hook.TraceValues {
		return
	}
	file, line := s.place(0)
	s.traceCall(file, line, object+"."+name+" = "+valueText(v))
}

func (s *state) traceCall(file string, line int, text string) {
	s.work(20)
	s.run.lines.add(hook.Line{Script: file, Line: line, Text: clip(text, maxLogText), Level: hook.TraceCalls})
}

// valuesText shows the values of the stack from one index to another.
func (s *state) valuesText(from, to int) string {
	var texts []string
	for i := from; i <= to && len(texts) < maxValueKeys; i++ {
		texts = append(texts, valueText(s.L.Get(i)))
	}
	return strings.Join(texts, ", ")
}

// valueText shows a value as a script would write it, shortened.
func valueText(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return quote(string(v), maxValueText)
	case *lua.LTable:
		return tableText(v)
	}
	return tostring(v)
}

// tableText shows the first items of a table, and what is in them by their type.
func tableText(t *lua.LTable) string {
	var items []string
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if len(items) == maxValueKeys {
			items = append(items, "...")
			break
		}
		text := "{...}"
		if _, nested := value.(*lua.LTable); !nested {
			text = valueText(value)
		}
		if name, ok := key.(lua.LString); ok {
			text = clip(string(name), maxValueText) + " = " + text
		}
		items = append(items, text)
	}
	return "{" + strings.Join(items, ", ") + "}"
}
