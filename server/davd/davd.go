// Package davd speaks WebDAV, CalDAV and CardDAV: RFC 4918 (class 1 and 3, and 2 for plain files), 5689 (extended
// MKCOL), 5397 (current-user-principal), 8144 (Prefer), 3744 (privileges and principals), 4791
// (CalDAV), 7809 (time zones by name), 6352 (CardDAV), 8607 (managed attachments), and Apple's way to share and publish (sharing.go).
//
// A request's path leads to a node (node.go): a principal, a home, a collection, an object.
// The table of methods says which nodes have a method and which privilege it needs, and allow
// is the one place that asks for it. Properties are a table too (property.go). What a part of
// the protocol adds to these tables is a part; New puts them together, so OPTIONS tells what
// is there and nothing else.
//
// A multistatus is streamed: no answer is held in memory. Hrefs are percent-encoded in one
// function, and read in one (path.go). Bodies, depths and numbers are bounded.
//
// Whose collections there are and the rights are in package homes, the octets and tags in
// the packages collection and files. Logins and listeners are httpd's. A Handler has no state of its
// own but the locks of clients (locks.go), and may be used by any number of goroutines.
package davd

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/auth"
	"facteur/server/buffer"
	"facteur/server/davxml"
	"facteur/server/directory"
	"facteur/server/files"
	"facteur/server/homes"
	"facteur/server/scheduling"
)

// Options are what a Handler needs.
type Options struct {
	Homes *homes.Homes
	Files *files.Store // plain folders and files; nil: there are none
	// Attachments keeps the managed attachments of calendar objects, where there is Scheduling; nil: there are none.
	Attachments *attachments.Store
	// Scheduling invites and answers. nil: objects are put and removed, and nobody is told.
	Scheduling *scheduling.Scheduler
	// Directory returns the newest one.
	Directory func() *directory.Directory
	// Usage tells how many octets a mailbox uses of its quota, which is 0 where there is none.
	// nil: the quota properties are not there.
	Usage func(address.Address) (used, quota int64, err error)
	// Bodies keeps large bodies in XML until all of one is there.
	Bodies *buffer.Pool
	// MaxObject bounds an object in octets; 0 is 16 MiB. It is at most what the store takes.
	MaxObject int64
	// MaxLook bounds the time that one request looks through objects; 0 is a minute.
	MaxLook time.Duration
	Log     *slog.Logger     // nil: none
	Now     func() time.Time // nil: time.Now
}

// Handler answers the requests of those who have logged in.
type Handler struct {
	opt        Options
	classes    string
	methods    map[string][]method // those of one name are of different kinds of nodes
	properties map[davxml.Name][]*property
	all        []*property // in the order of the parts
	reports    map[davxml.Name]report
	segments   map[string]segment
	posts      []post
	locks      *locks // of plain folders and files
	// large is taken by who puts a large object, whose parsing takes many times its memory.
	large  chan struct{}
	memory *memory // of what other bodies take
	states []func(*request, *node, string) bool
}

// part is what one part of the protocol adds.
type part struct {
	classes    []string // in the header DAV (RFC 4918 10.1)
	methods    map[string]method
	properties []property
	reports    map[davxml.Name]report
	segments   map[string]segment // what homes have beside collections, by name
	posts      []post
	// state says whether a node has a state token, for the header If (RFC 4918 10.4.3).
	state func(*request, *node, string) bool
}

// method is a method of HTTP.
type method struct {
	kinds  kind // of the nodes that have it
	absent kind // of those that it makes
	// needs is the privilege that it takes, and makes the one to make something: bind and
	// unbind are of the parent, all others of the node. 0: run asks by itself.
	needs, makes privilege
	run          func(*request, *node) error
}

// report is what REPORT asks for, by the name of the body's root (RFC 3253 3.6).
type report struct {
	kinds kind
	needs privilege
	run   func(*request, *node, *davxml.Element) error
}

