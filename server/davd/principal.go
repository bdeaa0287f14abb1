package davd

import (
	"facteur/server/address"
	"facteur/server/davxml"
	"facteur/server/directory"
	"facteur/server/homes"
)

// principals are those of RFC 3744 2 and 4, with what CalDAV and CardDAV add to find homes.
func principals() part {
	return part{
		properties: []property{
			{name: davxml.D("current-user-principal"), kinds: anything, unread: true, write: func(r *request, _ *node, w *davxml.Writer) { // RFC 5397 3
				w.Element(davxml.D("href"), principalHref(r.viewer))
			}},
			{name: davxml.D("principal-collection-set"), kinds: anything, unread: true, write: func(_ *request, _ *node, w *davxml.Writer) {
				w.Element(davxml.D("href"), href(true, "principals"))
			}},
			{name: davxml.D("principal-URL"), kinds: principalNode, write: func(_ *request, n *node, w *davxml.Writer) {
				w.Element(davxml.D("href"), n.href)
			}},
			{name: davxml.D("alternate-URI-set"), kinds: principalNode},
			// A shared mailbox is no group in access control (writeACL names people), and some
			// clients would show its collections twice: they stand in the homes of those who see them.
			{name: davxml.D("group-member-set"), kinds: principalNode},
			{name: davxml.D("group-membership"), kinds: principalNode},
			{name: davxml.C("calendar-home-set"), kinds: principalNode, has: hasHome, write: writeHome},
			{name: davxml.CR("addressbook-home-set"), kinds: principalNode, has: hasHome, write: writeHome},
			{name: davxml.C("calendar-user-address-set"), kinds: principalNode, write: writeAddresses},
			{name: davxml.C("calendar-user-type"), kinds: principalNode, write: writeUserType},
			{name: davxml.CS("email-address-set"), kinds: principalNode, write: writeEmails},
		},
	}
}

func principalHref(a address.Address) string { return href(true, "principals", a.String()) }

// principalOf returns the principal of an account or a shared mailbox, as mail.toml spells it.
func principalOf(a address.Address) *node {
	return &node{kind: principalNode, href: principalHref(a), name: a.String(), owner: a}
}

// sees says whether the viewer may know of a principal: those of his domain, and those of
// whose homes he sees something. It returns the address as mail.toml spells it.
func (r *request) sees(a address.Address) (address.Address, bool) {
	box, ok := r.opt.Directory().Box(a)
	if !ok {
		return a, false
	}
	if box.Address.Domain == r.viewer.Domain {
		return box.Address, true
	}
	_, err := r.home(box.Address)
	return box.Address, err == nil
}

// principals calls do for each principal that the viewer sees.
func (r *request) principals(do func(*node) error) error {
	for _, a := range r.opt.Directory().Boxes() {
		if a, ok := r.sees(a); ok {
			if err := do(principalOf(a)); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameOf is what people call an account or a shared mailbox.
func (r *request) nameOf(a address.Address) string {
	d := r.opt.Directory()
	if account, ok := d.Account(a); ok {
		if account.Name != "" {
			return account.Name
		}
	} else if roles := d.Members(a); len(roles) > 0 && roles[0].Name != "" {
		return roles[0].Name
	}
	return a.String()
}

// hasHome says whether the viewer may see the home of a principal.
func hasHome(r *request, n *node) bool {
	_, err := r.home(n.owner)
	return err == nil
}

// writeHome writes the one home that calendars and address books share (RFC 4791 6.2.1, RFC
// 6352 7.1.1).
func writeHome(_ *request, n *node, w *davxml.Writer) {
	w.Element(davxml.D("href"), href(true, n.owner.String()))
}

// addresses are those that lead to a mailbox alone, that of mail.toml first.
func (r *request) addresses(a address.Address) []address.Address {
	list := []address.Address{a}
	box, _ := r.opt.Directory().Box(a)
	for _, own := range box.Own {
		if own.Key() != a.Key() {
			list = append(list, own)
		}
	}
	return list
}

// writeAddresses tells the addresses that lead to somebody as ATTENDEE or ORGANIZER (RFC 6638 2.4.1). The
// URL of the principal is none of them.
func writeAddresses(r *request, n *node, w *davxml.Writer) {
	for i, a := range r.addresses(n.owner) {
		if i == 0 { // as Apple's server marks the one to use
			w.Begin(davxml.D("href"), davxml.Attribute("preferred", "1"))
		} else {
			w.Begin(davxml.D("href"))
		}
		w.Text("mailto:" + a.String())
		w.End()
	}
}

func writeEmails(r *request, n *node, w *davxml.Writer) {
	for _, a := range r.addresses(n.owner) {
		w.Element(davxml.CS("email-address"), a.String())
	}
}

func writeUserType(r *request, n *node, w *davxml.Writer) { // RFC 6638 2.4.2
	switch account, ok := r.opt.Directory().Account(n.owner); {
	case !ok:
		w.Text("GROUP")
	case account.Room:
		w.Text("ROOM")
	default:
		w.Text("INDIVIDUAL")
	}
}

// actor is somebody who has rights in a whole home.
type actor struct {
	account address.Address
	rights  homes.Rights
}

// acting returns who has rights in a whole home.
func (r *request) acting(owner address.Address) []actor {
	d := r.opt.Directory()
	if account, ok := d.Account(owner); ok {
		return []actor{{account.Address, homes.OwnerRights}}
	}
	var list []actor
	for _, role := range d.Members(owner) {
		rights := homes.OwnerRights
		switch role.Rights {
		case directory.MemberRights:
			rights = homes.MemberRights
		case directory.ReaderRights:
			rights = homes.ReaderRights
		}
		list = append(list, actor{role.Account, rights})
	}
	return list
}
