package davd

import (
	"math"
	"net/http"
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// syncCollection answers sync-collection (RFC 6578 3.2). A collection here holds no other, so
// sync-level infinite is the same as 1 (RFC 6578 3.3).
func syncCollection(r *request, n *node, e *davxml.Element) error {
	// RFC 6578 3.2 has Depth 0. Clients of the drafts before it, of Apple among them, send 1.
	if d, err := depth(r.Request, 0); err != nil {
		return err
	} else if d < 0 {
		return badRequest("The Depth of a sync-collection is 0")
	}
	switch level := e.Child(davxml.D("sync-level")).Trimmed(); level {
	case "", "1", "infinite", "infinity":
	default:
		return badRequest("sync-level is 1 or infinite, not %q", clip(level))
	}
	limit, err := limitOf(e)
	if err != nil {
		return err
	}
	token := e.Child(davxml.D("sync-token"))
	if token == nil {
		return badRequest("There is no sync-token")
	}
	a, err := r.parseAsked(e)
	if err != nil {
		return err
	}
	if a == nil {
		a = r.ask(askNames, nil)
	}
	since := token.Trimmed()
	changes, err := n.changes(since, limit)
	if err != nil {
		return err
	}
	m := r.multistatus()
	m.synced(n, a, changes, since == "")
	if changes.Truncated { // RFC 6578 3.6
		m.status(n.path(), tooMany("There are more changes: ask again with the new token"))
	}
	m.Element(davxml.D("sync-token"), tokenPrefix+string(changes.Token))
	return m.finish()
}

// changes returns what changed since a token; "" is before all.
func (n *node) changes(token string, limit int) (c collection.Changes, err error) {
	since, ok := strings.CutPrefix(token, tokenPrefix)
	if token != "" && (!ok || since == "") {
		return c, errToken()
	}
	if err := n.load(loadSnapshot); err != nil {
		return c, err
	}
	if limit == math.MaxInt {
		limit = 0
	}
	c, err = n.snap.Changes(collection.SyncToken(since), limit)
	if err != nil {
		return c, errToken()
	}
	return c, nil
}

// errToken makes a client begin anew (RFC 6578 3.2).
func errToken() error {
	return forbidden(davxml.D("valid-sync-token"), "The sync-token is none of this collection, or too old: begin without one")
}

// synced writes the responses of what changed and of what is gone. What another program has
// broken is gone, and was never there for who begins.
func (m *multistatus) synced(n *node, a *asked, c collection.Changes, first bool) {
	o := n.object(nil)
	for _, e := range c.Changed {
		o.become(e)
		switch {
		case !e.Broken:
			m.node(o, a)
		case !first:
			m.status(o.path(), &failure{status: http.StatusNotFound})
		}
		if m.Err() != nil {
			return
		}
	}
	for _, name := range c.Removed {
		m.status(n.href+string(appendSegment(nil, name)), &failure{status: http.StatusNotFound})
	}
}
