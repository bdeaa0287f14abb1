package directory

import "facteur/server/address"

// Listed is an address that those of its domain can find.
type Listed struct {
	Address address.Address
	Name    string            // as people call it; "": it has none
	Others  []address.Address // more addresses that lead to it alone
	Person  bool              // an account that is no room
}

// Listed returns the accounts, the shared mailboxes, and the aliases that are no other
// address of one of these, of a domain under any of its names, in the order of mail.toml.
// Disabled accounts are not among them, but for rooms, into which nobody logs in.
func (d *Directory) Listed(domain address.Domain) []Listed {
	domain, _ = d.Primary(domain)
	var out []Listed
	add := func(e *entry, name string, person bool) {
		if e.address.Domain != domain {
			return
		}
		l := Listed{Address: e.address, Name: name, Person: person}
		if box := d.boxes[e]; box != nil {
			for _, a := range box.Own {
				if primary, _ := d.Primary(a.Domain); primary == a.Domain && a.Key() != e.address.Key() {
					l.Others = append(l.Others, a)
				}
			}
		}
		out = append(out, l)
	}
	for i := range d.options.Accounts {
		a := &d.options.Accounts[i]
		if e := d.exact(a.Address); e != nil && e.account == a && (!a.Disabled || a.Room) {
			add(e, a.Name, !a.Room)
		}
	}
	for i := range d.options.Shared {
		s := &d.options.Shared[i]
		if e := d.exact(s.Address); e != nil && e.shared == s {
			add(e, s.Name, false)
		}
	}
	for i := range d.options.Aliases {
		a := &d.options.Aliases[i]
		if e := d.exact(a.Address); e != nil && e.alias == a && d.soleBox(e) == nil {
			add(e, "", false)
		}
	}
	return out
}
