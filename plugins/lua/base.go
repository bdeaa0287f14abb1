package lua

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

func sprintf(format string, args ...any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

func luaAssert(s *state) int {
	if s.L.GetTop() == 0 {
		s.argError(1, "value expected")
	}
	if lua.LVAsBool(s.L.Get(1)) {
		return s.L.GetTop()
	}
	message := s.L.Get(2)
	if message == lua.LNil {
		message = lua.LString("assertion failed!")
	}
	s.raise(message, 0)
	return 0
}

func luaError(s *state) int {
	s.raise(s.L.Get(1), s.optInteger(2, 1))
	return 0
}

// raise raises an error. A text gets a position, unless level is 0.
func (s *state) raise(object lua.LValue, level int) {
	if str, ok := object.(lua.LString); ok {
		s.need(2*len(str) + 256)
		if level = max(0, min(level, callDepth)); level > 0 {
			level++ // gopher-lua counts from the function of ours
		}
		s.L.Error(str, level)
	}
	s.L.Error(object, 0)
}

func luaPcall(s *state) int {
	if s.L.GetTop() == 0 {
		s.argError(1, "value expected")
	}
	if err := s.protected(s.L.GetTop() - 1); err != nil {
		s.escape(err)
		return s.push(lua.LFalse, err.Object)
	}
	s.L.Insert(lua.LTrue, 1)
	return s.L.GetTop()
}

// luaXpcall calls the handler once the stack is unwound: there is no way for it
// to look at the stack.
func luaXpcall(s *state) int {
	handler := s.L.Get(2)
	s.L.SetTop(1)
	err := s.protected(0)
	if err == nil {
		s.L.Insert(lua.LTrue, 1)
		return s.L.GetTop()
	}
	s.escape(err)
	s.push(handler, err.Object)
	if err := s.protected(1); err != nil {
		s.escape(err)
		return s.push(lua.LFalse, err.Object)
	}
	s.L.Insert(lua.LFalse, 1)
	return s.L.GetTop()
}

// escape raises what no script may catch, and charges for what it may.
func (s *state) escape(err *lua.ApiError) {
	if s.limit != "" {
		s.L.RaiseError("%s", s.limit.Error())
	}
	if err.Type == lua.ApiErrorPanic {
		panic(err)
	}
	if str, ok := err.Object.(lua.LString); ok {
		s.need(len(str) + stringSize)
	}
}

func luaType(s *state) int {
	if s.L.GetTop() == 0 {
		s.argError(1, "value expected")
	}
	return s.push(lua.LString(typeName(s.L.Get(1))))
}

func luaTostring(s *state) int {
	if str, ok := s.L.Get(1).(lua.LString); ok {
		return s.push(str)
	}
	return s.push(s.text(tostring(s.L.Get(1))))
}

func luaTonumber(s *state) int {
	base := s.optInteger(2, 10)
	if base < 2 || base > 36 {
		s.argError(2, "base out of range")
	}
	if n, ok := s.L.Get(1).(lua.LNumber); ok && base == 10 {
		return s.push(n)
	}
	str, ok := s.L.Get(1).(lua.LString)
	if !ok {
		return s.push(lua.LNil)
	}
	s.work(len(str) / 64)
	if f, ok := parseNumber(string(str), base); ok {
		return s.push(lua.LNumber(f))
	}
	return s.push(lua.LNil)
}

func luaSelect(s *state) int {
	n := s.L.GetTop() - 1
	if s.L.Get(1) == lua.LString("#") {
		return s.push(lua.LNumber(n))
	}
	i := s.integer(1)
	if i < 0 {
		i += n + 1
	}
	if i < 1 {
		s.argError(1, "index out of range")
	}
	return max(0, n-i+1)
}

func luaUnpack(s *state) int {
	t := s.table(1)
	from := s.optInteger(2, 1)
	to := s.L.Get(3)
	last := t.Len()
	if to != lua.LNil {
		last = s.integer(3)
	}
	if last < from {
		return 0
	}
	if last-from >= maxUnpack {
		s.L.RaiseError("too many results to unpack (at most %d)", maxUnpack)
	}
	s.work((last - from) / 8)
	for i := from; i <= last; i++ {
		s.L.Push(t.RawGetInt(i))
	}
	return last - from + 1
}

func luaNext(s *state) int {
	t := s.table(1)
	key, value := t.Next(s.L.Get(2))
	if key == lua.LNil {
		return s.push(lua.LNil)
	}
	return s.push(key, value)
}

func luaPairs(s *state) int {
	t := s.table(1)
	return s.push(s.globals.RawGetString("next"), t, lua.LNil)
}

func luaIpairs(s *state) int {
	t := s.table(1)
	return s.push(s.iterate, t, lua.LNumber(0))
}

// luaIterate is the iterator of ipairs.
func luaIterate(s *state) int {
	t := s.table(1)
	i := s.integer(2) + 1
	v := t.RawGetInt(i)
	if v == lua.LNil {
		return s.push(lua.LNil)
	}
	return s.push(lua.LNumber(i), v)
}

func luaLog(s *state) int { return s.note(hook.TraceLog) }

// note adds the arguments of a call to the trace, as one line.
func (s *state) note(level hook.TraceLevel) int {
	var b strings.Builder
	for i := 1; i <= s.L.GetTop() && b.Len() < maxLogText; i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(clip(tostring(s.L.Get(i)), maxLogText))
	}
	s.work(20)
	s.traceText(level, b.String())
	return 0
}

// luaAPI is api(n): an error when the script needs a later API than this one.
func luaAPI(s *state) int {
	if n := s.number(1); n > APIVersion {
		s.L.RaiseError("%s", tooNew(formatNumber(n)))
	}
	return 0
}

func tooNew(n string) string {
	return sprintf("the script needs version %s of the API, this server has %d", n, APIVersion)
}
