package homes

import (
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
)

// mountMark stands in the names of collections that nobody can make: between the owner
// and the name of a mount, and before the name of what is made here.
const mountMark = "~"

// Collections returns the collections that the viewer may see: the owner's by name, what
// is made here, then mounts.
func (h *Home) Collections() ([]*Collection, error) {
	out, err := h.owned()
	if err != nil || h.Viewer.Key() != h.Owner.Key() {
		return out, err
	}
	mounts, err := h.mounts()
	if err != nil {
		return nil, err
	}
	taken := make(map[string]bool)
	for _, m := range mounts {
		taken[m.Segment] = true
	}
	seen := out[:0]
	for _, c := range out {
		if !taken[c.Segment] { // a directory that another program made
			seen = append(seen, c)
		}
	}
	return append(seen, mounts...), nil
}

// owned returns what the owner has, and is made for him, as far as the viewer may see it.
func (h *Home) owned() ([]*Collection, error) {
	kept, err := h.kept()
	if err != nil {
		return nil, err
	}
	made := h.allMade()
	taken := make(map[string]bool)
	for _, c := range made {
		taken[c.Segment] = true
	}
	kept = slices.DeleteFunc(kept, func(c *Collection) bool { return taken[c.Segment] })
	return append(kept, made...), nil
}

// kept returns the collections that are kept for the owner, as far as the viewer may see them.
func (h *Home) kept() (out []*Collection, err error) {
	all, err := h.store.Collections()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		v, err := h.viewKept(c)
		switch {
		case err == nil:
			out = append(out, v)
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	return out, nil
}

// Open returns a collection by the last segment of its href. The error is a fault, NotFound
// for what the viewer may not see either.
func (h *Home) Open(segment string) (*Collection, error) {
	if strings.Contains(segment, mountMark) && h.Viewer.Key() == h.Owner.Key() {
		if c, err := h.openMount(segment); !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	return h.openOwned(segment)
}

func (h *Home) openOwned(segment string) (*Collection, error) {
	if strings.HasPrefix(segment, mountMark) {
		if c, err := h.openMade(segment); !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	c, err := h.store.Open(segment)
	if err != nil {
		return nil, err
	}
	return h.viewKept(c)
}

// viewKept is a collection that the owner keeps, as the viewer sees it. The error is
// NotFound when he may not.
func (h *Home) viewKept(c *collection.Collection) (*Collection, error) {
	rights := h.Rights
	if !rights.Has(OwnerRights) {
		g, err := h.homes.grantOf(h.Viewer, h.Owner, c)
		if err != nil {
			return nil, err
		}
		rights |= g
	}
	if rights == 0 || rights == Busy && c.Kind() != collection.Calendar {
		return nil, errNoCollection()
	}
	v := &Collection{
		Collection: c, described: c, home: h, Segment: c.Name(), Owner: h.Owner, Viewer: h.Viewer, Rights: rights,
		Personal: !rights.Has(Describe),
	}
	return h.withFeed(v)
}

// Create makes a collection, durably.
func (h *Home) Create(segment string, kind collection.Kind, props collection.Props) (*Collection, error) {
	if err := free(segment); err != nil {
		return nil, err
	}
	c, err := h.store.Create(segment, kind, withoutHidden(props))
	if err != nil {
		return nil, err
	}
	return h.viewKept(c)
}

// free tells whether a name can be chosen.
func free(segment string) error {
	if strings.Contains(segment, mountMark) {
		return fault.New(fault.NotPossible, `Names with "~" are reserved`)
	}
	return nil
}

// Delete removes a collection with all that is in it, durably. A mount that its owner
// shares with the viewer is taken out of the viewer's home, for good.
func (h *Home) Delete(segment string) error {
	c, err := h.Open(segment)
	if err != nil {
		return err
	}
	switch {
	case c.Mounted:
		return c.decline()
	case c.Origin != Kept && c.Origin != Subscribed:
		return fault.New(fault.Policy, "This is made by the server, and can't be deleted")
	}
	if err := h.store.Delete(segment); err != nil {
		return err
	}
	h.dropFeed(c)
	h.homes.shares.refresh(h.homes, h.Owner)
	return nil
}

// Rename gives a collection another name; over: one that has it is deleted, when nothing is in the way.
func (h *Home) Rename(from, to string, over bool) error {
	c, err := h.Open(from)
	if err != nil {
		return err
	}
	if err := free(to); err != nil {
		return err
	}
	if c.Mounted || c.Origin != Kept && c.Origin != Subscribed {
		return fault.New(fault.Policy, "This is not yours to rename")
	}
	if from == to {
		return fault.New(fault.NotPossible, "It has that name")
	}
	if over {
		if err := h.Delete(to); err != nil {
			return err
		}
	}
	if err := h.store.Rename(from, to); err != nil {
		return err
	}
	h.renameFeed(c, from, to)
	h.homes.shares.refresh(h.homes, h.Owner)
	return nil
}

// mounts returns what others have and the viewer may use.
func (h *Home) mounts() ([]*Collection, error) {
	var out []*Collection
	d := h.homes.opt.Directory()
	whole := make(map[address.Key]bool)
	for _, role := range d.Shared(h.Viewer) {
		whole[role.Address.Key()] = true
		other, err := h.homes.home(h.Viewer, role.Address, rightsOf(role.Rights))
		if err != nil {
			return nil, err
		}
		all, err := other.owned()
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			out = append(out, mount(c))
		}
	}
	for _, g := range h.homes.grantsTo(h.Viewer) {
		if whole[g.owner.Key()] || !g.rights.Has(Read) {
			continue // it is there already, or programs could show nothing of it
		}
		c, err := h.openGrant(g)
		switch {
		case err == nil:
			out = append(out, mount(c))
		case !fault.Is(err, fault.NotFound): // mail.toml may name what is not there
			return nil, err
		}
	}
	return out, nil
}

func (h *Home) openGrant(g grant) (*Collection, error) {
	other, err := h.homes.home(h.Viewer, g.owner, 0)
	if err != nil {
		return nil, err
	}
	return other.openOwned(g.name)
}

// openMount returns a mount by its name.
func (h *Home) openMount(segment string) (*Collection, error) {
	for _, role := range h.homes.opt.Directory().Shared(h.Viewer) {
		name, ok := strings.CutPrefix(segment, string(role.Address.Key())+mountMark)
		if !ok {
			continue
		}
		other, err := h.homes.home(h.Viewer, role.Address, rightsOf(role.Rights))
		if err != nil {
			return nil, err
		}
		c, err := other.openOwned(name)
		if err != nil {
			return nil, err
		}
		return mount(c), nil
	}
	for _, g := range h.homes.grantsTo(h.Viewer) {
		if segment == string(g.owner.Key())+mountMark+g.name && g.rights.Has(Read) {
			c, err := h.openGrant(g)
			if err != nil {
				return nil, err
			}
			return mount(c), nil
		}
	}
	return nil, errNoCollection()
}

// mount makes a collection of another one in the viewer's home.
func mount(c *Collection) *Collection {
	c.Segment = string(c.Owner.Key()) + mountMark + c.Segment
	c.Mounted, c.Personal = true, true
	c.Rights &^= Administer | Describe // in its owner's home it is administered and described
	return c
}
