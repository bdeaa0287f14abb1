// Package homes knows which calendars and address books a person sees, and what
// he may do with each: his own, those of shared mailboxes, what others share
// with him, and what is made here.
//
// A Home is that of one account or shared mailbox, as one account sees it. What
// is kept is in package collection; this package adds whose it is and the
// rights. It checks no right itself where a Collection is used: who serves a
// protocol does (Rights.Has), in one place.
//
// In a person's own home stands also, as a mount, what he may use of others: all
// that a shared mailbox has in which he has a role, and single collections that
// mail.toml ([sharing]) or their owner shares with him. A mount is named after
// its owner and its name there, "office@example.org~calendar"; names with "~"
// are for such, and nobody can make one. What a viewer changes of the
// properties of a mount he alone sees. Of what he may only know when it takes time (Busy) there
// is no mount.
//
// Made here, in a store of its own (Options.Derived): the scheduling inbox; the
// address book of the domain (book.go) and the calendar of birthdays
// (birthdays.go), both made when somebody looks and what they are made of has
// changed since; and what other servers publish (subscription.go; why it can't be fetched, and since when: failing.go). An object
// that is made anew and is the same stays as it is, ETag and sync-token too, over
// restarts and reloads.
//
// Who stands in somebody's address books is asked here too (contacts.go), by delivery and
// scheduling: by the index alone.
//
// Homes may be used by any number of goroutines. It looks the directory up at
// each call, so a reload counts at once. Locks, of which none is held while
// another is taken: shares.mu, feeds.mu, books.mu, and one for each thing that is made (makers).
package homes

import (
	"crypto/x509"
	"log/slog"
	"time"

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

// The rights of the roles, and of those with whom a single collection is shared.
const (
	ReaderRights = Busy | Read
	MemberRights = ReaderRights | Write | Describe | Schedule
	OwnerRights  = MemberRights | Administer
	WriterRights = ReaderRights | Write
)

// Has tells whether all of want are among the rights.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Options are what Homes needs.
type Options struct {
	Store *collection.Store // of what people keep
	// Derived keeps what is made here for people: their scheduling inboxes, and what can be
	// made again. Its index is DerivedIndex; it has no defaults, and nothing in it counts
	// towards a quota. nil: nothing is made.
	Derived *collection.Store
	// Directory returns the newest one.
	Directory func() *directory.Directory
	// Resolver finds the servers of subscriptions; nil: there are no subscriptions.
	Resolver Resolver
	Dial     Dial // nil: a net.Dialer's
	// Tell tells an owner which of his subscriptions have failed for a day. false: it can't now,
	// and is asked again. nil: nobody is told.
	Tell  func([]Failing) bool
	Roots *x509.CertPool // of the servers of subscriptions; nil: those of the system
	// Shared is told of what somebody has just shared with an account from a program, not by
	// mail.toml. nil: nobody is.
	Shared func(Sharing)
	Log    *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

// Homes answers who sees what.
type Homes struct {
	opt    Options
	shares shares
	makers makers
	feeds  feeds
	books  books
}

// New returns Homes.
func New(o Options) *Homes {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Homes{opt: o}
	h.feeds.init(o)
	return h
}

// Home is the collections of an account or shared mailbox, as a viewer sees them.
type Home struct {
	homes  *Homes
	store  *collection.Home
	Viewer address.Address // the account that is logged in
	Owner  address.Address // as mail.toml spells it
	Rights Rights          // in the whole home; 0: only in single collections
}

// Open returns the home of owner as viewer sees it. The error is a fault:
// NotFound when it does not exist, or viewer may see nothing of it.
func (h *Homes) Open(viewer, owner address.Address) (*Home, error) {
	box, ok := h.opt.Directory().Box(owner)
	if !ok {
		return nil, errNoHome()
	}
	rights := h.rights(viewer, box.Address)
	if rights == 0 && len(h.grantsBy(viewer, box.Address)) == 0 {
		return nil, errNoHome()
	}
	return h.home(viewer, box.Address, rights)
}

// Own returns the home of an account or shared mailbox as itself sees it, with all
// rights: for what the server does in its name, where nobody is logged in. The error is
// that of Open.
func (h *Homes) Own(owner address.Address) (*Home, error) {
	box, ok := h.opt.Directory().Box(owner)
	if !ok {
		return nil, errNoHome()
	}
	return h.home(box.Address, box.Address, OwnerRights)
}

// Has tells whether anything is kept for an account or shared mailbox, without making it.
func (h *Homes) Has(owner address.Address) bool {
	box, ok := h.opt.Directory().Box(owner)
	return ok && h.opt.Store.Has(box.Address)
}

func (h *Homes) home(viewer, owner address.Address, rights Rights) (*Home, error) {
	kept, err := h.opt.Store.Home(owner)
	if err != nil {
		return nil, err
	}
	return &Home{homes: h, store: kept, Viewer: viewer, Owner: owner, Rights: rights}, nil
}

func errNoHome() error       { return fault.New(fault.NotFound, "There is no such home") }
func errNoCollection() error { return fault.New(fault.NotFound, "There is no such collection") }

// rights are those in a whole home.
func (h *Homes) rights(viewer, owner address.Address) Rights {
	return rightsOf(h.opt.Directory().Rights(viewer, owner))
}

// rightsOf reads rights of the directory in a whole home.
func rightsOf(rights string) Rights {
	switch rights {
	case "":
		return 0
	case directory.ReaderRights:
		return ReaderRights
	case directory.MemberRights:
		return MemberRights
	}
	return OwnerRights
}
