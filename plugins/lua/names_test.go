package lua

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"facteur/server/hook"
)

// tried returns the pieces of scripts that tests run for what they come to.
// Those of the language itself have no stage.
func tried(t *testing.T) []try {
	list := slices.Concat(fields, actions)
	files, err := filepath.Glob("testdata/library/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts of the library", err)
	}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, try{"", string(source), ""})
	}
	for _, r := range toolRows {
		list = append(list, try{"", r.source, ""})
	}
	return append(list, try{"", includeFiles["scripts/main.lua"], ""})
}

// Every name of the manual page is used in a script that a test runs, and every
// stage runs one.
func TestEveryNameIsTried(t *testing.T) {
	all := tried(t)
	used := func(name string) bool {
		// As a name of its own, and not as the end of a longer one.
		whole := regexp.MustCompile(`(^|[^\w.:])` + regexp.QuoteMeta(name) + `($|\W)`)
		method := ""
		if lib, member, ok := strings.Cut(name, "."); ok && lib == "string" {
			method = ":" + member + "("
		}
		return slices.ContainsFunc(all, func(x try) bool {
			return whole.MatchString(x.source) || method != "" && strings.Contains(x.source, method)
		})
	}
	for _, name := range registered() {
		if slices.Contains(hook.Stages, hook.Stage(name)) {
			if !slices.ContainsFunc(all, func(x try) bool { return string(x.stage) == name }) {
				t.Errorf("no test runs a script at the stage %s", name)
			}
			continue
		}
		if !used(name) {
			t.Errorf("no test uses %s", name)
		}
	}
}
