package lua

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"facteur/server/hook"
)

// Script is a compiled script. It implements hook.Program.
type Script struct {
	host   *Host
	name   string
	hash   string
	lines  []string // for the trace of a verbose run
	proto  *lua.FunctionProto
	stages []hook.Stage

	cpu cpuHour
}

var _ hook.Program = (*Script)(nil)

// Compile reads a script. The name is its path as in mail.toml; errors begin
// with it and the line.
func (h *Host) Compile(name string, source []byte) (*Script, error) {
	if len(source) > h.limits.Source {
		return nil, &Error{Script: name, Text: fmt.Sprintf("the script is larger than %d octets", h.limits.Source)}
	}
	digest := sha256.Sum256(source)
	hash := hex.EncodeToString(digest[:6])
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	if err := scan(name, source); err != nil {
		return nil, err
	}
	chunk, err := parseChunk(name, source)
	if err != nil {
		return nil, err
	}
	stages := definedStages(chunk)
	if err := rewrite(name, chunk); err != nil {
		return nil, err
	}
	proto, err := compileChunk(name, chunk)
	if err != nil {
		return nil, err
	}
	if err := finish(name, proto); err != nil {
		return nil, err
	}
	return &Script{
		host:   h,
		name:   strings.Clone(name),
		hash:   hash,
		lines:  strings.Split(string(source), "\n"),
		proto:  proto,
		stages: stages,
	}, nil
}

func parseChunk(name string, source []byte) ([]ast.Stmt, error) {
	chunk, err := parse.Parse(bytes.NewReader(source), name)
	switch {
	case err != nil:
		return nil, syntaxError(name, source, err)
	case chunk == nil:
		return nil, &Error{Script: name, Text: "it can't be parsed"}
	}
	return chunk, nil
}

// compileChunk turns the panics of gopher-lua's compiler into errors.
func compileChunk(name string, chunk []ast.Stmt) (proto *lua.FunctionProto, err error) {
	defer func() {
		if p := recover(); p != nil {
			proto, err = nil, &Error{Script: name, Text: fmt.Sprintf("it can't be compiled: %v", p)}
		}
	}()
	proto, err = lua.Compile(chunk, name)
	if cerr, ok := err.(*lua.CompileError); ok {
		err = &Error{Script: name, Line: cerr.Line, Text: cerr.Message}
	}
	return proto, err
}

// definedStages returns the stages whose functions a chunk defines on its top
// level.
func definedStages(chunk []ast.Stmt) []hook.Stage {
	var names []string
	note := func(e ast.Expr) {
		if id, ok := e.(*ast.IdentExpr); ok {
			names = append(names, id.Value)
		}
	}
	var block func([]ast.Stmt)
	block = func(stmts []ast.Stmt) {
		for _, stmt := range stmts {
			switch st := stmt.(type) {
			case *ast.FuncDefStmt:
				note(st.Name.Func)
			case *ast.AssignStmt:
				for _, e := range st.Lhs {
					note(e)
				}
			case *ast.DoBlockStmt:
				block(st.Stmts)
			case *ast.IfStmt:
				block(st.Then)
				block(st.Else)
			}
		}
	}
	block(chunk)
	var stages []hook.Stage
	for _, st := range hook.Stages {
		if slices.Contains(names, string(st)) {
			stages = append(stages, st)
		}
	}
	return stages
}

// Name returns the script's path as in mail.toml.
func (s *Script) Name() string { return s.name }

// Hash is the first 12 digits of the SHA-256 of its source.
func (s *Script) Hash() string { return s.hash }

// Handles tells whether the script defines a function for the stage.
func (s *Script) Handles(stage hook.Stage) bool { return slices.Contains(s.stages, stage) }

// sourceLine returns a line of the source, for a trace.
func (s *Script) sourceLine(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return clip(strings.TrimSpace(s.lines[n-1]), 200)
}

// Run executes the chunk and then the function of the stage. It never panics,
// and returns within the limits. When it fails, Outcome.Err is an *Error, and
// there are no actions.
func (s *Script) Run(ctx context.Context, call hook.Call) (out hook.Outcome) {
	h := s.host
	if s.cpu.suspended(h.now()) {
		out.Err = s.limitError(ErrSuspended, call.Stage)
		return out
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		out.Err = s.limitError(ErrCancelled, call.Stage)
		return out
	}
	st := h.states.Get().(*state)
	clean := false
	defer func() {
		if p := recover(); p != nil {
			out = hook.Outcome{Err: &Error{Script: s.name, Text: "internal error: " + quote(fmt.Sprint(p), maxErrorText)}}
		} else if clean {
			h.states.Put(st)
		}
	}()
	out = st.execute(ctx, s, &call)
	clean = out.Err == nil
	if s.cpu.add(h.now(), out.Elapsed, h.limits.Hourly) {
		h.log.Warn("lua.suspended", "script", s.name, "cpu", h.limits.Hourly)
	}
	return out
}

func (s *Script) limitError(l Limit, stage hook.Stage) error {
	return &Error{Script: s.name, Text: s.host.limits.explain(l, stage), Cause: l}
}

// execute does the run in a state.
func (s *state) execute(ctx context.Context, script *Script, call *hook.Call) (out hook.Outcome) {
	s.begin(ctx, script, call)
	destinations, err := s.stage()
	if s.run.release != nil {
		s.run.release()
	}
	out.Elapsed = s.meter.stop()
	out.Trace = s.run.lines.list()
	if err != nil {
		out.Err = err
		return out
	}
	out.Destinations = destinations
	out.Actions = s.run.actions
	s.end()
	return out
}

// stage runs the chunk, which defines the functions, and then one of them. At
// Resolve it returns where the address leads.
func (s *state) stage() ([]string, error) {
	chunk := s.L.NewFunctionFromProto(s.script.proto)
	chunk.Env = s.env
	s.L.Push(chunk)
	if err := s.protected(0); err != nil {
		return nil, s.failure(err)
	}
	s.L.SetTop(0)
	name := string(s.call.Stage)
	fn := s.env.RawGetString(name)
	if fn == lua.LNil {
		return nil, nil
	}
	if fn.Type() != lua.LTFunction {
		return nil, &Error{Script: s.script.name, Text: fmt.Sprintf("%s is a %s, not a function", name, typeName(fn))}
	}
	s.L.Push(fn)
	args := s.arguments()
	for _, a := range args {
		s.L.Push(a)
	}
	if err := s.protected(len(args)); err != nil {
		return nil, s.failure(err)
	}
	if s.call.Stage == hook.Resolve {
		return s.destinations(s.L.Get(1))
	}
	return nil, nil
}

// cpuHour counts the CPU time of a script within an hour.
type cpuHour struct {
	until atomic.Int64 // suspended until then, in Unix nanoseconds

	mu    sync.Mutex
	began time.Time
	used  time.Duration
}

// shortRun is not counted: a script that is quick is not suspended, however
// much mail comes.
const shortRun = time.Millisecond

func (c *cpuHour) suspended(now time.Time) bool {
	until := c.until.Load()
	return until != 0 && now.UnixNano() < until
}

// add counts a run; it tells whether the script is suspended by it.
func (c *cpuHour) add(now time.Time, cpu, limit time.Duration) bool {
	if cpu < shortRun {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.began) >= time.Hour {
		c.began, c.used = now, 0
	}
	before := c.used
	if c.used += cpu; before >= limit || c.used < limit {
		return false
	}
	c.until.Store(c.began.Add(time.Hour).UnixNano())
	return true
}
