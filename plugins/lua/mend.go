package lua

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// What gopher-lua 1.1.2 compiles wrong, without a word. The scripts of
// testdata/library fail without each of these.

// misassigned tells whether gopher-lua would write to local variables before
// it is done with their old values: a, b = a + b, a; s = (x or y) and s; and
// s = (f(s)) where s is a parameter.
func misassigned(s *ast.AssignStmt) bool {
	if len(s.Lhs) > 1 || len(s.Rhs) > 1 {
		return true
	}
	setOpen(s.Rhs[0]) // s = (f(s)) is the same as s = f(s), which is compiled right
	_, logical := s.Rhs[0].(*ast.LogicalOpExpr)
	return logical
}

// loop puts an instruction before the body of a loop. gopher-lua takes a wrong
// turn when the jump back leads to another jump: for ... do break end.
func (r *rewriter) loop(s ast.Stmt, body []ast.Stmt) []ast.Stmt {
	at := s
	if len(body) > 0 {
		at = body[0]
	}
	r.block(body)
	first := &ast.LocalAssignStmt{Names: []string{r.local(at).Value}}
	first.SetLine(at.Line())
	return append([]ast.Stmt{first}, body...)
}

// while also moves a condition that begins with a jump into the body.
func (r *rewriter) while(s *ast.WhileStmt) {
	s.Condition = r.expr(s.Condition)
	s.Stmts = r.loop(s, s.Stmts)
	switch firstOperand(s.Condition).(type) {
	case *ast.FalseExpr, *ast.NilExpr:
		end := &ast.BreakStmt{}
		test := &ast.IfStmt{Condition: s.Condition, Else: []ast.Stmt{end}}
		setLines(end, s.Condition)
		setLines(test, s.Condition)
		s.Condition = &ast.TrueExpr{}
		setLines(s.Condition, test)
		s.Stmts = slices.Insert(s.Stmts, 1, ast.Stmt(test))
	}
}

// firstOperand is what a condition looks at first.
func firstOperand(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.LogicalOpExpr:
			e = x.Lhs
		case *ast.UnaryNotOpExpr:
			e = x.Expr
		default:
			return e
		}
	}
}

// rank puts what has a key before what has none.
func rank(f *ast.Field) int {
	if f.Key != nil {
		return 0
	}
	return 1
}
