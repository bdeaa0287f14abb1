package lua

import (
	"bytes"

	"github.com/yuin/gopher-lua/ast"
)

// Function is a function that a script defines on its top level.
type Function struct {
	Name string
	Line int
}

// Functions lists the global functions that a source defines on its top level, in
// their order. The source must have passed Compile, which bounds it.
func Functions(name string, source []byte) ([]Function, error) {
	chunk, err := parseChunk(name, bytes.TrimPrefix(source, []byte("\ufeff")))
	if err != nil {
		return nil, err
	}
	var list []Function
	note := func(e ast.Expr, line int) {
		if id, ok := e.(*ast.IdentExpr); ok {
			list = append(list, Function{id.Value, line})
		}
	}
	for _, stmt := range chunk {
		switch st := stmt.(type) {
		case *ast.FuncDefStmt:
			if st.Name.Func != nil {
				note(st.Name.Func, st.Line())
			}
		case *ast.AssignStmt:
			for i, e := range st.Lhs {
				if i < len(st.Rhs) {
					if _, ok := st.Rhs[i].(*ast.FunctionExpr); ok {
						note(e, st.Line())
					}
				}
			}
		}
	}
	return list, nil
}
