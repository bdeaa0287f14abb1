package davd

import (
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
)

// objectReport is a query or a multiget of calendars (T is *ical.Object) or of address books
// (*vcard.Card). It holds one object at a time.
type objectReport[T any] struct {
	matches
	kinds   kind // of the objects
	folders kind // of the collections that have them
	parse   func(octets []byte) (T, error)

	// What a query looks for. The index is asked first: list leaves out what it knows not to
	// be found, and only what judge is not sure of is read; of that, what mayFind knows not to
	// be found is not parsed.
	list    func(*collection.Snapshot) iter.Seq[*collection.Entry]
	judge   func(*collection.Facts) verdict
	mayFind func(*contentline.Raw) bool
	finds   func(T) bool

	// What is told of the content, as calendar-data and address-data ask for it.
	data   davxml.Name // zero: nothing
	attrs  []davxml.Attr
	asKept func(octets []byte) bool
	apply  func(dst []byte, object T) ([]byte, error)

	objects reader
	octets  []byte // of the object
	raw     contentline.Raw
	unsure  bool // whether it is found
	loaded  bool // octets are its
	changed bool // since it was listed
	parsed  bool // object is its
	object  T
	out     []byte // what the data property has; nil: nothing
	applied []byte // where out is made
}

// ask reads which properties a report asks for, and how many objects.
func (a *objectReport[T]) ask(r *request, n *node, e *davxml.Element) (err error) {
	a.top = n
	if a.left, err = limitOf(e); err != nil {
		return err
	}
	if a.asked, err = r.parseAsked(e); err != nil || a.data == (davxml.Name{}) {
		return err
	}
	a.asked.own = map[davxml.Name]*property{a.data: {name: a.data, kinds: a.kinds, attrs: a.attrs,
		has:   func(*request, *node) bool { return a.out != nil },
		write: func(_ *request, _ *node, w *davxml.Writer) { w.TextBytes(a.out) },
	}}
	return nil
}

// limitOf reads how many results a client takes: the element limit (RFC 6352 10.6, RFC 6578
// 6.3).
func limitOf(e *davxml.Element) (int, error) {
	for _, name := range []func(string) davxml.Name{davxml.D, davxml.CR, davxml.C} {
		limit := e.Child(name("limit"))
		if limit == nil {
			continue
		}
		return results(limit.Child(name("nresults")))
	}
	return math.MaxInt, nil
}

// results reads nresults.
func results(e *davxml.Element) (int, error) {
	n, err := strconv.ParseUint(e.Trimmed(), 10, 31)
	if err != nil || n == 0 {
		return 0, badRequest("nresults is not a number above 0")
	}
	return int(n), nil
}

// query answers a query.
func (a *objectReport[T]) query(r *request, n *node) error {
	d, err := depth(r.Request, 0)
	if err != nil {
		return err
	}
	if n.kind&a.folders != 0 {
		if err := n.load(loadSnapshot); err != nil {
			return err
		}
	}
	defer a.objects.close()
	a.multistatus = r.multistatus()
	if n.kind&a.kinds != 0 {
		a.try(n, a.judge(&n.entry.Facts))
		return a.finish()
	}
	if err := r.eachCollection(n, d, a.folders, a.search); err != nil && a.Err() == nil {
		a.cutOff(n, err)
	}
	return a.finish()
}

// search looks through a collection.
func (a *objectReport[T]) search(n *node) error {
	if err := n.load(loadSnapshot); err != nil {
		return err
	}
	o := n.object(nil)
	for e := range a.list(n.snap) {
		if e.Broken {
			continue
		}
		v := a.judge(&e.Facts)
		if v == no {
			continue
		}
		if !a.room() {
			break
		}
		o.become(e)
		a.try(o, v)
		if err := a.Err(); err != nil {
			return err
		}
	}
	return nil
}

// try writes an object if it is found. v is what the index says.
func (a *objectReport[T]) try(n *node, v verdict) {
	a.next()
	begin := time.Now()
	found, err := a.found(n, v)
	a.spent += time.Since(begin)
	if found && err == nil {
		_, err = a.answer(n)
	}
	if err != nil {
		a.fail(n, err)
	}
}

// next forgets the object before.
func (a *objectReport[T]) next() {
	a.unsure, a.loaded, a.changed, a.parsed, a.out = false, false, false, false, nil
}

func (a *objectReport[T]) found(n *node, v verdict) (bool, error) {
	switch {
	case v == no:
		return false, nil
	case v == yes && a.data == (davxml.Name{}):
		return true, nil
	case v == yes:
		if ok, err := a.load(n); err != nil || !ok || !a.changed {
			return ok, err
		}
	}
	a.unsure = v != yes
	if ok, err := a.load(n); err != nil || !ok {
		return false, err
	}
	if a.raw.Reset(a.octets); !a.mayFind(&a.raw) {
		return false, nil
	}
	ok, err := a.read(n)
	return ok && err == nil && a.finds(a.object), err
}

