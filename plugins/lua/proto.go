package lua

import (
	"fmt"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// maxUpvalues is that of Lua 5.1. One closure allocates as many.
const maxUpvalues = 60

const (
	opShift = 26 // where the operation stands in an instruction
	opMask  = 1<<opShift - 1
)

// finish makes compiled code fit to be run: it turns tail calls into calls,
// drops the table "arg" of functions with "...", which is allocated on each
// call, and gives back the room that the compiler kept for more.
func finish(name string, p *lua.FunctionProto) error {
	if len(p.DbgUpvalues) > maxUpvalues {
		return &Error{Script: name, Line: p.LineDefined, Text: fmt.Sprintf("the function uses more than %d variables from outside", maxUpvalues)}
	}
	for i, inst := range p.Code {
		switch int(inst >> opShift) {
		case lua.OP_TAILCALL:
			p.Code[i] = inst&opMask | uint32(lua.OP_CALL)<<opShift
		case lua.OP_CONCAT:
			return &Error{Script: name, Line: p.DbgSourcePositions[i], Text: "internal error: unbounded concatenation"}
		}
	}
	p.IsVarArg &^= lua.VarArgNeedsArg
	p.Code = slices.Clone(p.Code)
	p.DbgSourcePositions = slices.Clone(p.DbgSourcePositions)
	p.Constants = slices.Clone(p.Constants)
	p.FunctionPrototypes = slices.Clone(p.FunctionPrototypes)
	p.DbgLocals = nil // only a debugger asks
	p.DbgCalls = slices.Clone(p.DbgCalls)
	for _, child := range p.FunctionPrototypes {
		if err := finish(name, child); err != nil {
			return err
		}
	}
	return nil
}
