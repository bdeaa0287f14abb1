package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/hook"
)

// module is what prelude.lua makes the functions of tests of.
func (t *tester) module() lua.Module {
	return lua.Module{Name: "trial", Functions: map[string]lua.Func{
		"run": t.luaRun, "check": t.luaCheck, "expectations": luaExpectations,
		"message":    make1(t, func(f *fields) (hook.Message, error) { return messageOf(f, t.world, t.open) }),
		"client":     make1(t, func(f *fields) (hook.Client, error) { return clientOf(f, t.world.Facts().Client) }),
		"recipient":  make1(t, func(f *fields) (hook.Recipient, error) { return recipientOf(f, t.world.Facts().Recipient) }),
		"login":      make1(t, func(f *fields) (hook.Login, error) { return loginOf(f, t.world.Facts().Login) }),
		"change":     make1(t, func(f *fields) (hook.Change, error) { return changeOf(f, t.world.Facts().Change) }),
		"fate":       make1(t, func(f *fields) (hook.Fate, error) { return fateOf(f, t.world.Facts().Fate) }),
		"invitation": make1(t, func(f *fields) (hook.Invitation, error) { return invitationOf(f, t.world.Facts().Invitation) }),
		"box":        t.luaBox, "clock": t.luaClock, "dns": t.luaDNS, "answer": t.luaAnswer,
		"kv_get": t.luaKVGet, "kv_set": t.luaKVSet,
	}}
}

// maxFile bounds a message file of a test, in octets.
const maxFile = 16 << 20

// make1 makes a fact of a table. In Lua it is a table that says which one.
func make1[T any](t *tester, read func(*fields) (T, error)) lua.Func {
	return func(a *lua.Args) (any, error) {
		what := fmt.Sprintf("%T", *new(T))
		what = strings.ToLower(what[strings.LastIndex(what, ".")+1:])
		if len(t.facts) >= maxRuns {
			return nil, &lua.ArgError{Text: fmt.Sprintf("a test makes at most %d messages and the like", maxRuns)}
		}
		values := map[string]any{}
		if what == "recipient" && a.Len() > 0 && !a.IsNil(1) {
			if text, ok := a.Value(1).(string); ok {
				values["address"] = text
			} else {
				values = a.Table(1)
			}
		} else {
			values = a.Table(1)
		}
		made, err := read(newFields(what, values, t.world.Location))
		if err != nil {
			return nil, &lua.ArgError{Text: err.Error()}
		}
		if m, ok := any(made).(hook.Message); ok {
			if t.made += contentSize(m); t.made > maxMade {
				return nil, &lua.ArgError{Text: fmt.Sprintf("the messages of a test have at most %d MB in all", maxMade>>20)}
			}
		}
		t.facts = append(t.facts, made)
		return map[string]any{"is": what, "fact": len(t.facts)}, nil
	}
}

func contentSize(m hook.Message) int64 {
	if m.Content == nil {
		return 0
	}
	n, err := io.Copy(io.Discard, m.Content.Raw())
	if err != nil {
		return 0
	}
	return n
}

// luaRun is run(stage, facts...).
func (t *tester) luaRun(a *lua.Args) (any, error) {
	stage := hook.Stage(a.String(1))
	if !slices.Contains(hook.Stages, stage) {
		return nil, a.Errorf(1, "%q is no stage", stage)
	}
	if !t.program.Handles(stage) {
		return nil, a.Errorf(1, "%s has no function %s", t.suite.Script, stage)
	}
	if len(t.runs) >= maxRuns {
		return nil, &lua.ArgError{Text: fmt.Sprintf("a test runs the script at most %d times", maxRuns)}
	}
	facts := t.world.Facts()
	for i := 2; i <= a.Len(); i++ {
		if err := t.take(&facts, a, i); err != nil {
			return nil, err
		}
	}
	r, err := t.run(a.Context(), stage, facts)
	if err != nil {
		return nil, &lua.ArgError{Text: err.Error()}
	}
	return t.luaOutcome(r), nil
}

// take adds argument i of run to the facts.
func (t *tester) take(facts *Facts, a *lua.Args, i int) error {
	v := a.Value(i)
	if text, ok := v.(string); ok { // resolve("x@example.org")
		to, err := address.Parse(text)
		if err != nil {
			return a.Errorf(i, "%v", err)
		}
		facts.SetRecipient(to)
		return nil
	}
	table, _ := v.(map[string]any)
	n, ok := table["fact"].(float64)
	if !ok || int(n) < 1 || int(n) > len(t.facts) {
		return a.Errorf(i, "write message{...}, client{...}, recipient{...} or the like here")
	}
	switch fact := t.facts[int(n)-1].(type) {
	case hook.Message:
		facts.Message = fact
	case hook.Client:
		facts.Client = fact
	case hook.Recipient:
		facts.Recipient = fact
	case hook.Login:
		facts.Login = fact
	case hook.Change:
		facts.Change = fact
	case hook.Fate:
		facts.Fate = fact
	case hook.Invitation:
		facts.Invitation = fact
	}
	return nil
}

// luaOutcome is what run returns.
func (t *tester) luaOutcome(r *ran) map[string]any {
	out := map[string]any{"run": len(t.runs), "stage": string(r.stage)}
	var actions, logged []any
	for _, a := range r.outcome.Actions {
		actions = append(actions, luaAction(a))
	}
	for _, l := range r.outcome.Trace {
		logged = append(logged, l.Text)
	}
	out["actions"], out["log"], out["destinations"] = actions, logged, r.outcome.Destinations
	if r.outcome.Err != nil {
		out["error"] = r.outcome.Err.Error()
	}
	return out
}

