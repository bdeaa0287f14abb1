package trial

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The manual page has all that a test may say, and nothing else.
func TestReadme(t *testing.T) {
	raw, err := os.ReadFile("../../plugins/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## Tests of scripts\n")
	if !ok {
		t.Fatal("there is no section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	section, _, _ = strings.Cut(section, "\n### Trying things")

	var told []string
	for _, m := range regexp.MustCompile(`(?m)^\| (:.*) \|[^|]*\|$`).FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile(`:([a-z_]+)[({]`).FindAllStringSubmatch(m[1], -1) {
			told = append(told, name[1])
		}
	}
	told = append(told, "total") // within the row of score
	names, _ := luaExpectations(nil)
	compare(t, "expectations", told, names.([]string))

	var functions []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_.]+)[({].*\|$`).FindAllStringSubmatch(section, -1) {
		functions = append(functions, strings.Replace(m[1], ".", "_", 1))
	}
	functions = append(functions, "kv_set", "expectations", "check")
	var have []string
	for name := range new(tester).module().Functions {
		have = append(have, name)
	}
	slices.Sort(functions)
	compare(t, "functions", functions, append(have, "expect"))
}

func compare(t *testing.T, what string, told, have []string) {
	t.Helper()
	for _, name := range have {
		if !slices.Contains(told, name) {
			t.Errorf("%s: %s is not in plugins/README.md", what, name)
		}
	}
	for _, name := range told {
		if !slices.Contains(have, name) {
			t.Errorf("%s: %s is in plugins/README.md, but not in the program", what, name)
		}
	}
}

// The example of the page works as it is written.
func TestReadmeExample(t *testing.T) {
	raw, err := os.ReadFile("../../plugins/README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```lua\n(-- sort_test.lua\n.*?)```").FindStringSubmatch(string(raw))
	if m == nil {
		t.Fatal("there is no example")
	}
	wrong, err := runTests(t, sortScript, m[1])
	if err != nil || len(wrong) != 2 || wrong["test_newsletter"]+wrong["test_a_letter"] != "" {
		t.Errorf("%v, %v", wrong, err)
	}
}
