package homes

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// What the owner of a collection shares himself stands among its properties: so it goes
// where the collection goes, and is gone with it.
const (
	sharePrefix   = hidden + "share:" // with the address of an account
	publishedName = hidden + "published"
)

// maxShares bounds with how many a collection is shared.
const maxShares = 500

// share is what the owner gave an account.
type share struct {
	Write    bool `json:",omitempty"`
	Busy     bool `json:",omitempty"` // only when it takes time
	Declined bool `json:",omitempty"` // the account took it out of its home
}

func (s *share) rights() Rights {
	switch {
	case s == nil || s.Declined:
		return 0
	case s.Write:
		return WriterRights
	case s.Busy:
		return Busy
	}
	return ReaderRights
}

// Invitee is an account with which a collection is shared.
type Invitee struct {
	Account  address.Address
	Name     string // of the person; "": none
	Write    bool
	Busy     bool // sees when it takes time, and no more
	Declined bool // the account took it out of its home
	Fixed    bool // mail.toml says so, and no more is given here, which could be taken back
}

// rights are what an invitee may do who has not declined.
func (i *Invitee) rights() Rights {
	s := share{Write: i.Write, Busy: i.Busy}
	return s.rights()
}

// Invitees returns with whom the collection is shared by itself, sorted by address.
func (c *Collection) Invitees() ([]Invitee, error) {
	if c.Origin != Kept && c.Origin != Subscribed {
		return nil, nil
	}
	p, err := c.described.Props()
	if err != nil {
		return nil, err
	}
	d := c.home.homes.opt.Directory()
	var out []Invitee
	for _, g := range d.Grants(c.Owner, c.described.Name()) {
		out = append(out, Invitee{Account: g.Account, Write: g.Rights == directory.MemberRights, Busy: g.Rights == directory.BusyRights, Fixed: true})
	}
	for key, s := range sharesOf(p) {
		a, err := address.Parse(string(key))
		account, ok := d.Account(a)
		if err != nil || !ok {
			continue
		}
		given := Invitee{Account: account.Address, Write: s.Write, Busy: s.Busy, Declined: s.Declined}
		i := slices.IndexFunc(out, func(i Invitee) bool { return i.Account.Key() == account.Address.Key() })
		switch {
		case i < 0:
			out = append(out, given)
		case s.rights()&^out[i].rights() != 0: // beyond what mail.toml says, and to be taken back here
			out[i] = given
		}
	}
	for i := range out {
		if a, ok := d.Account(out[i].Account); ok {
			out[i].Name = a.Name
		}
	}
	slices.SortFunc(out, func(a, b Invitee) int { return strings.Compare(string(a.Account.Key()), string(b.Account.Key())) })
	return out, nil
}

// Share lets an account of this server use the collection, with rights to write or not,
// durably. It stands in the account's home from then on. The error is a fault, NotFound for
// what is no account.
func (c *Collection) Share(with address.Address, write bool) error {
	rights := ReaderRights
	if write {
		rights = WriterRights
	}
	return c.ChangeShares([]ShareChange{{with, rights}})
}

// ShareChange is what an account may do with a collection from now on.
type ShareChange struct {
	With   address.Address
	Rights Rights // WriterRights, ReaderRights, Busy, or 0: none
}

// ChangeShares makes several changes of whom the collection is shared with, durably: all of them, or none,
// and then nobody is told. The errors are those of Share.
func (c *Collection) ChangeShares(list []ShareChange) error {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	stands := make([]bool, len(list))
	for i := range list {
		x := &list[i]
		var err error
		switch {
		case x.Rights == 0:
			if a, ok := c.home.homes.opt.Directory().Account(x.With); ok {
				x.With = a.Address
			}
			continue
		case x.Rights == Busy && c.Kind() != collection.Calendar:
			return fault.New(fault.NotPossible, "Only a calendar takes time")
		}
		if x.With, err = c.invitable(x.With); err != nil {
			return err
		}
		stands[i] = c.standsFor(x.With)
	}
	var told []Sharing
	err := c.changeShares(func(p *collection.Props) error {
		said := c.sharing(*p)
		for i, x := range list {
			if x.Rights == 0 {
				delete(p.Other, sharePrefix+string(x.With.Key()))
				continue
			}
			before, had := sharesOf(*p)[x.With.Key()]
			s := share{Write: x.Rights.Has(Write), Busy: x.Rights == Busy}
			if !s.Busy && (!had || before.Declined || before.Busy) && !stands[i] {
				said.With, said.Write = x.With, s.Write
				told = append(told, said)
			}
			if err := putShare(p, x.With, s); err != nil {
				return err
			}
		}
		return nil
	})
	if tell := c.home.homes.opt.Shared; err == nil && tell != nil {
		for _, said := range told {
			tell(said)
		}
	}
	return err
}

