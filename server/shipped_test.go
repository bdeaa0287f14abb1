package server

import (
	"os"
	"path/filepath"
	"regexp"
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

// The index of examples names each of them, and nothing that is not there.
func TestExampleIndex(t *testing.T) {
	raw, err := os.ReadFile("../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	index := string(raw)
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(index, -1) {
		if _, err := os.Stat(filepath.Join("../examples", m[1])); err != nil {
			t.Error(err)
		}
	}
	for _, m := range regexp.MustCompile("`(scripts/[a-z]+\\.lua)` \\(ships\\)").FindAllStringSubmatch(index, -1) {
		if _, ok := scripts.Find(m[1]); !ok {
			t.Errorf("%s does not ship", m[1])
		}
	}
	for _, pattern := range []string{"*.md", "*.toml", "filters/*.lua"} {
		files, _ := filepath.Glob("../examples/" + pattern)
		for _, f := range files {
			name := strings.TrimPrefix(filepath.ToSlash(f), "../examples/")
			if name != "README.md" && !strings.HasSuffix(name, "_test.lua") && !strings.Contains(index, "]("+name+")") {
				t.Errorf("%s is not in the index", name)
			}
		}
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
