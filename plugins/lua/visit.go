package lua

import "github.com/yuin/gopher-lua/ast"

// visit calls stmt for each statement and expr for each expression of a chunk,
// outer ones first.
func visit(chunk []ast.Stmt, stmt func(ast.Stmt), expr func(ast.Expr)) {
	v := visitor{stmt, expr}
	v.block(chunk)
}

type visitor struct {
	stmt func(ast.Stmt)
	expr func(ast.Expr)
}

func (v visitor) block(stmts []ast.Stmt) {
	for _, s := range stmts {
		v.stmt(s)
		v.exprs(exprsOf(s))
		for _, inner := range blocksOf(s) {
			v.block(inner)
		}
	}
}

func (v visitor) exprs(list []ast.Expr) {
	for _, e := range list {
		v.expr(e)
		v.exprs(operandsOf(e))
		if fn, ok := e.(*ast.FunctionExpr); ok {
			v.block(fn.Stmts)
		}
	}
}

// exprsOf returns the expressions that a statement itself has.
func exprsOf(stmt ast.Stmt) []ast.Expr {
	var list []ast.Expr
	switch s := stmt.(type) {
	case *ast.AssignStmt:
		list = append(append(list, s.Lhs...), s.Rhs...)
	case *ast.LocalAssignStmt:
		list = append(list, s.Exprs...)
	case *ast.FuncCallStmt:
		list = append(list, s.Expr)
	case *ast.WhileStmt:
		list = append(list, s.Condition)
	case *ast.RepeatStmt:
		list = append(list, s.Condition)
	case *ast.IfStmt:
		list = append(list, s.Condition)
	case *ast.NumberForStmt:
		list = append(list, s.Init, s.Limit, s.Step)
	case *ast.GenericForStmt:
		list = append(list, s.Exprs...)
	case *ast.FuncDefStmt:
		list = append(list, s.Name.Func, s.Name.Receiver, s.Func)
	case *ast.ReturnStmt:
		list = append(list, s.Exprs...)
	}
	return present(list)
}

// blocksOf returns the blocks that a statement itself has.
func blocksOf(stmt ast.Stmt) [][]ast.Stmt {
	switch s := stmt.(type) {
	case *ast.DoBlockStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.WhileStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.RepeatStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.IfStmt:
		return [][]ast.Stmt{s.Then, s.Else}
	case *ast.NumberForStmt:
		return [][]ast.Stmt{s.Stmts}
	case *ast.GenericForStmt:
		return [][]ast.Stmt{s.Stmts}
	}
	return nil
}

// operandsOf returns the expressions that an expression itself has; not those in
// a function.
func operandsOf(expr ast.Expr) []ast.Expr {
	var list []ast.Expr
	switch e := expr.(type) {
	case *ast.AttrGetExpr:
		list = append(list, e.Object, e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			list = append(list, f.Key, f.Value)
		}
	case *ast.FuncCallExpr:
		list = append(append(list, e.Func, e.Receiver), e.Args...)
	case *ast.LogicalOpExpr:
		list = append(list, e.Lhs, e.Rhs)
	case *ast.RelationalOpExpr:
		list = append(list, e.Lhs, e.Rhs)
	case *ast.ArithmeticOpExpr:
		list = append(list, e.Lhs, e.Rhs)
	case *ast.StringConcatOpExpr:
		list = append(list, e.Lhs, e.Rhs)
	case *ast.UnaryMinusOpExpr:
		list = append(list, e.Expr)
	case *ast.UnaryNotOpExpr:
		list = append(list, e.Expr)
	case *ast.UnaryLenOpExpr:
		list = append(list, e.Expr)
	}
	return present(list)
}

// present leaves out those that are not there.
func present(list []ast.Expr) []ast.Expr {
	kept := list[:0]
	for _, e := range list {
		if e != nil {
			kept = append(kept, e)
		}
	}
	return kept
}
