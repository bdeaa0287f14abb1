package lua

import (
	"bytes"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Bounds of a source. Parser, rewriter and compiler recurse once for each
// level; the compiler's work grows with the depth of functions and the square
// of the length of an expression.
const (
	maxNesting   = 1000 // brackets, blocks, operators and elseifs that are open at once
	maxFunctions = 500
	maxFuncDepth = 20
)

// scanner bounds the nesting of a source, token by token, before the parser
// sees it. It need not know the grammar: what it can't make sense of is left
// to the parser to refuse.
type scanner struct {
	levels    []level
	depth     int // sum over levels
	functions int
	funcDepth int
	operand   bool // the last token ended an operand
}

type level struct {
	opener  int // token type
	elseifs int
	ops     int // operators since the expression began
}

// scan checks the nesting of a source.
func scan(name string, source []byte) error {
	in := parse.NewScanner(bytes.NewReader(source), name)
	lexer := &parse.Lexer{}
	s := &scanner{levels: []level{{}}}
	for {
		tok, err := in.Scan(lexer)
		if err != nil {
			return syntaxError(name, source, err)
		}
		if tok.Type == parse.EOF {
			return nil
		}
		lexer.PrevTokenType = tok.Type
		if text := s.token(tok); text != "" {
			return &Error{Script: name, Line: tok.Pos.Line, Text: text}
		}
	}
}

// token takes one token; it returns what is wrong, or "".
func (s *scanner) token(tok ast.Token) string {
	operand := s.operand
	s.operand = false
	switch tok.Type {
	case parse.TGoto, parse.T2Colon:
		return "goto and labels are not supported"
	case '(', '[', '{':
		if operand {
			s.op() // a call or an index
		}
		s.push(tok.Type)
	case parse.TFunction:
		s.functions++
		s.funcDepth++
		s.push(tok.Type)
	case parse.TIf, parse.TDo, parse.TRepeat:
		s.begin()
		s.push(tok.Type)
	case ')', ']', '}', parse.TEnd, parse.TUntil:
		s.pop()
		s.operand = tok.Type != parse.TUntil
	case parse.TElseIf:
		s.begin()
		s.top().elseifs++
		s.depth++
	case ',', ';', '=', parse.TLocal, parse.TReturn, parse.TThen, parse.TElse, parse.TWhile, parse.TFor, parse.TIn, parse.TBreak:
		s.begin()
	case parse.TIdent, parse.TNumber, parse.TNil, parse.TTrue, parse.TFalse, parse.T3Comma:
		if operand {
			s.begin() // a new statement
		}
		s.operand = true
	case parse.TString:
		if operand {
			s.op() // a call
		}
		s.operand = true
	default: // an operator, "." or ":"
		s.op()
	}
	switch {
	case s.depth > maxNesting:
		return "too much nesting, or too long an expression"
	case s.functions > maxFunctions:
		return "too many functions"
	case s.funcDepth > maxFuncDepth:
		return "functions are nested too deep"
	}
	return ""
}

func (s *scanner) top() *level { return &s.levels[len(s.levels)-1] }

func (s *scanner) op() {
	s.top().ops++
	s.depth++
}

// begin starts a new expression at this level.
func (s *scanner) begin() {
	s.depth -= s.top().ops
	s.top().ops = 0
}

func (s *scanner) push(opener int) {
	s.levels = append(s.levels, level{opener: opener})
	s.depth++
}

func (s *scanner) pop() {
	if len(s.levels) == 1 {
		return
	}
	l := s.top()
	s.depth -= 1 + l.ops + l.elseifs
	if l.opener == parse.TFunction {
		s.funcDepth--
	}
	s.levels = s.levels[:len(s.levels)-1]
}
