package davd

import (
	"facteur/server/davxml"
	"facteur/server/homes"
)

// access is what RFC 3744 5 has of properties.
func access() part {
	owned := homeNode | collectionNodes | objectNodes | inboxNode | outboxNode | messageNode | folderNode | fileNode
	return part{
		properties: []property{
			{name: davxml.D("owner"), kinds: owned | principalNode, unread: true, write: func(_ *request, n *node, w *davxml.Writer) {
				w.Element(davxml.D("href"), principalHref(n.owner))
			}},
			{name: davxml.D("group"), kinds: owned},
			{name: davxml.D("current-user-privilege-set"), kinds: anything, unread: true, write: func(_ *request, n *node, w *davxml.Writer) {
				writePrivileges(w, n.kind, n.privileges())
			}},
			{name: davxml.D("supported-privilege-set"), kinds: anything, write: writeSupportedPrivileges},
			{name: davxml.D("acl"), kinds: anything, needs: mayReadACL, write: writeACL},
			{name: davxml.D("acl-restrictions"), kinds: anything, write: func(_ *request, _ *node, w *davxml.Writer) {
				w.Empty(davxml.D("grant-only")) // RFC 3744 5.6
				w.Empty(davxml.D("no-invert"))
			}},
			{name: davxml.D("inherited-acl-set"), kinds: anything},
		},
	}
}

// writePrivileges writes a set of privileges in nodes of a kind, those that hold others too
// (RFC 3744 5.4).
func writePrivileges(w *davxml.Writer, k kind, set privilege) {
	one := func(name davxml.Name) {
		w.Begin(davxml.D("privilege"))
		w.Empty(name)
		w.End()
	}
	if supported(k)&^set == 0 {
		one(davxml.D("all"))
	}
	for _, p := range privilegeNames {
		if p.kinds&k != 0 && set&p.set == p.set {
			one(p.name)
		}
	}
}

// supported are all privileges that there are in nodes of a kind (RFC 3744 3.11).
func supported(k kind) (set privilege) {
	for _, p := range privilegeNames {
		if p.kinds&k != 0 {
			set |= p.set
		}
	}
	return set
}

func writeSupportedPrivileges(_ *request, n *node, w *davxml.Writer) { // RFC 3744 5.3
	begin := func(name davxml.Name, text string) {
		w.Begin(davxml.D("supported-privilege"))
		w.Begin(davxml.D("privilege"))
		w.Empty(name)
		w.End()
		w.Begin(davxml.D("description"), davxml.Attr{Name: davxml.Name{Space: davxml.XML, Local: "lang"}, Value: "en"})
		w.Text(text)
		w.End()
	}
	begin(davxml.D("all"), "Everything")
	open := false // the last one that may have others inside
	for _, p := range privilegeNames {
		switch {
		case p.kinds&n.kind == 0:
			continue
		case open && !p.inside:
			w.End()
		}
		begin(p.name, p.text)
		if p.inside {
			w.End()
		}
		open = true
	}
	w.End()
	w.End()
}

// writeACL writes who may do what: the owner, and those who have a role in a shared mailbox
// (RFC 3744 5.5), and with whom it is shared. What mail.toml says is protected.
func writeACL(r *request, n *node, w *davxml.Writer) {
	ace := func(principal string, set privilege, protected bool) {
		w.Begin(davxml.D("ace"))
		w.Begin(davxml.D("principal"))
		if principal == "" {
			w.Empty(davxml.D("authenticated"))
		} else {
			w.Element(davxml.D("href"), principal)
		}
		w.End()
		w.Begin(davxml.D("grant"))
		writePrivileges(w, n.kind, set)
		w.End()
		if protected {
			w.Empty(davxml.D("protected"))
		}
		w.End()
	}
	if n.home == nil {
		ace("", n.privileges(), true)
		return
	}
	for _, who := range r.acting(n.owner) {
		ace(principalHref(who.account), n.privilegesOf(who), true)
	}
	invited, protected := r.invited(n)
	for _, who := range invited {
		ace(principalHref(who.account), n.privilegesOf(who), protected[who.account.Key()])
	}
}

// privilegesOf returns those of somebody else.
func (n *node) privilegesOf(who actor) privilege {
	as := *n
	if as.rights = who.rights; n.coll != nil && n.coll.Origin != homes.Kept {
		as.rights &^= homes.Write | homes.Schedule
	}
	as.coll = nil
	return as.privileges()
}
