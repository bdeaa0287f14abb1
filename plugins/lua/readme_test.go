package lua

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"facteur/server/hook"
)

// registered returns all names that a script may use, as README.md writes them.
func registered() []string {
	names := slices.Collect(maps.Keys(globalFunctions))
	names = slices.AppendSeq(names, maps.Keys(smtpActions))
	for lib, l := range libraries {
		for name := range l.functions {
			names = append(names, lib+"."+name)
		}
		for name := range l.constants {
			names = append(names, lib+"."+name)
		}
	}
	for _, k := range []kind{clientKind, messageKind, recipientKind, boxKind} {
		for name := range k.fields {
			names = append(names, k.name+"."+name)
		}
		for name := range k.methods {
			names = append(names, k.name+":"+name)
		}
	}
	for name := range boxActions {
		names = append(names, "box:"+name)
	}
	for _, st := range hook.Stages {
		names = append(names, string(st))
	}
	slices.Sort(names)
	return names
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| ((?:`[^`]+` ?)+)\\|(.*)\\|$")
	codeSpan = regexp.MustCompile("`([^`]+)`")
	nameOf   = regexp.MustCompile(`^[a-z0-9_.:]+`)
)

// The manual page and the program have the same names.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	rows := map[string]string{}
	var documented []string
	for _, row := range tableRow.FindAllStringSubmatch(text, -1) {
		for _, span := range codeSpan.FindAllStringSubmatch(row[1], -1) {
			name := nameOf.FindString(span[1])
			if name == "c" || name == "m" || name == "r" || name == "box" {
				continue // the head of a table
			}
			documented = append(documented, name)
			rows[name] = row[2]
		}
	}
	slices.Sort(documented)
	want := registered()
	for _, name := range want {
		if !slices.Contains(documented, name) {
			t.Errorf("%s is not in README.md", name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(want, name) {
			t.Errorf("%s is in README.md, but not in the program", name)
		}
		if i > 0 && documented[i-1] == name {
			t.Errorf("%s is in README.md twice", name)
		}
	}
	for name := range smtpActions {
		stages, _, _ := strings.Cut(strings.TrimSpace(rows[name]), " |")
		var allowed []string
		for _, st := range hook.Stages {
			if st.Live() && contains(hook.Allowed[st], hook.Kind(name)) {
				allowed = append(allowed, string(st))
			}
		}
		if stages != strings.Join(allowed, " ") {
			t.Errorf("%s: README.md says %q, allowed are %q", name, stages, allowed)
		}
	}
	checkNumbers(t, text)
}

// checkNumbers finds the limits in the page.
func checkNumbers(t *testing.T, text string) {
	l := Limits{}.withDefaults()
	grouped := func(n int) string {
		s := fmt.Sprint(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	}
	for _, want := range []string{
		"instructions of a run | " + grouped(l.Instructions) + " |",
		fmt.Sprintf("`submit` | %d ms |", l.SMTPTime.Milliseconds()),
		fmt.Sprintf("`deliver` | %v s |", l.DeliverTime.Seconds()),
		fmt.Sprintf("memory of a run | %d MB |", l.Memory/1_000_000),
		fmt.Sprintf("actions of a run | %d |", l.Actions),
		fmt.Sprintf("redirects of a run | %d |", l.Redirects),
		fmt.Sprintf("size of a script | %d kB |", l.Source/1000),
		fmt.Sprintf("at most %v s in all", l.WallTime.Seconds()),
		fmt.Sprintf("A string has at most %d MB", maxString>>20),
		fmt.Sprintf("%d calls may", callDepth),
		fmt.Sprintf("use %d variables from outside", maxUpvalues),
		fmt.Sprintf("the last %d lines, %s octets each", maxTrace, grouped(maxLogText)),
		fmt.Sprintf("`hook test`: %s lines", grouped(maxVerboseTrace)),
		fmt.Sprintf("used %v s of CPU within an hour", l.Hourly.Seconds()),
		fmt.Sprintf("octets: %s, and never more than %s", grouped(defaultText), grouped(maxString)),
		fmt.Sprintf("an array, at most %s", grouped(maxUnpack)),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
	for _, name := range reserved {
		if !strings.Contains(strings.ToLower(text), "`"+name+"`") {
			t.Errorf("README.md does not name the field %s", name)
		}
	}
	for c := range dateLayouts {
		if !strings.Contains(text, "%"+string(c)) {
			t.Errorf("README.md does not name %%%c", c)
		}
	}
}
