package davxml

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"facteur/server/fault"
)

// The bounds that hold where Limits has a zero. A multiget of 20,000 objects has
// 20,005 elements in 2 MiB.
const (
	MaxOctets   = 8 << 20
	MaxElements = 50_000
	MaxDepth    = 64

	maxAttrs  = 64   // of an element
	maxScope  = 256  // namespaces declared at one place
	maxName   = 1024 // octets of a name
	maxPrefix = 64   // octets of a prefix
)

// Limits bound what is read. A zero stands for the value of the constant beside
// it.
type Limits struct {
	Octets   int64 // MaxOctets
	Elements int   // MaxElements; of attributes there may be twice as many in all
	Depth    int   // MaxDepth
}

// WithDefaults returns l with what is zero filled in.
func (l Limits) WithDefaults() Limits {
	return Limits{cmp.Or(l.Octets, MaxOctets), cmp.Or(l.Elements, MaxElements), cmp.Or(l.Depth, MaxDepth)}
}

// SyntaxError says why a body is no XML as WebDAV has it. To answer with 400
// (RFC 4918 8.2).
type SyntaxError struct {
	Line int
	Text string
	Err  error // ErrDocumentType, or nil
}

// Error names the line.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// ErrDocumentType: the body has a document type, as external entities need. To
// answer with 403 and the precondition DAV:no-external-entities (RFC 4918 16).
var ErrDocumentType = errors.New("a body may not have a document type")

// Parse reads a body. The error is io.EOF when there is nothing but white space,
// a *SyntaxError, a fault.TooLarge, or that of r.
func Parse(r io.Reader, limits Limits) (*Element, error) {
	limits = limits.WithDefaults()
	text, err := read(r, limits.Octets)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, limits: limits}
	root, err := p.document()
	if err != nil {
		return nil, err
	}
	return root, nil
}

type parser struct {
	text     string // all of it, in UTF-8
	pos      int
	limits   Limits
	elements int
	attrs    int
	scope    []binding // declared where the parser is
	slab     []Element // where elements are taken from
}

func (p *parser) errorf(format string, args ...any) error {
	line := 1 + strings.Count(p.text[:min(p.pos, len(p.text))], "\n")
	return &SyntaxError{Line: line, Text: fmt.Sprintf(format, args...)}
}

