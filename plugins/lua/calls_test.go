package lua

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"facteur/server/hook"
)

// tracedAt returns the trace of a run at a level, as "line: text".
func tracedAt(t *testing.T, level hook.TraceLevel, source string) []string {
	t.Helper()
	call := testCall(hook.Deliver)
	call.Trace = level
	out := mustCompile(t, newQuietHost(), source).Run(t.Context(), call)
	if out.Err != nil {
		t.Fatal(out.Err)
	}
	var list []string
	for _, l := range out.Trace {
		if l.Script != "test.lua" || l.Level > level {
			t.Errorf("%+v", l)
		}
		if l.Level != hook.TraceLines {
			list = append(list, fmt.Sprintf("%d: %s", l.Line, l.Text))
		}
	}
	return list
}

// Each level of a trace shows more of the same run.
func TestTraceLevels(t *testing.T) {
	source := `function deliver(m, box)
  local list = m:header("List-Id"):match("golang")
  if m.is.list and m.spam.score > 5 then log("listed", list) end
  local parts = m:parts()
  local who = box:contact("carol@elsewhere.net")
  box:fileinto("Lists/Go", { create = true, flags = { "a" } })
  box:thread_known(m)
end
`
	wants := map[hook.TraceLevel][]string{
		hook.TraceLog:   {"3: listed\tgolang"},
		hook.TraceCalls: {"2: m:header", "3: listed\tgolang", "4: m:parts", "5: box:contact", "6: box:fileinto", "7: box:thread_known"},
		hook.TraceValues: {`2: m:header("List-Id") = "<golang-nuts.googlegroups.com>"`, "3: m.is.list = true", "3: m.spam.score = 6.5", "3: listed\tgolang",
			`4: m:parts() = {{...}, {...}}`, `5: box:contact("carol@elsewhere.net") = {name = "Carol", received = 1795336200, written = 1795332600}`,
			`6: box:fileinto("Lists/Go", {create = true, flags = {...}}) noted: fileinto "Lists/Go" with a, made when it is not there`,
			`7: box:thread_known(m) = true`},
	}
	wants[hook.TraceLines] = wants[hook.TraceCalls]
	for level, want := range wants {
		if got := tracedAt(t, level, source); !slices.Equal(got, want) {
			t.Errorf("level %d:\n%s\nwant\n%s", level, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What a trace shows of a value has a bound, and so has the trace.
func TestTraceOfValuesIsBounded(t *testing.T) {
	got := tracedAt(t, hook.TraceValues, `function deliver(m, box)
  box:flag(("x"):rep(60))
  local t = {} for i = 1, 30 do t[i] = "flag" .. i end box:flag(t)
  for i = 1, 2000 do m:headers(("y"):rep(5000)) end
end`)
	if len(got) < 900 || len(got) > maxVerboseTrace {
		t.Errorf("%d lines", len(got))
	}
	for _, l := range got {
		if len(l) > maxLogText+20 {
			t.Errorf("%d octets", len(l))
		}
	}
	long := tracedAt(t, hook.TraceValues, `function deliver(m, box) m:header(("y"):rep(5000)) local t = {} for i = 1, 30 do t[i] = "f" .. i end box:flag(t) end`)
	if len(long) != 2 || !strings.Contains(long[0], `yyy..."`) || !strings.Contains(long[1], `"f8", ...}`) {
		t.Errorf("%q", long)
	}
}

// Functions of Go modules are in the trace too.
func TestTraceOfModules(t *testing.T) {
	h := New(Options{Modules: []Module{{Name: "shop", Functions: map[string]Func{
		"price": func(a *Args) (any, error) { return Results{a.Number(1) * 2, "EUR"}, nil },
	}}}})
	call := testCall(hook.Deliver)
	call.Trace = hook.TraceValues
	out := mustCompile(t, h, `function deliver() shop.price(21) end`).Run(t.Context(), call)
	if out.Err != nil || !slices.Contains(logged(out), `shop.price(21) = 42, "EUR"`) {
		t.Error(out.Err, logged(out))
	}
}
