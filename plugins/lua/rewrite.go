package lua

import (
	"fmt"
	"slices"
	"strconv"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// The functions that rewritten code calls. No script can say these names.
const (
	fnConcat = "(concat)" // concat(a, b, ...): a .. b ..
	fnStore  = "(store)"  // store(t, k, v): t[k] = v
	fnKey    = "(key)"    // key(k): k, as a key in a table constructor
	fnOpen   = "(open)"   // open(...): ..., as the open end of a table constructor
)

const (
	maxConcat    = 50          // operands of one call of concat: each takes a register
	maxItems     = 25_000      // of a table constructor; gopher-lua misplaces those from 25,551 on
	maxNativeKey = 64          // constant keys up to here are stored by the VM itself
	maxSearch    = 100_000_000 // steps of the compiler's linear search for constants, in a function
)

// rewriter replaces in a parsed chunk what one instruction of the VM would do
// without bound. It recurses as deep as scan allows.
type rewriter struct {
	name string
	fn   *constants
	temp int
	err  *Error

	includes []include
}

// constants foresees the cost of gopher-lua's search for constants in one
// function.
type constants struct {
	index map[string]int
	cost  int
}

// rewrite also returns what the chunk includes.
func rewrite(name string, chunk []ast.Stmt) ([]include, error) {
	r := &rewriter{name: name, fn: &constants{index: map[string]int{}}}
	r.block(chunk)
	if r.err != nil {
		return nil, r.err
	}
	return r.includes, nil
}

func (r *rewriter) fail(line int, text string) {
	if r.err == nil {
		r.err = &Error{Script: r.name, Line: line, Text: text}
	}
}

func (r *rewriter) constant(kind, value string, line int) {
	c := r.fn
	i, ok := c.index[kind+value]
	if !ok {
		i = len(c.index)
		c.index[kind+value] = i
	}
	if c.cost += i; c.cost > maxSearch {
		r.fail(line, "too many constants in one function")
	}
}

func (r *rewriter) block(stmts []ast.Stmt) {
	for i, s := range stmts {
		stmts[i] = r.stmt(s)
	}
}

func (r *rewriter) stmt(stmt ast.Stmt) ast.Stmt {
	switch s := stmt.(type) {
	case *ast.AssignStmt:
		return r.assign(s)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.block(s.Stmts)
	case *ast.WhileStmt:
		r.while(s)
	case *ast.RepeatStmt:
		s.Stmts = r.loop(s, s.Stmts)
		s.Condition = r.expr(s.Condition)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Then)
		r.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = r.expr(s.Init), r.expr(s.Limit)
		if s.Step != nil {
			s.Step = r.expr(s.Step)
		}
		r.block(s.Stmts)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		s.Stmts = r.loop(s, s.Stmts)
	case *ast.FuncDefStmt:
		r.funcDef(s)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
	case *ast.BreakStmt:
	default:
		r.fail(stmt.Line(), fmt.Sprintf("unexpected statement %T", stmt))
	}
	return stmt
}

func (r *rewriter) funcDef(s *ast.FuncDefStmt) {
	if s.Name.Func != nil {
		s.Name.Func = r.expr(s.Name.Func)
	} else {
		s.Name.Receiver = r.expr(s.Name.Receiver)
		r.constant("s", s.Name.Method, s.Line())
	}
	r.function(s.Func)
}

func (r *rewriter) function(f *ast.FunctionExpr) {
	outer := r.fn
	r.fn = &constants{index: map[string]int{}}
	r.block(f.Stmts)
	r.fn = outer
}

func (r *rewriter) exprs(list []ast.Expr) {
	for i, e := range list {
		list[i] = r.expr(e)
	}
}

func (r *rewriter) expr(expr ast.Expr) ast.Expr {
	switch e := expr.(type) {
	case *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.Comma3Expr:
	case *ast.NumberExpr:
		r.constant("n", e.Value, e.Line())
	case *ast.StringExpr:
		r.constant("s", e.Value, e.Line())
	case *ast.IdentExpr:
		r.constant("s", e.Value, e.Line())
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expr(e.Object), r.expr(e.Key)
	case *ast.TableExpr:
		r.table(e)
	case *ast.FuncCallExpr:
		r.call(e)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.function(e)
	default:
		r.fail(expr.Line(), fmt.Sprintf("unexpected expression %T", expr))
	}
	return expr
}

func (r *rewriter) call(e *ast.FuncCallExpr) {
	if e.Func != nil {
		r.include(e)
		e.Func = r.expr(e.Func)
	} else {
		e.Receiver = r.expr(e.Receiver)
		r.constant("s", e.Method, e.Line())
	}
	r.exprs(e.Args)
}

// concat turns a .. b .. c into concat(a, b, c).
func (r *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var rest ast.Expr = e
	for {
		c, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, r.expr(c.Lhs))
		rest = c.Rhs
	}
	operands = append(operands, r.expr(rest))
	// Folded from the start: what is done takes one register.
	for len(operands) > maxConcat {
		first := r.ours(e, fnConcat, operands[:maxConcat:maxConcat]...)
		operands = append([]ast.Expr{first}, operands[maxConcat:]...)
	}
	return r.ours(e, fnConcat, operands...)
}

