package lua

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// Bounds of regular expressions. The weight of one is the number of states that
// it has when its repetitions are written out, and of its character ranges.
const (
	maxPattern     = 1000 // octets
	maxGroups      = 31
	maxWeight      = 10_000 // of a pattern; about 1 MB
	weightSize     = 150    // octets for each
	stateWeight    = 20_000 // of those that a state holds on to
	hostWeight     = 50_000 // of those that all have in common
	rangesPerState = 8
)

// pattern is a compiled regular expression. It may be used by several at once.
type pattern struct {
	text   string
	weight int
	first  *regexp.Regexp

	once sync.Once
	next *regexp.Regexp
}

// later returns the pattern for a search that begins one rune after the start of
// its text: the whole match is group 1 of it.
func (p *pattern) later() *regexp.Regexp {
	p.once.Do(func() {
		const begin = `\A(?s:.)(?s:.*?)(`
		next, err := regexp.Compile(begin + p.text + `)`)
		if err != nil { // \Q without \E goes on to the end
			next = regexp.MustCompile(begin + p.text + `\E)`)
		}
		p.next = next
	})
	return p.next
}

// patterns are compiled regular expressions by their text. The lock is held for
// a look at the map.
type patterns struct {
	mu     sync.Mutex
	byText map[string]*pattern
	weight int
}

func (c *patterns) get(text string) *pattern {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byText[text]
}

// put keeps a pattern, in place of others when there are too many.
func (c *patterns) put(p *pattern) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText == nil {
		c.byText = make(map[string]*pattern)
	}
	if c.byText[p.text] != nil {
		return
	}
	for text, old := range c.byText {
		if c.weight+p.weight <= hostWeight {
			break
		}
		c.weight -= old.weight
		delete(c.byText, text)
	}
	c.byText[p.text] = p
	c.weight += p.weight
}

// pattern returns a compiled pattern: of this state, of the host, or a new one.
func (s *state) pattern(text string) *pattern {
	if p := s.patterns[text]; p != nil {
		return p
	}
	if len(text) > maxPattern {
		s.argError(2, "a pattern has at most %d octets", maxPattern)
	}
	p := s.common.get(text)
	if p == nil {
		p = s.compilePattern(strings.Clone(text))
		s.common.put(p)
	}
	if s.patternWeight += p.weight; s.patternWeight > stateWeight {
		s.patterns, s.patternWeight = nil, p.weight
	}
	if s.patterns == nil {
		s.patterns = make(map[string]*pattern)
	}
	s.patterns[p.text] = p
	return p
}

func (s *state) compilePattern(text string) *pattern {
	s.work(len(text))
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		s.argError(2, "%s", strings.TrimPrefix(err.Error(), "error "))
	}
	weight := weigh(tree)
	if weight > maxWeight || tree.MaxCap() > maxGroups {
		s.argError(2, "the pattern is too large: it would need %d states, of at most %d, or more than %d groups", min(weight, tooHeavy), maxWeight, maxGroups)
	}
	s.work(weight)
	s.need(2 * weight * weightSize)
	re, err := regexp.Compile(text)
	if err != nil {
		s.argError(2, "%s", strings.TrimPrefix(err.Error(), "error "))
	}
	return &pattern{text: text, weight: weight, first: re}
}

// tooHeavy is where weigh stops to count.
const tooHeavy = 1 << 30

// weigh returns the weight of a parsed pattern. It is nested at most 1000 deep.
func weigh(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
		if re.Flags&syntax.FoldCase != 0 {
			n *= 2
		}
	case syntax.OpCharClass:
		n += len(re.Rune) / rangesPerState
	}
	for _, sub := range re.Sub {
		n += weigh(sub) + 1
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, tooHeavy)
}
