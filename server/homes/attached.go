package homes

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/ical"
)

// AttachmentSegment is where the managed attachments (RFC 8607) of a home are:
// /dav/ADDRESS/.attachments/ID/NAME. Names with a leading dot are of no collection.
const AttachmentSegment = ".attachments"

const (
	attachmentRoot = "/dav/"
	// attachPrefix stands before the id of each managed attachment in Facts.Props.
	attachPrefix = collection.Counted + "attach="
	// perhapsPrefix stands there in an object that can't be read before what may be such an id.
	perhapsPrefix = collection.Counted + "attach?"
	// idLength is that of an id: 16 octets in base32.
	idLength = 26
	// maxAttached bounds the attachments of an object in the index. Over DAV there are fewer.
	maxAttached = 1000
)

// Attached is a managed attachment as a property ATTACH names it.
type Attached struct {
	Owner address.Address // in whose home it was put; it may be an old address of his
	ID    string          // the MANAGED-ID
}

// ParseAttached reads a property ATTACH (RFC 8607 4.3). ok: it has the form that this server
// gives to those that it manages; of another server, and in another form, there are others.
func ParseAttached(p contentline.Line) (a Attached, ok bool) {
	if p.Name != "ATTACH" {
		return a, false
	}
	id := p.Param("MANAGED-ID")
	if !IsAttachmentID(id) {
		return a, false
	}
	u, err := url.Parse(strings.TrimSpace(p.Value))
	if err != nil {
		return a, false
	}
	rest, ok := strings.CutPrefix(u.Path, attachmentRoot)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 || parts[1] != AttachmentSegment || parts[2] != id {
		return a, false
	}
	if a.Owner, err = address.Parse(parts[0]); err != nil {
		return a, false
	}
	a.ID = id
	return a, true
}

// IsAttachmentID tells whether a text has the form of an id.
func IsAttachmentID(s string) bool {
	return len(s) == idLength && !strings.ContainsFunc(s, func(r rune) bool { return !isAttachmentIDRune(r) })
}

func isAttachmentIDRune(r rune) bool { return r >= 'a' && r <= 'z' || r >= '2' && r <= '7' }

// AttachedTo returns the ids of the managed attachments that a calendar names, each once.
func AttachedTo(c *ical.Calendar) (ids []string) {
	for _, child := range c.Children {
		for _, p := range child.Props {
			if a, ok := ParseAttached(p); ok && len(ids) < maxAttached && !slices.Contains(ids, a.ID) {
				ids = append(ids, a.ID)
			}
		}
	}
	return ids
}

// AttachedIn returns the ids of the managed attachments that the index has of an object.
func AttachedIn(f collection.Facts) (ids []string) {
	for _, p := range f.Props {
		if id, ok := strings.CutPrefix(p, attachPrefix); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func appendAttached(props []string, c *ical.Calendar) []string {
	for _, id := range AttachedTo(c) {
		props = append(props, attachPrefix+id)
	}
	return props
}

// perhapsAttached are the facts of an object that can't be read: all in it that has the form of
// an id. Another program may not be done with it.
func perhapsAttached(data []byte) (f collection.Facts) {
	for _, fold := range []string{"\r\n ", "\n ", "\r\n\t", "\n\t"} { // RFC 5545 3.1
		data = bytes.ReplaceAll(data, []byte(fold), nil)
	}
	for len(data) > 0 && len(f.Props) < maxAttached {
		n := bytes.IndexFunc(data, func(r rune) bool { return !isAttachmentIDRune(r) })
		if n < 0 {
			n = len(data)
		}
		if prop := perhapsPrefix + string(data[:min(n, idLength)]); n == idLength && !slices.Contains(f.Props, prop) {
			f.Props = append(f.Props, prop)
		}
		data = data[min(n+1, len(data)):]
	}
	return f
}

// SeesAttached tells whether an account may read an attachment: whether a calendar that it may
// read names it (RFC 8607 3.12.2). So an attendee sees it by the object in the own calendar.
func (h *Homes) SeesAttached(viewer address.Address, id string) (bool, error) {
	home, err := h.Open(viewer, viewer)
	if err != nil {
		return false, err
	}
	for _, some := range []func() ([]*Collection, error){home.kept, home.mounts} {
		all, err := some()
		if err != nil {
			return false, err
		}
		if has, err := anyNames(all, attachPrefix+id); has || err != nil {
			return has, err
		}
	}
	return false, nil
}

// NamesAttached tells whether an object that the home keeps names an attachment, or may: one
// that another program has left half done.
func (h *Home) NamesAttached(id string) (bool, error) {
	all, err := h.kept()
	if err != nil {
		return false, err
	}
	return anyNames(all, attachPrefix+id, perhapsPrefix+id)
}

// anyNames tells whether an object of a calendar that may be read has one of some properties.
func anyNames(all []*Collection, props ...string) (bool, error) {
	for _, c := range all {
		if c.Origin != Kept || c.Kind() != collection.Calendar || !c.Rights.Has(Read) {
			continue
		}
		for _, prop := range props {
			if has, err := c.Has(prop); has || err != nil {
				return has, err
			}
		}
	}
	return false, nil
}

// Attached returns the ids of the managed attachments that the objects of a calendar name, each
// once.
func (c *Collection) Attached() ([]string, error) {
	props, err := c.Counted()
	return AttachedIn(collection.Facts{Props: props}), err
}
