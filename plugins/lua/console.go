package lua

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// Console runs pieces of Lua one after another, as somebody types them, in the
// sandbox of scripts. What one piece defines, the next finds; each has the limits of
// a run. It is used by one goroutine.
type Console struct {
	host  *Host
	state *state
	env   *lua.LTable
}

// Console returns a new Console.
func (h *Host) Console() *Console { return &Console{host: h} }

// Answer is what a piece of Lua came to.
type Answer struct {
	Values  []string // its results, as Lua writes them
	Outcome hook.Outcome
	// Incomplete: it needs more lines.
	Incomplete bool
	// Lost: what was defined is gone, for the piece hit a limit.
	Lost bool
}

// Run runs a piece: an expression, whose values it returns, or statements. The
// facts of the call have the names that they have in scripts, those of the call's
// stage first.
func (c *Console) Run(ctx context.Context, source string, call hook.Call) (a Answer) {
	const name = "input"
	script, err := c.host.compile(name, []byte("return "+source), false)
	if err == nil {
		return c.Load(ctx, script, call)
	}
	a.Incomplete = unfinished(err)
	if script, err = c.host.compile(name, []byte(source), false); err == nil {
		return c.Load(ctx, script, call)
	}
	a.Incomplete = a.Incomplete || unfinished(err)
	a.Outcome.Err = err
	return a
}

// Load runs a whole script, which defines its functions.
func (c *Console) Load(ctx context.Context, script *Script, call hook.Call) (a Answer) {
	if !c.host.enter(ctx) {
		return Answer{Outcome: hook.Outcome{Err: script.limitError(ErrCancelled, call.Stage)}}
	}
	defer c.host.leave()
	if c.state == nil {
		c.state, c.env = newState(c.host), nil
	}
	s := c.state
	defer func() {
		if p := recover(); p != nil {
			c.state = nil
			s.quit(false)
			a = Answer{Lost: true, Outcome: hook.Outcome{Err: &Error{Script: script.name, Text: "internal error: " + quote(fmt.Sprint(p), maxErrorText)}}}
		}
		if a.Outcome.Err != nil && s.limit != "" { // as Run does
			c.state, a.Lost = nil, true
		}
	}()
	s.begin(ctx, script, &call)
	unused := s.env // which the state empties and uses again
	if c.env == nil {
		c.env = s.L.CreateTable(0, 8)
		c.env.Metatable = s.envMeta
	}
	s.env = c.env
	s.bind()
	a.Outcome = s.outcome(s.chunk(script))
	if a.Outcome.Err != nil {
		s.L.SetTop(0)
		return a
	}
	for i := 1; i <= s.L.GetTop(); i++ {
		a.Values = append(a.Values, clip(s.literal(s.L.Get(i), 0), maxLiteral))
	}
	s.env = unused
	s.end()
	return a
}

// outcome is what a piece came to that ended with err.
func (s *state) outcome(err error) hook.Outcome {
	out := hook.Outcome{Elapsed: s.meter.stop(), Trace: s.run.lines.list(), Err: err}
	s.quit(err == nil)
	if err == nil {
		out.Actions, out.State = s.run.actions, s.run.state
	}
	return out
}

// bind gives the facts of the call their names.
func (s *state) bind() {
	for _, stage := range append(hook.Stages[:len(hook.Stages):len(hook.Stages)], s.call.Stage) {
		for i, value := range s.objects.arguments[stage] {
			s.env.RawSetString(parameters[stage][i], value)
		}
	}
}

// errUnfinished is the cause of an Error of a source that ends too early.
var errUnfinished = errors.New("unfinished")

func unfinished(err error) bool { return errors.Is(err, errUnfinished) }

// Bounds of a value that is printed.
const (
	maxLiteral      = 8000
	maxLiteralDepth = 4
)

// literal writes a value as a script would.
func (s *state) literal(v lua.LValue, depth int) string {
	switch v := v.(type) {
	case lua.LString:
		return strconv.Quote(clip(string(v), maxLiteral))
	case *lua.LTable:
		if v.Metatable != lua.LNil || depth == maxLiteralDepth {
			return "{...}"
		}
		return s.literalTable(v, depth)
	}
	return tostring(v)
}

func (s *state) literalTable(t *lua.LTable, depth int) string {
	var b bytes.Buffer
	n := 0
	errLong := errors.New("long")
	err := s.entries(t, func(key, v lua.LValue) error {
		if b.Len() > maxLiteral {
			return errLong
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if i, ok := key.(lua.LNumber); ok && int(i) == n+1 {
			n++
		} else if name, ok := key.(lua.LString); ok && isName(string(name)) {
			b.WriteString(string(name) + " = ")
		} else {
			b.WriteString("[" + s.literal(key, maxLiteralDepth) + "] = ")
		}
		b.WriteString(s.literal(v, depth+1))
		return nil
	})
	if err != nil {
		b.WriteString(", ...")
	}
	return "{" + strings.TrimSpace(b.String()) + "}"
}