// standsFor says whether mail.toml has the collection in an account's home.
func (c *Collection) standsFor(account address.Address) bool {
	if c.home.homes.rights(account, c.Owner) != 0 {
		return true
	}
	return slices.ContainsFunc(c.home.homes.opt.Directory().Grants(c.Owner, c.described.Name()), func(g directory.Grant) bool {
		return g.Account.Key() == account.Key() && g.Rights != directory.BusyRights
	})
}

// Sharing is a collection that stands in an account's home from now on.
type Sharing struct {
	With, By address.Address // the account, and who shared it
	Kind     collection.Kind
	Name     string // as its owner calls it
	Seen     string // as the account sees it
	Write    bool
}

func (c *Collection) sharing(p collection.Props) Sharing {
	name := cmp.Or(c.common(p).DisplayName, c.described.Name())
	return Sharing{By: c.Viewer, Kind: c.Kind(), Name: name, Seen: name + " (" + c.home.ownerName() + ")"}
}

// ShareBusy lets an account of this server see when a calendar takes time, and nothing else,
// durably: it does not stand in the account's home. The errors are those of Share.
func (c *Collection) ShareBusy(with address.Address) error {
	return c.ChangeShares([]ShareChange{{with, Busy}})
}

// invitable returns the account of an address, with which the collection can be shared.
func (c *Collection) invitable(with address.Address) (address.Address, error) {
	account, ok := c.home.homes.opt.Directory().Account(with)
	if !ok {
		return with, fault.Newf(fault.NotFound, "%s is no account of this server", with)
	}
	if account.Address.Key() == c.Owner.Key() {
		return with, fault.New(fault.NotPossible, "It is the owner's already")
	}
	return account.Address, nil
}

// putShare notes what the owner gives an account.
func putShare(p *collection.Props, with address.Address, s share) error {
	name := sharePrefix + string(with.Key())
	if _, ok := p.Other[name]; !ok && len(sharesOf(*p)) >= maxShares {
		return fault.Newf(fault.TooMany, "A collection can be shared with %d accounts at most", maxShares)
	}
	b, err := json.Marshal(s)
	p.Other[name] = string(b)
	return err
}

// Unshare takes the collection away from an account, durably. What mail.toml gives stays.
func (c *Collection) Unshare(from address.Address) error {
	return c.ChangeShares([]ShareChange{{With: from}})
}

// decline takes a mount out of the viewer's home.
func (c *Collection) decline() error {
	errFixed := fault.New(fault.Policy, "mail.toml has it in this home")
	h := c.home.homes
	if h.rights(c.Viewer, c.Owner) != 0 {
		return errFixed
	}
	for _, g := range h.opt.Directory().Grants(c.Owner, c.described.Name()) {
		if g.Account.Key() == c.Viewer.Key() && g.Rights != directory.BusyRights { // which makes no mount
			return errFixed
		}
	}
	return c.changeShares(func(p *collection.Props) error {
		name := sharePrefix + string(c.Viewer.Key())
		s, ok := sharesOf(*p)[c.Viewer.Key()]
		if !ok {
			return errNoCollection()
		}
		s.Declined = true
		b, err := json.Marshal(s)
		p.Other[name] = string(b)
		delete(p.Other, viewPrefix+string(c.Viewer.Key()))
		return err
	})
}

func (c *Collection) changeShares(change func(*collection.Props) error) error {
	if c.Origin != Kept && c.Origin != Subscribed {
		return fault.New(fault.Policy, "This is made by the server, and can't be shared")
	}
	if err := c.described.SetProps(change); err != nil {
		return err
	}
	c.home.homes.shares.refresh(c.home.homes, c.Owner)
	return nil
}

// Shared tells whether the collection is shared by itself, without reading anything.
func (c *Collection) Shared() bool {
	if c.Origin != Kept && c.Origin != Subscribed {
		return false
	}
	h := c.home.homes
	name := c.described.Name()
	if len(h.opt.Directory().Grants(c.Owner, name)) > 0 {
		return true
	}
	h.shares.mu.Lock()
	defer h.shares.mu.Unlock()
	h.shares.all(h)
	return slices.ContainsFunc(h.shares.grants[c.Owner.Key()], func(g grant) bool { return g.name == name })
}
