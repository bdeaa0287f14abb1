package lua

import (
	"maps"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"facteur/server/hook"
)

// usage is what is done with the value of a name.
type usage int

const (
	taken   usage = iota // it may go anywhere
	indexed              // a field of it is read or written
	called               // it is called, or a field of it
)

// ident is a name that is used.
func (r *reader) ident(e *ast.IdentExpr, as usage) {
	name := e.Value
	if v := r.local(name); v != nil {
		if v.fn != nil && as == taken {
			v.fn.unknown = true // it may be called from anywhere
		}
		return
	}
	r.read[name] = true
	switch {
	case r.assigned[name]:
		if as == taken {
			r.handed[name] = true
		}
	case r.names[name], r.asked[name], r.told[name]:
	case as == called && stagesOf(hook.Kind(name)) != "":
		// An action that is a method only: checkActions says so.
	case as == called:
		r.told[name] = true
		r.fail(e.Line(), "there is no %s%s", name, r.hint(name))
	default:
		r.told[name] = true
		r.warn(e.Line(), "%s is not defined anywhere, so it is nil%s", name, r.hint(name))
	}
}

// hint says what may have been meant by a name that is not there.
func (r *reader) hint(name string) string {
	for _, names := range parameters {
		if slices.Contains(names, name) {
			return "; it is a parameter of " + stagesWith(name)
		}
	}
	if text, ok := missing[name]; ok {
		return "; " + text
	}
	if r.hints >= maxHints {
		return ""
	}
	candidates := slices.Collect(maps.Keys(r.assigned))
	for n := range r.names {
		if !strings.Contains(n, ".") && !strings.HasPrefix(n, "(") {
			candidates = append(candidates, n)
		}
	}
	for s := r.scope; s != nil; s = s.outer {
		candidates = slices.AppendSeq(candidates, maps.Keys(s.names))
	}
	for name := range boxActions {
		candidates = append(candidates, name)
	}
	return r.meant(name, candidates)
}

// missing are names that are not here, though people look for them.
var missing = map[string]string{
	"require":        "use include",
	"dofile":         "use include",
	"loadfile":       "use include",
	"setmetatable":   "there are no metatables",
	"getmetatable":   "there are no metatables",
	"coroutine":      "there are no coroutines",
	"io":             "scripts read no files",
	"debug":          "there is no debugger",
	"_G":             "globals have no table",
	"loadstring":     "scripts can't make code",
	"load":           "scripts can't make code",
	"rawget":         "there are no metatables, so t[k] does",
	"rawset":         "there are no metatables, so t[k] = v does",
	"collectgarbage": "memory takes care of itself",
	"contains":       `write text:find("x", 1, true)`,
	"includes":       `write text:find("x", 1, true)`,
	"startswith":     `write text:sub(1, 1) == "x"`,
	"clamav":         "[plugins.clamav] of mail.toml turns it on",
	"rspamd":         "[plugins.rspamd] of mail.toml turns it on",
	"blocklists":     "[plugins.dnsbl] of mail.toml turns it on",
}

// stagesWith lists the stages whose function has a parameter.
func stagesWith(name string) string {
	var list []string
	for _, st := range hook.Stages {
		if slices.Contains(parameters[st], name) {
			list = append(list, string(st))
		}
	}
	return enumerate(list)
}

// localOf returns the local variable that an expression is, or nil.
func (r *reader) localOf(expr ast.Expr) *variable {
	if id, ok := expr.(*ast.IdentExpr); ok {
		return r.local(id.Value)
	}
	return nil
}

// kindOf returns what object an expression is, or nil.
func (r *reader) kindOf(expr ast.Expr) *kind {
	switch e := expr.(type) {
	case *ast.IdentExpr:
		if v := r.local(e.Value); v != nil {
			return v.kind
		}
	case *ast.AttrGetExpr:
		key, ok := e.Key.(*ast.StringExpr)
		if of := r.kindOf(e.Object); ok && of != nil {
			if k, ok := r.kinds[of.name+"."+key.Value]; ok {
				return &k
			}
		}
	}
	return nil
}

// library returns the name of the table of ours that an expression is, or "".
func (r *reader) library(expr ast.Expr) string {
	id, ok := expr.(*ast.IdentExpr)
	if !ok || r.local(id.Value) != nil || r.assigned[id.Value] || !r.libraries[id.Value] {
		return ""
	}
	return id.Value
}

