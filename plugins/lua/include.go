package lua

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"facteur/server/hook"
)

// A script is made of its file and those that it includes, each compiled once.
// include("name") runs one of them where it stands.

const (
	maxIncludeDepth = 4
	maxFiles        = 16 // that a script includes
	maxIncludeName  = 200
)

// file is one file of a script.
type file struct {
	name   string // as in mail.toml, or as Options.Load knows it
	digest [sha256.Size]byte
	lines  []string // for the trace of a verbose run
	proto  *lua.FunctionProto
}

// line returns a line of the source.
func (f *file) line(n int) string {
	if f == nil || n < 1 || n > len(f.lines) {
		return ""
	}
	return clip(strings.TrimSpace(f.lines[n-1]), 200)
}

// compiler compiles a script with what it includes.
type compiler struct {
	host   *Host
	script string
	size   int
	open   []string // files that are being compiled, each included by the one before
	files  map[string]*file
	order  []string
	stages []hook.Stage
	parsed []parsedFile
}

// include is a call of include in a source.
type include struct {
	name string // of the file
	line int
}

// file compiles one file, and those that it includes.
func (c *compiler) file(name string, source []byte) error {
	if c.size += len(source); c.size > c.host.limits.Source {
		return &Error{Script: c.script, Text: fmt.Sprintf("the script is larger than %d octets", c.host.limits.Source)}
	}
	f := &file{name: name, digest: sha256.Sum256(source)}
	source = trimMark(source)
	if err := scan(name, source); err != nil {
		return err
	}
	chunk, err := parseChunk(name, source)
	if err != nil {
		return err
	}
	// rewrite changes the chunk, and check wants it as it was written.
	if written, err := parseChunk(name, source); err == nil {
		c.parsed = append(c.parsed, parsedFile{name, written})
	}
	c.stages = append(c.stages, definedStages(chunk)...)
	includes, err := rewrite(name, chunk)
	if err != nil {
		return err
	}
	if f.proto, err = compileChunk(name, chunk); err != nil {
		return err
	}
	if err := finish(name, f.proto); err != nil {
		return err
	}
	f.lines = strings.Split(string(source), "\n")
	c.files[name] = f
	c.order = append(c.order, name)
	c.open = append(c.open, name)
	for _, in := range includes {
		if err := c.include(name, in); err != nil {
			return err
		}
	}
	c.open = c.open[:len(c.open)-1]
	return nil
}

// include compiles a file that the file by is to include.
func (c *compiler) include(by string, in include) error {
	fail := func(format string, args ...any) error {
		return &Error{Script: by, Line: in.line, Text: sprintf(format, args...)}
	}
	switch {
	case slices.Contains(c.open, in.name):
		return fail("%s includes itself", in.name)
	case c.files[in.name] != nil:
		return nil
	case len(c.open) > maxIncludeDepth:
		return fail("include is nested deeper than %d", maxIncludeDepth)
	case len(c.files) > maxFiles:
		return fail("more than %d files are included", maxFiles)
	case c.host.load == nil:
		return fail("there is nothing to include here")
	}
	source, err := c.host.load(in.name)
	if err != nil {
		return fail("%s can't be included: %v", in.name, err)
	}
	return c.file(in.name, source)
}

// hash is the first 12 digits of a SHA-256: of the source, and of the digests of
// what it includes.
func (c *compiler) hash() string {
	digest := c.files[c.script].digest
	if len(c.order) > 1 {
		h := sha256.New()
		for _, name := range c.order {
			d := c.files[name].digest
			fmt.Fprintf(h, "%s %x\n", name, d)
		}
		digest = [sha256.Size]byte(h.Sum(nil))
	}
	return hex.EncodeToString(digest[:6])
}

// includeName returns the file that a name in a call of include means: in the
// folder of the including file, or below it.
func includeName(by, name string) (string, bool) {
	ok := name != "" && len(name) <= maxIncludeName
	for _, part := range strings.Split(name, "/") {
		letters := strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
		ok = ok && letters == "" && part != "" && part[0] != '.'
	}
	if !strings.HasSuffix(name, ".lua") {
		name += ".lua"
	}
	return path.Join(path.Dir(by), name), ok
}

// include finds the file of a call of include, and puts its full name there.
func (r *rewriter) include(e *ast.FuncCallExpr) {
	fn, ok := e.Func.(*ast.IdentExpr)
	if !ok || fn.Value != "include" {
		return
	}
	var name *ast.StringExpr
	if len(e.Args) == 1 {
		name, _ = e.Args[0].(*ast.StringExpr)
	}
	if name == nil {
		r.fail(e.Line(), "include takes one name, as a constant text")
		return
	}
	full, ok := includeName(r.name, name.Value)
	if !ok {
		r.fail(e.Line(), fmt.Sprintf("%s is no name of a file in the script's folder", quote(name.Value, 60)))
		return
	}
	name.Value = full
	r.includes = append(r.includes, include{full, e.Line()})
}

// toolInclude is include(name): it runs the file, and returns what that returns.
func toolInclude(s *state) int {
	f := s.script.files[s.str(1)]
	if f == nil || f.name == s.script.name {
		s.L.RaiseError(`write include("name"), with a constant text`)
	}
	s.work(toolCost)
	s.need(functionSize + len(f.proto.Constants))
	fn := s.L.NewFunctionFromProto(f.proto)
	fn.Env = s.env
	s.L.SetTop(0)
	s.L.Push(fn)
	s.L.Call(0, lua.MultRet)
	return s.L.GetTop()
}

// Includes lists the files that the script includes, as Options.Load was asked
// for them.
func (s *Script) Includes() []string { return slices.Clone(s.order[1:]) }

// Unchanged tells whether the script, compiled anew from this source and what it
// includes now, would be the same.
func (s *Script) Unchanged(source []byte) bool {
	if sha256.Sum256(source) != s.files[s.name].digest {
		return false
	}
	for _, name := range s.order[1:] {
		included, err := s.host.load(name)
		if err != nil || sha256.Sum256(included) != s.files[name].digest {
			return false
		}
	}
	return true
}