func luaAction(a hook.Action) map[string]any {
	m := map[string]any{"kind": string(a.Kind), "line": a.Line, "says": a.String(), "text": a.Text}
	if a.Folder != "" {
		m["folder"] = a.Folder
	}
	if a.Address != (address.Address{}) {
		m["address"] = a.Address.String()
	}
	if len(a.Flags) > 0 {
		m["flags"] = a.Flags
	}
	if a.Fault != nil {
		m["code"], m["enhanced"], m["text"] = a.Fault.Code, a.Fault.Enhanced(), a.Fault.Text
	}
	if a.Kind == hook.Score {
		m["points"], m["rule"] = a.Points, a.Rule
	}
	if a.Name != "" {
		m["name"], m["value"] = a.Name, a.Value
	}
	return m
}

func luaExpectations(*lua.Args) (any, error) {
	names := slices.Collect(maps.Keys(expectations))
	for _, k := range kinds() {
		names = append(names, string(k))
	}
	return append(names, "equals"), nil
}

// luaCheck is check(what, expectation, ...): nil, or what is wrong.
func (t *tester) luaCheck(a *lua.Args) (any, error) {
	name := a.String(2)
	var args []any
	for i := 3; i <= a.Len(); i++ {
		args = append(args, a.Value(i))
	}
	what := a.Value(1)
	if name == "equals" {
		if want := say(first(args)); say(what) != want {
			return "expected " + want + ", but it is " + say(what), nil
		}
		return nil, nil
	}
	table, _ := what.(map[string]any)
	n, ok := table["run"].(float64)
	if !ok || int(n) < 1 || int(n) > len(t.runs) {
		return "expect(...) takes what run(...) returned", nil
	}
	if wrong := t.runs[int(n)-1].check(name, args); wrong != "" {
		return wrong, nil
	}
	return nil, nil
}

func (t *tester) luaBox(a *lua.Args) (any, error) {
	if err := setBox(t.world, newFields("box", a.Table(1), t.world.Location)); err != nil {
		return nil, &lua.ArgError{Text: err.Error()}
	}
	return nil, nil
}

// luaClock is clock("2026-12-24 08:00") or clock("+2 days"). It returns the time.
func (t *tester) luaClock(a *lua.Args) (any, error) {
	if a.Len() > 0 {
		now, err := t.clock(a.Value(1))
		if err != nil {
			return nil, a.Errorf(1, "%v", err)
		}
		t.world.Now = now
	}
	return float64(t.world.Now.Unix()), nil
}

func (t *tester) clock(v any) (time.Time, error) {
	if text, ok := v.(string); ok && strings.HasPrefix(text, "+") {
		d, err := config.ParseDuration(strings.TrimSpace(text[1:]))
		return t.world.Now.Add(d), err
	}
	return timeOf(v, t.world.Location)
}

// luaDNS is dns{ [name] = value }: see plugins/README.md.
func (t *tester) luaDNS(a *lua.Args) (any, error) {
	table := a.Table(1)
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if err := addRecords(t.world.DNS, name, table[name]); err != nil {
			return nil, &lua.ArgError{Text: "dns: " + name + ": " + err.Error()}
		}
	}
	return nil, nil
}

// addRecords adds what a test says of a name: false, values, or values by kind.
func addRecords(z *Zone, name string, v any) error {
	if v == false {
		z.Fail(name)
		return nil
	}
	if kinds, ok := v.(map[string]any); ok && len(kinds) > 0 {
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			values, ok := textsOf(kinds[kind])
			if !ok {
				return fmt.Errorf("%s must be a text or an array of texts", kind)
			}
			for _, value := range values {
				if err := z.Add(kind, name, value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	values, ok := textsOf(v)
	if !ok {
		return fmt.Errorf("write a text, an array of texts, false, or a table such as {mx = {...}}")
	}
	for _, value := range values {
		if err := z.Add(kindOf(name, value), name, value); err != nil {
			return err
		}
	}
	return nil
}

// kindOf guesses the kind of a record: addresses are a and aaaa, the names of
// addresses ptr, and all else is txt.
func kindOf(name, value string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return "ptr"
	}
	ip, err := netip.ParseAddr(value)
	switch {
	case err != nil:
		return "txt"
	case ip.Is4():
		return "a"
	}
	return "aaaa"
}

// memory opens the memory of the script at a stage with a mailbox, or without.
func (t *tester) memory() hook.State {
	var box address.Address
	for _, stage := range hook.Stages {
		if stage.HasBox() && t.program.Handles(stage) {
			box = t.world.Box.Of
		}
	}
	return t.world.KV.Begin(t.suite.Script, box, t.world.Now)
}

// luaKVGet reads a value as kv.get of a script does: package lua keeps them in JSON.
func (t *tester) luaKVGet(a *lua.Args) (any, error) {
	text, ok, err := t.memory().Get(a.String(1))
	if err != nil || !ok {
		return nil, err
	}
	var v any
	err = json.Unmarshal([]byte(text), &v)
	return v, err
}

func (t *tester) luaKVSet(a *lua.Args) (any, error) {
	text, err := json.Marshal(a.Value(2))
	if err != nil {
		return nil, err
	}
	state := t.memory()
	if err := state.Set(a.String(1), string(text), 0); err != nil {
		return nil, err
	}
	return nil, state.Commit(a.Context())
}
