package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Lua patterns (Lua 5.1 manual, 5.4.1), with bounded work: each step counts
// towards the instructions of the run, and the depth of nested tries is limited.

const (
	specials      = "^$*+?.([%-"
	maxCaptures   = 32
	maxMatchDepth = 200
	stepsPerInst  = 4 // steps of the matcher that count as one instruction
)

const (
	captureOpen     = -1
	capturePosition = -2
)

// matcher matches one pattern against one string. end of a match is -1 when
// there is none.
type matcher struct {
	s        *state
	src      string
	pattern  string
	anchored bool
	level    int
	depth    int
	steps    int
	capture  [maxCaptures]struct{ start, size int }
}

func (s *state) matcher(src, pattern string) *matcher {
	m := &matcher{s: s, src: src, pattern: pattern}
	m.pattern, m.anchored = strings.CutPrefix(pattern, "^")
	return m
}

// search finds the first match from a position on.
func (m *matcher) search(from int) (start, end int) {
	for at := from; at <= len(m.src); at++ {
		if end := m.matchAt(at); end >= 0 {
			return at, end
		}
		if m.anchored {
			break
		}
	}
	return -1, -1
}

// matchAt matches the whole pattern at a position.
func (m *matcher) matchAt(at int) int {
	m.level, m.depth = 0, 0
	return m.match(at, 0)
}

func (m *matcher) step() {
	if m.steps++; m.steps == stepsPerInst {
		m.steps = 0
		m.s.work(1)
	}
}

func (m *matcher) malformed(why string) {
	m.s.L.RaiseError("malformed pattern (%s)", why)
}

// match matches the pattern from p on at src[at:].
func (m *matcher) match(at, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		m.s.L.RaiseError("pattern too complex")
	}
	r := m.items(at, p)
	m.depth--
	return r
}

// items is match without the count of the depth.
func (m *matcher) items(at, p int) int {
	for p < len(m.pattern) {
		m.step()
		switch c := m.pattern[p]; {
		case c == '(':
			if p+1 < len(m.pattern) && m.pattern[p+1] == ')' {
				return m.openCapture(at, p+2, capturePosition)
			}
			return m.openCapture(at, p+1, captureOpen)
		case c == ')':
			return m.closeCapture(at, p+1)
		case c == '$' && p+1 == len(m.pattern):
			if at == len(m.src) {
				return at
			}
			return -1
		case c == '%':
			if next, after, ok := m.escape(at, p); ok {
				if at, p = next, after; at < 0 {
					return -1
				}
				continue
			}
		}
		end := m.classEnd(p)
		suffix := byte(0)
		if end < len(m.pattern) {
			suffix = m.pattern[end]
		}
		switch suffix {
		case '?':
			if m.single(at, p, end) {
				if r := m.match(at+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.expandMost(at, p, end)
		case '+':
			if !m.single(at, p, end) {
				return -1
			}
			return m.expandMost(at+1, p, end)
		case '-':
			return m.expandLeast(at, p, end)
		default:
			if !m.single(at, p, end) {
				return -1
			}
			at++
			p = end
		}
	}
	return at
}

// escape matches %b, %f or %1 to %9 at p. It returns where text and pattern go
// on; ok is false when there is none of them.
func (m *matcher) escape(at, p int) (next, after int, ok bool) {
	if p+1 >= len(m.pattern) {
		return at, p, false
	}
	switch c := m.pattern[p+1]; {
	case c == 'b':
		return m.balance(at, p+2), p + 4, true
	case c == 'f':
		after = m.frontier(at, p+2)
		if after < 0 {
			return -1, p, true
		}
		return at, after, true
	case isDigit(c):
		return m.backReference(at, c), p + 2, true
	}
	return at, p, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// classEnd returns the end of the single-character class at p.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p == len(m.pattern) {
			m.malformed("ends with '%'")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(m.pattern) {
				m.malformed("missing ']'")
			}
			c := m.pattern[p]
			p++
			m.step()
			if c == ']' && !first {
				return p
			}
			if c == '%' {
				p++
			}
		}
	}
	return p
}

// single tells whether the octet at src[at] belongs to the class pattern[p:end].
func (m *matcher) single(at, p, end int) bool {
	m.step()
	if at >= len(m.src) {
		return false
	}
	c := m.src[at]
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pattern[p] == c
}

