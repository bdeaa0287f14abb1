package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/directory"
)

// checker holds the tree of a file against the schema, and reads its values.
type checker struct {
	report *report
	dir    string // of the file
}

// table checks the children of a table; path is its name.
func (c *checker) table(n *node, s *spec, path string) {
	for _, child := range n.children {
		switch sub := s.keys[child.name]; {
		case sub != nil:
			c.node(child, sub, path)
		case s.each != nil:
			c.name(child, s.eachIs)
			c.node(child, s.each, path)
		default:
			c.unknown(child, s, path)
		}
	}
}

func (c *checker) node(n *node, s *spec, in string) {
	switch {
	case s.isLater():
		c.later(n.keyAt, quoted(n.name))
	case n.kind == table && !s.isTable():
		c.mistyped(n, s.value, quoted(n.name))
	case n.kind == table:
		c.table(n, s, strings.TrimPrefix(in+"."+quoted(n.name), "."))
	case s.value == nil:
		c.report.add(n.valueAt, fmt.Sprintf("%s must be a table, not %s", quoted(n.name), n.kind), tableHint(in, quoted(n.name)))
	case s.status == later:
		c.later(n.keyAt, quoted(n.name))
	case n.kind == list && s.value.tables:
		for _, element := range n.elements {
			if element.kind == table {
				c.table(element, s, strings.TrimPrefix(in+"."+quoted(n.name), "."))
			} else {
				c.value(element, s.value.of, quoted(n.name))
			}
		}
	default:
		c.value(n, s.value, quoted(n.name))
	}
}

// tableHint tells how to write a table that is in another, whose path is in.
func tableHint(in, name string) string {
	switch in {
	case "":
		return fmt.Sprintf("write [%s] in a line of its own, and what is in it below", name)
	case "domains", "accounts", "shared", "sharing":
		return fmt.Sprintf("write [%s.%s] in a line of its own, and what is in it below", in, name)
	case "limits.sending":
		if name == "account" || name == "client" {
			return fmt.Sprintf("write %s = { \"1h\" = [200, 400] }, or {} for no limit", name)
		}
	}
	return fmt.Sprintf("write %s = { ... }", name)
}

func (c *checker) later(at int, what string) {
	c.report.add(at, what+" is not supported yet", "take it out, or put # before it")
}

// value reads a value; label is the key that it belongs to.
func (c *checker) value(n *node, f *form, label string) {
	if f.free {
		n.value = freeValue(n)
		return
	}
	if f.of != nil {
		switch {
		case n.kind == list:
			for _, element := range n.elements {
				c.value(element, f.of, label)
			}
		case f.single && n.kind == f.of.kind:
			c.value(n, f.of, label)
		default:
			c.mistyped(n, f, label)
		}
		return
	}
	if n.kind != f.kind && (n.kind != f.also || f.also == table) {
		c.mistyped(n, f, label)
		return
	}
	v, err := f.read(n, c.dir)
	if err != nil {
		if file := (unread{}); errors.As(err, &file) {
			c.report.unread = append(c.report.unread, file.path)
		}
		c.report.add(n.valueAt, label+": "+err.Error(), hintOf(err))
		return
	}
	n.value = v
}

func hintOf(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

func (c *checker) mistyped(n *node, f *form, label string) {
	hint := ""
	switch {
	case f.kind == text && (n.kind == integer || n.kind == float || n.kind == boolean || n.kind == date):
		hint = "put the value in quotes"
	case n.kind == text && (f.kind == integer || f.kind == boolean || f.kind == date):
		hint = "write it without quotes"
	case f.kind == list && n.kind == text:
		hint = "put it in brackets: [ ... ]"
	}
	c.report.add(n.valueAt, fmt.Sprintf("%s must be %s, not %s", label, f.is, n.kind), hint)
}

// name reads the name of a table that is chosen in the file.
func (c *checker) name(n *node, is string) {
	switch is {
	case "domain":
		d, err := domainForm.read(&node{text: n.name}, "")
		if err != nil {
			c.report.add(n.keyAt, err.Error(), `write [domains."example.org"]`)
			return
		}
		n.key = d
	case "address":
		a, err := address.Parse(n.name)
		if err != nil {
			c.report.add(n.keyAt, err.Error(), `write the whole address in quotes, "alice@example.org"`)
			return
		}
		n.key = a
	case "calendar":
		at, err := readPlace(n.name)
		if err != nil {
			c.report.add(n.keyAt, err.Error(), hintOf(err))
			return
		}
		n.key = at
	case "window":
		d, err := periodForm.read(&node{text: n.name}, "")
		if err != nil {
			c.report.add(n.keyAt, err.Error(), hintOf(err))
			return
		}
		n.key = d
	case "name":
		if _, err := textForm.read(&node{text: n.name}, ""); err != nil {
			c.report.add(n.keyAt, "this name: "+err.Error(), hintOf(err))
			return
		}
		n.key = n.name
	}
}

// unknown tells of a key that nothing knows, and what it may be meant for.
func (c *checker) unknown(n *node, s *spec, in string) {
	if c.report.full() {
		c.report.skipped++
		return
	}
	what := "unknown key " + quoted(n.name)
	if in != "" {
		what += " in [" + in + "]"
	}
	c.report.add(n.keyAt, what, guess(n.name, s))
}

func guess(name string, s *spec) string {
	if near := directory.Nearest(name, slices.Values(s.names)); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	for _, known := range s.names {
		if strings.HasPrefix(known, name+"_") {
			return fmt.Sprintf("did you mean %s?", known)
		}
	}
	for _, r := range rules() {
		parent, last := cutLast(r.path)
		switch {
		case last != name:
		case parent == "":
			return "it belongs at the top of the file, before the first line in brackets"
		default:
			return "it belongs in " + exampleTable(parent)
		}
	}
	if len(s.names) > 12 {
		return ""
	}
	return "known here: " + strings.Join(s.names, ", ")
}

func cutLast(path string) (parent, last string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)], path[i+1:]
}

func exampleTable(path string) string {
	path = strings.NewReplacer("<domain>", `"example.org"`, "<address>", `"alice@example.org"`, "<calendar>", `"alice@example.org/choir"`).Replace(path)
	return "[" + path + "]"
}
