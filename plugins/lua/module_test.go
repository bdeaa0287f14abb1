package lua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

// testModule shows its arguments and returns what tests ask for.
func testModule() Module {
	return Module{
		Name: "shop",
		Functions: map[string]Func{
			"show": func(a *Args) (any, error) {
				return fmt.Sprintf("%d %v %q %v", a.Len(), a.Value(1), a.OptString(2, "none"), a.Int(3, 7)), nil
			},
			"table":   func(a *Args) (any, error) { return fmt.Sprint(a.Table(1)), nil },
			"list":    func(a *Args) (any, error) { return fmt.Sprint(a.List(1)), nil },
			"several": func(a *Args) (any, error) { return Results{nil, true, 1.5, 2, int64(3), "x"}, nil },
			"nested": func(a *Args) (any, error) {
				return map[string]any{"list": []any{"a", 1.0}, "texts": []string{"b", "c"}, "no": nil}, nil
			},
			"message": func(a *Args) (any, error) { return a.IsMessage(1) && a.Call().Message.ID == "m1", nil },
			"broken":  func(a *Args) (any, error) { return nil, errors.New("connection refused") },
			"wrong":   func(a *Args) (any, error) { return nil, a.Errorf(2, "no such shop") },
			"fails":   func(a *Args) (any, error) { panic("oh") },
			"odd":     func(a *Args) (any, error) { return struct{}{}, nil },
			"waits": func(a *Args) (any, error) {
				<-a.Context().Done()
				return nil, a.Context().Err()
			},
			"large": func(a *Args) (any, error) { return strings.Repeat("x", 3<<20), nil },
			"deep": func(a *Args) (any, error) {
				list := make([]any, 1_000_000)
				for i := range list {
					list[i] = []any{}
				}
				return list, nil
			},
		},
		Globals: map[string]Func{"buy": func(a *Args) (any, error) { return a.Number(1) * 2, nil }},
		Virus: func(a *Args) (string, error) {
			if a.Call().Message.ID == "m1" {
				return "", errors.New("no scanner")
			}
			return "Eicar", nil
		},
	}
}

func moduleHost(o Options) *Host {
	o.Log, o.Modules = slog.New(slog.DiscardHandler), []Module{testModule()}
	return New(o)
}

func TestModule(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`log(shop.show("a"))`, `1 a "none" 7`},
		{`log(shop.show({1, 2, {x = true}}, 5, "3"))`, `3 [1 2 map[x:true]] "5" 3`},
		{`log(shop.show(nil))`, `1 <nil> "none" 7`},
		{`log(shop.table({a = 1, [2.5] = "y"}))`, `map[2.5:y a:1]`},
		{`log(shop.table({"p", "q"}))`, `map[1:p 2:q]`},
		{`log(shop.table())`, `map[]`},
		{`log(shop.list({"p", "q"}), shop.list(), shop.list({}))`, "[p q]\t[]\t[]"},
		{`log(shop.several())`, "nil\ttrue\t1.5\t2\t3\tx"},
		{`local n = shop.nested() log(n.list[1], n.list[2], #n.texts, n.no)`, "a\t1\t2\tnil"},
		{`log(shop.message(m), shop.message(box), shop.message("m"))`, "true\tfalse\tfalse"},
		{`log(shop.broken())`, "nil\tconnection refused"},
		{`log(buy(21))`, "42"},
		{`log(#shop.large())`, "1048576"},
		{`log(pcall(shop.list, {a = 1}))`, "false\ttest.lua:1: bad argument #1 to (anonymous) (an array expected)"},
		{`log(select(2, pcall(function() shop.wrong(1, 2) end)))`, "test.lua:1: bad argument #2 to wrong (no such shop)"},
		{`log(select(2, pcall(function() shop.show(function() end) end)))`, "test.lua:1: bad argument #1 to show (a function can't be passed on)"},
		{`local t = {} t.t = t log(select(2, pcall(function() shop.show(t) end)))`, "test.lua:1: bad argument #1 to show (tables are nested deeper than 16)"},
		{`log(select(2, pcall(function() shop.show(string) end)))`, "test.lua:1: bad argument #1 to show (a table of functions can't be passed on)"},
		{`local t = {} for i = 1, 14 do t = {t, t, t} end log(select(2, pcall(function() shop.show(t) end)))`, "test.lua:1: bad argument #1 to show (more than 10000 values)"},
	} {
		out := runScript(t, moduleHost(Options{}), hook.Deliver, "function deliver(m, box) "+c.source+" end")
		if out.Err != nil || !slices.Equal(logged(out), []string{c.want}) {
			t.Errorf("%s: %q, %v, want %q", c.source, logged(out), out.Err, c.want)
		}
	}
}

