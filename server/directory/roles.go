package directory

import "facteur/server/address"

// The rights (RFC 4314 2.1) of the roles in a shared mailbox. A member can do
// everything but delete folders and change who has which rights; a reader
// changes nothing, not even \Seen.
const (
	OwnerRights  = "lrswipkxtea"
	MemberRights = "lrswipkte"
	ReaderRights = "lr"
	BusyRights   = "l" // of a single calendar: see when it takes time
)

// Role is what an account may do with a shared mailbox.
type Role struct {
	Account address.Address
	Address address.Address // of the shared mailbox
	Name    string          // of the shared mailbox, as people call it
	Rights  string          // OwnerRights, MemberRights or ReaderRights
}

// Shared returns the roles of an account, in the order of mail.toml: one for
// each shared mailbox that it may see. A disabled account has none. The slice
// must not be changed.
func (d *Directory) Shared(account address.Address) []Role { return d.roles[d.exact(account)] }

// Members returns the roles in a shared mailbox: owners, members and readers,
// each account once, with the most that it was given. The slice must not be
// changed.
func (d *Directory) Members(shared address.Address) []Role { return d.members[d.exact(shared)] }

// Rights returns what an account may do with the mailbox of an address: with
// its own everything, with a shared one what its role says, else nothing ("").
func (d *Directory) Rights(account, box address.Address) string {
	e := d.exact(account)
	if e == nil || e.account == nil || e.account.Disabled {
		return ""
	}
	to := d.exact(box)
	if to == e {
		return OwnerRights
	}
	for _, r := range d.roles[e] {
		if d.exact(r.Address) == to {
			return r.Rights
		}
	}
	return ""
}

// addRoles notes who may do what with which shared mailbox.
func (d *Directory) addRoles() {
	for i := range d.options.Shared {
		s := &d.options.Shared[i]
		to := d.exact(s.Address)
		if to == nil || to.shared != s {
			continue // a duplicate
		}
		d.addRole(to, s.Owners, OwnerRights)
		d.addRole(to, s.Members, MemberRights)
		d.addRole(to, s.Readers, ReaderRights)
	}
}

// addRole gives rights to those who have none yet: it is called with one mailbox
// after the other, and the most rights first.
func (d *Directory) addRole(to *entry, people []Target, rights string) {
	for _, t := range people {
		e := d.account(t)
		if e == nil || e.account.Disabled {
			continue
		}
		have := d.roles[e]
		if n := len(have); n > 0 && have[n-1].Address == to.address {
			continue
		}
		role := Role{Account: e.address, Address: to.address, Name: to.shared.Name, Rights: rights}
		d.roles[e] = append(have, role)
		d.members[to] = append(d.members[to], role)
	}
}
