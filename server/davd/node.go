package davd

import (
	"errors"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/homes"
)

// kind is what a path leads to. Sets of kinds are or-ed.
type kind uint16

const (
	rootNode       kind = 1 << iota // "/" and "/dav/"
	principalsNode                  // /dav/principals/
	principalNode                   // /dav/principals/ADDRESS/
	homeNode                        // /dav/ADDRESS/
	calendarNode                    // /dav/ADDRESS/NAME/
	bookNode                        // /dav/ADDRESS/NAME/
	eventNode                       // an object of a calendar
	cardNode                        // an object of an address book
	inboxNode                       // /dav/ADDRESS/inbox/ (RFC 6638 2.2)
	outboxNode                      // /dav/ADDRESS/outbox/ (RFC 6638 2.1)
	messageNode                     // an object of an inbox
	folderNode                      // a plain collection (RFC 4918 5.2)
	fileNode                        // a plain resource
	attachmentNode                  // a managed attachment (RFC 8607), which has no properties

	collectionNodes = calendarNode | bookNode
	objectNodes     = eventNode | cardNode
	// kept are all that are a collection of the store, or an object of one.
	keptCollections = collectionNodes | inboxNode
	keptObjects     = objectNodes | messageNode
	// folders are all whose href ends in a slash.
	folders  = rootNode | principalsNode | principalNode | homeNode | collectionNodes | inboxNode | outboxNode | folderNode
	anything = folders | objectNodes | messageNode | fileNode
)

// node is what a path leads to.
type node struct {
	kind kind
	href string // percent-encoded; while objects are listed, that of their collection (see segment)
	// segment is the last segment of an object's href where href has only what is before it:
	// so a list of objects makes no string for each.
	segment string
	// absent: nothing is there, but a method may make it. A calendarNode that is absent may
	// become a collection of any kind.
	absent bool

	owner  address.Address      // of a principal: its own; zero for all
	home   *homes.Home          // of what is in a home
	coll   *homes.Collection    // of collections and objects
	name   string               // the last segment, decoded
	entry  *collection.Entry    // of objects
	rights homes.Rights         // in what is in a home
	props  *collection.Props    // loaded when a property wants it; of objects: Other only
	snap   *collection.Snapshot // likewise
	parent *node                // of what is in a home
	plain  *plainNode           // of plain folders and files
	// attachment is that of an attachmentNode.
	attachment *attachments.Attachment
}

// resolve returns what the segments of a path lead to. What the viewer may not see is not
// found.
func (r *request) resolve(segments []string) (*node, error) {
	switch {
	case len(segments) == 0:
		return r.rootNode(), nil
	case segments[0] == "principals":
		return r.resolvePrincipal(segments[1:])
	}
	owner, err := address.Parse(segments[0])
	if err != nil {
		return nil, errNotFound
	}
	if len(segments) > 1 && segments[1] == homes.AttachmentSegment && r.opt.Attachments != nil {
		return r.resolveAttachment(owner, segments[2:]) // an attendee sees nothing else of the home
	}
	h, err := r.home(owner)
	if err != nil {
		return nil, err
	}
	n := &node{kind: homeNode, href: href(true, segments[0]), name: segments[0], owner: h.Owner, home: h, rights: h.Rights}
	if len(segments) == 1 {
		return n, nil
	}
	if s, ok := r.segments[segments[1]]; ok {
		return s.open(r, n, segments[2:])
	}
	return r.resolveIn(n, segments[1:])
}

// rootNode is the root under the name by which it was asked for: some clients look for that in
// the answer.
func (r *request) rootNode() *node {
	n := &node{kind: rootNode, href: root}
	if r.URL.Path == "/" {
		n.href = "/"
	}
	return n
}

func (r *request) resolvePrincipal(segments []string) (*node, error) {
	if len(segments) == 0 {
		return &node{kind: principalsNode, href: href(true, "principals"), name: "principals"}, nil
	}
	a, err := address.Parse(segments[0])
	if err != nil || len(segments) > 1 {
		return nil, errNotFound
	}
	if a, ok := r.sees(a); ok {
		return principalOf(a), nil
	}
	return nil, errNotFound
}

