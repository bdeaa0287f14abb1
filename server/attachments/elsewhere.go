package attachments

import (
	"cmp"
	"encoding/base64"
	"io"
	"path"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/itip"
)

// The bounds of what is written into objects for readers elsewhere, in octets: so that such an
// object is not too large for another server, or this one.
const (
	maxInline  = 1 << 20
	maxInlines = 4 << 20 // of an object
)

// Inlined returns a calendar for readers who may read it now, and have no login later: what
// is exported (RFC 8607 3.12.7). Small attachments stand in it; of others stays the URI: their
// names are told.
func (s *Store) Inlined(c *ical.Calendar) (out *ical.Calendar, links []string) {
	left := int64(maxInlines)
	out = mapped(c, func(a homes.Attached, p ical.Prop) (ical.Prop, bool) {
		data, is, err := s.read(a, min(maxInline, left))
		if err != nil {
			if name := cmp.Or(is.Name, p.Param("FILENAME"), a.ID); !slices.Contains(links, name) {
				links = append(links, name)
			}
			return p.Without("MANAGED-ID"), true
		}
		left -= is.Size
		p = p.Without("MANAGED-ID", "SIZE")
		p.Value = base64.StdEncoding.EncodeToString(data)
		p.Params = append(slices.Clip(p.Params), contentline.Param{Name: "ENCODING", Values: []string{"BASE64"}}, contentline.Param{Name: "VALUE", Values: []string{"BINARY"}})
		return p, true
	})
	return out, links
}

// Hidden returns a calendar without attachments of this server: for everybody, who has no login.
func Hidden(c *ical.Calendar) *ical.Calendar {
	return mapped(c, func(_ homes.Attached, p ical.Prop) (ical.Prop, bool) { return p, false })
}

// Mailed returns a message as it goes by mail (RFC 8607 3.12.6, RFC 6047 2.6): the attachments
// are files of the mail, as long as they have not more than some octets together. Who reads
// the mail has no login here, so the others are left out; their names are told. So are kinds of
// files for which large providers refuse a mail as a whole.
func (s *Store) Mailed(m *itip.Message, most int64) (out *itip.Message, list []itip.File, left []string) {
	sent := make(map[string]bool)
	copied := *m
	copied.Calendar = mapped(m.Calendar, func(a homes.Attached, p ical.Prop) (ical.Prop, bool) {
		if !m.Method.FromOrganizer() || m.Method == itip.Cancel {
			return p, false
		}
		if was, seen := sent[a.ID]; !seen {
			data, is, err := s.read(a, most)
			if sent[a.ID] = err == nil && !isRefused(is.Name); sent[a.ID] {
				most -= is.Size
				list = append(list, itip.File{ID: a.ID, Name: is.Name, Type: is.Type, Data: data})
			} else if is.Name != "" {
				left = append(left, is.Name)
			}
		} else if !was {
			return p, false
		}
		p = p.Without("MANAGED-ID")
		p.Value = itip.FileURI(a.ID)
		return p, sent[a.ID]
	})
	return &copied, list, left
}

// read reads an attachment that has not more than some octets.
func (s *Store) read(a homes.Attached, most int64) ([]byte, Attachment, error) {
	f, is, err := s.Open(a.Owner, a.ID)
	if err != nil {
		return nil, is, err
	}
	defer f.Close()
	if is.Size > most {
		return nil, is, fault.New(fault.TooLarge, "The attachment is too large")
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	return data, is, err
}

// mapped returns a calendar with other properties in the place of those that name attachments
// of this server; false: with none. What is in nothing else is shared.
func mapped(c *ical.Calendar, change func(homes.Attached, ical.Prop) (ical.Prop, bool)) *ical.Calendar {
	out := *c
	out.Children = slices.Clone(c.Children)
	for i, child := range out.Children {
		if !slices.ContainsFunc(child.Props, func(p ical.Prop) bool { _, ok := homes.ParseAttached(p); return ok }) {
			continue
		}
		part := *child
		part.Props = nil
		for _, p := range child.Props {
			if a, ok := homes.ParseAttached(p); ok {
				if p, ok = change(a, p); !ok {
					continue
				}
			}
			part.Props = append(part.Props, p)
		}
		out.Children[i] = &part
	}
	return &out
}

// Named tells quickly whether octets of an object may name an attachment.
func Named(data []byte) bool { return containsFolded(data, "MANAGED-ID") }

// isRefused tells whether a file is of a kind that runs: Gmail and Outlook refuse mails with such.
func isRefused(name string) bool {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	return slices.Contains(strings.Fields("ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso isp "+
		"jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll"), ext)
}

// Exported is Inlined of octets; what can't be read stays as it is.
func (s *Store) Exported(data []byte) (out []byte, links []string) {
	if !Named(data) {
		return data, nil
	}
	c, err := ical.ParseBytes(data)
	if err != nil || len(homes.AttachedTo(c)) == 0 {
		return data, nil
	}
	c, links = s.Inlined(c)
	return c.Append(nil), links
}

// Imported returns an object that comes from elsewhere, for a home: what that home does not
// have is managed by no server here (RFC 8607 3.12.7).
func (s *Store) Imported(owner address.Address, data []byte) []byte {
	if !Named(data) {
		return data
	}
	c, err := ical.ParseBytes(data)
	if err != nil {
		return data // the store says what is wrong
	}
	changed := false
	for _, child := range c.Children {
		for i, p := range child.Props {
			if p.Name != "ATTACH" || p.Param("MANAGED-ID") == "" {
				continue
			}
			if a, ok := homes.ParseAttached(p); !ok || !s.Has(owner, a.ID) {
				child.Props[i], changed = p.Without("MANAGED-ID"), true
			}
		}
	}
	if !changed {
		return data
	}
	return c.Append(nil)
}
