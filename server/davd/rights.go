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
	mayUnlock        // what others have locked
	mayDeliverInvite // to an inbox
	mayDeliverReply
	mayQueryFreeBusy
	maySendInvite // from an outbox
	maySendReply
	maySendFreeBusy

	mayWrite           = mayWriteProperties | mayWriteContent | mayBind | mayUnbind
	mayScheduleDeliver = mayDeliverInvite | mayDeliverReply | mayQueryFreeBusy
	mayScheduleSend    = maySendInvite | maySendReply | maySendFreeBusy
)

// namedPrivilege is a privilege as clients know it.
type namedPrivilege struct {
	set    privilege
	inside bool // it is part of the last one before it that is not
	kinds  kind // of the nodes on which there is such a thing
	name   davxml.Name
	text   string
}

// timeNodes are those of which it can be told when they take time (RFC 4791 6.1.1).
const timeNodes = homeNode | calendarNode | eventNode | inboxNode

// privilegeNames are in the order in which they are told, the aggregates first (RFC 3744 3.12,
// RFC 4791 6.1.1, RFC 6638 6.1 and 6.2).
var privilegeNames = []namedPrivilege{
	{mayRead, false, anything, davxml.D("read"), "See it"},
	{mayReadFreeBusy, true, timeNodes, davxml.C("read-free-busy"), "See when it takes time"},
	{mayWrite, false, anything, davxml.D("write"), "Change it and what is in it"},
	{mayWriteProperties, true, anything, davxml.D("write-properties"), "Change its properties"},
	{mayWriteContent, true, anything, davxml.D("write-content"), "Change its content"},
	{mayBind, true, anything, davxml.D("bind"), "Put something into it"},
	{mayUnbind, true, anything, davxml.D("unbind"), "Take something out of it"},
	{mayUnlock, false, plainNodes, davxml.D("unlock"), "End the locks of others"},
	{mayReadACL, false, anything, davxml.D("read-acl"), "See who may do what"},
	{mayReadPrivileges, false, anything, davxml.D("read-current-user-privilege-set"), "See what oneself may do"},
	{mayWriteACL, false, anything, davxml.D("write-acl"), "Change who may do what"},
	{mayScheduleDeliver, false, inboxNode, davxml.C("schedule-deliver"), "Send invitations, replies and questions to it"},
	{mayDeliverInvite, true, inboxNode, davxml.C("schedule-deliver-invite"), "Send invitations to it"},
	{mayDeliverReply, true, inboxNode, davxml.C("schedule-deliver-reply"), "Send replies to it"},
	{mayQueryFreeBusy, true, inboxNode, davxml.C("schedule-query-freebusy"), "Ask when its owner is busy"},
	{mayScheduleSend, false, outboxNode, davxml.C("schedule-send"), "Send invitations, replies and questions"},
	{maySendInvite, true, outboxNode, davxml.C("schedule-send-invite"), "Send invitations"},
	{maySendReply, true, outboxNode, davxml.C("schedule-send-reply"), "Send replies"},
	{maySendFreeBusy, true, outboxNode, davxml.C("schedule-send-freebusy"), "Ask when others are busy"},
}

// aggregate says whether a privilege is nothing but others.
func (p namedPrivilege) aggregate() bool { return p.set&(p.set-1) != 0 }

// privileges returns those of the viewer.
func (n *node) privileges() privilege {
	switch n.kind {
	case rootNode, principalsNode, principalNode:
		return mayRead | mayReadPrivileges | mayReadACL
	case homeNode:
		p := folderPrivileges(n.rights)
		if n.rights.Has(homes.Busy) {
			p |= mayReadFreeBusy
		}
		return p
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
	if n.coll != nil && n.coll.Personal && n.rights.Has(homes.Read) {
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
				if !p.aggregate() && p.set&missing != 0 {
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

// shows says whether the viewer may see a property, and the dead ones (nil), of a node. Of a calendar
// of which he may only know when it takes time he sees what leads to that (RFC 4791 6.1.1): all else
// takes DAV:read (RFC 3744 appendix B).
func (n *node) shows(p *property) bool {
	if n.kind&collectionNodes == 0 && (p == nil || p.needs == 0) {
		return true
	}
	may := n.privileges()
	if n.kind&collectionNodes != 0 && may&mayRead == 0 && (p == nil || !p.unread) {
		return false
	}
	return p == nil || p.needs&^may == 0
}