// inSet tells whether c is in the set that begins at p and whose ] is at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	p++
	in := true
	if m.pattern[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		m.step()
		switch {
		case m.pattern[p] == '%':
			p++
			if inClass(c, m.pattern[p]) {
				return in
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

// inClass tells whether c is in the class %class; a capital is its complement.
// Classes are those of ASCII.
func inClass(c, class byte) bool {
	in := false
	switch class | 0x20 {
	case 'a':
		in = isLetter(c)
	case 'c':
		in = c < ' ' || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > ' ' && c < 0x7f && !isLetter(c) && !isDigit(c)
	case 's':
		in = c == ' ' || c >= '\t' && c <= '\r'
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = isLetter(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isLetter(class) {
		return class == c
	}
	return in == (class >= 'a')
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (m *matcher) expandMost(at, p, end int) int {
	n := 0
	for m.single(at+n, p, end) {
		n++
	}
	for ; n >= 0; n-- {
		if r := m.match(at+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) expandLeast(at, p, end int) int {
	for {
		if r := m.match(at, end+1); r >= 0 {
			return r
		}
		if !m.single(at, p, end) {
			return -1
		}
		at++
	}
}

func (m *matcher) openCapture(at, p, size int) int {
	if m.level >= maxCaptures {
		m.s.L.RaiseError("too many captures")
	}
	m.capture[m.level].start, m.capture[m.level].size = at, size
	m.level++
	r := m.match(at, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) closeCapture(at, p int) int {
	for l := m.level - 1; l >= 0; l-- {
		if m.capture[l].size == captureOpen {
			m.capture[l].size = at - m.capture[l].start
			r := m.match(at, p)
			if r < 0 {
				m.capture[l].size = captureOpen
			}
			return r
		}
	}
	m.s.L.RaiseError("invalid pattern capture")
	return -1
}

// balance is %bxy: from an x to its y.
func (m *matcher) balance(at, p int) int {
	if p+1 >= len(m.pattern) {
		m.malformed("missing arguments to '%b'")
	}
	open, shut := m.pattern[p], m.pattern[p+1]
	if at >= len(m.src) || m.src[at] != open {
		return -1
	}
	for depth, i := 1, at+1; i < len(m.src); i++ {
		m.step()
		if m.src[i] == shut {
			if depth--; depth == 0 {
				return i + 1
			}
		} else if m.src[i] == open {
			depth++
		}
	}
	return -1
}

// frontier is %f[set]; it returns where the pattern goes on.
func (m *matcher) frontier(at, p int) int {
	if p >= len(m.pattern) || m.pattern[p] != '[' {
		m.malformed("missing '[' after '%f'")
	}
	end := m.classEnd(p)
	var before, here byte
	if at > 0 {
		before = m.src[at-1]
	}
	if at < len(m.src) {
		here = m.src[at]
	}
	if m.inSet(before, p, end-1) || !m.inSet(here, p, end-1) {
		return -1
	}
	return end
}

func (m *matcher) backReference(at int, digit byte) int {
	l := int(digit - '1')
	if l < 0 || l >= m.level || m.capture[l].size == captureOpen {
		m.s.L.RaiseError("invalid capture index")
	}
	c := m.capture[l]
	if c.size == capturePosition {
		return at
	}
	text := m.src[c.start : c.start+c.size]
	m.s.work(len(text) / 64)
	if !strings.HasPrefix(m.src[at:], text) {
		return -1
	}
	return at + len(text)
}

// pushCaptures pushes all captures, or, where the pattern has none, the match
// itself unless start is negative.
func (m *matcher) pushCaptures(start, end int) int {
	n := m.level
	if n == 0 && start >= 0 {
		n = 1
	}
	for i := range n {
		m.pushCapture(i, start, end)
	}
	return n
}

func (m *matcher) pushCapture(i, start, end int) {
	if i >= m.level {
		if i != 0 {
			m.s.L.RaiseError("invalid capture index")
		}
		m.s.pushCopy(m.src[start:end])
		return
	}
	switch c := m.capture[i]; c.size {
	case captureOpen:
		m.s.L.RaiseError("unfinished capture")
	case capturePosition:
		m.s.push(lua.LNumber(c.start + 1))
	default:
		m.s.pushCopy(m.src[c.start : c.start+c.size])
	}
}
