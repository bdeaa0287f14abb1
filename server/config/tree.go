package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is the TOML type of a value.
type kind uint8

const (
	table kind = iota
	list
	text
	integer
	float
	boolean
	date
)

// String is for messages.
func (k kind) String() string {
	return [...]string{"a table", "a list", "a text", "a number", "a number with a fraction", "true or false", "a date"}[k]
}

// origin tells how a table came to be, which decides whether it may be extended
// (TOML 1.0, "Table" and "Keys").
type origin uint8

const (
	implied origin = iota // by [a.b], for a
	header                // by [a]
	dotted                // by a.b = 1, for a
	inline                // by { }
)

// node is a value of the file, or a table, with its place.
type node struct {
	kind    kind
	origin  origin
	name    string // the last part of its key; "" for an element of a list
	keyAt   int    // offset of that part
	valueAt int    // offset of the value; of a table the keyAt
	text    string // of a text: what it says; of other simple values: how it is written

	children []*node          // of a table, in the order of the file
	byName   map[string]*node // of a table
	elements []*node          // of a list
	again    bool             // its name is there twice, and this is the second

	key   any // what the name was read as: an address.Address, an address.Domain
	value any // what the value was read as; nil when it could not be
}

func newTable(name string, keyAt int, from origin) *node {
	return &node{kind: table, origin: from, name: name, keyAt: keyAt, valueAt: keyAt, byName: make(map[string]*node)}
}

// put adds a child. A name that is there already is a problem, which the caller
// tells; the child is still checked, but does not count.
func (n *node) put(child *node) {
	n.children = append(n.children, child)
	if _, taken := n.byName[child.name]; taken {
		child.again = true
		return
	}
	n.byName[child.name] = child
}

// get returns what path leads to, nil when it is not there.
func (n *node) get(path ...string) *node {
	for _, name := range path {
		if n == nil || n.kind != table {
			return nil
		}
		n = n.byName[name]
	}
	return n
}

// Bounds of what is looked at.
const (
	maxParts = 16 // of a dotted key
	maxDepth = 32 // of lists and inline tables in each other
)

// part is a part of a key.
type part struct {
	name string
	at   int
	bare bool // without quotes
}

// builder makes the tree of a file.
type builder struct {
	parser  unstable.Parser
	report  *report
	root    *node
	current *node // the table of the last header
}

// parse reads TOML. After a syntax error, which is in the report, it returns
// false; everything else wrong is in the report beside a tree.
func parse(data []byte, r *report) (*node, bool) {
	b := &builder{report: r, root: newTable("", 0, header)}
	b.current = b.root
	b.parser.Reset(data)
	for b.parser.NextExpression() {
		switch e := b.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			b.header(e)
		case unstable.KeyValue:
			b.assign(b.current, e, 0)
		}
	}
	if err := b.parser.Error(); err != nil {
		b.syntax(err)
		return nil, false
	}
	return b.root, true
}

func (b *builder) parts(e *unstable.Node) []part {
	var parts []part
	for it := e.Key(); it.Next(); {
		k := it.Node()
		raw := b.parser.Raw(k.Raw)
		parts = append(parts, part{string(k.Data), int(k.Raw.Offset), raw[0] != '"' && raw[0] != '\''})
	}
	return parts
}

// header begins the table of [a.b].
func (b *builder) header(e *unstable.Node) {
	parts := b.parts(e)
	at := parts[0].at
	if e.Kind == unstable.ArrayTable {
		b.report.add(at, "double brackets have no meaning in this file", "write ["+joined(parts)+"]")
	}
	parts = b.unquotedDomain(parts)
	if len(parts) > maxParts {
		b.report.add(at, "this name has too many dots", "")
		b.current = newTable("", at, header)
		return
	}
	t := b.root
	for _, p := range parts[:len(parts)-1] {
		next := t.byName[p.name]
		if next == nil {
			next = newTable(p.name, p.at, implied)
			t.put(next)
		}
		if next.kind != table || next.origin == inline {
			b.report.add(at, fmt.Sprintf("%s has its value already, %s", p.name, b.where(next)), "give it one value or a [table], not both")
			b.current = newTable("", at, header)
			return
		}
		t = next
	}
	b.current = b.open(t, parts)
}

// open returns the table for the last part of a header.
func (b *builder) open(in *node, parts []part) *node {
	last := parts[len(parts)-1]
	old := in.byName[last.name]
	if old != nil && old.kind == table && old.origin == implied {
		old.origin, old.keyAt, old.valueAt = header, last.at, last.at
		return old
	}
	if old != nil {
		b.report.add(parts[0].at, fmt.Sprintf("[%s] is there twice, first %s", joined(parts), b.where(old)), "put its lines into one table")
	}
	t := newTable(last.name, last.at, header)
	in.put(t)
	return t
}

