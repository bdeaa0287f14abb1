package davd

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// webdav is RFC 4918, with RFC 5689, 5397, 6578's token and 3253's lists.
func webdav() part {
	return part{
		classes: []string{"1", "3", "extended-mkcol"},
		state:   isSyncToken,
		methods: map[string]method{
			"OPTIONS":   {kinds: anything, absent: anything, run: options},
			"PROPFIND":  {kinds: anything, run: propfind},
			"PROPPATCH": {kinds: anything &^ (folderNode | fileNode), run: proppatch},
			"MKCOL":     {absent: calendarNode, makes: mayBind, run: mkcol},
			"GET":       {kinds: anything &^ fileNode, needs: mayRead, run: get},
			"HEAD":      {kinds: anything &^ fileNode, needs: mayRead, run: get},
			"PUT":       {kinds: objectNodes, needs: mayWriteContent, absent: objectNodes, makes: mayBind, run: put},
			"DELETE":    {kinds: keptObjects | collectionNodes, needs: mayUnbind, run: remove},
		},
		properties: []property{
			{name: davxml.D("resourcetype"), kinds: anything, unread: true, all: true, write: writeResourceType},
			{name: davxml.D("displayname"), kinds: rootNode | principalsNode | principalNode | homeNode | inboxNode | outboxNode, all: true, write: writeName},
			{name: davxml.D("displayname"), kinds: collectionNodes, all: true, loads: loadProps, has: hasDisplayName, write: writeDisplayName, lang: langOfName, set: setDisplayName},
			{name: davxml.D("getetag"), kinds: keptObjects, all: true, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(string(n.entry.ETag)) }},
			{name: davxml.D("getetag"), kinds: keptCollections, all: true, loads: loadSnapshot, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(collectionTag(n)) }},
			{name: davxml.D("getcontenttype"), kinds: keptObjects, all: true, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(contentType(n)) }},
			{name: davxml.D("getcontentlength"), kinds: keptObjects, all: true, write: func(r *request, n *node, w *davxml.Writer) { r.number(w, n.entry.Size) }},
			{name: davxml.D("getlastmodified"), kinds: keptObjects, all: true, write: func(r *request, n *node, w *davxml.Writer) {
				r.scratch = n.entry.Modified.UTC().AppendFormat(r.scratch[:0], http.TimeFormat)
				w.TextBytes(r.scratch)
			}},
			{name: davxml.D("creationdate"), kinds: keptObjects, all: true, write: func(r *request, n *node, w *davxml.Writer) {
				// The octets that are there were made then: nothing older is known of them.
				r.scratch = n.entry.Modified.UTC().AppendFormat(r.scratch[:0], time.RFC3339)
				w.TextBytes(r.scratch)
			}},
			{name: davxml.D("sync-token"), kinds: keptCollections, loads: loadSnapshot, write: writeSyncToken},
			{name: davxml.CS("getctag"), kinds: keptCollections, loads: loadSnapshot, write: func(_ *request, n *node, w *davxml.Writer) { w.Text(string(n.snap.CTag())) }},
			{name: davxml.D("supportedlock"), kinds: anything &^ (folderNode | fileNode), all: true},
			{name: davxml.D("lockdiscovery"), kinds: anything &^ (folderNode | fileNode), all: true},
			{name: davxml.D("supported-report-set"), kinds: anything, unread: true, write: writeReports},
			{name: davxml.D("supported-method-set"), kinds: anything, write: writeMethods},
			{name: davxml.D("parent-set"), kinds: homeNode | keptCollections | keptObjects, write: writeParent},
		},
	}
}

// TokenPrefix stands before a sync-token, which is a URI (RFC 6578 3.2).
const tokenPrefix = "data:,"

func writeSyncToken(_ *request, n *node, w *davxml.Writer) {
	w.Text(tokenPrefix)
	w.Text(string(n.snap.Token()))
}

// number writes a number without making a string of it.
func (r *request) number(w *davxml.Writer, n int64) {
	r.scratch = strconv.AppendInt(r.scratch[:0], n, 10)
	w.Raw(r.scratch)
}

