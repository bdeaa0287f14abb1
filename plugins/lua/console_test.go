package lua

import (
	"errors"
	"strings"
	"testing"

	"facteur/server/hook"
)

// A console keeps what was defined, and tells values and actions.
func TestConsole(t *testing.T) {
	h := newQuietHost()
	c := h.Console()
	call := testCall(hook.Deliver)
	script := mustCompile(t, h, `function sort(m, box) box:fileinto("Lists") end`)
	if a := c.Load(t.Context(), script, call); a.Outcome.Err != nil {
		t.Fatal(a.Outcome.Err)
	}
	for _, s := range []struct {
		source, values, actions, err string
		unfinished                   bool
	}{
		{source: "1 + 1", values: "2"},
		{source: `x = {1, "two", three = 3, [4.5] = {}}`},
		{source: "x", values: `{1, "two", three = 3, [4.5] = {}}`},
		{source: "x[2], nil", values: `"two" nil`},
		{source: "m.from", values: `"carol@elsewhere.net"`},
		{source: "sort(m, box)", actions: `fileinto "Lists"`},
		{source: "for i = 1, 3 do", unfinished: true, err: "at the end of the file"},
		{source: "for i = 1, 3 do\nlast = i end"},
		{source: "last", values: "3"},
		{source: "1 +", unfinished: true, err: "syntax error"},
		{source: ")", err: "input:1:"},
		{source: "box:nothing()", err: "input:1:"},
		{source: "last", values: "3"},
		{source: "local l = 1"},
		{source: "l", values: "nil"},
		{source: "string", values: "{...}"},
		{source: `("x"):rep(2^30)`, err: "memory"},
		{source: "last", values: "nil"}, // all is lost
		{source: "1", values: "1"},
	} {
		a := c.Run(t.Context(), s.source, call)
		var actions []string
		for _, action := range a.Outcome.Actions {
			actions = append(actions, action.String())
		}
		if got := strings.Join(a.Values, " "); got != s.values || strings.Join(actions, "; ") != s.actions || a.Incomplete != s.unfinished {
			t.Errorf("%s: values %s, actions %q, unfinished %v", s.source, got, actions, a.Incomplete)
		}
		if err := a.Outcome.Err; (err == nil) != (s.err == "") || err != nil && !strings.Contains(err.Error(), s.err) {
			t.Errorf("%s: %v, want %q", s.source, err, s.err)
		}
		if limit := Limit(""); a.Lost != errors.As(a.Outcome.Err, &limit) {
			t.Errorf("%s: lost %v", s.source, a.Lost)
		}
	}
}