// segment is something that a home has beside collections. rest is the path below it, decoded.
type segment struct {
	open func(r *request, home *node, rest []string) (*node, error)
	list bool // a PROPFIND of the home shows it
}

// post is something that POST does: the first that takes a request.
type post struct {
	kinds kind
	takes func(*http.Request) bool
	run   func(*request, *node) error // asks for privileges by itself
}

const (
	defaultMaxObject = 16 << 20
	defaultMaxLook   = time.Minute
)

// New returns a Handler.
func New(o Options) *Handler {
	if o.MaxObject == 0 {
		o.MaxObject = defaultMaxObject
	}
	if o.MaxLook == 0 {
		o.MaxLook = defaultMaxLook
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Handler{opt: o, methods: make(map[string][]method), properties: make(map[davxml.Name][]*property),
		reports: make(map[davxml.Name]report), segments: make(map[string]segment), locks: newLocks(o.Now),
		large: make(chan struct{}, maxLarge), memory: newMemory()}
	var classes []string
	for _, p := range h.parts() {
		classes = append(classes, p.classes...)
		for name, m := range p.methods {
			h.methods[name] = append(h.methods[name], m)
		}
		for i := range p.properties {
			h.addProperty(&p.properties[i])
		}
		for name, r := range p.reports {
			h.reports[name] = r
		}
		for name, s := range p.segments {
			h.segments[name] = s
		}
		h.posts = append(h.posts, p.posts...)
		if p.state != nil {
			h.states = append(h.states, p.state)
		}
	}
	h.classes = strings.Join(classes, ", ")
	return h
}

// parts are all parts that the options allow.
func (h *Handler) parts() []part {
	list := []part{webdav(), principals(), access(), accessControl(), caldav(), carddav(), reporting(), transfers(), sharing()}
	if h.opt.Usage != nil {
		list = append(list, quota())
	}
	if h.opt.Files != nil {
		list = append(list, plain(), plainLocks())
	}
	if h.opt.Attachments != nil {
		list = append(list, managedAttachments())
	}
	if h.opt.Scheduling != nil {
		list = append(list, implicitScheduling())
	}
	return list
}

// Serve answers a request of somebody who has logged in.
func (h *Handler) Serve(w http.ResponseWriter, hr *http.Request, who auth.Credential) {
	r := &request{Handler: h, w: w, Request: hr, who: who, viewer: who.Account, prefer: parsePrefer(hr.Header), release: func() {}}
	head := w.Header()
	head.Set("DAV", h.classes)
	if h.opt.Homes.Subscribes() {
		head.Set("DAV", h.classes+", calendarserver-subscribed")
	}
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Vary", "Authorization, Accept, Brief, CalDAV-Timezones, Prefer")
	head.Set("Cache-Control", "private, no-cache")
	defer func() { r.release() }()
	if err := r.serve(); err != nil && !errors.Is(err, errAnswered) {
		r.fail(err)
	}
}

// request is one request while it is answered.
type request struct {
	*Handler
	*http.Request
	w       http.ResponseWriter
	who     auth.Credential
	viewer  address.Address
	prefer  prefer
	homes   map[address.Address]*homes.Home
	tokens  []string // of locks, in the header If
	scratch []byte   // of the property being written
	release func()   // gives back what the body takes
	public  bool     // nobody has logged in: only what everybody may see is shown
}

func (r *request) serve() error {
	if _, ok := r.methods[r.Method]; !ok {
		return r.notAllowed(anything)
	}
	segments, err := parsePath(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	n, err := r.resolve(segments)
	if err != nil {
		return err
	}
	m, err := r.allow(n)
	if err != nil {
		return err
	}
	if n.plain != nil { // RFC 4918 10.1: what is told is of the node
		r.w.Header().Set("DAV", strings.Replace(r.classes, "1, ", "1, 2, ", 1))
		r.w.Header().Set("MS-Author-Via", "DAV") // without it Windows does not mount it
	}
	if err := r.checkBody(); err != nil {
		return err
	}
	if err := r.checkTags(n); err != nil {
		return err
	}
	if err := r.checkIf(n); err != nil {
		return err
	}
	if err := r.checkLocks(n); err != nil {
		return err
	}
	return m.run(r, n)
}

// allow returns what the request's method does with a node, when the viewer may do it.
func (r *request) allow(n *node) (m method, err error) {
	found := false
	for _, m = range r.methods[r.Method] {
		if k := m.kinds; !n.absent && n.kind&k != 0 || n.absent && n.kind&m.absent != 0 {
			found = true
			break
		}
	}
	switch {
	case !found && n.absent && !r.makes(n.kind):
		return m, errNotFound
	case !found && n.absent && (r.Method == "MKCALENDAR" || r.Method == "MKCOL"): // RFC 4791 4.2, RFC 6352 5.2
		return m, forbidden(locationOK(n.kind), "A calendar or an address book has no other in it")
	case !found && r.Method == "MKCALENDAR": // RFC 4791 5.3.1
		return m, forbidden(davxml.D("resource-must-be-null"), "There is something of that name")
	case !found:
		return m, r.notAllowed(n.kind)
	case n.absent && m.makes != 0:
		return m, n.need(m.makes)
	case !n.absent && m.needs != 0:
		return m, n.need(m.needs)
	}
	return m, nil
}

// makes says whether the request's method makes something of other kinds: then what is
// wrong is where, not that nothing is there.
func (r *request) makes(k kind) bool {
	return slices.ContainsFunc(r.methods[r.Method], func(m method) bool { return m.absent != 0 && m.kinds&k == 0 })
}

// notAllowed is the answer to a method that a node does not have.
func (r *request) notAllowed(k kind) error {
	r.w.Header().Set("Allow", strings.Join(r.allowed(k), ", "))
	return &failure{status: http.StatusMethodNotAllowed, text: "There is no " + clip(r.Method) + " here"}
}

// allowed lists the methods of nodes of a kind.
func (h *Handler) allowed(k kind) []string {
	var list []string
	for _, name := range sortedKeys(h.methods) {
		if slices.ContainsFunc(h.methods[name], func(m method) bool { return m.kinds&k != 0 }) {
			list = append(list, name)
		}
	}
	return list
}

// offered lists what the viewer can do with a node and what is in it: some clients look
// there for PUT to know whether they may write.
func (h *Handler) offered(n *node) []string {
	var inside kind
	switch {
	case n.absent:
		inside = n.kind
	case n.kind == homeNode:
		inside = calendarNode
	case n.kind == calendarNode:
		inside = eventNode
	case n.kind == bookNode:
		inside = cardNode
	case n.kind == folderNode:
		inside = folderNode | fileNode
	}
	may := n.privileges()
	if n.absent { // what it takes to make it is a right of where it would be
		may = n.parent.privileges()
	}
	var list []string
	for _, name := range sortedKeys(h.methods) {
		if slices.ContainsFunc(h.methods[name], func(m method) bool {
			return !n.absent && m.kinds&n.kind != 0 && n.need(m.needs) == nil || m.absent&inside != 0 && m.makes&^may == 0
		}) {
			list = append(list, name)
		}
	}
	return list
}

// home opens the home of an address, once a request.
func (r *request) home(owner address.Address) (*homes.Home, error) {
	if h, ok := r.homes[owner]; ok {
		return h, nil
	}
	h, err := r.opt.Homes.Open(r.viewer, owner)
	if err != nil {
		return nil, err
	}
	if r.homes == nil {
		r.homes = make(map[address.Address]*homes.Home)
	}
	r.homes[owner] = h
	return h, nil
}

// options answers OPTIONS (RFC 4918 10.1).
func options(r *request, n *node) error {
	r.w.Header().Set("Allow", strings.Join(r.offered(n), ", "))
	r.w.Header().Set("Content-Length", "0")
	r.w.WriteHeader(http.StatusOK)
	return nil
}
