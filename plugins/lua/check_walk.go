package lua

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"facteur/server/hook"
)

// reader walks through the statements of a file with its local variables.
type reader struct {
	*checker
	in    *routine
	scope *scope
	depth int // of functions
}

// scope is a block with its local variables.
type scope struct {
	outer *scope
	names map[string]*variable
}

// variable is a local one, as far as it is known what it is.
type variable struct {
	kind      *kind    // an object
	fn        *routine // a function of the script
	parameter bool
}

func (r *reader) open()  { r.scope = &scope{r.scope, map[string]*variable{}} }
func (r *reader) close() { r.scope = r.scope.outer }

func (r *reader) declare(name string) *variable {
	v := &variable{}
	r.scope.names[name] = v
	return v
}

// local returns the local variable of that name, or nil.
func (r *reader) local(name string) *variable {
	for s := r.scope; s != nil; s = s.outer {
		if v := s.names[name]; v != nil {
			return v
		}
	}
	return nil
}

func (r *reader) block(stmts []ast.Stmt) {
	r.open()
	for _, s := range stmts {
		r.stmt(s)
	}
	r.close()
}

func (r *reader) stmt(stmt ast.Stmt) {
	switch s := stmt.(type) {
	case *ast.AssignStmt:
		r.assign(s)
	case *ast.LocalAssignStmt:
		r.localAssign(s)
	case *ast.FuncDefStmt:
		r.funcDef(s)
	case *ast.RepeatStmt:
		r.open()
		for _, inner := range s.Stmts {
			r.stmt(inner)
		}
		r.expr(s.Condition)
		r.close()
	case *ast.NumberForStmt:
		r.exprs(exprsOf(s))
		r.loop(s.Stmts, s.Name)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		r.loop(s.Stmts, s.Names...)
	default:
		r.exprs(exprsOf(s))
		for _, inner := range blocksOf(s) {
			r.block(inner)
		}
	}
}

func (r *reader) loop(stmts []ast.Stmt, names ...string) {
	r.open()
	for _, name := range names {
		r.declare(name)
	}
	r.block(stmts)
	r.close()
}

// localAssign knows "local function f", which gopher-lua parses as a local
// variable whose value is a function.
func (r *reader) localAssign(s *ast.LocalAssignStmt) {
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if fn, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			routine := r.newRoutine(s.Line())
			r.declare(s.Names[0]).fn = routine
			r.function(fn, routine, "")
			return
		}
	}
	var kinds []*kind
	for _, e := range s.Exprs {
		r.expr(e)
		kinds = append(kinds, r.kindOf(e))
	}
	for i, name := range s.Names {
		v := r.declare(name)
		if i < len(kinds) {
			v.kind = kinds[i]
		}
	}
}

func (r *reader) assign(s *ast.AssignStmt) {
	for i, target := range s.Lhs {
		var value ast.Expr
		if i < len(s.Rhs) {
			value = s.Rhs[i]
		}
		id, named := target.(*ast.IdentExpr)
		switch {
		case !named:
			r.exprs(operandsOf(target))
		case r.local(id.Value) == nil:
			if r.assignGlobal(id.Value, value, s.Line()) {
				continue
			}
		default:
			*r.local(id.Value) = variable{} // from here on it may be anything
		}
		r.expr(value)
	}
	for i := len(s.Lhs); i < len(s.Rhs); i++ {
		r.expr(s.Rhs[i])
	}
}

// assignGlobal notes a function that a global gets; it tells whether it has
// looked at the value.
func (r *reader) assignGlobal(name string, value ast.Expr, line int) bool {
	r.assigned[name] = true
	r.shadow(name, line)
	switch v := value.(type) {
	case *ast.FunctionExpr:
		routine := r.newRoutine(line)
		r.globals[name] = routine
		r.function(v, routine, stageOf(name))
		return true
	case *ast.IdentExpr:
		// data, submit = both, both
		if stage := stageOf(name); stage != "" {
			r.aliases = append(r.aliases, alias{stage, v.Value, r.local(v.Value)})
			r.read[v.Value] = true
			return true
		}
	}
	return false
}

func (r *reader) funcDef(s *ast.FuncDefStmt) {
	id, named := s.Name.Func.(*ast.IdentExpr)
	switch {
	case named && r.local(id.Value) != nil:
		routine := r.newRoutine(s.Line())
		*r.local(id.Value) = variable{fn: routine}
		r.function(s.Func, routine, "")
	case named:
		r.assignGlobal(id.Value, s.Func, s.Line())
	default:
		r.exprs(present([]ast.Expr{s.Name.Receiver}))
		if s.Name.Func != nil {
			r.exprs(operandsOf(s.Name.Func))
		}
		routine := r.newRoutine(s.Line())
		routine.unknown = true // called through a table
		if s.Name.Method != "" {
			r.open()
			r.declare("self")
			r.function(s.Func, routine, "")
			r.close()
			return
		}
		r.function(s.Func, routine, "")
	}
}

// stageOf returns the stage of that name, or "".
func stageOf(name string) hook.Stage {
	if st := hook.Stage(name); slices.Contains(hook.Stages, st) {
		return st
	}
	return ""
}

