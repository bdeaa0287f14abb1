package directory

import (
	"facteur/server/address"
)

// BoxInfo is what delivery needs to know of a mailbox.
type BoxInfo struct {
	Address address.Address // as mail.toml spells it
	Quota   int64           // octets; 0: no limit
	Scripts []string        // the domain's, then its own
	// Own is all addresses that lead to this mailbox alone: its own and those of
	// aliases, under every name of their domains.
	Own []address.Address
}

// Box returns the mailbox with the address: an account's or a shared one. Its
// slices must not be changed.
func (d *Directory) Box(a address.Address) (BoxInfo, bool) {
	if e := d.exact(a); e != nil && e.isBox() {
		return *d.boxes[e], true
	}
	return BoxInfo{}, false
}

func (d *Directory) addBoxes() {
	for _, e := range d.entries {
		if e.isBox() {
			d.boxes[e] = d.boxInfo(e)
		}
	}
	for i := range d.options.Aliases {
		e := d.exact(d.options.Aliases[i].Address)
		if e == nil || e.alias != &d.options.Aliases[i] {
			continue // a duplicate
		}
		if box := d.soleBox(e); box != nil {
			d.boxes[box].Own = append(d.boxes[box].Own, d.forms(e.address)...)
		}
	}
}

func (d *Directory) boxInfo(e *entry) *BoxInfo {
	var quota int64
	var domain Domain
	var scripts []string
	if dom := d.domains[e.address.Domain]; dom != nil {
		domain = *dom
	}
	if e.account != nil {
		quota, scripts = e.account.Quota, e.account.Scripts
	} else {
		quota = e.shared.Quota
	}
	box := &BoxInfo{Address: e.address, Own: d.forms(e.address), Quota: firstQuota(quota, domain.Quota, d.options.Quota)}
	box.Scripts = append(append(box.Scripts, domain.Scripts...), scripts...)
	return box
}

// firstQuota returns the first quota that is given, 0 for no limit.
func firstQuota(quotas ...int64) int64 {
	for _, q := range quotas {
		if q != 0 {
			return max(q, 0)
		}
	}
	return 0
}

// forms returns an address under every name of its domain.
func (d *Directory) forms(a address.Address) []address.Address {
	forms := []address.Address{a}
	if dom := d.domains[a.Domain]; dom != nil {
		for _, name := range dom.Aliases {
			forms = append(forms, address.Address{Local: a.Local, Domain: name})
		}
	}
	return forms
}

// soleBox returns the mailbox that is the only destination of e, nil when there
// is none or more than one. Redirections are not followed: they belong to their
// account. What a catch-all takes counts for nobody.
func (d *Directory) soleBox(e *entry) *entry {
	if e.isBox() {
		return e
	}
	if box, known := d.sole[e]; known {
		return box
	}
	d.sole[e] = nil // so that a cycle ends here
	var sole *entry
	for _, t := range e.alias.To {
		a, _ := d.target(t)
		p := d.locate(a)
		if p.kind == postmaster {
			p = d.locate(d.options.Postmaster)
		}
		if p.kind != found {
			return nil
		}
		box := d.soleBox(p.entry)
		if box == nil || sole != nil && sole != box {
			return nil
		}
		sole = box
	}
	d.sole[e] = sole
	return sole
}

// addSenders notes who may send as which address beside their own: shared
// mailboxes by role, and send_as.
func (d *Directory) addSenders() {
	allow := func(e *entry, a address.Address) {
		if d.senders[e] == nil {
			d.senders[e] = make(map[address.Key]bool)
		}
		d.senders[e][d.canonical(a).Key()] = true
	}
	for i := range d.options.Accounts {
		a := &d.options.Accounts[i]
		if e := d.exact(a.Address); e != nil && e.account == a {
			for _, as := range a.SendAs {
				allow(e, as)
			}
		}
	}
	for i := range d.options.Shared {
		s := &d.options.Shared[i]
		for _, role := range [][]Target{s.Owners, s.Members} {
			for _, t := range role {
				if e := d.account(t); e != nil {
					allow(e, s.Address)
				}
			}
		}
	}
}

// SharedOf returns the shared mailbox to which an address leads alone.
func (d *Directory) SharedOf(a address.Address) (address.Address, bool) {
	if box := d.boxOf(a); box != nil && box.shared != nil {
		return box.address, true
	}
	return address.Address{}, false
}

// SoleBox returns the mailbox to which an address leads alone: it is the mailbox's own, or
// that of an alias, under any name of its domain and with any subaddress. What a catch-all
// or the rule for the postmaster takes is nobody's own.
func (d *Directory) SoleBox(a address.Address) (address.Address, bool) {
	if box := d.boxOf(a); box != nil {
		return box.address, true
	}
	return address.Address{}, false
}

// boxOf returns the mailbox to which an address leads alone, or nil.
func (d *Directory) boxOf(a address.Address) *entry {
	if p := d.locate(a); p.kind == found {
		return d.soleBox(p.entry)
	}
	return nil
}

// MaySendAs tells whether an account may use an address as the reverse-path, or
// in From and Sender: its own, with a subaddress or under another name of its
// domain too; an alias whose only destination is that account; a shared mailbox
// that it owns or is a member of; what send_as lists. A disabled account may
// send as nobody.
func (d *Directory) MaySendAs(account, as address.Address) bool {
	e := d.exact(account)
	if e == nil || e.account == nil || e.account.Disabled {
		return false
	}
	if d.senders[e][d.canonical(as).Key()] {
		return true
	}
	p := d.locate(as)
	if p.kind != found {
		return false
	}
	if p.entry.shared != nil {
		return d.senders[e][p.entry.address.Key()] // with a subaddress
	}
	return d.soleBox(p.entry) == e
}
