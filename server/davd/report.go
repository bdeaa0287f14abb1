package davd

import (
	"errors"
	"net/http"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/homes"
)

// reporting is the method REPORT (RFC 3253 3.6) with all reports.
func reporting() part {
	calendars, books := calendarNode|eventNode|homeNode|inboxNode|messageNode, bookNode|cardNode|homeNode
	people := rootNode | principalsNode | principalNode | homeNode
	return part{
		methods: map[string]method{"REPORT": {kinds: anything, run: reportMethod}},
		reports: map[davxml.Name]report{
			davxml.C("calendar-query"):                   {kinds: calendars, needs: mayRead, run: calendarQuery},
			davxml.C("calendar-multiget"):                {kinds: calendars, needs: mayRead, run: calendarMultiget},
			davxml.CR("addressbook-query"):               {kinds: books, needs: mayRead, run: cardQuery},
			davxml.CR("addressbook-multiget"):            {kinds: books, needs: mayRead, run: cardMultiget},
			davxml.D("sync-collection"):                  {kinds: collectionNodes | inboxNode, needs: mayRead, run: syncCollection},
			davxml.D("expand-property"):                  {kinds: anything, needs: mayReadPrivileges, run: expandProperty},
			davxml.D("acl-principal-prop-set"):           {kinds: anything, needs: mayReadACL, run: aclPrincipals},
			davxml.D("principal-match"):                  {kinds: people, needs: mayReadPrivileges, run: principalMatch},
			davxml.D("principal-property-search"):        {kinds: people | collectionNodes, needs: mayReadPrivileges, run: principalSearch},
			davxml.D("principal-search-property-set"):    {kinds: people | collectionNodes, needs: mayReadPrivileges, run: searchProperties},
			davxml.CS("calendarserver-principal-search"): {kinds: people, needs: mayReadPrivileges, run: peopleSearch},
		},
	}
}

// The bounds of an answer.
const (
	maxAnswer    = 256 << 20 // octets
	maxExpansion = 100_000   // instances that a request expands
)

// reportMethod answers REPORT.
func reportMethod(r *request, n *node) error {
	e, err := r.body(davxml.Limits{})
	if err != nil {
		return err
	}
	if e == nil {
		return badRequest("A REPORT has a body")
	}
	one, ok := r.reports[e.Name]
	if !ok || one.kinds&n.kind == 0 { // RFC 3253 3.6
		return forbidden(davxml.D("supported-report"), "There is no report %s here", clip(e.Name.String()))
	}
	if one.needs != 0 {
		if err := n.need(one.needs); err != nil {
			return err
		}
	}
	return one.run(r, n, e)
}

// tooMany is the status of what an answer had no room for (RFC 6352 8.6.2, RFC 6578 3.6).
func tooMany(text string) *failure {
	return &failure{status: http.StatusInsufficientStorage, condition: davxml.D("number-of-matches-within-limits"), text: text}
}

// matches writes the responses of a query.
type matches struct {
	*multistatus
	asked *asked        // nil: no properties, only hrefs
	top   *node         // of the request
	left  int           // how many the client takes
	spent time.Duration // on looking through objects
}

// room says whether there may be one more response. The first time that the client wants no
// more, it tells so in the answer.
func (m *matches) room() bool {
	switch {
	case m.spent > m.r.opt.MaxLook:
		m.cutOff(m.top, errors.New("it takes too long to look at all objects"))
	case m.Written() > maxAnswer:
		m.cutOff(m.top, errors.New("the answer has no end"))
	case m.left > 0:
		return m.r.Context().Err() == nil
	case m.left == 0:
		m.status(m.top.path(), tooMany("There are more"))
		m.left = -1
	}
	return false
}

// cutOff ends an answer that can't be finished without the end of its XML: with that, clients
// would take what is missing for removed.
func (m *multistatus) cutOff(n *node, err error) {
	m.r.opt.Log.Error("A report can't be finished", "protocol", "dav", "account", m.r.viewer.String(), "path", n.path(), "err", err)
	m.Flush() // an error: the client is gone
	panic(http.ErrAbortHandler)
}

// match writes the response of a node that was found.
func (m *matches) match(n *node) {
	m.left--
	if m.asked == nil { // RFC 4791 7.8: no properties were asked for
		m.status(n.path(), &failure{status: http.StatusOK})
		return
	}
	m.node(n, m.asked)
}

// eachCollection calls do for the collections of some kinds that a report is about: the node
// itself, or those of a home when depth is infinity.
func (r *request) eachCollection(n *node, depth int, kinds kind, do func(*node) error) error {
	switch {
	case n.kind&kinds != 0 && depth != 0:
		return do(n)
	case n.kind != homeNode || depth >= 0:
		return nil
	}
	return r.children(n, func(c *node) error {
		if c.kind&kinds == 0 || !c.rights.Has(homes.Read) {
			return nil
		}
		return do(c)
	})
}

// reader reads the objects of a report, one after the other.
type reader struct {
	of *homes.Collection
	in *collection.Reader
}

// octets reads an object. n becomes what was read, should it have changed since it was listed.
// changed says that it has; ok, that it is still there and an object. data is good until the
// next one is read. look: the report may have no use for it.
func (d *reader) octets(n *node, look bool) (data []byte, changed, ok bool, err error) {
	if d.of != n.coll {
		d.close()
		d.of, d.in = n.coll, n.coll.Reader()
	}
	read := d.in.Read
	if look {
		read = d.in.Look
	}
	data, e, err := read(n.name)
	switch {
	case fault.Is(err, fault.NotFound):
		return data, true, false, nil
	case err != nil:
		return data, false, false, err
	case e.Broken:
		return data, true, false, nil
	case e.ETag != n.entry.ETag:
		changed = true
		n.entry = e
	}
	return data, changed, true, nil
}

func (d *reader) close() {
	if d.of != nil {
		d.in.Close()
	}
}
