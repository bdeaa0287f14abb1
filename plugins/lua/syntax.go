package lua

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// syntaxError puts an error of gopher-lua's parser into words of ours, with a guess at
// what was meant.
func syntaxError(name string, source []byte, err error) error {
	var perr *parse.Error
	if !errors.As(err, &perr) {
		return &Error{Script: name, Text: err.Error()}
	}
	e := &Error{Script: name, Line: perr.Pos.Line, Text: perr.Message}
	switch {
	case perr.Pos.Line == parse.EOF:
		e.Line, e.Cause = 1+bytes.Count(source, []byte("\n")), errUnfinished
		e.Text += " at the end of the file"
	case perr.Token != "":
		e.Text += " near " + quote(perr.Token, 40)
	}
	if perr.Message == "unterminated string" && perr.Pos.Line > 1 {
		e.Line-- // the scanner has read the end of the line
	}
	if guess := guessSyntax(source, perr); guess != "" {
		e.Text += ": " + guess
	}
	return e
}

// shortened is what other languages have for x = x + 1.
var shortened = regexp.MustCompile(`[-+*/]=|\+\+`)

// guessSyntax says what a mistake may be, or "".
func guessSyntax(source []byte, perr *parse.Error) string {
	switch {
	case perr.Message == "unterminated string":
		return "the quotation mark at its end is missing"
	case strings.HasPrefix(perr.Message, "Invalid"):
		return guessCharacter(perr.Token, lineOf(source, perr.Pos.Line))
	}
	r := read(source, perr)
	line := strings.TrimSpace(lineOf(source, perr.Pos.Line))
	switch {
	case strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#"):
		return "a comment begins with --"
	case strings.Contains("+-*/=", perr.Token) && shortened.MatchString(line):
		return "write x = x + 1, in full"
	case perr.Token == "==" && perr.Message == "parse error":
		return "to give a name a value, write one ="
	case perr.Token == "{" && strings.HasSuffix(line, "{"):
		return `a block has no { }: it ends with "end"`
	case r.missing(perr) != "":
		return r.missing(perr)
	}
	return r.unclosed(perr)
}

// guessCharacter is for what Lua has no use for outside of a text.
func guessCharacter(token, line string) string {
	switch {
	case token == "!" || token == "~":
		return `"is not" is written ~=, and "not" is a word`
	case token == "&":
		return `write "and" as a word`
	case token == "|":
		return `write "or" as a word`
	case strings.ContainsAny(line, "“”„‘’«»"):
		return `write straight quotation marks, " or '`
	case len(token) > 0 && token[0] >= 0x80:
		return "names have the letters a to z alone, and texts stand in quotation marks"
	}
	return ""
}

// lineOf returns a line, counted from 1; "" when there is none.
func lineOf(source []byte, n int) string {
	if lines := strings.Split(string(source), "\n"); n >= 1 && n <= len(lines) {
		return lines[n-1]
	}
	return ""
}

// reading is what stands before a mistake.
type reading struct {
	tokens []ast.Token
	open   []opening // blocks and brackets that have no end yet
	odd    opening   // the first block whose end is not below its beginning
	elseIf int       // the line of the first "else if"
}

// opening is the beginning of a block, or a bracket.
type opening struct {
	kind   int // token type; of a loop its first word
	word   string
	line   int
	indent int // column of the first token of its line
}

