package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/plugins/lua"
	"facteur/scripts"
	"facteur/server/trial"
)

// Each script that ships says what it is for, and passes the tests beside it.
func TestShippedScripts(t *testing.T) {
	all := scripts.All()
	if len(all) < 8 {
		t.Errorf("%d scripts ship", len(all))
	}
	for _, s := range all {
		if s.Tests == nil || s.Says() == "" {
			t.Errorf("%s has no tests, or does not say what it is for", s.Name)
			continue
		}
		runSuite(t, trial.Suite{Script: s.Name, Source: s.Source, Path: trial.TestsOf(s.Name), Tests: s.Tests})
	}
}

// And so does each example.
func TestExampleScripts(t *testing.T) {
	files, err := filepath.Glob("../examples/filters/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	_, modules, err := loadPlugins(t, "[lua]\nhttp = [\"chat.example.net\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.lua") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests, err := os.ReadFile(trial.TestsOf(file))
		if err != nil {
			t.Error(err)
			continue
		}
		runSuite(t, trial.Suite{Script: file, Source: source, Path: trial.TestsOf(file), Tests: tests, Host: lua.Options{Modules: modules}})
	}
}

func runSuite(t *testing.T, s trial.Suite) {
	t.Helper()
	compiled, err := lua.New(s.Host).Compile(s.Script, s.Source)
	if err != nil {
		t.Error(err)
		return
	}
	for _, w := range compiled.Warnings() {
		t.Error(w)
	}
	report, err := s.Run(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, failed := range report.Failed() {
		t.Errorf("%s: %v", failed.Name, failed.Err)
	}
	if len(report.Results) == 0 {
		t.Errorf("%s: no tests ran", s.Script)
	}
}
