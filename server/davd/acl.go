package davd

import (
	"net/http"

	"facteur/server/address"
	"facteur/server/davxml"
	"facteur/server/homes"
)

// accessControl is the method ACL (RFC 3744 8.1), as far as collections are shared with
// accounts: each is a reader, may write too, or sees when a calendar takes time (RFC 4791 6.1.1). What mail.toml says is protected.
func accessControl() part {
	return part{
		classes: []string{"access-control"},
		methods: map[string]method{"ACL": {kinds: collectionNodes, needs: mayWriteACL, run: acl}},
	}
}

// acl replaces whom a collection is shared with.
func acl(r *request, n *node) error {
	e, err := r.body(smallBody)
	if err != nil {
		return err
	}
	if e == nil || e.Name != davxml.D("acl") {
		return badRequest("The body of ACL is an acl")
	}
	have, protected := r.invited(n)
	for _, a := range r.acting(n.owner) {
		protected[a.account.Key()] = true
	}
	want := make(map[address.Key]homes.Rights)
	var order []address.Address
	for _, ace := range e.All(davxml.D("ace")) {
		a, rights, err := r.parseACE(ace)
		if err != nil {
			return err
		}
		if rights == homes.Busy && n.kind != calendarNode {
			return forbidden(davxml.D("not-supported-privilege"), "Only a calendar takes time")
		}
		if rights == 0 || ace.Child(davxml.D("protected")) != nil || protected[a.Key()] {
			continue // they stay as they are
		}
		if want[a.Key()] == 0 {
			order = append(order, a)
		}
		want[a.Key()] |= rights
	}
	var changes []homes.ShareChange
	for _, h := range have {
		if want[h.account.Key()] == 0 && !protected[h.account.Key()] {
			changes = append(changes, homes.ShareChange{With: h.account})
		}
	}
	for _, a := range order {
		changes = append(changes, homes.ShareChange{With: a, Rights: want[a.Key()]})
	}
	if err := n.coll.ChangeShares(changes); err != nil { // RFC 3744 8.1: all of it, or nothing
		return err
	}
	r.w.Header().Set("Content-Length", "0")
	r.w.WriteHeader(http.StatusOK)
	return nil
}

// parseACE reads whom an ace is about, and what it grants.
func (r *request) parseACE(ace *davxml.Element) (a address.Address, rights homes.Rights, err error) {
	grant := ace.Child(davxml.D("grant"))
	switch {
	case ace.Child(davxml.D("deny")) != nil || grant == nil:
		return a, 0, forbidden(davxml.D("grant-only"), "Rights can be granted only")
	case ace.Child(davxml.D("invert")) != nil:
		return a, 0, forbidden(davxml.D("no-invert"), "An ace is about one principal")
	}
	principal := ace.Child(davxml.D("principal"))
	if principal == nil || principal.Child(nHref) == nil {
		if ace.Child(davxml.D("protected")) != nil {
			return a, 0, nil
		}
		return a, 0, forbidden(davxml.D("allowed-principal"), "An ace is about the principal of an account")
	}
	a, err = r.personOf(principal.Child(nHref).Trimmed())
	account, ok := r.opt.Directory().Account(a)
	if box, shared := r.opt.Directory().Box(a); err == nil && !ok && shared {
		return box.Address, 0, nil // the owner of the home; it can't be granted anything
	}
	if err != nil || !ok {
		return a, 0, forbidden(davxml.D("recognized-principal"), "There is no such principal")
	}
	for _, p := range grant.All(davxml.D("privilege")) {
		for _, name := range p.Children {
			set, known := privilegeOf(name.Name)
			switch {
			case !known:
				return a, 0, forbidden(davxml.D("not-supported-privilege"), "There is no privilege %s", clip(name.Name.String()))
			case set&(mayWriteContent|mayBind) != 0:
				rights |= homes.WriterRights
			case set&mayRead != 0:
				rights |= homes.ReaderRights
			case set&mayReadFreeBusy != 0:
				rights |= homes.Busy
			}
		}
	}
	if rights == 0 {
		return a, 0, forbidden(davxml.D("not-supported-privilege"), "An account that a collection is shared with reads it, or sees when it takes time, at least")
	}
	return account.Address, rights, nil
}

// privilegeOf returns the privilege of a name.
func privilegeOf(name davxml.Name) (privilege, bool) {
	if name == davxml.D("all") {
		return mayRead | mayWrite, true
	}
	for _, p := range privilegeNames {
		if p.name == name {
			return p.set, true
		}
	}
	return 0, false
}