// resolveIn returns what is in a home.
func (r *request) resolveIn(home *node, segments []string) (*node, error) {
	c, err := home.home.Open(segments[0])
	switch {
	case fault.Is(err, fault.NotFound) && len(segments) == 1:
		return &node{kind: calendarNode, absent: true, href: home.href + string(appendSegment(nil, segments[0])) + "/",
			name: segments[0], owner: home.owner, home: home.home, parent: home}, nil
	case fault.Is(err, fault.NotFound):
		return nil, errConflict(r.Method)
	case err != nil:
		return nil, err
	}
	n := home.collection(c)
	if len(segments) == 1 {
		return n, nil
	}
	if !c.Rights.Has(homes.Read) {
		return nil, errNotFound
	}
	if len(segments) > 2 {
		return nil, errConflict(r.Method)
	}
	e, err := c.Entry(segments[1])
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	o := n.object(e)
	if o.name = segments[1]; e == nil {
		o.absent, o.href = true, n.href+string(appendSegment(nil, o.name))
	} else {
		o.href, o.segment = n.href+string(appendSegment(nil, o.name)), ""
	}
	return o, nil
}

// collection returns a collection of a home.
func (n *node) collection(c *homes.Collection) *node {
	k := calendarNode
	if c.Kind() == collection.AddressBook {
		k = bookNode
	}
	return &node{kind: k, href: n.href + string(appendSegment(nil, c.Segment)) + "/", name: c.Segment, owner: c.Owner,
		home: n.home, coll: c, rights: c.Rights, parent: n}
}

// object returns an object of a collection.
func (n *node) object(e *collection.Entry) *node {
	o := &node{kind: eventNode, href: n.href, owner: n.owner, home: n.home, coll: n.coll, rights: n.rights, parent: n}
	switch n.kind {
	case bookNode:
		o.kind = cardNode
	case inboxNode:
		o.kind = messageNode
	}
	o.become(e)
	return o
}

// become makes a node of an object that of another one of the same collection.
func (n *node) become(e *collection.Entry) {
	if n.entry, n.props = e, nil; e == nil {
		return
	}
	n.name = e.Href
	if n.segment = e.Href; !isPlain(e.Href) {
		n.segment = string(appendSegment(nil, e.Href))
	}
}

// path returns the whole href.
func (n *node) path() string { return n.href + n.segment }

// load is what properties want of a node beside itself. Sets are or-ed.
type load uint8

const (
	loadProps    load = 1 << iota // node.props
	loadSnapshot                  // node.snap
)

// load gets what properties want.
func (n *node) load(want load) (err error) {
	if want&loadProps != 0 && n.props == nil && n.coll != nil {
		n.props = new(collection.Props)
		if n.kind&keptObjects != 0 {
			n.props.Other, err = n.coll.ObjectProps(n.name)
		} else {
			*n.props, err = n.coll.Props()
		}
	}
	if want&loadProps != 0 && n.props == nil && n.plain != nil {
		n.props = new(collection.Props)
		n.props.Other, err = n.plain.tree.Props(n.plain.at)
	}
	if want&loadSnapshot != 0 && n.snap == nil && n.coll != nil && n.kind&keptCollections != 0 && err == nil {
		n.snap, err = n.coll.Snapshot()
	}
	if err != nil {
		n.props = nil
	}
	return err
}

// other returns a property that is kept, which load has got.
func (n *node) other(key string) (string, bool) {
	if n.props == nil {
		return "", false
	}
	v, ok := n.props.Other[key]
	return v, ok
}

// children calls do for each node below one, which is not kept after the call: a list of
// objects is one node that becomes each of them.
func (r *request) children(n *node, do func(*node) error) error {
	switch n.kind {
	case rootNode:
		home, err := r.resolve([]string{r.viewer.String()})
		if err != nil {
			return err
		}
		return errors.Join(do(home), do(&node{kind: principalsNode, href: href(true, "principals"), name: "principals"}))
	case principalsNode:
		return r.principals(do)
	case homeNode:
		return r.homeChildren(n, do)
	case calendarNode, bookNode, inboxNode:
		return n.objects(do)
	case folderNode:
		return n.plainChildren(do)
	}
	return nil
}

func (r *request) homeChildren(n *node, do func(*node) error) error {
	list, err := n.home.Collections()
	if err != nil {
		return err
	}
	for _, c := range list {
		child := n.collection(c)
		if child.need(mayRead) != nil { // one may know when it takes time, and no more
			continue
		}
		if err := do(child); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(r.segments) {
		if !r.segments[name].list {
			continue
		}
		child, err := r.segments[name].open(r, n, nil)
		if err == nil {
			err = do(child)
		} else if fault.Is(err, fault.NotFound) || errors.Is(err, errNotFound) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// objects lists those of a collection that the viewer may read. What another program put
// there and is no object as it should be is not shown.
func (n *node) objects(do func(*node) error) error {
	if !n.rights.Has(homes.Read) {
		return nil
	}
	if err := n.load(loadSnapshot); err != nil {
		return err
	}
	o := n.object(nil)
	for e := range n.snap.All() {
		if e.Broken {
			continue
		}
		o.become(e)
		if err := do(o); err != nil {
			return err
		}
	}
	return nil
}
