package davd

import (
	"net/http"

	"facteur/server/davxml"
	"facteur/server/homes"
)

// privilege is one of RFC 3744 3, RFC 4791 6.1.1 and RFC 6638 6. Sets are or-ed.
type privilege uint32

const (
	mayRead privilege = 1 << iota
	mayWriteProperties
	mayWriteContent
	mayBind
	mayUnbind
	mayReadACL
	mayWriteACL
	mayReadPrivileges // read-current-user-privilege-set
	mayReadFreeBusy
	mayScheduleDeliver // of an inbox
	mayScheduleSend    // of an outbox

	mayWrite = mayWriteProperties | mayWriteContent | mayBind | mayUnbind
)

// privilegeNames are in the order in which they are told, the aggregates first.
var privilegeNames = []struct {
	set  privilege
	name davxml.Name
	text string
}{
	{mayRead, davxml.D("read"), "See it"},
	{mayReadFreeBusy, davxml.C("read-free-busy"), "See when it takes time"},
	{mayWrite, davxml.D("write"), "Change it and what is in it"},
	{mayWriteProperties, davxml.D("write-properties"), "Change its properties"},
	{mayWriteContent, davxml.D("write-content"), "Change its content"},
	{mayBind, davxml.D("bind"), "Put something into it"},
	{mayUnbind, davxml.D("unbind"), "Take something out of it"},
	{mayReadACL, davxml.D("read-acl"), "See who may do what"},
	{mayReadPrivileges, davxml.D("read-current-user-privilege-set"), "See what oneself may do"},
	{mayWriteACL, davxml.D("write-acl"), "Change who may do what"},
	{mayScheduleDeliver, davxml.C("schedule-deliver"), "Send invitations and replies to it"},
	{mayScheduleSend, davxml.C("schedule-send"), "Send invitations and replies"},
}

// privileges returns those of the viewer.
func (n *node) privileges() privilege {
	switch n.kind {
	case rootNode, principalsNode, principalNode:
		return mayRead | mayReadPrivileges | mayReadACL
	case homeNode:
		return folderPrivileges(n.rights)
	case folderNode, fileNode:
		return plainPrivileges(n)
	case outboxNode:
		p := folderPrivileges(n.rights &^ homes.Administer)
		if n.rights.Has(homes.Schedule) {
			p |= mayScheduleSend
		}
		return p
	case inboxNode:
		return collectionPrivileges(n.rights) | mayScheduleDeliver
	case eventNode, cardNode, messageNode:
		p := collectionPrivileges(n.rights) &^ (mayBind | mayUnbind)
		if n.kind != eventNode {
			p &^= mayReadFreeBusy
		}
		if n.rights.Has(homes.Write) {
			p |= mayWriteProperties // its dead properties are part of it
		}
		return p
	}
	p := collectionPrivileges(n.rights)
	if n.kind == bookNode {
		p &^= mayReadFreeBusy
	}
	if n.coll != nil && n.coll.Personal {
		p |= mayWriteProperties // for himself
	}
	return p
}

// folderPrivileges are those in what only its owners add to: a home.
func folderPrivileges(rights homes.Rights) privilege {
	p := mayReadPrivileges
	if rights.Has(homes.Read) {
		p |= mayRead | mayReadACL
	}
	if rights.Has(homes.Administer) {
		p |= mayBind | mayUnbind
	}
	return p
}

func collectionPrivileges(rights homes.Rights) privilege {
	p := mayReadPrivileges
	for _, c := range []struct {
		right homes.Rights
		may   privilege
	}{
		{homes.Busy, mayReadFreeBusy}, {homes.Read, mayRead | mayReadACL},
		{homes.Write, mayWriteContent | mayBind | mayUnbind},
		{homes.Describe, mayWriteProperties}, {homes.Administer, mayWriteACL},
	} {
		if rights.Has(c.right) {
			p |= c.may
		}
	}
	return p
}

// need returns the answer to a request that takes a privilege that the viewer does not have
// (RFC 3744 7.1.1); nil: he has it. bind and unbind are those of the parent.
func (n *node) need(want privilege) error {
	at := n
	if want&(mayBind|mayUnbind) != 0 && n.parent != nil {
		at = n.parent
	}
	missing := want &^ at.privileges()
	if missing == 0 {
		return nil
	}
	if missing&mayRead != 0 && at.kind&objectNodes != 0 {
		return errNotFound
	}
	return &failure{status: http.StatusForbidden, condition: davxml.D("need-privileges"), text: "You may not do that here",
		inside: func(w *davxml.Writer) {
			for _, p := range privilegeNames {
				if p.set != mayWrite && p.set&missing != 0 {
					w.Begin(davxml.D("resource"))
					w.Element(davxml.D("href"), at.path())
					w.Begin(davxml.D("privilege"))
					w.Empty(p.name)
					w.End()
					w.End()
				}
			}
		}}
}
