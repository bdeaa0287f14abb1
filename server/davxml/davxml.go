// Package davxml is the XML of WebDAV, CalDAV and CardDAV: request bodies read
// within bounds into elements, answers written as a stream.
//
// It reads XML 1.0 with namespaces (RFC 4918 17), and none of what attacks are
// made of: no document type, so no entities but the five of XML. What it does not
// know it keeps (RFC 4918 17: unknown elements are ignored by who reads, not
// refused). Element.Raw gives the value of a dead property as RFC 4918 4.3 wants it
// kept. Writer writes the well-known namespaces with prefixes that the root
// element declares, and holds 32 KiB of an answer at most.
//
// It knows no property and no request. Nothing here has state.
package davxml

import "strings"

// The namespaces of the RFCs, and those of Apple that clients use.
const (
	DAV            = "DAV:"                           // RFC 4918 21.1
	CalDAV         = "urn:ietf:params:xml:ns:caldav"  // RFC 4791 4
	CardDAV        = "urn:ietf:params:xml:ns:carddav" // RFC 6352 4
	CalendarServer = "http://calendarserver.org/ns/"
	Apple          = "http://apple.com/ns/ical/"
)

// XML is the namespace of xml:lang.
const XML = "http://www.w3.org/XML/1998/namespace"

// Name is the name of an element, of a property, or of an attribute.
type Name struct{ Space, Local string }

// D names an element in the namespace DAV.
func D(local string) Name { return Name{Space: DAV, Local: local} }

// C names an element in the namespace CalDAV.
func C(local string) Name { return Name{Space: CalDAV, Local: local} }

// CR names an element in the namespace CardDAV.
func CR(local string) Name { return Name{Space: CardDAV, Local: local} }

// CS names an element in the namespace CalendarServer.
func CS(local string) Name { return Name{Space: CalendarServer, Local: local} }

// A names an element in the namespace Apple.
func A(local string) Name { return Name{Space: Apple, Local: local} }

// String returns the name in Clark's notation, {DAV:}getetag.
func (n Name) String() string { return "{" + n.Space + "}" + n.Local }

// ParseName reads what String writes.
func ParseName(s string) (n Name, ok bool) {
	rest, ok := strings.CutPrefix(s, "{")
	end := strings.LastIndexByte(rest, '}')
	if !ok || end < 0 || end+1 == len(rest) {
		return Name{}, false
	}
	return Name{Space: rest[:end], Local: rest[end+1:]}, true
}

// Attr is an attribute. Most have no namespace.
type Attr struct {
	Name   Name
	Value  string
	prefix string // as it was read
}

// Attribute makes an attribute without a namespace.
func Attribute(local, value string) Attr { return Attr{Name: Name{Local: local}, Value: value} }

// binding is a prefix and the namespace that it stands for; "" is the default one.
type binding struct{ prefix, space string }

// Element is an element that was read. It shares memory with the whole body.
type Element struct {
	Name     Name
	Attrs    []Attr // without declarations of namespaces
	Lang     string // xml:lang in force; "": none
	Text     string // the character data directly in it, joined
	Children []*Element

	prefix   string
	declared []binding
	at       int // how many octets of the parent's Text stand before it
}

// Child returns the first child of a name, nil when there is none.
func (e *Element) Child(n Name) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name == n {
			return c
		}
	}
	return nil
}

// All returns the children of a name.
func (e *Element) All(n Name) []*Element {
	if e == nil {
		return nil
	}
	var all []*Element
	for _, c := range e.Children {
		if c.Name == n {
			all = append(all, c)
		}
	}
	return all
}

// Attr returns the value of an attribute without a namespace, "" when it is
// absent.
func (e *Element) Attr(local string) string {
	v, _ := e.Lookup(local)
	return v
}

// Lookup returns the value of an attribute without a namespace, and whether it
// is there.
func (e *Element) Lookup(local string) (value string, ok bool) {
	for _, a := range e.Attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value, true
		}
	}
	return "", false
}

// Trimmed returns Text without white space around it, as href and most values
// have to be read.
func (e *Element) Trimmed() string {
	if e == nil {
		return ""
	}
	return strings.Trim(e.Text, " \t\r\n")
}