// table guards the computed keys and the open end of a constructor.
func (r *rewriter) table(e *ast.TableExpr) {
	if len(e.Fields) > maxItems {
		r.fail(e.Line(), fmt.Sprintf("a table constructor holds at most %d items", maxItems))
	}
	for i, f := range e.Fields {
		f.Value = r.expr(f.Value)
		if f.Key != nil {
			closed(f.Value) // gopher-lua would take its values for items
			native := nativeKey(f.Key)
			if f.Key = r.expr(f.Key); !native {
				f.Key = r.ours(e, fnKey, f.Key)
			}
		} else if i < len(e.Fields)-1 {
			closed(f.Value)
		} else if isOpen(f.Value) {
			open := r.ours(e, fnOpen, f.Value)
			open.AdjustRet = false
			setOpen(f.Value)
			f.Value = open
		}
	}
	// Once 50 items are stored, gopher-lua would store them again after a key,
	// from registers that hold something else by then.
	if len(e.Fields) > lua.FieldsPerFlush {
		slices.SortStableFunc(e.Fields, func(a, b *ast.Field) int { return rank(a) - rank(b) })
	}
}

// assign turns stores under a computed key into calls of store, and what
// gopher-lua gets wrong into what it gets right.
func (r *rewriter) assign(s *ast.AssignStmt) ast.Stmt {
	guarded := false
	for i, target := range s.Lhs {
		if a, ok := target.(*ast.AttrGetExpr); ok {
			guarded = guarded || !nativeKey(a.Key)
			// gopher-lua would store into the first local variable instead.
			if _, constant := a.Object.(ast.ConstExpr); constant {
				r.fail(s.Line(), "a constant can't be indexed")
			}
		}
		s.Lhs[i] = r.expr(target)
	}
	r.exprs(s.Rhs)
	switch {
	case len(s.Lhs) == 1 && guarded:
		target := s.Lhs[0].(*ast.AttrGetExpr)
		return r.store(s, append([]ast.Expr{target.Object, target.Key}, s.Rhs...)...)
	case guarded || misassigned(s):
		return r.assignMany(s)
	}
	return s
}

// assignMany turns a[i], b.x, c = ... into
//
//	do local A, I, B = a, i, b; local V, W, X = ...; c = X; B.x = W; store(A, I, V) end
//
// The order is that of Lua 5.1, from right to left.
func (r *rewriter) assignMany(s *ast.AssignStmt) ast.Stmt {
	targets := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: s.Rhs}
	var stores []ast.Stmt
	hold := func(e ast.Expr) ast.Expr {
		name := r.local(s)
		targets.Names = append(targets.Names, name.Value)
		targets.Exprs = append(targets.Exprs, closed(e))
		return name
	}
	for _, target := range s.Lhs {
		value := r.local(s)
		values.Names = append(values.Names, value.Value)
		a, ok := target.(*ast.AttrGetExpr)
		if ok && !nativeKey(a.Key) {
			stores = append(stores, r.store(s, hold(a.Object), hold(a.Key), value))
			continue
		}
		if ok {
			a.Object = hold(a.Object)
		}
		one := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
		setLines(one, s)
		stores = append(stores, one)
	}
	block := &ast.DoBlockStmt{}
	for _, locals := range []*ast.LocalAssignStmt{targets, values} {
		if setLines(locals, s); len(locals.Names) > 0 {
			block.Stmts = append(block.Stmts, locals)
		}
	}
	slices.Reverse(stores)
	block.Stmts = append(block.Stmts, stores...)
	setLines(block, s)
	return block
}

func (r *rewriter) store(at ast.PositionHolder, args ...ast.Expr) ast.Stmt {
	s := &ast.FuncCallStmt{Expr: r.ours(at, fnStore, args...)}
	setLines(s, at)
	return s
}

// local returns a new local variable that no script can name.
func (r *rewriter) local(at ast.PositionHolder) *ast.IdentExpr {
	r.temp++
	e := &ast.IdentExpr{Value: "(" + strconv.Itoa(r.temp) + ")"}
	setLines(e, at)
	return e
}

// ours returns a call of one of our functions, for one value.
func (r *rewriter) ours(at ast.PositionHolder, name string, args ...ast.Expr) *ast.FuncCallExpr {
	fn := &ast.IdentExpr{Value: name}
	setLines(fn, at)
	r.constant("s", name, at.Line())
	args[len(args)-1] = closed(args[len(args)-1])
	e := &ast.FuncCallExpr{Func: fn, Args: args, AdjustRet: true}
	setLines(e, at)
	return e
}

func setLines(node, at ast.PositionHolder) {
	node.SetLine(at.Line())
	node.SetLastLine(at.LastLine())
}

// nativeKey tells whether the VM may store under the key itself: a constant
// that can't make the table's array grow much.
func nativeKey(key ast.Expr) bool {
	switch k := key.(type) {
	case *ast.StringExpr:
		return true
	case *ast.NumberExpr:
		n, err := strconv.Atoi(k.Value)
		return err == nil && n >= 1 && n <= maxNativeKey
	}
	return false
}

// isOpen tells whether e stands for any number of values.
func isOpen(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.FuncCallExpr:
		return !x.AdjustRet
	case *ast.Comma3Expr:
		return !x.AdjustRet
	}
	return false
}

// closed makes e stand for exactly one value.
func closed(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.FuncCallExpr:
		x.AdjustRet = true
	case *ast.Comma3Expr:
		x.AdjustRet = true
	}
	return e
}

// setOpen undoes closed.
func setOpen(e ast.Expr) {
	switch x := e.(type) {
	case *ast.FuncCallExpr:
		x.AdjustRet = false
	case *ast.Comma3Expr:
		x.AdjustRet = false
	}
}
