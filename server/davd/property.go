package davd

import (
	"maps"
	"math/bits"
	"slices"
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// property is a live property (RFC 4918 4.2). Several have one name when nodes of different
// kinds have it in different ways; their kinds do not overlap.
type property struct {
	name  davxml.Name
	kinds kind // of the nodes that have it
	all   bool // DAV:allprop has it (RFC 4918 9.1)
	loads load // what has and write look at
	// needs is the privilege that it takes to see it, beside that of seeing the node.
	needs privilege
	// unread: who may not read a calendar, but know when it takes time, sees it.
	unread bool
	// has says whether a node of these kinds has it; nil: each does.
	has func(*request, *node) bool
	// write writes what stands in it; nil: nothing does.
	write func(*request, *node, *davxml.Writer)
	// lang tells the language of the text that write writes, "" when none is known; nil: it is
	// no text (RFC 4918 4.3). loads has the properties.
	lang func(*node) string
	// attrs stand in its element, beside the language.
	attrs []davxml.Attr
	// set changes what is kept, for PROPPATCH and MKCOL; nil: it is protected. A nil element
	// removes it. n may be absent yet. An error is a *failure.
	set func(r *request, n *node, kept *collection.Props, e *davxml.Element) error
}

// addProperty adds a property to the table.
func (h *Handler) addProperty(p *property) {
	h.properties[p.name] = append(h.properties[p.name], p)
	h.all = append(h.all, p)
}

// property returns the live property of a name that nodes of a kind have, nil: none.
func (h *Handler) property(name davxml.Name, k kind) *property {
	for _, p := range h.properties[name] {
		if p.kinds&k != 0 {
			return p
		}
	}
	return nil
}

// asked is which properties a request wants.
type asked struct {
	handler *Handler
	mode    askMode
	names   []davxml.Name
	keys    []string // of names, as dead properties are kept
	byKind  [16]*plan
	own     map[davxml.Name]*property // of this request alone, before all others
}

type askMode uint8

const (
	askNames   askMode = iota // DAV:prop
	askAll                    // DAV:allprop, and names beside
	askNothing                // DAV:propname: the names alone
)

// plan is what is asked of the nodes of one kind.
type plan struct {
	live  []*property // by the index of asked.names, nil: it may be a dead one
	extra []*property // of DAV:allprop and DAV:propname
	loads load
	dead  bool // some may be dead ones
}

// ask returns what is asked of nodes by the names of properties.
func (h *Handler) ask(mode askMode, names []davxml.Name) *asked {
	a := &asked{handler: h, mode: mode, names: names, keys: make([]string, len(names))}
	for i, n := range names {
		a.keys[i] = n.String()
	}
	return a
}

// property returns the live property of a name that nodes of a kind have, nil: none.
func (a *asked) property(name davxml.Name, k kind) *property {
	if p := a.own[name]; p != nil && p.kinds&k != 0 {
		return p
	}
	return a.handler.property(name, k)
}

// of returns the plan for nodes of one kind, which is made once a request.
func (a *asked) of(k kind) *plan {
	i := bits.TrailingZeros16(uint16(k))
	if a.byKind[i] != nil {
		return a.byKind[i]
	}
	p := &plan{live: make([]*property, len(a.names)), dead: a.mode != askNames}
	for i, name := range a.names {
		if p.live[i] = a.property(name, k); p.live[i] != nil {
			p.loads |= p.live[i].loads
		} else {
			p.dead = true
		}
	}
	if a.mode != askNames {
		for _, q := range a.handler.all {
			if q.kinds&k != 0 && (q.all || a.mode == askNothing) && !slices.Contains(p.live, q) {
				p.extra = append(p.extra, q)
				p.loads |= q.loads
			}
		}
	}
	if p.dead {
		p.loads |= loadProps
	}
	a.byKind[i] = p
	return p
}

// dead returns the keys of the dead properties of a node (RFC 4918 4.2), which load has got.
func (h *Handler) dead(n *node) []string {
	if n.props == nil || len(n.props.Other) == 0 {
		return nil
	}
	var keys []string
	for _, key := range sortedKeys(n.props.Other) {
		if name, ok := davxml.ParseName(key); ok && h.property(name, n.kind) == nil && isElement(n.props.Other[key]) {
			keys = append(keys, key)
		}
	}
	return keys
}

// isElement says whether a value that is kept is an element, as those of dead properties are.
func isElement(s string) bool { return strings.HasPrefix(s, "<") }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