// function walks through a function. At a stage its parameters are objects.
func (r *reader) function(f *ast.FunctionExpr, routine *routine, stage hook.Stage) {
	outer := r.in
	r.in = routine
	r.depth++
	r.open()
	want := parameters[stage]
	for i, name := range f.ParList.Names {
		v := r.declare(name)
		v.parameter = true
		if i < len(want) {
			if k, ok := kindAt(stage, want[i]); ok {
				v.kind = &k
			}
		}
		if stage != "" && misplaced(name, want, i) {
			r.warn(f.Line(), "%s gets (%s), and %s is not the %s of them", stage, strings.Join(want, ", "), name, ordinal(i+1))
		}
	}
	if stage != "" {
		routine.stages = append(routine.stages, stage)
	}
	r.block(f.Stmts)
	r.close()
	r.depth--
	r.in = outer
}

// misplaced tells whether parameter i has the name of another one. Short names
// are anybody's.
func misplaced(name string, want []string, i int) bool {
	if i < len(want) && want[i] == name {
		return false
	}
	return slices.Contains(want, name) || name == boxKind.name || name == changeKind.name || name == fateKind.name
}

func ordinal(n int) string {
	if n <= 3 {
		return []string{"first", "second", "third"}[n-1]
	}
	return strconv.Itoa(n) + "th"
}

// shadow warns of a global of ours that the script takes for something else.
func (r *reader) shadow(name string, line int) {
	if r.names[name] {
		r.warn(line, "%s is a name of facteur, which the script can't use any more; write local, or take another name", name)
	}
}

func (r *reader) exprs(list []ast.Expr) {
	for _, e := range list {
		r.expr(e)
	}
}

func (r *reader) expr(expr ast.Expr) {
	switch e := expr.(type) {
	case nil:
	case *ast.IdentExpr:
		r.ident(e, false)
	case *ast.AttrGetExpr:
		r.attr(e, false)
	case *ast.FuncCallExpr:
		r.call(e)
	case *ast.FunctionExpr:
		r.function(e, r.in, "")
	default:
		r.exprs(operandsOf(e))
	}
}

// ident is a name that is read; needed when it is called or indexed, which nil
// can't be.
func (r *reader) ident(e *ast.IdentExpr, needed bool) {
	name := e.Value
	if v := r.local(name); v != nil {
		if v.fn != nil && !needed {
			v.fn.unknown = true // it may be called from anywhere
		}
		return
	}
	r.read[name] = true
	switch {
	case r.assigned[name]:
		if !needed {
			r.handed[name] = true
		}
	case r.names[name], r.asked[name], r.told[name]:
	case needed && stagesOf(hook.Kind(name)) != "":
		// An action that is a method only: checkActions says so.
	case needed:
		r.told[name] = true
		r.fail(e.Line(), "there is no %s%s", name, r.hint(name))
	default:
		r.told[name] = true
		r.warn(e.Line(), "%s is not defined anywhere, so it is nil%s", name, r.hint(name))
	}
}

// hint says what may have been meant by a name that is not there.
func (r *reader) hint(name string) string {
	for _, names := range parameters {
		if slices.Contains(names, name) {
			return "; it is a parameter of " + stagesWith(name)
		}
	}
	if text, ok := missing[name]; ok {
		return "; " + text
	}
	candidates := slices.Collect(maps.Keys(r.assigned))
	for n := range r.names {
		if !strings.Contains(n, ".") && !strings.HasPrefix(n, "(") {
			candidates = append(candidates, n)
		}
	}
	for s := r.scope; s != nil; s = s.outer {
		candidates = slices.AppendSeq(candidates, maps.Keys(s.names))
	}
	for name := range boxActions {
		candidates = append(candidates, name)
	}
	return meant(name, candidates)
}

// missing are names of Lua that are not here.
var missing = map[string]string{
	"require":        "use include",
	"dofile":         "use include",
	"loadfile":       "use include",
	"setmetatable":   "there are no metatables",
	"getmetatable":   "there are no metatables",
	"coroutine":      "there are no coroutines",
	"io":             "scripts read no files",
	"debug":          "there is no debugger",
	"_G":             "globals have no table",
	"loadstring":     "scripts can't make code",
	"load":           "scripts can't make code",
	"rawget":         "there are no metatables, so t[k] does",
	"rawset":         "there are no metatables, so t[k] = v does",
	"collectgarbage": "memory takes care of itself",
}

// stagesWith lists the stages whose function has a parameter.
func stagesWith(name string) string {
	var list []string
	for _, st := range hook.Stages {
		if slices.Contains(parameters[st], name) {
			list = append(list, string(st))
		}
	}
	return enumerate(list)
}

// localOf returns the local variable that an expression is, or nil.
func (r *reader) localOf(expr ast.Expr) *variable {
	if id, ok := expr.(*ast.IdentExpr); ok {
		return r.local(id.Value)
	}
	return nil
}

