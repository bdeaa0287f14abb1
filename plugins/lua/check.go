package lua

import (
	"cmp"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"facteur/server/hook"
)

// parsedFile is a script, or what it includes.
type parsedFile struct {
	name  string
	chunk []ast.Stmt
}

// checker looks through a script for what would fail once it runs. It knows
// nothing of values: what it can't be sure of it leaves alone.
type checker struct {
	names     map[string]bool // what the host has: "log", "string.find"
	libraries map[string]bool // its tables: "string"
	kinds     map[string]kind
	assigned  map[string]bool // globals of the script
	asked     map[string]bool // names that the script tests for being there

	file        string
	told        map[string]bool     // unknown names that were told
	read        map[string]bool     // globals that are read somewhere
	handed      map[string]bool     // those whose value may go anywhere
	globals     map[string]*routine // functions
	globalCalls []globalCall
	aliases     []alias
	routines    []*routine
	hints       int
	errors      []*Error
	warnings    []*Error
}

// check looks through a script and what it includes. Errors are what can't but
// fail; one of the files must define a stage.
func check(names []string, files ...parsedFile) (errors, warnings []*Error) {
	c := &checker{
		names:     map[string]bool{},
		libraries: map[string]bool{},
		kinds:     map[string]kind{},
		assigned:  map[string]bool{},
		asked:     map[string]bool{},
	}
	for _, name := range names {
		c.names[name] = true
		if lib, _, ok := strings.Cut(name, "."); ok {
			c.names[lib], c.libraries[lib] = true, true
		}
	}
	for _, k := range kinds() {
		if k.name != invitationKind.name { // kindAt tells the two apart
			c.kinds[k.name] = k
		}
	}
	for _, f := range files {
		c.survey(f.chunk)
	}
	c.walk(files) // for the globals, which may be assigned after they are read
	c.walk(files)
	c.checkActions()
	c.checkStages(files)
	return sorted(c.errors), sorted(c.warnings)
}

// walk looks through the files with what is known by now.
func (c *checker) walk(files []parsedFile) {
	c.told, c.read, c.handed, c.globals = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]*routine{}
	c.globalCalls, c.aliases, c.routines, c.errors, c.warnings, c.hints = nil, nil, nil, nil, nil, 0
	for _, f := range files {
		c.file = f.name
		r := &reader{checker: c, in: &routine{unknown: true}}
		r.block(f.chunk)
	}
}

// sorted returns findings by their place, each once.
func sorted(list []*Error) []*Error {
	slices.SortStableFunc(list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Script, b.Script), cmp.Compare(a.Line, b.Line))
	})
	return slices.CompactFunc(list, func(a, b *Error) bool { return *a == *b })
}

// Bounds of what is told of a script, and of the work for it.
const (
	maxFindings = 100 // of each kind
	maxHints    = 20  // a name is compared with all others
)

func (c *checker) fail(line int, format string, args ...any) { c.failAt(c.file, line, format, args...) }

func (c *checker) failAt(file string, line int, format string, args ...any) {
	if len(c.errors) < maxFindings {
		c.errors = append(c.errors, &Error{Script: file, Line: line, Text: sprintf(format, args...)})
	}
}

func (c *checker) warn(line int, format string, args ...any) { c.warnAt(c.file, line, format, args...) }

func (c *checker) warnAt(file string, line int, format string, args ...any) {
	if len(c.warnings) < maxFindings {
		c.warnings = append(c.warnings, &Error{Script: file, Line: line, Text: sprintf(format, args...)})
	}
}

// meant is a hint at the name that was meant, or "".
func (c *checker) meant(name string, names []string) string {
	if c.hints++; c.hints > maxHints {
		return ""
	}
	if n := nearest(name, names); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// checkStages finds functions that were meant for a stage, and whether there is
// any. Scripts that are tests have others.
func (c *checker) checkStages(files []parsedFile) {
	other := slices.ContainsFunc(files, func(f parsedFile) bool { return len(definedStages(f.chunk)) > 0 })
	for name, r := range c.globals {
		isStage := slices.Contains(hook.Stages, hook.Stage(name))
		other = other || strings.HasPrefix(name, "test_")
		if isStage || c.read[name] {
			continue
		}
		if stage := meantStage(name); stage != "" {
			c.warnAt(r.file, r.line, "nothing calls %s, which is no stage; did you mean %s?", name, stage)
		}
	}
	if !other {
		c.warnAt(files[0].name, 0, "it defines no function of a stage, so it never runs")
	}
}

// meantStage returns the stage that a name was meant for, or "".
func meantStage(name string) string {
	if strings.HasPrefix(name, "test_") {
		return ""
	}
	for _, word := range strings.FieldsFunc(splitCamel(name), func(r rune) bool { return r == '_' }) {
		if slices.Contains(hook.Stages, hook.Stage(word)) {
			return word
		}
	}
	stages := make([]string, len(hook.Stages))
	for i, st := range hook.Stages {
		stages[i] = string(st)
	}
	return nearest(name, stages)
}

// splitCamel turns onDeliver into on_deliver.
func splitCamel(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// survey finds the names whose truth a script asks for: it knows that they may
// be nil.
func (c *checker) survey(chunk []ast.Stmt) {
	ask := func(list ...ast.Expr) {
		for _, e := range list {
			if id, ok := e.(*ast.IdentExpr); ok {
				c.asked[id.Value] = true
			}
		}
	}
	visit(chunk, func(stmt ast.Stmt) {
		switch st := stmt.(type) {
		case *ast.IfStmt:
			ask(st.Condition)
		case *ast.WhileStmt:
			ask(st.Condition)
		case *ast.RepeatStmt:
			ask(st.Condition)
		}
	}, func(expr ast.Expr) {
		switch e := expr.(type) {
		case *ast.LogicalOpExpr:
			ask(e.Lhs, e.Rhs)
		case *ast.UnaryNotOpExpr:
			ask(e.Expr)
		case *ast.RelationalOpExpr:
			if _, ok := e.Rhs.(*ast.NilExpr); ok {
				ask(e.Lhs)
			}
			if _, ok := e.Lhs.(*ast.NilExpr); ok {
				ask(e.Rhs)
			}
		}
	})
}