// document reads the prolog, the root element and what may follow it (XML 2.1).
func (p *parser) document() (*Element, error) {
	if strings.HasPrefix(p.text, "<?xml") && len(p.text) > 5 && isSpace(p.text[5]) {
		if err := p.instruction(); err != nil {
			return nil, err
		}
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos == len(p.text) {
		return nil, io.EOF
	}
	root, err := p.element(nil, 1)
	if err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos != len(p.text) {
		return nil, p.errorf("there is something after the root element")
	}
	return root, nil
}

// misc skips white space, comments and processing instructions.
func (p *parser) misc() error {
	for {
		p.space()
		rest := p.text[p.pos:]
		var err error
		switch {
		case strings.HasPrefix(rest, "<!--"):
			err = p.comment()
		case strings.HasPrefix(rest, "<?"):
			if reservedTarget(rest[2:]) {
				return p.errorf("an XML declaration that is not at the beginning")
			}
			err = p.instruction()
		case strings.HasPrefix(rest, "<!"):
			return p.documentType()
		case rest != "" && rest[0] != '<':
			return p.errorf("text outside of the root element")
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *parser) documentType() error {
	err := p.errorf("%s", ErrDocumentType).(*SyntaxError)
	err.Err = ErrDocumentType
	return err
}

// element reads an element from its start tag on.
func (p *parser) element(parent *Element, depth int) (*Element, error) {
	if depth > p.limits.Depth {
		return nil, fault.Newf(fault.TooLarge, "the XML is nested deeper than %d", p.limits.Depth)
	}
	if p.elements++; p.elements > p.limits.Elements {
		return nil, fault.Newf(fault.TooLarge, "the XML has more than %d elements", p.limits.Elements)
	}
	declared := len(p.scope)
	e, raw, empty, err := p.startTag(parent)
	if err == nil && !empty {
		err = p.content(e, depth)
		if err == nil {
			err = p.endTag(raw)
		}
	}
	p.scope = p.scope[:declared]
	return e, err
}

// take returns a new element.
func (p *parser) take() *Element {
	if len(p.slab) == 0 {
		p.slab = make([]Element, min(256, 8+p.elements))
	}
	e := &p.slab[0]
	p.slab = p.slab[1:]
	return e
}

// startTag reads a start tag or the tag of an empty element (XML 3.1). raw is its
// name as it stands.
func (p *parser) startTag(parent *Element) (e *Element, raw string, empty bool, err error) {
	p.pos++ // <
	raw, err = p.name()
	if err != nil {
		return nil, "", false, err
	}
	e = p.take()
	if parent != nil {
		e.Lang = parent.Lang
	}
	var attrs [8]rawAttr
	list, empty, err := p.attributes(attrs[:0])
	if err != nil {
		return nil, "", false, err
	}
	if err := p.bind(e, raw, list); err != nil {
		return nil, "", false, err
	}
	return e, raw, empty, nil
}

type rawAttr struct{ name, value string }

// attributes reads all up to the end of the tag.
func (p *parser) attributes(list []rawAttr) (all []rawAttr, empty bool, err error) {
	for {
		before := p.pos
		p.space()
		if p.pos == len(p.text) {
			return nil, false, p.errorf("the text ends within a tag")
		}
		switch c := p.text[p.pos]; {
		case c == '>':
			p.pos++
			return list, false, nil
		case c == '/' && strings.HasPrefix(p.text[p.pos:], "/>"):
			p.pos += 2
			return list, true, nil
		case p.pos == before:
			return nil, false, p.errorf("no white space before an attribute")
		case p.attrs == 2*p.limits.Elements:
			return nil, false, fault.Newf(fault.TooLarge, "the XML has more than %d attributes", p.attrs)
		case len(list) == maxAttrs:
			return nil, false, fault.Newf(fault.TooLarge, "an element has more than %d attributes", maxAttrs)
		}
		a, err := p.attribute()
		if err != nil {
			return nil, false, err
		}
		p.attrs++
		list = append(list, a)
	}
}

// attribute reads one (XML 3.3.3: white space in the value becomes spaces).
func (p *parser) attribute() (rawAttr, error) {
	name, err := p.name()
	if err != nil {
		return rawAttr{}, err
	}
	p.space()
	if !strings.HasPrefix(p.text[p.pos:], "=") {
		return rawAttr{}, p.errorf("attribute %q has no value", clip(name))
	}
	p.pos++
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != '"' && p.text[p.pos] != '\'' {
		return rawAttr{}, p.errorf("the value of attribute %q has no quotes", clip(name))
	}
	quote := p.text[p.pos]
	p.pos++
	end := strings.IndexByte(p.text[p.pos:], quote)
	if end < 0 {
		return rawAttr{}, p.errorf("the value of attribute %q does not end", clip(name))
	}
	raw := p.text[p.pos : p.pos+end]
	if strings.IndexByte(raw, '<') >= 0 {
		return rawAttr{}, p.errorf("the value of attribute %q has a <", clip(name))
	}
	value, err := p.decode(raw, true)
	p.pos += end + 1
	return rawAttr{name, value}, err
}

// content reads all between the tags of an element.
func (p *parser) content(e *Element, depth int) error {
	var text pieces
	defer func() { e.Text = text.join() }()
	for {
		end := strings.IndexByte(p.text[p.pos:], '<')
		if end < 0 {
			p.pos = len(p.text)
			return p.errorf("the text ends within the element %q", clip(e.Name.Local))
		}
		if end > 0 {
			if err := p.characters(p.text[p.pos:p.pos+end], &text); err != nil {
				return err
			}
		}
		rest := p.text[p.pos:]
		var err error
		switch {
		case strings.HasPrefix(rest, "</"):
			return nil
		case strings.HasPrefix(rest, "<!--"):
			err = p.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			err = p.cdata(&text)
		case strings.HasPrefix(rest, "<!"):
			err = p.documentType()
		case strings.HasPrefix(rest, "<?"):
			if reservedTarget(rest[2:]) {
				return p.errorf("an XML declaration that is not at the beginning")
			}
			err = p.instruction()
		default:
			var child *Element
			if child, err = p.element(e, depth+1); err == nil {
				child.at = text.length
				e.Children = append(e.Children, child)
			}
		}
		if err != nil {
			return err
		}
	}
}

// characters reads character data (XML 2.4).
func (p *parser) characters(raw string, to *pieces) error {
	if at := strings.Index(raw, "]]>"); at >= 0 {
		return p.errorf("]]> in character data")
	}
	value, err := p.decode(raw, false)
	if err != nil {
		return err
	}
	p.pos += len(raw)
	to.add(value)
	return nil
}

// cdata reads a section of XML 2.7.
func (p *parser) cdata(to *pieces) error {
	begin := p.pos + len("<![CDATA[")
	end := strings.Index(p.text[begin:], "]]>")
	if end < 0 {
		return p.errorf("a CDATA section that does not end")
	}
	to.add(newlines(p.text[begin : begin+end]))
	p.pos = begin + end + len("]]>")
	return nil
}

// endTag reads the end tag of a name.
func (p *parser) endTag(raw string) error {
	p.pos += len("</")
	name, err := p.name()
	if err != nil {
		return err
	}
	if name != raw {
		return p.errorf("the element %q ends with the tag of %q", clip(raw), clip(name))
	}
	p.space()
	if !strings.HasPrefix(p.text[p.pos:], ">") {
		return p.errorf("the end tag of %q does not end", clip(raw))
	}
	p.pos++
	return nil
}

// comment skips one (XML 2.5).
func (p *parser) comment() error {
	begin := p.pos + len("<!--")
	end := strings.Index(p.text[begin:], "--")
	if end < 0 {
		return p.errorf("a comment that does not end")
	}
	p.pos = begin + end + len("--")
	if !strings.HasPrefix(p.text[p.pos:], ">") {
		return p.errorf("-- within a comment")
	}
	p.pos++
	return nil
}

// instruction skips a processing instruction (XML 2.6), or the XML declaration.
func (p *parser) instruction() error {
	end := strings.Index(p.text[p.pos:], "?>")
	if end < 0 {
		return p.errorf("a processing instruction that does not end")
	}
	if end > 2 && !startsName(p.text[p.pos+2:]) {
		return p.errorf("a processing instruction without a target")
	}
	p.pos += end + len("?>")
	return nil
}

// pieces joins character data; most elements have one piece.
type pieces struct {
	first  string
	rest   strings.Builder
	length int
}

func (p *pieces) add(s string) {
	switch {
	case p.length == 0:
		p.first = s
	case p.rest.Len() == 0:
		p.rest.WriteString(p.first)
		fallthrough
	default:
		p.rest.WriteString(s)
	}
	p.length += len(s)
}

func (p *pieces) join() string {
	if p.rest.Len() == 0 {
		return p.first
	}
	return p.rest.String()
}
