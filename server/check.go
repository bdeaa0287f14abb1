package server

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"facteur/scripts"
	"facteur/server/trial"
)

// CheckOptions are those of `facteur check`.
type CheckOptions struct {
	Config string
	Tests  bool // tell of each test of a script
	JSON   bool
}

// checkJSON is the answer for programs.
type checkJSON struct {
	OK       bool       `json:"ok"`
	Problems problems   `json:"problems"`
	Notes    []string   `json:"notes,omitempty"`
	Tests    []testJSON `json:"tests,omitempty"`
}

type testJSON struct {
	File    string  `json:"file"`
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// Check prints all errors of the settings file, its scripts and their tests, and
// what else is odd about them. The returned error says how many errors there are.
func Check(w io.Writer, o CheckOptions) error {
	s, err := loadSettings(o.Config, nil)
	if err == nil && s.TLS.Cert != "" { // else one would be made, and check changes nothing
		_, err = loadCerts(s)
	}
	answer := checkJSON{Problems: problems{}}
	if err != nil {
		answer.Problems = listProblems(err)
	}
	answer.OK = len(answer.Problems) == 0
	if s != nil {
		answer.Notes = append(s.warnings(), s.unused()...)
		if o.Tests {
			if answer.Tests = s.testResults(); len(answer.Tests) == 0 {
				answer.Notes = append(answer.Notes, "there are no tests: those of NAME.lua are in NAME_test.lua beside it")
			}
		}
	}
	if o.JSON {
		if err := printJSON(w, answer); err != nil {
			return err
		}
	} else {
		printCheck(w, answer)
	}
	switch {
	case !answer.OK:
		return fmt.Errorf("%s: %s", o.Config, counted(len(answer.Problems), "problem"))
	case !o.JSON:
		fmt.Fprintf(w, "%s is fine: %s, %s, %s\n", o.Config, counted(len(s.Directory.Domains), "domain"),
			counted(len(s.Directory.Accounts), "account"), counted(len(s.scripts), "script"))
	}
	return nil
}

func printCheck(w io.Writer, answer checkJSON) {
	for _, t := range answer.Tests {
		state := "ok"
		if !t.OK {
			state = "FAILED"
		}
		fmt.Fprintf(w, "%s: %s %s (%v)\n", t.File, t.Name, state, time.Duration(t.Seconds*float64(time.Second)).Round(time.Millisecond))
	}
	for _, p := range answer.Problems {
		fmt.Fprintln(w, p)
	}
	for _, n := range answer.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
}

// testResults lists how each test of a script went.
func (s *settings) testResults() []testJSON {
	var list []testJSON
	for _, name := range slices.Sorted(maps.Keys(s.scripts)) {
		report := s.scripts[name].tests
		for _, res := range report.Results {
			t := testJSON{File: report.Name, Name: res.Name, OK: res.Err == nil, Seconds: res.Elapsed.Seconds()}
			if res.Err != nil {
				t.Error = res.Err.Error()
			}
			list = append(list, t)
		}
	}
	return list
}

// warnings tells what is odd about scripts, though they run.
func (s *settings) warnings() []string {
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(s.scripts)) {
		if program := s.scripts[name].program; program != nil {
			for _, w := range program.Warnings() {
				notes = append(notes, w.Error())
			}
		}
	}
	return notes
}

// unused tells of scripts that lie beside those of mail.toml and that nothing
// names, and of tests without a script.
func (s *settings) unused() []string {
	used := make(map[string]bool)
	dirs := map[string]bool{filepath.Join(filepath.Dir(s.File), "scripts"): true}
	for _, f := range s.ScriptFiles {
		used[f.Path] = true
		dirs[filepath.Dir(f.Path)] = true
	}
	for _, sc := range s.scripts {
		for _, file := range sc.files { // what it includes, too
			used[file] = true
		}
	}
	var notes []string
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // what mail.toml names is told of elsewhere
		}
		for _, e := range entries {
			if note := s.unusedFile(dir, e, used); note != "" {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

func sameFile(path string, content []byte) bool {
	have, err := readBounded(path, maxTestFile)
	return err == nil && bytes.Equal(have, content)
}

// unusedFile tells what is odd about a file, or "".
func (s *settings) unusedFile(dir string, e fs.DirEntry, used map[string]bool) string {
	path := filepath.Join(dir, e.Name())
	if e.IsDir() || filepath.Ext(path) != ".lua" || used[path] {
		return ""
	}
	name := path
	if rel, err := filepath.Rel(filepath.Dir(s.File), path); err == nil {
		name = filepath.ToSlash(rel)
	}
	if !trial.IsTest(path) {
		if shipped, ok := scripts.Find(name); ok && sameFile(path, shipped.Source) {
			return "" // a copy, to read
		}
		return name + ": unused: neither mail.toml nor another script names it"
	}
	script := strings.TrimSuffix(path, "_test.lua") + ".lua"
	if _, err := os.Stat(script); err == nil {
		return "" // of a script that is told of itself
	}
	return name + ": tests without a script: there is no " + filepath.Base(script)
}
