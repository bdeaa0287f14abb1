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
	names = slices.AppendSeq(names, maps.Keys(globalActions))
	names = slices.AppendSeq(names, maps.Keys(toolFunctions))
	for _, libs := range []map[string]library{libraries, toolLibraries} {
		for lib, l := range libs {
			names = appendMembers(names, lib, l.functions)
			names = appendMembers(names, lib, l.constants)
		}
	}
	for _, k := range kinds() {
		for name := range k.fields {
			names = append(names, k.name+"."+name)
		}
		for name := range k.methods {
			names = append(names, k.name+":"+name)
		}
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
	text, _, _ := strings.Cut(string(page), "\n## Tests of scripts\n") // package trial has the test of those
	rows := map[string]string{}
	var documented []string
	for _, row := range tableRow.FindAllStringSubmatch(text, -1) {
		for _, span := range codeSpan.FindAllStringSubmatch(row[1], -1) {
			name := nameOf.FindString(span[1])
			if slices.ContainsFunc(kinds(), func(k kind) bool { return k.name == name && !strings.Contains(name, ".") }) {
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
	for name := range globalActions {
		checkStages(t, rows, name, name, func(st hook.Stage) bool { return !st.HasBox() })
	}
	for name := range boxActions {
		checkStages(t, rows, "box:"+name, name, hook.Stage.HasBox)
	}
	var live, after []string
	for _, st := range hook.Stages {
		switch {
		case st.Live():
			live = append(live, string(st))
		case st != hook.Deliver:
			after = append(after, string(st))
		}
		if call := "`" + string(st) + "(" + strings.Join(parameters[st], ", ") + ")`"; !strings.Contains(text, "| "+call+" |") {
			t.Errorf("README.md does not say %s", call)
		}
	}
	for _, row := range []string{"| " + strings.Join(live, ", ") + " | the client |", "| " + strings.Join(after, ", ") + " | nobody |"} {
		if !strings.Contains(text, row) {
			t.Errorf("README.md does not say %q", row)
		}
	}
	checkNumbers(t, text)
}

// checkStages compares the stages that a row of the page gives an action with
// those that allow it.
func checkStages(t *testing.T, rows map[string]string, row, action string, among func(hook.Stage) bool) {
	stages, _, _ := strings.Cut(strings.TrimSpace(rows[row]), " |")
	var allowed []string
	for _, st := range hook.Stages {
		if among(st) && slices.Contains(hook.Allowed[st], hook.Kind(action)) {
			allowed = append(allowed, string(st))
		}
	}
	if stages != strings.Join(allowed, " ") {
		t.Errorf("%s: README.md says %q, allowed are %q", row, stages, allowed)
	}
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
		fmt.Sprintf("or `resolve` | %d ms |", l.SMTPTime.Milliseconds()),
		fmt.Sprintf("stages after it | %v s |", l.DeliverTime.Seconds()),
		fmt.Sprintf("| the client | %d ms |", l.SMTPTime.Milliseconds()),
		fmt.Sprintf("| nobody | %v s |", l.DeliverTime.Seconds()),
		fmt.Sprintf("memory of a run | %d MB |", l.Memory/1_000_000),
		fmt.Sprintf("actions of a run | %d |", l.Actions),
		fmt.Sprintf("redirects of a run | %d |", l.Redirects),
		fmt.Sprintf("vacations of a run | %d |", l.Vacations),
		fmt.Sprintf("replies of a run | %d |", l.Replies),
		fmt.Sprintf("notifications of a run | %d |", l.Notices),
		fmt.Sprintf("an array of at most %d of them", maxDestinations),
		fmt.Sprintf("so much later, at most %v seconds", maxDelay.Seconds()),
		fmt.Sprintf("after that time: %v minutes", defaultGreylist.Minutes()),
		fmt.Sprintf("from %d to %d: 7", minDays, maxDays),
		fmt.Sprintf("says, at most %s octets", grouped(maxBody)),
		fmt.Sprintf("at most %d: mail to them", maxOwn),
		fmt.Sprintf("version %d of the API", APIVersion),
		fmt.Sprintf("API that this server has: %d |", APIVersion),
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
		fmt.Sprintf("DNS look-ups of a run | %d |", l.Lookups),
		fmt.Sprintf("A key has 1 to %d octets. A value has at most %s octets", maxKey, grouped(maxKV)),
		fmt.Sprintf("at most\n%s times, and stores at most %d MB", grouped(maxKVCalls), maxKVRun>>20),
		fmt.Sprintf("at most %s octets, %d groups, and %s states", grouped(maxPattern), maxGroups, grouped(maxWeight)),
		fmt.Sprintf("At most %d deep", maxJSONDepth),
		fmt.Sprintf("%d files, %d deep", maxFiles, maxIncludeDepth),
		fmt.Sprintf("a script has at most %d |", maxMetrics),
		fmt.Sprintf("at most %d times in a run, for at most %d days at once", maxBusyCalls, maxBusyDays),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
	for _, name := range slices.Concat(reserved, reservedPrefixes, removable) {
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