// read scans a source up to the token at which the parser stopped: the position of the
// error is where that ends.
func read(source []byte, perr *parse.Error) *reading {
	in, lexer, r := parse.NewScanner(bytes.NewReader(source), perr.Pos.Source), &parse.Lexer{}, &reading{}
	loop := ast.Token{} // for or while, whose do is yet to come
	indent, line := 0, 0
	for {
		tok, err := in.Scan(lexer)
		if err != nil || tok.Type == parse.EOF || in.Pos == perr.Pos || in.Pos.Line > perr.Pos.Line && perr.Pos.Line > 0 {
			return r
		}
		if tok.Pos.Line != line {
			line, indent = tok.Pos.Line, tok.Pos.Column
		}
		begins := opening{kind: tok.Type, word: cmp.Or(tok.Str, string(rune(max(0, tok.Type)))), line: line, indent: indent}
		switch tok.Type {
		case parse.TFor, parse.TWhile:
			loop = tok
		case parse.TDo:
			if loop.Type != 0 {
				begins.kind, begins.word, begins.line = loop.Type, loop.Str, loop.Pos.Line
				loop = ast.Token{}
			}
			r.open = append(r.open, begins)
		case parse.TIf:
			if n := len(r.tokens); r.elseIf == 0 && n > 0 && r.tokens[n-1].Type == parse.TElse && r.tokens[n-1].Pos.Line == line {
				r.elseIf = line
			}
			r.open = append(r.open, begins)
		case parse.TFunction, parse.TRepeat, '(', '[', '{':
			r.open = append(r.open, begins)
		case parse.TEnd, parse.TUntil, ')', ']', '}':
			r.close(begins, tok.Pos.Column)
		}
		lexer.PrevTokenType = tok.Type
		r.tokens = append(r.tokens, tok)
	}
}

func (r *reading) close(end opening, column int) {
	n := len(r.open)
	if n == 0 {
		return
	}
	begun := r.open[n-1]
	r.open = r.open[:n-1]
	if r.odd.line == 0 && end.kind == parse.TEnd && begun.line != end.line && column == end.indent && column != begun.indent {
		r.odd = begun
	}
}

// missing tells of a condition that does not end, or compares with one "=".
func (r *reading) missing(perr *parse.Error) string {
	for i := len(r.tokens) - 1; i >= 0; i-- {
		tok := r.tokens[i]
		word := "then"
		switch tok.Type {
		case parse.TIf, parse.TElseIf:
		case parse.TWhile, parse.TFor:
			word = "do"
		case parse.TThen, parse.TDo, parse.TElse, parse.TEnd, parse.TLocal, parse.TReturn, parse.TFunction, '{', ';':
			return ""
		default:
			continue
		}
		switch {
		case perr.Token == word:
			return ""
		case perr.Token == "=" && tok.Type != parse.TFor:
			return "to compare, write =="
		case len(r.open) > 0 && strings.ContainsRune("([{", rune(r.open[len(r.open)-1].kind)):
			return ""
		case perr.Pos.Line != tok.Pos.Line || perr.Token == "do" || perr.Token == "then":
			return fmt.Sprintf("the %q of line %d wants a %q", tok.Str, tok.Pos.Line, word)
		}
		return ""
	}
	return ""
}

// unclosed tells of a bracket or block that does not end, or ends twice.
func (r *reading) unclosed(perr *parse.Error) string {
	n := len(r.open)
	if n == 0 {
		if perr.Token == "end" {
			return `there is one "end" too many, or a "then" or "do" is missing above`
		}
		return ""
	}
	last := r.open[n-1]
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}
	switch wanted := closing[last.word]; {
	case wanted != "" && (perr.Pos.Line == parse.EOF || endsExpression(perr.Token) && perr.Token != wanted):
		return fmt.Sprintf("the %q of line %d has no %q", last.word, last.line, wanted)
	case last.kind == '{':
		return fmt.Sprintf(`a "," or "}" is missing in what the "{" of line %d begins`, last.line)
	case perr.Pos.Line != parse.EOF:
		return ""
	case r.elseIf > 0:
		return fmt.Sprintf(`an "end" is missing: "else if" is one word, elseif (line %d)`, r.elseIf)
	case last.kind == parse.TRepeat:
		return fmt.Sprintf(`the "repeat" of line %d has no "until"`, last.line)
	case r.odd.line > 0:
		last = r.odd
	}
	return fmt.Sprintf(`an "end" is missing, it seems that of the %q of line %d`, last.word, last.line)
}

// endsExpression tells whether no bracket may be open where a token stands.
func endsExpression(token string) bool {
	return slices.Contains([]string{")", "]", "}", "do", "else", "elseif", "end", "for", "if", "local", "repeat", "return", "then", "until", "while"}, token)
}
