package lua

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"facteur/server/hook"
)

// files is a folder of scripts.
type files map[string]string

func (f files) load(name string) ([]byte, error) {
	if source, ok := f[name]; ok {
		return []byte(source), nil
	}
	return nil, os.ErrNotExist
}

func (f files) compile(o Options, name string) (*Script, error) {
	o.Load = f.load
	return New(o).Compile(name, []byte(f[name]))
}

var includeFiles = files{
	"scripts/main.lua": `
local lists = include("data/lists")
function deliver(m, box)
  include("rules.lua")
  log(lists.go, rule(), select("#", include("data/lists")))
  box:flag("$x")
end`,
	"scripts/data/lists.lua": `include("deeper") return { go = "Lists/Go" }, 2`,
	"scripts/data/deeper.lua": `
function rcpt() log("rcpt") end`,
	"scripts/rules.lua": `
function rule()
  log("in a rule")
  return 7
end`,
}

func TestInclude(t *testing.T) {
	f := includeFiles
	s, err := f.compile(Options{}, "scripts/main.lua")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"scripts/data/lists.lua", "scripts/data/deeper.lua", "scripts/rules.lua"}; !slices.Equal(s.Includes(), want) {
		t.Errorf("%q, want %q", s.Includes(), want)
	}
	if !s.Handles(hook.Deliver) || !s.Handles(hook.Rcpt) || s.Handles(hook.Data) {
		t.Error("the stages are not those of all files")
	}
	call := testCall(hook.Deliver)
	call.Trace = hook.TraceLines
	out := s.Run(t.Context(), call)
	if out.Err != nil || len(out.Actions) != 1 || out.Actions[0].Script != "scripts/main.lua" || out.Actions[0].Line != 6 {
		t.Fatalf("%v, %v", out.Err, out.Actions)
	}
	for _, want := range []hook.Line{
		{Script: "scripts/rules.lua", Line: 3, Text: "in a rule"},
		{Script: "scripts/rules.lua", Line: 4, Text: "return 7", Level: hook.TraceLines},
		{Script: "scripts/main.lua", Line: 5, Text: "Lists/Go\t7\t2"},
	} {
		if !slices.Contains(out.Trace, want) {
			t.Errorf("%v is not in the trace: %v", want, out.Trace)
		}
	}
}

func TestIncludeFails(t *testing.T) {
	many := files{"main.lua": ""}
	for i := range maxFiles + 1 {
		many["main.lua"] += fmt.Sprintf("include('f%d') ", i)
		many[fmt.Sprintf("f%d.lua", i)] = ""
	}
	deep := files{"main.lua": "include('f0')"}
	for i := range maxIncludeDepth + 1 {
		deep[fmt.Sprintf("f%d.lua", i)] = fmt.Sprintf("include('f%d')", i+1)
	}
	main := func(source string) files { return files{"main.lua": source, "a.lua": "return 1"} }
	for _, c := range []struct {
		files
		want string
	}{
		{main("\ninclude(\"b\")"), "main.lua:2: b.lua can't be included: file does not exist"},
		{main(`include("../a")`), `main.lua:1: "../a" is no name of a file in the script's folder`},
		{main(`include("/etc/passwd")`), `main.lua:1: "/etc/passwd" is no name of a file in the script's folder`},
		{main(`include(".hidden")`), `main.lua:1: ".hidden" is no name of a file in the script's folder`},
		{main(`local n = "a" include(n)`), "main.lua:1: include takes one name, as a constant text"},
		{main(`include()`), "main.lua:1: include takes one name, as a constant text"},
		{main(`include("main")`), "main.lua:1: main.lua includes itself"},
		{files{"main.lua": `include("a")`, "a.lua": `include("b")`, "b.lua": "\n\ninclude('a')"}, "b.lua:3: a.lua includes itself"},
		{files{"main.lua": `include("a")`, "a.lua": "\n\nif then"}, "a.lua:3: syntax error near \"then\""},
		{files{"main.lua": `include("a")`, "a.lua": strings.Repeat("-", 5000)}, "main.lua: the script is larger than 4000 octets"},
		{many, "main.lua:1: more than 16 files are included"},
		{deep, "f3.lua:1: include is nested deeper than 4"},
	} {
		_, err := c.compile(Options{Limits: Limits{Source: 4000}}, "main.lua")
		if err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if _, err := New(Options{}).Compile("x.lua", []byte(`include("a")`)); err == nil {
		t.Error("included from nowhere")
	}
}

// An error and a limit in an included file are told with its name and line.
func TestIncludeErrors(t *testing.T) {
	for source, want := range map[string]string{
		"\nerror('no')":          "a.lua:2: no",
		"\n\nlocal x = nil .. 1": "a.lua:3: attempt to concatenate a nil value",
		"\nwhile true do end":    "a.lua:2: it ran more than 1000 instructions",
	} {
		s, err := files{"main.lua": `function deliver() include("a") end`, "a.lua": source}.compile(Options{Limits: Limits{Instructions: 1000}}, "main.lua")
		if err != nil {
			t.Fatal(err)
		}
		if out := s.Run(t.Context(), testCall(hook.Deliver)); out.Err == nil || out.Err.Error() != want {
			t.Errorf("%v, want %s", out.Err, want)
		}
	}
	s, err := files{"main.lua": `function deliver() local f = include f("a" .. ".lua") end`, "a.lua": ""}.compile(Options{}, "main.lua")
	if err != nil {
		t.Fatal(err)
	}
	var failed *Error
	if out := s.Run(t.Context(), testCall(hook.Deliver)); !errors.As(out.Err, &failed) {
		t.Error("a name that is no constant was included")
	}
}

// When an included file changes, the script is another.
func TestIncludeChanges(t *testing.T) {
	f := files{"main.lua": `include("a")`, "a.lua": `include("b")`, "b.lua": "x = 1"}
	s, err := f.compile(Options{}, "main.lua")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Unchanged([]byte(f["main.lua"])) || s.Unchanged([]byte("x = 1")) {
		t.Error("the source is not what tells")
	}
	for _, change := range []string{"x = 2", ""} {
		changed := maps.Clone(f)
		if changed["b.lua"] = change; change == "" {
			delete(changed, "b.lua")
		}
		s.host.load = changed.load
		if s.Unchanged([]byte(f["main.lua"])) {
			t.Errorf("%q goes unseen", change)
		}
		if other, err := changed.compile(Options{}, "main.lua"); err == nil && other.Hash() == s.Hash() {
			t.Error("the hash is the same")
		}
	}
}
