package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"facteur/plugins/lua"
	"facteur/scripts"
	"facteur/server/config"
	"facteur/server/hook"
	"facteur/server/trial"
)

// script is a compiled script, with what it was made of.
type script struct {
	hook.Hook
	program *lua.Script       // that of Hook
	tested  [sha256.Size]byte // of its tests, itself and what both read, once all went well
	tests   trial.Report      // how they went
	files   []string          // to watch beside the script: its tests, and what they read
}

// maxTestFile bounds a file of tests, in octets.
const maxTestFile = 1 << 20

// openHost opens the plugins and the host of scripts: those of old, as long as nothing
// has changed for them.
func (s *settings) openHost(old *settings) (err error) {
	if old != nil && old.Lua == s.Lua && samePlugins(old.Config, s.Config) {
		s.host, s.modules, s.includes = old.host, old.modules, old.includes
		return nil
	}
	s.includes = &includes{load: loadBelow(filepath.Dir(s.File))}
	if s.modules, err = openPlugins(s.Config); err != nil {
		return err
	}
	o := s.luaOptions()
	o.Load = s.includes.read
	if old != nil {
		o.After = old.host
	}
	s.host = lua.New(o)
	return nil
}

// luaOptions are those of a host of the settings' scripts.
func (s *settings) luaOptions() lua.Options {
	return lua.Options{Limits: luaLimits(s.Lua), Modules: s.modules, Load: loadBelow(filepath.Dir(s.File))}
}

// loadBelow reads the files that scripts include, of which the names are relative to a
// folder as those of scripts are. A file wins over one that ships.
func loadBelow(dir string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		source, err := readBounded(pathBelow(dir, name), maxTestFile)
		if shipped, ok := scripts.Find(name); ok && errors.Is(err, fs.ErrNotExist) {
			return shipped.Source, nil
		}
		return source, err
	}
}

// includes reads what scripts include, and notes what it was asked for, so that it
// is watched also when it is not there yet. Only who loads settings uses it.
type includes struct {
	load  func(name string) ([]byte, error)
	asked []string
}

func (i *includes) read(name string) ([]byte, error) {
	if !slices.Contains(i.asked, name) {
		i.asked = append(i.asked, name)
	}
	return i.load(name)
}

// take returns what was asked for since the last call.
func (i *includes) take() []string {
	asked := i.asked
	i.asked = nil
	return asked
}

// compile compiles a script and runs its tests, unless old has it already. When
// the tests fail the script is returned beside the error, for the files to
// watch.
func (s *settings) compile(f config.Script, old *settings) (*script, error) {
	made := new(script)
	if !f.BuiltIn { // the tests of those are ours to run
		made.files = []string{trial.TestsOf(f.Path)}
	}
	source, err := f.Read()
	if err != nil {
		return made, fmt.Errorf("%s: the script can't be read: %w", f.Name, err)
	}
	var before *script
	if old != nil && old.host == s.host {
		before = old.scripts[f.Name]
	}
	s.includes.take()
	if before != nil && before.program.Unchanged(source) {
		made.program = before.program
	} else {
		made.program, err = s.host.Compile(f.Name, source)
	}
	for _, name := range s.includes.take() {
		made.files = append(made.files, pathBelow(filepath.Dir(s.File), name))
	}
	if err != nil {
		return made, err
	}
	made.Hook = hook.Hook{Program: made.program, Required: f.Required}
	if f.BuiltIn {
		return made, nil
	}
	if before != nil && before.program == made.program {
		if sum, err := digestOf(before.files); err == nil && sum == before.tested {
			made.tested, made.tests, made.files = before.tested, before.tests, before.files
			return made, nil
		}
	}
	return made, s.test(f, source, made)
}

// pathBelow is where a file lies that mail.toml or a script in it names.
func pathBelow(dir, name string) string {
	path := filepath.FromSlash(name)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// test runs the tests beside a script, if there are any.
func (s *settings) test(f config.Script, source []byte, made *script) error {
	began := time.Now()
	tests, err := readBounded(trial.TestsOf(f.Path), maxTestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return made.note(began)
	}
	if err != nil {
		return fmt.Errorf("%s: the tests can't be read: %w", trial.TestsOf(f.Name), err)
	}
	report, err := trial.Suite{
		Host: s.luaOptions(), Location: s.Location,
		Script: f.Name, Source: source, Path: trial.TestsOf(f.Path), Tests: tests,
	}.Run(context.Background())
	made.tests = report
	made.files = append(made.files, report.Files...)
	var wrong problems
	if err != nil {
		wrong = append(wrong, listProblems(err)...)
	}
	for _, res := range report.Failed() {
		wrong = append(wrong, listProblems(named(res))...)
	}
	if len(wrong) > 0 {
		return wrong
	}
	return made.note(began)
}

// note remembers that the files are well. What has changed since the tests began
// is left to be tested again.
func (s *script) note(began time.Time) error {
	sum, err := digestOf(s.files)
	for _, name := range s.files {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(began.Add(-10*time.Millisecond)) {
			return nil
		}
	}
	s.tested = sum
	return err
}

// named is the error of a test, which says which one.
func named(res trial.Result) error {
	err := *res.Err
	err.Text = res.Name + ": " + err.Text
	return &err
}

// digestOf tells versions of files apart, of which some may not be there.
func digestOf(files []string) (sum [sha256.Size]byte, err error) {
	all := sha256.New()
	for _, name := range files {
		if err := addFile(all, name); err != nil {
			return sum, err
		}
	}
	all.Sum(sum[:0])
	return sum, nil
}

func addFile(all hash.Hash, name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(all, "%q is not there\n", name)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	one := sha256.New()
	if _, err := io.Copy(one, io.LimitReader(f, trial.MaxMessage)); err != nil {
		return err
	}
	fmt.Fprintf(all, "%q %x\n", name, one.Sum(nil))
	return nil
}

// readBounded reads a file of at most limit octets.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("it has more than %d octets", limit)
	}
	return raw, err
}

// Files are those that the settings were made of. When one of them changes they
// should be loaded again.
func (s *settings) Files() []string {
	files := s.Config.Files()
	for _, sc := range s.scripts {
		files = append(files, sc.files...)
	}
	return files
}