func TestModuleFails(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`shop.fails()`, "internal error"},
		{`pcall(shop.odd)`, "internal error"},
		{`shop.open = 1`, "shop is read only"},
		{`shop.pay()`, "pay"},
		{`local t = {} for i = 1, 100 do t[i] = shop.large() end`, "memory"},
		{`shop.deep()`, "memory"},
		{`local t, s = {}, ("x"):rep(1e6) for i = 1, 10000 do t[i] = s end shop.show(t)`, "more than 4 MB"},
		{`pcall(shop.waits) while true do end`, "50ms in all"},
	} {
		o := Options{}
		if strings.Contains(c.source, "waits") {
			o.Limits.WallTime = 50 * time.Millisecond
		}
		h := moduleHost(o)
		out := runScript(t, h, hook.Deliver, "function deliver(m, box) "+c.source+" end")
		if out.Err == nil || !strings.Contains(out.Err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.source, out.Err, c.want)
		}
	}
}

// What a module takes is not counted as the script's CPU, and ends with the
// caller.
func TestModuleWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := moduleHost(Options{Limits: Limits{Hourly: time.Nanosecond}})
	s := mustCompile(t, h, "function deliver(m, box) log(shop.waits()) end")
	cancel()
	if out := s.Run(ctx, testCall(hook.Deliver)); !errors.Is(out.Err, ErrCancelled) && out.Err != nil {
		t.Error(out.Err)
	}
}

func TestNames(t *testing.T) {
	names := moduleHost(Options{}).Names()
	for _, want := range []string{"shop.show", "buy", "string.rep", "log", "math.pi", "reject"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among the names", want)
		}
	}
	if slices.Contains(names, fnConcat) {
		t.Error("a name of ours is among the names")
	}
}

func TestModuleNames(t *testing.T) {
	for _, m := range []Module{
		{Name: "string", Functions: map[string]Func{"x": nil}},
		{Name: "my shop"},
		{Name: "shop", Globals: map[string]Func{"log": nil}},
		{Name: "shop", Functions: map[string]Func{"1": nil}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was taken", m)
				}
			}()
			New(Options{Modules: []Module{m}})
		}()
	}
}

func TestVirus(t *testing.T) {
	for id, want := range map[string]string{"m1": "", "m2": "Eicar"} {
		h := moduleHost(Options{})
		h.enter(t.Context())
		st := h.states.Get().(*state)
		call := testCall(hook.Deliver)
		call.Message.ID = id
		st.begin(t.Context(), &Script{name: "test.lua"}, &call)
		if got := st.virus(); got != want || st.virus() != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
		if lines := st.run.lines.list(); (len(lines) == 1) != (id == "m1") {
			t.Errorf("%s: %v", id, lines)
		}
		call.Message.Virus = "Known"
		if got := st.virus(); got != "Known" {
			t.Errorf("%s: %q", id, got)
		}
	}
}

// A message is looked at for viruses once, whatever scripts and stages ask; a module that
// could not tell is asked again.
func TestVirusOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		found string
		err   error
		asked int
	}{
		{"clean", "", nil, 1},
		{"found", "Eicar", nil, 1},
		{"no answer", "", errors.New("no scanner"), 4},
	} {
		asked := 0
		h := New(Options{Log: slog.New(slog.DiscardHandler), Modules: []Module{{Name: "scanner", Virus: func(*Args) (string, error) {
			asked++
			return c.found, c.err
		}}}})
		var hooks []hook.Hook
		for range 2 {
			hooks = append(hooks, hook.Hook{Program: mustCompile(t, h, fmt.Sprintf("function data(c, m) assert(m.virus == m.virus and m.virus == %[1]q) end function deliver(m, box) assert(m.virus == %[1]q) end", c.found))})
		}
		call := testCall(hook.Data)
		in := hook.Run(t.Context(), hooks, call)
		call = testCall(hook.Deliver)
		call.Message.Virus, call.Message.Scanned = in.Virus, in.Scanned
		out := hook.Run(t.Context(), hooks, call)
		if len(in.Failures)+len(out.Failures) > 0 || asked != c.asked || out.Virus != c.found {
			t.Errorf("%s: asked %d times, %q, %v %v", c.name, asked, out.Virus, in.Failures, out.Failures)
		}
	}
}
