package davxml

import (
	"slices"
	"strings"

	"facteur/server/fault"
)

const xmlns = "http://www.w3.org/2000/xmlns/"

// bind gives an element and its attributes their namespaces, after those that it
// declares (Namespaces in XML 1.0).
func (p *parser) bind(e *Element, raw string, list []rawAttr) error {
	outer, plain := len(p.scope), 0
	for _, a := range list {
		declared, err := p.declare(a)
		if err != nil {
			return err
		}
		if !declared {
			plain++
		}
	}
	if len(p.scope) > outer {
		e.declared = slices.Clone(p.scope[outer:])
	}
	var err error
	if e.prefix, e.Name.Local, err = p.split(raw); err != nil {
		return err
	}
	if e.Name.Space, err = p.namespace(e.prefix); err != nil {
		return err
	}
	if plain == 0 {
		return p.unique(e, list)
	}
	e.Attrs = make([]Attr, 0, plain)
	for _, a := range list {
		if err := p.attach(e, a); err != nil {
			return err
		}
	}
	return p.unique(e, list)
}

// attach adds an attribute, unless it is a declaration.
func (p *parser) attach(e *Element, a rawAttr) error {
	prefix, local, err := p.split(a.name)
	if err != nil || prefix == "xmlns" || a.name == "xmlns" {
		return err
	}
	var space string
	if prefix != "" { // an attribute without a prefix has no namespace (6.2)
		if space, err = p.namespace(prefix); err != nil {
			return err
		}
	}
	if space == XML && local == "lang" {
		e.Lang = a.value
	}
	e.Attrs = append(e.Attrs, Attr{Name: Name{Space: space, Local: local}, Value: a.value, prefix: prefix})
	return nil
}

// declare notes a declaration of a namespace (3).
func (p *parser) declare(a rawAttr) (bool, error) {
	prefix, found := strings.CutPrefix(a.name, "xmlns:")
	switch {
	case a.name == "xmlns":
		prefix = ""
	case !found:
		return false, nil
	case a.value == "":
		return true, p.errorf("the prefix %q stands for no namespace", clip(prefix))
	case prefix == "" || strings.ContainsRune(prefix, ':') || !startsName(prefix):
		return true, p.errorf("%q is no prefix", clip(prefix))
	case prefix == "xmlns" || (prefix == "xml") != (a.value == XML):
		return true, p.errorf("the prefix %q is reserved", clip(prefix))
	}
	switch {
	case a.value == xmlns || prefix == "" && a.value == XML:
		return true, p.errorf("the namespace %q is reserved", a.value)
	case len(a.value) > maxName || len(prefix) > maxPrefix || len(p.scope) == maxScope:
		return true, fault.New(fault.TooLarge, "too many or too long namespaces")
	}
	p.scope = append(p.scope, binding{prefix, a.value})
	return true, nil
}

// split cuts a qualified name (4).
func (p *parser) split(raw string) (prefix, local string, err error) {
	at := strings.IndexByte(raw, ':')
	if at < 0 {
		return "", raw, nil
	}
	prefix, local = raw[:at], raw[at+1:]
	if prefix == "" || strings.IndexByte(local, ':') >= 0 || !startsName(local) {
		return "", "", p.errorf("%q is no qualified name", clip(raw))
	}
	return prefix, local, nil
}

// namespace returns the namespace of a prefix; "" is the default one (6).
func (p *parser) namespace(prefix string) (string, error) {
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.scope[i].prefix == prefix {
			return p.scope[i].space, nil
		}
	}
	switch prefix {
	case "":
		return "", nil
	case "xml":
		return XML, nil
	}
	return "", p.errorf("the prefix %q is not declared", clip(prefix))
}

// unique checks that no attribute is there twice, by its name as it stands
// (XML 3.1) or by its namespace (6.3).
func (p *parser) unique(e *Element, list []rawAttr) error {
	for i, a := range list {
		for _, b := range list[:i] {
			if a.name == b.name {
				return p.errorf("the attribute %q is there twice", clip(a.name))
			}
		}
	}
	for i, a := range e.Attrs {
		for _, b := range e.Attrs[:i] {
			if a.Name == b.Name {
				return p.errorf("the attribute %q is there twice", clip(a.Name.Local))
			}
		}
	}
	return nil
}
