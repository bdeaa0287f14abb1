package e2e

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// prefixes are what cases write for the namespaces of DAV.
var prefixes = map[string]string{
	"DAV:": "D", "urn:ietf:params:xml:ns:caldav": "C", "urn:ietf:params:xml:ns:carddav": "CR",
	"http://calendarserver.org/ns/": "CS", "http://apple.com/ns/ical/": "A",
}

// element is an element of XML, read by the standard library: a second implementation
// beside the server's own.
type element struct {
	name     string // "D:href", or "{urn:x}name" of another namespace
	attrs    []string
	text     string // what is directly in it
	children []*element
}

func readXML(r io.Reader) (*element, error) {
	dec := xml.NewDecoder(r)
	var root *element
	var open []*element
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, errors.New("there is no element")
			}
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := newElement(t)
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			} else if root == nil {
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			}
		}
	}
}

func newElement(t xml.StartElement) *element {
	e := &element{name: shortName(t.Name)}
	for _, a := range t.Attr {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			e.attrs = append(e.attrs, fmt.Sprintf("%s=%q", shortName(a.Name), a.Value))
		}
	}
	return e
}

func shortName(n xml.Name) string {
	switch prefix := prefixes[n.Space]; {
	case prefix != "":
		return prefix + ":" + n.Local
	case n.Space != "":
		return "{" + n.Space + "}" + n.Local
	}
	return n.Local
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return &element{name: name}
}

// legible is what a case matches: of a multistatus a line for each property, else the
// elements, indented.
func (e *element) legible() string {
	var b strings.Builder
	if e.name != "D:multistatus" {
		e.indented(&b, "")
		return b.String()
	}
	for _, c := range e.children {
		if c.name == "D:response" {
			c.response(&b)
		} else {
			fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(c.name, "D:"), c.value())
		}
	}
	return b.String()
}

// response writes the lines "HREF STATUS PROPERTY VALUE", or "HREF STATUS" without
// properties.
func (e *element) response(b *strings.Builder) {
	href := ""
	for _, c := range e.children {
		switch c.name {
		case "D:href":
			href = c.text
		case "D:status":
			fmt.Fprintf(b, "%s %s%s\n", href, code(c.text), e.rest())
		case "D:propstat":
			status := code(c.child("D:status").text)
			for _, p := range c.child("D:prop").children {
				fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%s %s %s %s", href, status, p.name, p.value()), " "))
			}
			if c.child("D:error").children != nil {
				fmt.Fprintf(b, "%s %s %s\n", href, status, c.child("D:error").line())
			}
		}
	}
}

// rest is what a response without properties tells beside the status.
func (e *element) rest() (text string) {
	for _, c := range e.children {
		switch c.name {
		case "D:error", "D:location":
			text += " " + c.line()
		}
	}
	return text
}

// code is the number in "HTTP/1.1 404 Not Found".
func code(status string) string {
	fields := strings.Fields(status)
	if len(fields) < 2 {
		return "?"
	}
	return fields[1]
}

// value is what is in an element, in one line.
func (e *element) value() string {
	if len(e.children) == 0 {
		return oneLine(e.text)
	}
	var b strings.Builder
	for _, c := range e.children {
		b.WriteString(c.line())
	}
	return b.String()
}

// oneLine writes line ends as \n; a CR before one is left out.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(s, "\n", `\n`)
}

// line is an element in one line.
func (e *element) line() string {
	value := e.value()
	if value == "" {
		return "<" + e.start() + "/>"
	}
	return "<" + e.start() + ">" + value + "</" + e.name + ">"
}

func (e *element) start() string { return strings.Join(append([]string{e.name}, e.attrs...), " ") }

func (e *element) indented(b *strings.Builder, indent string) {
	if len(e.children) == 0 {
		fmt.Fprintf(b, "%s%s\n", indent, e.line())
		return
	}
	fmt.Fprintf(b, "%s<%s>\n", indent, e.start())
	for _, c := range e.children {
		c.indented(b, indent+"  ")
	}
	fmt.Fprintf(b, "%s</%s>\n", indent, e.name)
}
