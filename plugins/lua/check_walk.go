package lua

import (
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
	early     bool // it was called before it was known what it is
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
			r.store(target)
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

// store is a.b or a[b] that gets a value.
func (r *reader) store(target ast.Expr) {
	a, ok := target.(*ast.AttrGetExpr)
	if !ok {
		return
	}
	if id, named := a.Object.(*ast.IdentExpr); named {
		r.ident(id, indexed)
	} else {
		r.expr(a.Object)
	}
	r.expr(a.Key)
	if lib := r.library(a.Object); lib != "" {
		r.warn(a.Line(), "%s is read only", lib)
	}
	if k := r.kindOf(a.Object); k != nil {
		r.warn(a.Line(), "%s is read only", k.name)
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
		routine.unknown = r.local(id.Value).early
		*r.local(id.Value) = variable{fn: routine}
		r.function(s.Func, routine, "")
	case named:
		r.assignGlobal(id.Value, s.Func, s.Line())
	default:
		r.exprs(present([]ast.Expr{s.Name.Receiver}))
		if s.Name.Func != nil {
			r.store(s.Name.Func)
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
		r.ident(e, taken)
	case *ast.AttrGetExpr:
		r.attr(e, taken)
	case *ast.FuncCallExpr:
		r.call(e)
	case *ast.FunctionExpr:
		r.function(e, r.in, "")
	default:
		r.exprs(operandsOf(e))
	}
}
