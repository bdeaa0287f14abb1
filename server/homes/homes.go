// Package homes knows which calendars and address books a person sees, and what
// he may do with each: his own, and those of shared mailboxes.
//
// A Home is that of one account or shared mailbox, as one account sees it. What
// is kept is in package collection; this package adds whose it is and the
// rights. It checks no right itself where a Collection is used: who serves a
// protocol does (Rights.Has), in one place.
//
// Homes may be used by any number of goroutines, and holds no lock of its own.
// It looks the directory up at each call, so a reload counts at once.
package homes

import (
	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// Rights are what an account may do with a collection or in a home.
type Rights uint16

// The rights. The privileges of RFC 3744 and RFC 4791 that they stand for are davd's.
const (
	Busy       Rights = 1 << iota // know when somebody is busy
	Read                          // see the objects
	Write                         // put, change and remove objects
	Describe                      // change the name, colour and order for all
	Administer                    // make, delete and rename collections, and share them
	Schedule                      // invite and answer in the owner's name
)

// The rights of the roles.
const (
	ReaderRights = Busy | Read
	MemberRights = ReaderRights | Write | Describe | Schedule
	OwnerRights  = MemberRights | Administer
)

// Has tells whether all of want are among the rights.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Options are what Homes needs.
type Options struct {
	Store *collection.Store // of what people keep
	// Derived keeps what is made here for people: their scheduling inboxes, and what can be
	// made again. Its index is DerivedIndex; it has no defaults, and nothing in it counts
	// towards a quota.
	Derived *collection.Store
	// Directory returns the newest one.
	Directory func() *directory.Directory
}

// Homes answers who sees what.
type Homes struct{ opt Options }

// New returns Homes.
func New(o Options) *Homes { return &Homes{opt: o} }

// Home is the collections of an account or shared mailbox, as a viewer sees them.
type Home struct {
	homes  *Homes
	store  *collection.Home
	Viewer address.Address // the account that is logged in
	Owner  address.Address // as mail.toml spells it
	Rights Rights
}

// Origin tells where what is in a collection comes from.
type Origin uint8

// The origins.
const (
	Kept  Origin = iota // what people keep, their own or another's
	Inbox               // the scheduling inbox (RFC 6638 2.2)
)

// Collection is a calendar or an address book, as a viewer sees it.
type Collection struct {
	*collection.Collection
	Origin  Origin
	Segment string          // the name by which the home has it: the last segment of its href
	Owner   address.Address // whose it is
	Viewer  address.Address
	Rights  Rights
}

// Open returns the home of owner as viewer sees it. The error is a fault:
// NoSuchAddress when it does not exist, or viewer may see nothing of it.
func (h *Homes) Open(viewer, owner address.Address) (*Home, error) {
	box, ok := h.opt.Directory().Box(owner)
	if !ok {
		return nil, fault.New(fault.NotFound, "no such home")
	}
	rights := h.rights(viewer, box.Address)
	if rights == 0 {
		return nil, fault.New(fault.NotFound, "no such home")
	}
	kept, err := h.opt.Store.Home(box.Address)
	if err != nil {
		return nil, err
	}
	return &Home{homes: h, store: kept, Viewer: viewer, Owner: box.Address, Rights: rights}, nil
}

// Own returns the home of an account or shared mailbox as itself sees it, with all
// rights: for what the server does in its name, where nobody is logged in. The error is
// that of Open.
func (h *Homes) Own(owner address.Address) (*Home, error) {
	box, ok := h.opt.Directory().Box(owner)
	if !ok {
		return nil, fault.New(fault.NotFound, "no such home")
	}
	kept, err := h.opt.Store.Home(box.Address)
	if err != nil {
		return nil, err
	}
	return &Home{homes: h, store: kept, Viewer: box.Address, Owner: box.Address, Rights: OwnerRights}, nil
}

// rights are those in a whole home.
func (h *Homes) rights(viewer, owner address.Address) Rights {
	switch h.opt.Directory().Rights(viewer, owner) {
	case "":
		return 0
	case directory.ReaderRights:
		return ReaderRights
	case directory.MemberRights:
		return MemberRights
	}
	return OwnerRights
}

// Collections returns the collections that the viewer may see, by name.
func (h *Home) Collections() ([]*Collection, error) {
	kept, err := h.store.Collections()
	if err != nil {
		return nil, err
	}
	out := make([]*Collection, 0, len(kept))
	for _, c := range kept {
		out = append(out, h.view(c))
	}
	return out, nil
}

// Open returns a collection by the last segment of its href. The error is a fault, NotFound
// for what the viewer may not see either.
func (h *Home) Open(segment string) (*Collection, error) {
	c, err := h.store.Open(segment)
	if err != nil {
		return nil, err
	}
	return h.view(c), nil
}

// Create makes a collection, durably.
func (h *Home) Create(segment string, kind collection.Kind, props collection.Props) (*Collection, error) {
	c, err := h.store.Create(segment, kind, props)
	if err != nil {
		return nil, err
	}
	return h.view(c), nil
}

// Delete removes a collection with all that is in it, durably.
func (h *Home) Delete(segment string) error { return h.store.Delete(segment) }

// Rename gives a collection another name.
func (h *Home) Rename(from, to string) error { return h.store.Rename(from, to) }

func (h *Home) view(c *collection.Collection) *Collection {
	return &Collection{Collection: c, Segment: c.Name(), Owner: h.Owner, Viewer: h.Viewer, Rights: h.Rights}
}
