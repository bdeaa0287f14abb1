package trial

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/server/hook"
)

//go:embed prelude.lua
var prelude []byte

// TestsOf returns the name of the file with the tests of a script: NAME_test.lua
// for NAME.lua.
func TestsOf(script string) string { return strings.TrimSuffix(script, ".lua") + "_test.lua" }

// IsTest tells whether a file is one of tests, by its name.
func IsTest(path string) bool { return strings.HasSuffix(path, "_test.lua") }

// Limits of the tests of one script, in all.
const (
	maxCPU   = 5 * time.Second
	maxWall  = 60 * time.Second
	maxTests = 1000
	maxRuns  = 10_000 // of the script, and things made for them, in one test
	maxMade  = 64 << 20
)

// Suite is a script with its tests.
type Suite struct {
	Host     lua.Options // of the script; its modules are not reached
	Location *time.Location
	Script   string // its name, as in mail.toml
	Source   []byte
	Path     string // of the file of the tests, which may read what lies beside it
	Tests    []byte // what is in it
}

// Result is what became of one test.
type Result struct {
	Name    string
	Line    int
	Elapsed time.Duration
	Err     *lua.Error // nil: all is as expected
}

// Report is what became of all tests of a suite.
type Report struct {
	Name    string // of the file of the tests, beside the name of the script
	Results []Result
	Files   []string // that tests read, by path
}

// Failed returns the results that are not as expected.
func (r Report) Failed() []Result {
	var list []Result
	for _, res := range r.Results {
		if res.Err != nil {
			list = append(list, res)
		}
	}
	return list
}

// Run runs the tests in their order. The error is that of a script, or a file of
// tests, that does not compile.
func (s Suite) Run(ctx context.Context) (Report, error) {
	t := &tester{suite: s, report: Report{Name: filepath.ToSlash(TestsOf(s.Script))}}
	options := s.Host
	options.After, options.Suspended, options.Modules = nil, nil, t.offline(s.Host.Modules)
	program, err := lua.New(options).Compile(s.Script, s.Source)
	if err != nil {
		return t.report, err
	}
	t.program = program
	options.Limits = testLimits(options.Limits)
	options.Modules, options.Prelude = append(options.Modules, t.module()), prelude
	tests, err := lua.New(options).Compile(t.report.Name, s.Tests)
	if err != nil {
		return t.report, err
	}
	functions, err := lua.Functions(t.report.Name, s.Tests)
	if err != nil {
		return t.report, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxWall)
	defer cancel()
	for _, f := range functions {
		if !strings.HasPrefix(f.Name, "test_") {
			continue
		}
		t.test(ctx, tests, f)
		if len(t.report.Results) >= maxTests || t.used > maxCPU {
			break
		}
	}
	return t.report, t.ended(functions)
}

// ended tells of tests that there was no time for, or that are not there.
func (t *tester) ended(functions []lua.Function) error {
	wrong := func(format string, args ...any) error {
		return &lua.Error{Script: t.report.Name, Text: fmt.Sprintf(format, args...)}
	}
	switch n := len(t.report.Results); {
	case t.used > maxCPU:
		return wrong("the tests took more than %v of CPU", maxCPU)
	case n >= maxTests:
		return wrong("more than %d tests", maxTests-1)
	case n == 0:
		return wrong("there is no function test_...")
	}
	seen := make(map[string]bool)
	for _, f := range functions {
		if seen[f.Name] && strings.HasPrefix(f.Name, "test_") {
			return &lua.Error{Script: t.report.Name, Line: f.Line, Text: f.Name + " is there twice: the first one never runs"}
		}
		seen[f.Name] = true
	}
	return nil
}

// testLimits are those of a file of tests, where they are higher than those of
// scripts.
func testLimits(l lua.Limits) lua.Limits {
	l.Instructions = max(l.Instructions, 50_000_000)
	l.DeliverTime = max(l.DeliverTime, maxCPU)
	l.WallTime = maxWall
	l.Memory = max(l.Memory, 64_000_000)
	l.Source = max(l.Source, 1_000_000)
	return l
}

// tester runs tests, one after another.
type tester struct {
	suite   Suite
	program hook.Program
	report  Report
	used    time.Duration // CPU of all

	// Of the test that runs.
	world   *World
	facts   []any // made by message, client and so on
	runs    []*ran
	made    int64 // octets of messages
	answers map[string]any
}

// test runs one test in a new world.
func (t *tester) test(ctx context.Context, tests *lua.Script, f lua.Function) {
	t.world = NewWorld(t.suite.Location)
	t.facts, t.runs, t.made, t.answers = nil, nil, 0, make(map[string]any)
	out := tests.Run(ctx, hook.Call{Stage: hook.Stage(f.Name), Services: t.world.Services(), Now: t.world.Now, Location: t.world.Location})
	res := Result{Name: f.Name, Line: f.Line, Elapsed: out.Elapsed}
	t.used += out.Elapsed
	if out.State != nil {
		out.State.Cancel()
	}
	for _, r := range t.runs {
		res.Elapsed += r.outcome.Elapsed
		t.used += r.outcome.Elapsed
	}
	if out.Err != nil && !errors.As(out.Err, &res.Err) {
		res.Err = &lua.Error{Script: t.report.Name, Line: f.Line, Text: out.Err.Error()}
	}
	if res.Err != nil && res.Err.Line == 0 {
		at := *res.Err
		at.Line = f.Line
		res.Err = &at
	}
	t.report.Results = append(t.report.Results, res)
}

// open opens a file in the folder of the tests, or below it.
func (t *tester) open(name string) (io.ReadCloser, error) {
	folder := filepath.Dir(t.suite.Path)
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", name, errors.Unwrap(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	t.report.Files = append(t.report.Files, filepath.Join(folder, name))
	return f, nil
}

// run runs the script at a stage. The memory that it used is kept for the next
// run of the same test.
func (t *tester) run(ctx context.Context, stage hook.Stage, facts Facts) (*ran, error) {
	before := make(map[string]float64)
	for name, n := range t.world.Metrics {
		before[name] = n
	}
	r := &ran{script: t.suite.Script, stage: stage, now: t.world.Now.In(t.world.Location), metrics: make(map[string]float64)}
	r.outcome = t.program.Run(ctx, t.world.Call(stage, facts))
	if state := r.outcome.State; state != nil {
		if r.outcome.Err != nil {
			state.Cancel()
		} else if err := state.Commit(ctx); err != nil {
			return nil, err
		}
	}
	for name, n := range t.world.Metrics {
		if n != before[name] {
			r.metrics[name] = n - before[name]
		}
	}
	t.runs = append(t.runs, r)
	return r, nil
}
