package homes

import (
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
	attachPrefix = "attach="
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
	return len(s) == idLength && !strings.ContainsFunc(s, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '2' && r <= '7') })
}

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

// SeesAttached tells whether an account may read an attachment: whether a calendar that it may
// read names it (RFC 8607 3.12.2). So an attendee sees it by the object in the own calendar.
func (h *Homes) SeesAttached(viewer address.Address, id string) (bool, error) {
	home, err := h.Open(viewer, viewer)
	if err != nil {
		return false, err
	}
	all, err := home.Collections()
	if err != nil {
		return false, err
	}
	for _, c := range all {
		if c.Origin != Kept || c.Kind() != collection.Calendar || !c.Rights.Has(Read) {
			continue
		}
		objects, err := c.Snapshot()
		if err != nil {
			return false, err
		}
		for e := range objects.All() {
			if slices.Contains(e.Facts.Props, attachPrefix+id) {
				return true, nil
			}
		}
	}
	return false, nil
}
