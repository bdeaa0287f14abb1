package lua

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"facteur/server/hook"
)

// begun is a state that has begun a run.
func begun(t testing.TB) *state {
	h := fuzzHost()
	s := h.states.Get().(*state)
	call := testCall(hook.Deliver)
	s.begin(t.Context(), mustCompile(t, h, "x = 1"), &call)
	return s
}

// What is JSON for encoding/json is JSON for us, but for what is too large.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"a": [1, -2.5e+10, true, null, "\u00e9\ud83d\ude00\n"]}`, `[]`, `01`, `"\x"`, `{"a":1,}`, `-`, `1.e5`, " [ ] ", `"` + "\x00" + `"`, `{"a":{"b":[[[]]]}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		s := begun(t)
		v, err := s.decodeJSON(text)
		if s.L.GetTop() != 0 {
			t.Fatalf("%q leaves %d values on the stack", text, s.L.GetTop())
		}
		switch valid := json.Valid([]byte(text)); {
		case err == nil && !valid:
			t.Fatalf("%q was taken", text)
		case err != nil && valid && !strings.Contains(err.Error(), "deeper") && !strings.Contains(err.Error(), "number"):
			t.Fatalf("%q: %v", text, err)
		case err == nil:
			again, err := s.encodeJSON(v)
			if err != nil || !json.Valid([]byte(again)) {
				t.Fatalf("%q became %q: %v", text, again, err)
			}
		}
	})
}

// A pattern that is light enough is compiled to as few states as it weighs, and
// finds from the start on what Go's regexp finds.
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{`a(b|c)*d`, `(?i)\bfoo{2,9}`, `\Qa)`, `(?m)^x$`, `[^\pL]{3,}?`, `(((a{1,9}){1,9})|)`, `\C`, `(?P<n>a)`} {
		f.Add(pattern, "xa abcd foo\nx")
	}
	f.Fuzz(func(t *testing.T, text, in string) {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil || len(text) > maxPattern || len(in) > 200 {
			return
		}
		weight := weigh(tree)
		if weight > maxWeight || tree.MaxCap() > maxGroups {
			return
		}
		groups := tree.MaxCap()
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if len(prog.Inst) > 2*weight+4 {
			t.Fatalf("%q weighs %d and has %d states", text, weight, len(prog.Inst))
		}
		m := regexMatch{begun(t), &pattern{text: text, weight: weight, first: regexp.MustCompile(text)}, in}
		all := m.re.first.FindAllStringSubmatchIndex(in, 2)
		at := 0
		for _, want := range all {
			got := m.from(at)
			if !slices.Equal(got, want) || len(got) != 2*groups+2 {
				if len(want) == 2 || want[0] != want[1] { // Go leaves out what is empty right after a match
					if got != nil && got[0] == got[1] && at > 0 {
						return
					}
					t.Fatalf("%q in %q from %d: %v, want %v", text, in, at, got, want)
				}
				return
			}
			at = m.after(got)
			if at > len(in) {
				return
			}
		}
	})
}