// load gets the octets of an object. ok: it is still there.
func (a *objectReport[T]) load(n *node) (ok bool, err error) {
	if !a.loaded {
		a.octets, a.changed, a.loaded, err = a.objects.octets(n, a.unsure)
	}
	return a.loaded, err
}

// read parses an object. ok: it is still there.
func (a *objectReport[T]) read(n *node) (ok bool, err error) {
	if ok, err := a.load(n); err != nil || !ok || a.parsed {
		return ok, err
	}
	a.object, err = a.parse(a.octets)
	a.parsed = err == nil
	return a.parsed, err
}

// answer writes the response of an object. there: it is still there.
func (a *objectReport[T]) answer(n *node) (there bool, err error) {
	if a.data != (davxml.Name{}) {
		if there, err = a.prepare(n); err != nil || !there {
			return there, err
		}
	}
	a.match(n)
	return true, nil
}

// prepare makes what the data property has.
func (a *objectReport[T]) prepare(n *node) (there bool, err error) {
	if there, err = a.load(n); err != nil || !there {
		return there, err
	}
	if a.asKept(a.octets) {
		a.out = a.octets
		return true, nil
	}
	if there, err = a.read(n); err != nil || !there {
		return there, err
	}
	a.applied, err = a.apply(a.applied[:0], a.object)
	a.out = a.applied
	return true, err
}

// fail writes the response of what can't be answered.
func (a *objectReport[T]) fail(n *node, err error) {
	f := failureOf(err)
	if f.status == http.StatusInternalServerError {
		a.r.opt.Log.Error("An object can't be read", "protocol", "dav", "path", n.path(), "err", err)
	}
	a.status(n.path(), f)
}

// multiget answers a multiget: the objects of some hrefs, which are all in or below the node
// of the request, or it. The header Depth means nothing here (RFC 4791 7.9, RFC 6352 8.7).
func (a *objectReport[T]) multiget(r *request, n *node, e *davxml.Element) error {
	hrefs := 0
	for _, c := range e.Children {
		if c.Name == nHref {
			hrefs++
		}
	}
	if hrefs == 0 {
		return badRequest("A multiget names one href at least")
	}
	defer a.objects.close()
	a.multistatus = r.multistatus()
	among := finder{r: r, top: n, kinds: a.kinds, folders: a.folders}
	begin := time.Now()
	for _, c := range e.Children {
		if c.Name != nHref {
			continue
		}
		href := c.Trimmed()
		if a.Written() >= maxAnswer || a.spent > r.opt.MaxLook {
			a.status(href, tooMany("There are more than fit into one answer"))
			continue
		}
		there := false
		o, err := among.find(href)
		if o != nil {
			a.next()
			there, err = a.answer(o)
		}
		a.spent = time.Since(begin)
		switch {
		case err != nil:
			a.status(href, failureOf(err))
		case !there:
			a.status(href, errNotFound)
		}
		if a.Err() != nil || r.Context().Err() != nil {
			return nil
		}
	}
	return a.finish()
}

// finder finds objects by their hrefs. Most are of one collection, which it looks up once.
type finder struct {
	r       *request
	top     *node // of the request
	kinds   kind
	folders kind
	folder  *node // where the last one was
	object  *node // of folder, becomes each
}

// find returns the object of an href, which may be a URI; nil: there is none that the request
// may ask for.
func (f *finder) find(href string) (*node, error) {
	if f.folder != nil {
		if name, ok := strings.CutPrefix(href, f.folder.href); ok && isPlain(name) && name != "" {
			return f.in(name, f.folder.coll.Known)
		}
	}
	segments, err := f.r.parseHref(href)
	if err != nil || len(segments) < 3 {
		return nil, nil
	}
	last := len(segments) - 1
	folder, err := f.r.resolve(segments[:last])
	if err != nil {
		if failureOf(err).status >= http.StatusInternalServerError {
			return nil, err
		}
		return nil, nil
	}
	if folder.kind&f.folders == 0 || folder.absent || folder.need(mayRead) != nil || !f.covers(folder) {
		return nil, nil
	}
	f.folder, f.object = folder, folder.object(nil)
	return f.in(segments[last], folder.coll.Entry)
}

// covers says whether a collection is where the request looks.
func (f *finder) covers(folder *node) bool {
	switch {
	case f.top.kind&f.folders != 0:
		return folder.href == f.top.href
	case f.top.kind&f.kinds != 0:
		return f.top.parent != nil && folder.href == f.top.parent.href
	}
	return strings.HasPrefix(folder.href, f.top.href)
}

// in returns an object of the folder, with what get says of it.
func (f *finder) in(name string, get func(href string) (*collection.Entry, error)) (*node, error) {
	if f.top.kind&f.kinds != 0 && name != f.top.name {
		return nil, nil
	}
	e, err := get(name)
	switch {
	case err != nil && failureOf(err).status == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case e.Broken:
		return nil, nil
	}
	f.object.become(e)
	return f.object, nil
}