// resourceTypes are the elements of DAV:resourcetype by kind; homes and all else that has a
// slash are collections.
func writeResourceType(_ *request, n *node, w *davxml.Writer) {
	if n.kind&folders != 0 {
		w.Empty(davxml.D("collection"))
	}
	switch n.kind {
	case principalNode:
		w.Empty(davxml.D("principal"))
	case calendarNode:
		w.Empty(davxml.C("calendar"))
		writeSharingTypes(n, w)
	case bookNode:
		w.Empty(davxml.CR("addressbook"))
		writeSharingTypes(n, w)
	case inboxNode:
		w.Empty(davxml.C("schedule-inbox"))
	case outboxNode:
		w.Empty(davxml.C("schedule-outbox"))
	}
}

// contentType is the media type of an object.
func contentType(n *node) string {
	if n.kind == cardNode {
		return "text/vcard; charset=utf-8"
	}
	switch n.entry.Facts.Kind {
	case "VEVENT":
		return "text/calendar; charset=utf-8; component=vevent"
	case "VTODO":
		return "text/calendar; charset=utf-8; component=vtodo"
	case "":
		return "text/calendar; charset=utf-8"
	}
	return "text/calendar; charset=utf-8; component=" + strings.ToLower(n.entry.Facts.Kind)
}

// collectionTag is the entity tag of the page that GET makes of a collection.
func collectionTag(n *node) string { return `"` + string(n.snap.CTag()) + `"` }

// writeName writes the name of what has none of its own to change.
func writeName(r *request, n *node, w *davxml.Writer) {
	switch n.kind {
	case principalNode, homeNode:
		w.Text(r.nameOf(n.owner))
	case rootNode:
		w.Text("facteur")
	default:
		w.Text(n.name)
	}
}

func hasDisplayName(_ *request, n *node) bool { return n.props.DisplayName != "" || n.name != "" }

// writeDisplayName writes the name of a collection; one that has none is called by its segment,
// so that clients have something to show.
func writeDisplayName(_ *request, n *node, w *davxml.Writer) {
	if n.props.DisplayName != "" {
		w.Text(n.props.DisplayName)
		return
	}
	w.Text(n.name)
}

// maxName bounds names and descriptions in octets.
const (
	maxName = 1 << 10
	maxText = 64 << 10
)

func setDisplayName(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	kept.DisplayName = ""
	delete(kept.Other, langKey(davxml.D("displayname")))
	if e == nil {
		return nil
	}
	// The file of vdir has one line.
	name := strings.Join(strings.Fields(e.Text), " ")
	if len(name) > maxName {
		return &failure{status: http.StatusForbidden, text: "The name is too long"}
	}
	kept.DisplayName = name
	keepLang(kept, davxml.D("displayname"), e.Lang, "\n"+name)
	return nil
}

func writeReports(r *request, n *node, w *davxml.Writer) {
	names := make(map[string]davxml.Name, len(r.reports))
	for name, one := range r.reports {
		if one.kinds&n.kind != 0 {
			names[name.String()] = name
		}
	}
	for _, key := range sortedKeys(names) { // RFC 3253 3.1.5
		w.Begin(davxml.D("supported-report"))
		w.Begin(davxml.D("report"))
		w.Empty(names[key])
		w.End()
		w.End()
	}
}

func writeMethods(r *request, n *node, w *davxml.Writer) {
	for _, name := range r.allowed(n.kind) { // RFC 3253 3.1.3
		w.Empty(davxml.D("supported-method"), davxml.Attribute("name", name))
	}
}

func writeParent(_ *request, n *node, w *davxml.Writer) { // RFC 5842 3.2
	parent, segment := root, n.name
	if n.parent != nil {
		parent = n.parent.path()
	}
	w.Begin(davxml.D("parent"))
	w.Element(davxml.D("href"), parent)
	w.Element(davxml.D("segment"), string(appendSegment(nil, segment)))
	w.End()
}
