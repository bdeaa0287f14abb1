package lua

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// Regular expressions of Go (RE2). Matching takes time in proportion to text and
// pattern; what could take long is fed rune by rune, so that a limit ends it.

const (
	quickSteps = 1 << 19 // of text times pattern: a few milliseconds at the most
	stepsEach  = 256     // of them count as one instruction
)

// regexMatch is one search over a text.
type regexMatch struct {
	s    *state
	re   *pattern
	text string
}

func (s *state) regexMatch() regexMatch {
	text := s.str(1)
	return regexMatch{s, s.pattern(s.str(2)), text}
}

// from finds the first match at or after a position. It returns the positions of
// the match and its groups, or nil.
func (m regexMatch) from(at int) []int {
	begin, re := 0, m.re.first
	if at > 0 {
		// The rune before decides what ^ and \b mean there.
		_, size := utf8.DecodeLastRuneInString(m.text[:at])
		begin, re = at-size, m.re.later()
	}
	rest := m.text[begin:]
	m.s.work(1)
	var found []int
	if len(rest)*m.re.weight <= quickSteps {
		found = re.FindStringSubmatchIndex(rest)
		read := len(rest)
		if found != nil {
			read = found[1]
		}
		m.s.work(read * m.re.weight / stepsEach)
	} else {
		found = re.FindReaderSubmatchIndex(&runes{s: m.s, text: rest, cost: 1 + m.re.weight/64})
		m.s.work(0)
	}
	if found != nil && at > 0 {
		found = found[2:]
	}
	for i, p := range found {
		if p >= 0 {
			found[i] = p + begin
		}
	}
	return found
}

// runes reads a text until a limit of the run is reached.
type runes struct {
	s    *state
	text string
	at   int
	cost int
}

func (r *runes) ReadRune() (rune, int, error) {
	if r.at >= len(r.text) || r.s.spend(r.cost) {
		return 0, 0, io.EOF
	}
	c, size := utf8.DecodeRuneInString(r.text[r.at:])
	r.at += size
	return c, size, nil
}

// after is where the search for the next match begins: behind the last one, and
// a rune further when that was empty.
func (m regexMatch) after(found []int) int {
	if found[1] > found[0] {
		return found[1]
	}
	if found[1] >= len(m.text) {
		return len(m.text) + 1
	}
	_, size := utf8.DecodeRuneInString(m.text[found[1]:])
	return found[1] + size
}

// capture is group i of a match as a value; nil when it took no part.
func (m regexMatch) capture(found []int, i int) lua.LValue {
	if found[2*i] < 0 {
		return lua.LNil
	}
	part := m.text[found[2*i]:found[2*i+1]]
	m.s.build(len(part))
	return lua.LString(strings.Clone(part))
}

// push pushes the groups of a match, or all of it when there are none.
func (m regexMatch) push(found []int) int {
	first := 1
	if len(found) == 2 {
		first = 0
	}
	for i := first; i < len(found)/2; i++ {
		m.s.push(m.capture(found, i))
	}
	return len(found)/2 - first
}

// start returns the position that argument n means.
func (m regexMatch) start(n int) int {
	init := m.s.optInteger(n, 1)
	if init < 0 {
		init = max(len(m.text)+init+1, 1)
	}
	return min(max(init-1, 0), len(m.text))
}

// reMatch is re.match(s, pattern[, from]).
func reMatch(s *state) int {
	m := s.regexMatch()
	found := m.from(m.start(3))
	if found == nil {
		return s.push(lua.LNil)
	}
	return m.push(found)
}

// reFind is re.find(s, pattern[, from]).
func reFind(s *state) int {
	m := s.regexMatch()
	found := m.from(m.start(3))
	if found == nil {
		return s.push(lua.LNil)
	}
	n := s.push(lua.LNumber(found[0]+1), lua.LNumber(found[1]))
	if len(found) > 2 {
		n += m.push(found)
	}
	return n
}

// reGmatch is re.gmatch(s, pattern). What it keeps are upvalues, which walk sees.
func reGmatch(s *state) int {
	m := s.regexMatch()
	text, pattern, at := lua.LString(m.text), lua.LString(m.re.text), 0
	s.need(functionSize + 2*upvalueSize)
	next := func(L *lua.LState) int {
		text := string(L.Get(lua.UpvalueIndex(1)).(lua.LString))
		m := regexMatch{s, s.pattern(string(L.Get(lua.UpvalueIndex(2)).(lua.LString))), text}
		if at > len(m.text) {
			return s.push(lua.LNil)
		}
		found := m.from(at)
		if found == nil {
			at = len(m.text) + 1
			return s.push(lua.LNil)
		}
		at = m.after(found)
		return m.push(found)
	}
	return s.push(s.L.NewClosure(next, text, pattern))
}

// reGsub is re.gsub(s, pattern, repl[, n]).
func reGsub(s *state) int {
	m := s.regexMatch()
	repl := s.replacement(3)
	most := s.optInteger(4, len(m.text)+1)
	var out bytes.Buffer
	at, copied, count := 0, 0, 0
	for ; count < most && at <= len(m.text); count++ {
		found := m.from(at)
		if found == nil {
			break
		}
		out.WriteString(m.text[copied:found[0]])
		m.replace(&out, repl, found)
		copied, at = found[1], m.after(found)
		s.checkBuffer(&out)
	}
	out.WriteString(m.text[copied:])
	s.checkBuffer(&out)
	s.build(out.Len())
	return s.push(lua.LString(out.String()), lua.LNumber(count))
}

// replace writes what gsub puts in place of a match.
func (m regexMatch) replace(out *bytes.Buffer, repl lua.LValue, found []int) {
	s := m.s
	group := min(1, len(found)/2-1)
	switch r := repl.(type) {
	case *lua.LTable:
		s.substitute(out, s.L.GetTable(r, m.capture(found, group)), m.text[found[0]:found[1]])
	case *lua.LFunction:
		s.push(r)
		s.L.Call(m.push(found), 1)
		value := s.L.Get(-1)
		s.L.Pop(1)
		s.substitute(out, value, m.text[found[0]:found[1]])
	default:
		m.expand(out, tostring(r), found)
	}
}

// expand writes a replacement text, in which %0 to %9 stand for groups.
func (m regexMatch) expand(out *bytes.Buffer, repl string, found []int) {
	for i := 0; i < len(repl); i++ {
		if repl[i] != '%' || i+1 == len(repl) {
			out.WriteByte(repl[i])
			continue
		}
		i++
		switch n := int(repl[i]) - '0'; {
		case n < 0 || n > 9:
			out.WriteByte(repl[i])
		case n >= len(found)/2:
			m.s.argError(3, "the pattern has no group %d", n)
		case found[2*n] >= 0:
			out.WriteString(m.text[found[2*n]:found[2*n+1]])
		}
		m.s.checkBuffer(out)
	}
}
