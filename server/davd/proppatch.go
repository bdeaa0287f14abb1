package davd

import (
	"errors"
	"net/http"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// change is one property that a request sets or removes.
type change struct {
	name    davxml.Name
	element *davxml.Element // nil: it is removed
	failure *failure        // nil: it can be done
}

// errChanges says that one of some changes can't be done, so none was.
var errChanges = errors.New("a property can't be changed")

// proppatch answers PROPPATCH (RFC 4918 9.2): all changes are made, or none. Homes and
// principals have only protected properties; programs try some on every home, so that is
// said of each of them.
func proppatch(r *request, n *node) error {
	e, err := r.body(smallBody)
	if err != nil {
		return err
	}
	if e == nil || e.Name != davxml.D("propertyupdate") {
		return badRequest("The body of PROPPATCH is a propertyupdate")
	}
	changes, err := parseChanges(e)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return badRequest("The propertyupdate changes nothing")
	}
	if n.kind&(collectionNodes|objectNodes|inboxNode|messageNode) != 0 {
		if err := n.need(mayWriteProperties); err != nil {
			return err
		}
	}
	err = n.patch(func(kept *collection.Props) error { return r.change(n, kept, changes) })
	if err != nil && !errors.Is(err, errChanges) {
		return err
	}
	if err == nil && r.prefer.minimal { // RFC 8144 2.2
		r.w.Header().Set("Preference-Applied", "return=minimal")
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	r.contentLocation(n)
	m := r.multistatus()
	m.Begin(nResponse)
	m.Element(nHref, n.path())
	m.changes(changes, err != nil)
	m.End()
	return m.finish()
}

// parseChanges reads the instructions of DAV:propertyupdate, DAV:mkcol and CALDAV:mkcalendar,
// in their order.
func parseChanges(e *davxml.Element) (list []change, err error) {
	for _, c := range e.Children {
		set := c.Name == davxml.D("set")
		if !set && c.Name != davxml.D("remove") {
			continue
		}
		for _, p := range c.All(nProp) {
			for _, value := range p.Children {
				one := change{name: value.Name}
				if set {
					one.element = value
				}
				if list = append(list, one); len(list) > maxProperties {
					return nil, badRequest("More than %d properties are changed", maxProperties)
				}
			}
		}
	}
	return list, nil
}

// patch changes what is kept for a node, as collection.Collection.SetProps does.
func (n *node) patch(do func(*collection.Props) error) error {
	switch {
	case n.kind&keptObjects != 0:
		return n.coll.SetObjectProps(n.name, func(m map[string]string) error { return do(&collection.Props{Other: m}) })
	case n.coll != nil:
		return n.coll.SetProps(do)
	case n.plain != nil:
		return n.plain.tree.SetProps(n.plain.at, func(m map[string]string) error { return do(&collection.Props{Other: m}) })
	}
	return do(&collection.Props{Other: make(map[string]string)})
}

// change makes changes; errChanges: some can't be made, and say why.
func (r *request) change(n *node, kept *collection.Props, changes []change) error {
	failed := false
	for i := range changes {
		c := &changes[i]
		err := r.changeOne(n, kept, c)
		if err == nil {
			continue
		}
		failed = true
		if !errors.As(err, &c.failure) {
			return err
		}
	}
	if failed {
		return errChanges
	}
	return nil
}

func (r *request) changeOne(n *node, kept *collection.Props, c *change) error {
	if p := r.property(c.name, n.kind); p != nil {
		if p.set == nil {
			return forbidden(davxml.D("cannot-modify-protected-property"), "")
		}
		return p.set(r, n, kept, c.element)
	}
	if n.kind&(keptCollections|keptObjects|plainNodes) == 0 || r.protected(c.name) {
		return forbidden(davxml.D("cannot-modify-protected-property"), "")
	}
	if c.element == nil {
		delete(kept.Other, c.name.String())
		return nil
	}
	kept.Other[c.name.String()] = string(c.element.Raw())
	return nil
}

// protected says whether a property that other nodes have is one that nobody sets.
func (h *Handler) protected(name davxml.Name) bool {
	for _, p := range h.properties[name] {
		if p.set != nil {
			return false
		}
	}
	return len(h.properties[name]) > 0
}

// changes writes the propstats of changes: each name once. When one failed, none was made.
func (m *multistatus) changes(list []change, failed bool) {
	worst := make(map[davxml.Name]*failure)
	var names []davxml.Name
	for _, c := range list {
		if _, ok := worst[c.name]; !ok {
			names = append(names, c.name)
			worst[c.name] = nil
		}
		if c.failure != nil {
			worst[c.name] = c.failure
		}
	}
	status, rest := http.StatusOK, names[:0:0]
	if failed {
		status = http.StatusFailedDependency // RFC 4918 9.2.1
	}
	for _, name := range names {
		f := worst[name]
		if f == nil {
			rest = append(rest, name)
			continue
		}
		m.Begin(nPropstat)
		m.Begin(nProp)
		m.Empty(name)
		m.End()
		m.Element(nStatus, statusLine(f.status))
		if f.condition.Local != "" {
			m.Begin(davxml.D("error"))
			m.Empty(f.condition)
			m.End()
		}
		if f.text != "" {
			m.Element(davxml.D("responsedescription"), f.text)
		}
		m.End()
	}
	if len(rest) == 0 {
		return
	}
	m.Begin(nPropstat)
	m.Begin(nProp)
	for _, name := range rest {
		m.Empty(name)
	}
	m.endPropstat(status)
}
