package homes

import (
	"encoding/json"
	"maps"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
)

// Origin tells where what is in a collection comes from.
type Origin uint8

// The origins.
const (
	Kept       Origin = iota // what people keep, their own or another's
	Inbox                    // the scheduling inbox (RFC 6638 2.2)
	Book                     // the people, shared mailboxes and lists of a domain
	Birthdays                // of the contacts in the same home
	Subscribed               // what another server publishes
)

// Collection is a calendar or an address book, as a viewer sees it.
type Collection struct {
	*collection.Collection
	Origin  Origin
	Segment string          // the name by which the home has it: the last segment of its href
	Owner   address.Address // whose it is
	Viewer  address.Address
	Rights  Rights
	// Mounted: it stands in the viewer's home and is another's.
	Mounted bool
	// Personal: Props and SetProps are of the viewer's properties, which he may change
	// whatever his rights; where he set none, those for all show through.
	Personal bool

	home      *Home
	described *collection.Collection // which has the properties
	label     string                 // its name where nobody gave it one
}

// Home returns the home of the collection's owner, as the viewer sees it.
func (c *Collection) Home() *Home { return c.home }

// Name returns the name in its owner's home, or in the derived store for what is made here.
func (c *Collection) Name() string { return c.described.Name() }

// hidden begins the names, in collection.Props.Other, of what is this package's.
const (
	hidden     = "facteur:"
	viewPrefix = hidden + "view:" // with the address of a viewer: his properties
)

// maxView bounds the properties of one viewer in octets: they lie in the owner's home.
const maxView = 8 << 10

// Props returns the properties as the viewer sees them.
func (c *Collection) Props() (collection.Props, error) {
	p, err := c.described.Props()
	if err != nil {
		return p, err
	}
	seen := c.common(p)
	if c.Personal {
		own := readView(p, c.Viewer)
		seen = own.over(seen)
		if c.Mounted && own.DisplayName == "" {
			seen.DisplayName += " (" + c.home.ownerName() + ")"
		}
	}
	return seen, nil
}

// common is the properties for all.
func (c *Collection) common(p collection.Props) collection.Props {
	p = withoutHidden(p)
	if p.DisplayName == "" {
		p.DisplayName = c.label
	}
	if p.DisplayName == "" && c.Mounted {
		p.DisplayName = c.Name()
	}
	return p
}

// SetProps changes the properties that the viewer sees: for all, or his own where the
// collection is Personal. Nobody else does meanwhile, and an error of change leaves them as
// they are. change may not keep the Props. A property of his own that he takes away is again
// that for all.
func (c *Collection) SetProps(change func(*collection.Props) error) error {
	return c.described.SetProps(func(p *collection.Props) error {
		base := c.common(*p)
		if c.Personal {
			seen := readView(*p, c.Viewer).over(base)
			if err := change(&seen); err != nil {
				return err
			}
			return writeView(p, c.Viewer, difference(seen, base))
		}
		next := base
		next.Other = maps.Clone(base.Other)
		if err := change(&next); err != nil {
			return err
		}
		if next.DisplayName == c.label {
			next.DisplayName = ""
		}
		p.DisplayName, p.Color = next.DisplayName, next.Color
		maps.DeleteFunc(p.Other, func(name, _ string) bool { return !strings.HasPrefix(name, hidden) })
		maps.Copy(p.Other, withoutHidden(next).Other)
		return nil
	})
}

// withoutHidden is the properties that are not this package's, with a map of its own.
func withoutHidden(p collection.Props) collection.Props {
	other := make(map[string]string, len(p.Other))
	for name, value := range p.Other {
		if !strings.HasPrefix(name, hidden) {
			other[name] = value
		}
	}
	p.Other = other
	return p
}

// view is the properties of one viewer.
type view struct {
	DisplayName string            `json:",omitempty"`
	Color       string            `json:",omitempty"`
	Other       map[string]string `json:",omitempty"`
}

func readView(p collection.Props, viewer address.Address) (v view) {
	if err := json.Unmarshal([]byte(p.Other[viewPrefix+string(viewer.Key())]), &v); err != nil {
		return view{} // there is none, or another program wrote it
	}
	return v
}

func writeView(p *collection.Props, viewer address.Address, v view) error {
	name := viewPrefix + string(viewer.Key())
	if v.DisplayName == "" && v.Color == "" && len(v.Other) == 0 {
		delete(p.Other, name)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > maxView {
		return fault.Newf(fault.TooLarge, "Your properties of what is another's have more than %d octets", maxView)
	}
	p.Other[name] = string(b)
	return nil
}

// over is the properties with the viewer's own in place of those for all.
func (v view) over(p collection.Props) collection.Props {
	if v.DisplayName != "" {
		p.DisplayName = v.DisplayName
	}
	if v.Color != "" {
		p.Color = v.Color
	}
	p.Other = maps.Clone(p.Other)
	if p.Other == nil {
		p.Other = make(map[string]string)
	}
	maps.Copy(p.Other, v.Other)
	return p
}

// difference is what a viewer has otherwise than all.
func difference(seen, base collection.Props) (v view) {
	if seen.DisplayName != base.DisplayName {
		v.DisplayName = seen.DisplayName
	}
	if seen.Color != base.Color {
		v.Color = seen.Color
	}
	for name, value := range seen.Other {
		if have, ok := base.Other[name]; (!ok || have != value) && !strings.HasPrefix(name, hidden) {
			if v.Other == nil {
				v.Other = make(map[string]string)
			}
			v.Other[name] = value
		}
	}
	return v
}

// ownerName is how people call the owner of the home.
func (h *Home) ownerName() string {
	d := h.homes.opt.Directory()
	if a, ok := d.Account(h.Owner); ok && a.Name != "" {
		return a.Name
	}
	for _, r := range d.Members(h.Owner) {
		if r.Name != "" {
			return r.Name
		}
	}
	return h.Owner.String()
}
