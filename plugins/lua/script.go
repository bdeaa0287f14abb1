package lua

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"facteur/server/hook"
)

// Script is a compiled script. It implements hook.Program.
type Script struct {
	host     *Host
	name     string
	hash     string
	files    map[string]*file
	order    []string // their names, the script's first
	main     *lua.FunctionProto
	stages   []hook.Stage
	warnings []*Error

	cpu     *cpuHour
	metrics metricNames
}

var _ hook.Program = (*Script)(nil)

// Compile reads a script, and what it includes. The name is its path as in
// mail.toml; errors begin with it, or that of an included file, and the line.
func (h *Host) Compile(name string, source []byte) (*Script, error) {
	return h.compile(name, source, h.prelude == nil)
}

// compile reads a script; checked refuses what can't but fail.
func (h *Host) compile(name string, source []byte, checked bool) (*Script, error) {
	name = strings.Clone(name)
	c := &compiler{host: h, script: name, files: make(map[string]*file)}
	if err := c.file(name, source); err != nil {
		return nil, err
	}
	errs, warnings := check(h.Names(), c.parsed...)
	if checked && len(errs) > 0 {
		return nil, allOf(errs)
	}
	s := &Script{host: h, name: name, hash: c.hash(), files: c.files, order: c.order, main: c.files[name].proto, warnings: warnings}
	for _, st := range hook.Stages {
		if slices.Contains(c.stages, st) {
			s.stages = append(s.stages, st)
		}
	}
	s.cpu = h.budgets.of(name, s.hash)
	return s, nil
}

// allOf is one error of several, one a line.
func allOf(list []*Error) error {
	if len(list) == 1 {
		return list[0]
	}
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// trimMark removes a byte order mark.
func trimMark(source []byte) []byte { return bytes.TrimPrefix(source, []byte("\ufeff")) }

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

// Hash is the first 12 digits of the SHA-256 of its source, what it includes
// included.
func (s *Script) Hash() string { return s.hash }

// Warnings are what is odd about the script, though it may run: names that nothing
// defines, fields that are not there, and the like.
func (s *Script) Warnings() []*Error { return s.warnings }

// Handles tells whether the script defines a function for the stage.
func (s *Script) Handles(stage hook.Stage) bool { return slices.Contains(s.stages, stage) }

// Run executes the chunk and then the function of the stage. It never panics,
// and returns within the limits. When it fails, Outcome.Err is an *Error, and
// there are no actions.
func (s *Script) Run(ctx context.Context, call hook.Call) (out hook.Outcome) {
	h := s.host
	if s.cpu.suspended(h.now()) {
		out.Err = s.limitError(ErrSuspended, call.Stage)
		return out
	}
	if !h.enter(ctx) {
		out.Err = s.limitError(ErrCancelled, call.Stage)
		return out
	}
	defer h.leave()
	st := h.states.Get().(*state)
	clean := false
	defer func() {
		if p := recover(); p != nil {
			st.quit(false)
			out = hook.Outcome{Err: &Error{Script: s.name, Text: "internal error: " + quote(fmt.Sprint(p), maxErrorText)}}
		} else if clean {
			h.states.Put(st)
		}
	}()
	out = st.execute(ctx, s, &call)
	clean = out.Err == nil
	if until, suspended := s.cpu.add(h.now(), out.Elapsed, out.Err != nil, h.limits.Hourly); suspended {
		h.log.Warn("lua.suspended", "script", s.name, "cpu", h.limits.Hourly)
		if h.suspended != nil {
			h.suspended(s.name, until)
		}
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
	out.Elapsed = s.meter.stop()
	s.quit(err == nil)
	out.Trace = s.run.lines.list()
	if err != nil {
		out.Err = err
		return out
	}
	out.Destinations = destinations
	out.Actions = s.run.actions
	out.State = s.run.state
	if s.run.virus != nil {
		out.Virus, out.Scanned = *s.run.virus, s.run.scanned
	}
	s.end()
	return out
}

// stage runs the chunk, which defines the functions, and then one of them. At
// Resolve it returns where the address leads.
func (s *state) stage() ([]string, error) {
	if err := s.define(); err != nil {
		return nil, err
	}
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
