package davd

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
)

// mkcol answers MKCOL with a body (RFC 5689), which says what is made: a calendar, or an
// address book (RFC 6352 6.3.1).
func mkcol(r *request, n *node) error {
	e, err := r.makingBody()
	if err != nil {
		return err
	}
	if e == nil {
		return forbidden(davxml.D("valid-resourcetype"), "A home has calendars and address books: say which of them in the body (RFC 5689)")
	}
	if e.Name != davxml.D("mkcol") {
		return &failure{status: http.StatusUnsupportedMediaType, text: "The body of MKCOL is a mkcol"}
	}
	k, err := resourceKind(e)
	if err != nil {
		return err
	}
	return r.makeCollection(n, k, e, davxml.D("mkcol-response"))
}

// mkcalendar answers MKCALENDAR (RFC 4791 5.3.1).
func mkcalendar(r *request, n *node) error {
	e, err := r.makingBody()
	if err != nil {
		return err
	}
	if e != nil && e.Name != davxml.C("mkcalendar") {
		return badRequest("The body of MKCALENDAR is a mkcalendar")
	}
	return r.makeCollection(n, calendarNode, e, davxml.C("mkcalendar-response"))
}

// makingBody reads the body of a request that makes a collection.
func (r *request) makingBody() (*davxml.Element, error) {
	if t := r.Header.Get("Content-Type"); t != "" && r.ContentLength != 0 {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/xml" && media != "text/xml" { // RFC 4918 9.3
			return nil, &failure{status: http.StatusUnsupportedMediaType, text: "The body is no XML"}
		}
	}
	e, err := r.body(smallBody)
	var syntax *davxml.SyntaxError
	if errors.As(err, &syntax) && r.Header.Get("Content-Type") == "" {
		return nil, &failure{status: http.StatusUnsupportedMediaType, text: syntax.Error()}
	}
	return e, err
}

// resourceKind reads the DAV:resourcetype that is to be made.
func resourceKind(e *davxml.Element) (kind, error) {
	changes, err := parseChanges(e)
	if err != nil {
		return 0, err
	}
	var found kind
	for _, c := range changes {
		if c.name != davxml.D("resourcetype") || c.element == nil {
			continue
		}
		for _, t := range c.element.Children {
			switch t.Name {
			case davxml.D("collection"):
			case davxml.C("calendar"):
				found |= calendarNode
			case davxml.CR("addressbook"):
				found |= bookNode
			case davxml.CS("subscribed"): // what it is subscribed to is the property source
				found |= calendarNode
			default:
				found |= folderNode
			}
		}
	}
	if found != calendarNode && found != bookNode { // RFC 5689 3.3
		return 0, forbidden(davxml.D("valid-resourcetype"), "Only a calendar or an address book can be made here")
	}
	return found, nil
}

// makeCollection makes a collection with the properties of a body, all of them or nothing.
func (r *request) makeCollection(n *node, k kind, e *davxml.Element, response davxml.Name) error {
	if strings.Contains(n.name, "~") { // of what others share
		return forbidden(locationOK(k), "The name has a ~")
	}
	n.kind = k
	var changes []change
	if e != nil {
		var err error
		if changes, err = parseChanges(e); err != nil {
			return err
		}
	}
	kept := collection.Props{Other: map[string]string{resourceID: newResourceID()}}
	if err := r.changeNew(n, &kept, changes); errors.Is(err, errChanges) {
		return r.refuseMaking(n, changes, response)
	} else if err != nil {
		return err
	}
	kindOf := collection.Calendar
	if k == bookNode {
		kindOf = collection.AddressBook
	}
	var err error
	if kept.Other[sourceKey] != "" {
		err = r.subscribe(n, kept)
	} else {
		_, err = n.home.Create(n.name, kindOf, kept)
	}
	if fault.Is(err, fault.Exists) {
		return r.notAllowed(k) // made meanwhile (RFC 4918 9.3.1)
	}
	if err != nil {
		return err
	}
	if r.prefer.minimal { // RFC 8144 2.3
		r.w.Header().Set("Preference-Applied", "return=minimal")
	}
	r.w.Header().Set("Content-Length", "0")
	r.w.WriteHeader(http.StatusCreated)
	return nil
}

// locationOK is the precondition of where a calendar (RFC 4791 5.3.1) or an address book (RFC
// 6352 6.3.2.1) can be.
func locationOK(k kind) davxml.Name {
	if k&(bookNode|cardNode) != 0 {
		return davxml.CR("addressbook-collection-location-ok")
	}
	return davxml.C("calendar-collection-location-ok")
}

// changeNew makes the changes of a body that makes a collection: its type is known.
func (r *request) changeNew(n *node, kept *collection.Props, changes []change) error {
	rest := changes[:0:0]
	for _, c := range changes {
		if c.name != davxml.D("resourcetype") {
			rest = append(rest, c)
		}
	}
	err := r.change(n, kept, rest)
	copy(changes, rest)
	return err
}

// refuseMaking tells which properties stood in the way: of a MKCALENDAR as a multistatus (RFC
// 4791 5.3.1.1), of a MKCOL with the status of the first of them (RFC 5689 3).
func (r *request) refuseMaking(n *node, changes []change, response davxml.Name) error {
	if response.Space == davxml.CalDAV {
		m := r.multistatus()
		m.Begin(nResponse)
		m.Element(nHref, n.path())
		m.changes(changes, true)
		m.End()
		return m.finish()
	}
	status := http.StatusForbidden
	for _, c := range changes {
		if c.failure != nil {
			status = c.failure.status
			break
		}
	}
	r.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	r.w.WriteHeader(status)
	m := &multistatus{r: r, Writer: davxml.NewWriter(r.w)}
	m.Begin(response)
	m.changes(changes, true)
	m.End()
	m.Flush() // an error: the client is gone
	return nil
}

// resourceID is where the id of a collection is kept (RFC 5842 3.1).
const resourceID = "{DAV:}resource-id"

func newResourceID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatUUID(b)
}

// formatUUID writes a UUID of version 4 (RFC 9562 5.4), or 8 where its octets are a hash.
func formatUUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