// attr is a.b that is read, or called.
func (r *reader) attr(e *ast.AttrGetExpr, as usage) {
	if id, ok := e.Object.(*ast.IdentExpr); ok {
		r.ident(id, max(as, indexed))
	} else {
		r.expr(e.Object)
	}
	key, ok := e.Key.(*ast.StringExpr)
	if !ok {
		r.expr(e.Key)
		return
	}
	if lib := r.library(e.Object); lib != "" && !r.names[lib+"."+key.Value] {
		r.warn(e.Line(), "there is no %s.%s%s", lib, key.Value, r.meant(key.Value, r.members(lib)))
	}
	if k := r.kindOf(e.Object); k != nil {
		r.member(k, key.Value, e.Line(), as == called)
	}
}

// members are the names in a table of ours.
func (r *reader) members(lib string) []string {
	var list []string
	for name := range r.names {
		if member, ok := strings.CutPrefix(name, lib+"."); ok {
			list = append(list, member)
		}
	}
	return list
}

// member checks a field of an object; dotCall when it is called with a dot.
func (r *reader) member(k *kind, name string, line int, dotCall bool) {
	_, field := k.fields[name]
	_, method := k.methods[name]
	switch {
	case method && dotCall:
		r.warn(line, "write %s:%s(...), with a colon", k.name, name)
	case !field && !method:
		r.warn(line, "%s has no field %s%s", k.name, name, r.meant(name, k.members()))
	}
}

func (k *kind) members() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(k.fields)), maps.Keys(k.methods))
}

// call is a call of any form.
func (r *reader) call(e *ast.FuncCallExpr) {
	r.exprs(e.Args)
	if e.Func == nil {
		r.methodCall(e)
		return
	}
	switch f := e.Func.(type) {
	case *ast.IdentExpr:
		r.ident(f, called)
		r.calls(f.Value, e)
	case *ast.AttrGetExpr:
		r.attr(f, called)
	default:
		r.expr(e.Func)
	}
}

// calls notes a call of a function by its name.
func (r *reader) calls(name string, e *ast.FuncCallExpr) {
	if v := r.local(name); v != nil {
		if v.fn == nil {
			v.early = true
			return
		}
		v.fn.callers = append(v.fn.callers, r.in)
		return
	}
	switch {
	case r.assigned[name]:
		r.globalCalls = append(r.globalCalls, globalCall{name, r.in})
	case stagesOf(hook.Kind(name)) != "":
		r.in.actions = append(r.in.actions, use{hook.Kind(name), false, r.file, e.Line()})
	case name == "api" && r.depth == 0 && len(e.Args) > 0:
		if n, ok := e.Args[0].(*ast.NumberExpr); ok {
			if v, ok := parseNumber(n.Value, 10); ok && v > APIVersion {
				r.fail(e.Line(), "%s", tooNew(n.Value))
			}
		}
	}
}

// methodCall is a:b(...).
func (r *reader) methodCall(e *ast.FuncCallExpr) {
	id, named := e.Receiver.(*ast.IdentExpr)
	if named {
		r.ident(id, called)
	} else {
		r.expr(e.Receiver)
	}
	if lib := r.library(e.Receiver); lib != "" {
		r.warn(e.Line(), "write %s.%s(...), with a dot", lib, e.Method)
		return
	}
	if _, text := e.Receiver.(*ast.StringExpr); text && !r.names["string."+e.Method] {
		r.warn(e.Line(), "there is no string.%s%s", e.Method, r.meant(e.Method, r.members("string")))
	}
	k := r.kindOf(e.Receiver)
	isBox := k != nil && k.name == boxKind.name
	if v := r.localOf(e.Receiver); v != nil && v.parameter && id.Value == boxKind.name {
		isBox = true // of a function that a stage calls with it
	}
	if _, action := boxActions[e.Method]; isBox && action {
		r.in.actions = append(r.in.actions, use{hook.Kind(e.Method), true, r.file, e.Line()})
		return
	}
	if k == nil {
		return
	}
	_, field := k.fields[e.Method]
	_, method := k.methods[e.Method]
	switch {
	case field:
		r.warn(e.Line(), "%s.%s is a field, not a function", k.name, e.Method)
	case !method && isBox && stagesOf(hook.Kind(e.Method)) != "":
		r.warn(e.Line(), "box has no %s: it is a function of %s", e.Method, stagesOf(hook.Kind(e.Method)))
	case !method:
		r.warn(e.Line(), "%s has no method %s%s", k.name, e.Method, r.meant(e.Method, k.members()))
	}
}
