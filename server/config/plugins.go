package config

import (
	"strconv"
	"strings"
)

// plugins reads [plugins]: each table in it turns a plugin on.
func (a *assembler) plugins() []Plugin {
	var all []Plugin
	tables := a.root.get("plugins")
	if tables == nil {
		return nil
	}
	for _, n := range tables.children {
		if n.kind != table || n.again {
			continue // told already
		}
		p := Plugin{Name: n.name, Values: make(map[string]any), Places: map[string]Problem{"": a.place(n.keyAt)}}
		for _, key := range n.children {
			if !key.again && key.value != nil {
				p.Values[key.name], p.Places[key.name] = key.value, a.place(key.valueAt)
			}
		}
		all = append(all, p)
	}
	return all
}

// place is a Problem that only says where.
func (a *assembler) place(offset int) Problem {
	line, col := a.report.position(offset)
	return Problem{File: a.report.file, Line: line, Col: col}
}

// freeValue returns a value as Go has it: string, int64, float64, bool, or []any of
// these.
func freeValue(n *node) any {
	switch n.kind {
	case integer:
		if i, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64); err == nil {
			return i
		}
	case float:
		if f, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64); err == nil {
			return f
		}
	case boolean:
		return n.text == "true"
	case list:
		made := []any{}
		for _, element := range n.elements {
			made = append(made, freeValue(element))
		}
		return made
	}
	return n.text
}