// kindOf returns what object an expression is, or nil.
func (r *reader) kindOf(expr ast.Expr) *kind {
	switch e := expr.(type) {
	case *ast.IdentExpr:
		if v := r.local(e.Value); v != nil {
			return v.kind
		}
	case *ast.AttrGetExpr:
		key, ok := e.Key.(*ast.StringExpr)
		if of := r.kindOf(e.Object); ok && of != nil {
			if k, ok := r.kinds[of.name+"."+key.Value]; ok {
				return &k
			}
		}
	}
	return nil
}

// library returns the name of the table of ours that an expression is, or "".
func (r *reader) library(expr ast.Expr) string {
	id, ok := expr.(*ast.IdentExpr)
	if !ok || r.local(id.Value) != nil || r.assigned[id.Value] || !r.libraries[id.Value] {
		return ""
	}
	return id.Value
}

// attr is a.b that is read, or called.
func (r *reader) attr(e *ast.AttrGetExpr, called bool) {
	if id, ok := e.Object.(*ast.IdentExpr); ok {
		r.ident(id, true)
	} else {
		r.expr(e.Object)
	}
	key, ok := e.Key.(*ast.StringExpr)
	if !ok {
		r.expr(e.Key)
		return
	}
	if lib := r.library(e.Object); lib != "" && !r.names[lib+"."+key.Value] {
		r.warn(e.Line(), "there is no %s.%s%s", lib, key.Value, meant(key.Value, r.members(lib)))
	}
	if k := r.kindOf(e.Object); k != nil {
		r.member(k, key.Value, e.Line(), called)
	}
}

// members are the names in a table of ours.
func (r *reader) members(lib string) []string {
	var list []string
	for name := range r.names {
		if member, ok := strings.CutPrefix(name, lib+"."); ok {
			list = append(list, member)
		}
	}
	return list
}

// member checks a field of an object; called when it is called with a dot.
func (r *reader) member(k *kind, name string, line int, called bool) {
	_, field := k.fields[name]
	_, method := k.methods[name]
	switch {
	case method && called:
		r.warn(line, "write %s:%s(...), with a colon", k.name, name)
	case !field && !method:
		r.warn(line, "%s has no field %s%s", k.name, name, meant(name, k.members()))
	}
}

func (k *kind) members() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(k.fields)), maps.Keys(k.methods))
}

// call is a call of any form.
func (r *reader) call(e *ast.FuncCallExpr) {
	r.exprs(e.Args)
	if e.Func == nil {
		r.methodCall(e)
		return
	}
	switch f := e.Func.(type) {
	case *ast.IdentExpr:
		r.ident(f, true)
		r.calls(f.Value, e)
	case *ast.AttrGetExpr:
		r.attr(f, true)
	default:
		r.expr(e.Func)
	}
}

// calls notes a call of a function by its name.
func (r *reader) calls(name string, e *ast.FuncCallExpr) {
	if v := r.local(name); v != nil {
		if v.fn != nil {
			v.fn.callers = append(v.fn.callers, r.in)
		}
		return
	}
	switch {
	case r.assigned[name]:
		r.globalCalls = append(r.globalCalls, globalCall{name, r.in})
	case stagesOf(hook.Kind(name)) != "":
		r.in.actions = append(r.in.actions, use{hook.Kind(name), false, r.file, e.Line()})
	case name == "api" && r.depth == 0 && len(e.Args) > 0:
		if n, ok := e.Args[0].(*ast.NumberExpr); ok {
			if v, ok := parseNumber(n.Value, 10); ok && v > APIVersion {
				r.fail(e.Line(), "%s", tooNew(n.Value))
			}
		}
	}
}

// methodCall is a:b(...).
func (r *reader) methodCall(e *ast.FuncCallExpr) {
	id, named := e.Receiver.(*ast.IdentExpr)
	if named {
		r.ident(id, true)
	} else {
		r.expr(e.Receiver)
	}
	if lib := r.library(e.Receiver); lib != "" {
		r.warn(e.Line(), "write %s.%s(...), with a dot", lib, e.Method)
		return
	}
	if _, text := e.Receiver.(*ast.StringExpr); text && !r.names["string."+e.Method] {
		r.warn(e.Line(), "there is no string.%s%s", e.Method, meant(e.Method, r.members("string")))
	}
	k := r.kindOf(e.Receiver)
	isBox := k != nil && k.name == boxKind.name
	if v := r.localOf(e.Receiver); v != nil && v.parameter && id.Value == boxKind.name {
		isBox = true // of a function that a stage calls with it
	}
	if _, action := boxActions[e.Method]; isBox && action {
		r.in.actions = append(r.in.actions, use{hook.Kind(e.Method), true, r.file, e.Line()})
		return
	}
	if k == nil {
		return
	}
	_, field := k.fields[e.Method]
	_, method := k.methods[e.Method]
	switch {
	case field:
		r.warn(e.Line(), "%s.%s is a field, not a function", k.name, e.Method)
	case !method && isBox && stagesOf(hook.Kind(e.Method)) != "":
		r.warn(e.Line(), "box has no %s: it is a function of %s", e.Method, stagesOf(hook.Kind(e.Method)))
	case !method:
		r.warn(e.Line(), "%s has no method %s%s", k.name, e.Method, meant(e.Method, k.members()))
	}
}