// unquotedDomain repairs [domains.example.org], which TOML takes for three names.
func (b *builder) unquotedDomain(parts []part) []part {
	if len(parts) < 3 || parts[0].name != "domains" {
		return parts
	}
	var labels []string
	for _, p := range parts[1:] {
		if !p.bare {
			return parts
		}
		labels = append(labels, p.name)
	}
	domain := strings.Join(labels, ".")
	b.report.add(parts[1].at, "a domain needs quotes", fmt.Sprintf("write [domains.%q]", domain))
	return []part{parts[0], {domain, parts[1].at, false}}
}

// assign adds a.b = value to a table.
func (b *builder) assign(t *node, e *unstable.Node, depth int) {
	parts := b.parts(e)
	if len(parts) > maxParts {
		b.report.add(parts[0].at, "this name has too many dots", "")
		return
	}
	for _, p := range parts[:len(parts)-1] {
		next := t.byName[p.name]
		if next == nil {
			next = newTable(p.name, p.at, dotted)
			t.put(next)
		}
		if next.kind != table || next.origin != dotted {
			b.report.add(p.at, fmt.Sprintf("%s is there already, %s", p.name, b.where(next)), "put its lines into one place")
			return
		}
		t = next
	}
	last := parts[len(parts)-1]
	n := b.value(e.Value(), b.valueAt(e), depth)
	if n == nil {
		return
	}
	n.name, n.keyAt = last.name, last.at
	if n.kind == table {
		n.valueAt = b.valueAt(e)
	}
	if old := t.byName[last.name]; old != nil {
		b.report.add(last.at, fmt.Sprintf("%s is there twice, first %s", quoted(last.name), b.where(old)), "take one of the two lines out")
	}
	t.put(n)
}

// valueAt returns the offset of the value of a key: lists have none of their own.
func (b *builder) valueAt(e *unstable.Node) int {
	var end uint32
	for it := e.Key(); it.Next(); {
		end = it.Node().Raw.Offset + it.Node().Raw.Length
	}
	data := b.parser.Data()
	i := int(end)
	for i < len(data) && strings.IndexByte(" \t=", data[i]) >= 0 {
		i++
	}
	return i
}

// value returns the node of a value, nil when it is nested too deep.
func (b *builder) value(v *unstable.Node, at, depth int) *node {
	if depth > maxDepth {
		b.report.add(at, "lists and tables are nested too deep here", "")
		return nil
	}
	if v.Raw.Length > 0 {
		at = int(v.Raw.Offset)
	}
	n := &node{kind: kindOf(v.Kind), valueAt: at, text: string(v.Data)}
	switch v.Kind {
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			if element := b.value(it.Node(), at, depth+1); element != nil {
				n.elements = append(n.elements, element)
			}
		}
	case unstable.InlineTable:
		n = newTable("", at, dotted) // until it is complete: its own keys may be dotted
		for it := v.Children(); it.Next(); {
			b.assign(n, it.Node(), depth+1)
		}
		n.close()
	}
	return n
}

// close marks an inline table and the tables that dotted keys made in it, so
// that nothing outside extends them.
func (n *node) close() {
	n.origin = inline
	for _, c := range n.children {
		if c.kind == table && c.origin == dotted {
			c.close()
		}
	}
}

func kindOf(k unstable.Kind) kind {
	switch k {
	case unstable.InlineTable:
		return table
	case unstable.Array:
		return list
	case unstable.Integer:
		return integer
	case unstable.Float:
		return float
	case unstable.Bool:
		return boolean
	case unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
		return date
	}
	return text
}

func (b *builder) where(n *node) string {
	line, _ := b.report.position(n.keyAt)
	return fmt.Sprintf("in line %d", line)
}

func joined(parts []part) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = quoted(p.name)
	}
	return strings.Join(names, ".")
}

// quoted returns a key as TOML wants it.
func quoted(name string) string {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return fmt.Sprintf("%q", name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// syntax reports the error that ended the parsing.
func (b *builder) syntax(err error) {
	var perr *unstable.ParserError
	data := b.parser.Data()
	offset := len(data)
	if errors.As(err, &perr) {
		offset = int(b.parser.Range(perr.Highlight).Offset)
	}
	text := err.Error()
	if offset < len(data) && data[offset] >= utf8.RuneSelf { // the parser names one octet of it
		c, _ := utf8.DecodeRune(data[offset:])
		text = fmt.Sprintf("unexpected character %q", c)
	}
	b.report.add(offset, "this is not TOML: "+text, syntaxHint(b.report.line(offset), offset+1 >= len(data)))
}
