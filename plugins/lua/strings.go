package lua

import (
	"bytes"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The string library of Lua 5.1, without dump. A result is always a copy: a
// slice would keep the whole of a long string in memory, unseen by walk.

func (s *state) pushCopy(str string) int {
	s.build(len(str))
	return s.push(lua.LString(strings.Clone(str)))
}

func stringLen(s *state) int { return s.push(lua.LNumber(len(s.str(1)))) }

// span turns Lua's positions from and to, from 1 on, negative ones from the
// end, into the bounds of a slice of n octets.
func span(from, to, n int) (int, int) {
	if from < 0 {
		from = max(n+from+1, 1)
	} else if from == 0 {
		from = 1
	}
	if to < 0 {
		to = n + to + 1
	}
	to = min(to, n)
	if from > to {
		return 0, 0
	}
	return from - 1, to
}

func stringSub(s *state) int {
	str := s.str(1)
	from, to := span(s.integer(2), s.optInteger(3, -1), len(str))
	return s.pushCopy(str[from:to])
}

func stringByte(s *state) int {
	str := s.str(1)
	i := s.optInteger(2, 1)
	from, to := span(i, s.optInteger(3, i), len(str))
	if to-from > maxUnpack {
		s.L.RaiseError("string slice too long (at most %d)", maxUnpack)
	}
	for _, c := range []byte(str[from:to]) {
		s.L.Push(lua.LNumber(c))
	}
	return to - from
}

func stringChar(s *state) int {
	n := s.L.GetTop()
	s.build(n)
	b := make([]byte, n)
	for i := range b {
		c := s.integer(i + 1)
		if c < 0 || c > 255 {
			s.argError(i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	return s.push(lua.LString(b))
}

func stringRep(s *state) int {
	str, n := s.str(1), s.integer(2)
	if n <= 0 || str == "" {
		return s.push(lua.LString(""))
	}
	if n > maxString {
		s.fail(ErrMemory)
	}
	s.build(n * len(str))
	return s.push(lua.LString(strings.Repeat(str, n)))
}

func stringReverse(s *state) int {
	str := s.str(1)
	s.build(len(str))
	b := make([]byte, len(str))
	for i := range len(str) {
		b[len(str)-1-i] = str[i]
	}
	return s.push(lua.LString(b))
}

// mapBytes returns str with each octet from lo to hi moved by d: ASCII alone.
func (s *state) mapBytes(str string, lo, hi byte, d int) int {
	s.build(len(str))
	b := []byte(str)
	for i, c := range b {
		if c >= lo && c <= hi {
			b[i] = byte(int(c) + d)
		}
	}
	return s.push(lua.LString(b))
}

func stringLower(s *state) int { return s.mapBytes(s.str(1), 'A', 'Z', 'a'-'A') }
func stringUpper(s *state) int { return s.mapBytes(s.str(1), 'a', 'z', 'A'-'a') }

func stringFind(s *state) int  { return s.find(true) }
func stringMatch(s *state) int { return s.find(false) }

// find is string.find and string.match.
func (s *state) find(positions bool) int {
	str, pattern := s.str(1), s.str(2)
	init := s.optInteger(3, 1)
	if init < 0 {
		init = max(len(str)+init+1, 1)
	}
	from := min(max(init-1, 0), len(str))
	if positions && (lua.LVAsBool(s.L.Get(4)) || !strings.ContainsAny(pattern, specials)) {
		s.work((len(str) - from + len(pattern)) / 64)
		at := strings.Index(str[from:], pattern)
		if at < 0 {
			return s.push(lua.LNil)
		}
		return s.push(lua.LNumber(from+at+1), lua.LNumber(from+at+len(pattern)))
	}
	m := s.matcher(str, pattern)
	start, end := m.search(from)
	if start < 0 {
		return s.push(lua.LNil)
	}
	if positions {
		n := s.push(lua.LNumber(start+1), lua.LNumber(end))
		return n + m.pushCaptures(-1, -1)
	}
	return m.pushCaptures(start, end)
}

// stringGmatch returns an iterator. What it keeps are upvalues, which walk sees.
func stringGmatch(s *state) int {
	str, pattern := s.str(1), s.str(2)
	at := 0
	s.need(functionSize + 2*upvalueSize)
	next := func(L *lua.LState) int {
		str := string(L.Get(lua.UpvalueIndex(1)).(lua.LString))
		pattern := string(L.Get(lua.UpvalueIndex(2)).(lua.LString))
		m := &matcher{s: s, src: str, pattern: pattern} // "^" stands for itself, as in Lua 5.1
		for ; at <= len(str); at++ {
			if end := m.matchAt(at); end >= 0 {
				start := at
				if at = end; end == start {
					at++
				}
				return m.pushCaptures(start, end)
			}
		}
		return s.push(lua.LNil)
	}
	return s.push(s.L.NewClosure(next, lua.LString(str), lua.LString(pattern)))
}

func stringGsub(s *state) int {
	str, pattern := s.str(1), s.str(2)
	repl := s.replacement(3)
	most := s.optInteger(4, len(str)+1)
	m := s.matcher(str, pattern)
	var out bytes.Buffer
	at, count := 0, 0
	for count < most {
		end := m.matchAt(at)
		if end >= 0 {
			count++
			m.replace(&out, repl, at, end)
		}
		if end > at {
			at = end
		} else if at < len(str) {
			out.WriteByte(str[at])
			at++
		} else {
			break
		}
		if m.anchored {
			break
		}
		s.checkBuffer(&out)
	}
	if at < len(str) {
		out.WriteString(str[at:])
	}
	s.checkBuffer(&out)
	s.build(out.Len())
	return s.push(lua.LString(out.String()), lua.LNumber(count))
}

// checkBuffer bounds a result while it grows.
func (s *state) checkBuffer(b *bytes.Buffer) {
	if b.Len() > maxString {
		s.fail(ErrMemory)
	}
}

// replace writes what gsub puts in place of a match.
func (m *matcher) replace(out *bytes.Buffer, repl lua.LValue, start, end int) {
	s := m.s
	var value lua.LValue
	switch r := repl.(type) {
	case *lua.LTable:
		m.pushCapture(0, start, end)
		value = s.L.GetTable(r, s.L.Get(-1))
		s.L.Pop(1)
	case *lua.LFunction:
		s.push(r)
		n := m.pushCaptures(start, end)
		s.L.Call(n, 1)
		value = s.L.Get(-1)
		s.L.Pop(1)
	default:
		m.expand(out, tostring(r), start, end)
		return
	}
	s.substitute(out, value, m.src[start:end])
}

// replacement returns argument n of gsub.
func (s *state) replacement(n int) lua.LValue {
	repl := s.L.Get(n)
	switch repl.(type) {
	case lua.LString, lua.LNumber, *lua.LTable, *lua.LFunction:
	default:
		s.typeError(n, "string, table or function")
	}
	return repl
}

// substitute writes what a table or function gave for a match; the match itself
// when that is nil or false.
func (s *state) substitute(out *bytes.Buffer, value lua.LValue, match string) {
	switch v := value.(type) {
	case lua.LString, lua.LNumber:
		out.WriteString(tostring(v))
	default:
		if lua.LVAsBool(v) {
			s.L.RaiseError("invalid replacement value (a %s)", typeName(v))
		}
		out.WriteString(match)
	}
}

// expand writes a replacement text, in which %0 to %9 stand for captures.
func (m *matcher) expand(out *bytes.Buffer, repl string, start, end int) {
	for i := 0; i < len(repl); i++ {
		if repl[i] != '%' || i+1 == len(repl) {
			out.WriteByte(repl[i])
			continue
		}
		i++
		switch c := repl[i]; {
		case c == '0':
			out.WriteString(m.src[start:end])
		case c >= '1' && c <= '9':
			m.pushCapture(int(c-'1'), start, end)
			out.WriteString(tostring(m.s.L.Get(-1)))
			m.s.L.Pop(1)
		default:
			out.WriteByte(c)
		}
		m.s.checkBuffer(out)
	}
}
