package davd

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/davxml"
)

// The bounds of reports about principals.
const (
	maxPeople   = 1000   // in an answer
	maxExpanded = 20_000 // resources in the answer of an expand-property
)

// value returns a property of a node as XML; nil: it has none that the viewer may see.
func (r *request) value(n *node, name davxml.Name) *davxml.Element {
	p := r.property(name, n.kind)
	if p == nil || !n.shows(p) || n.load(p.loads) != nil || p.has != nil && !p.has(r, n) {
		return nil
	}
	if p.write == nil {
		return &davxml.Element{Name: name}
	}
	var b bytes.Buffer
	w := davxml.NewWriter(&b)
	w.Begin(name)
	p.write(r, n, w)
	w.End()
	if w.Flush() != nil {
		return nil
	}
	e, err := davxml.Parse(&b, davxml.Limits{Octets: 64 << 20, Elements: 1 << 20})
	if err != nil {
		return nil
	}
	return e
}

// hrefsIn calls do for each DAV:href in an element.
func hrefsIn(e *davxml.Element, do func(string)) {
	if e == nil {
		return
	}
	if e.Name == nHref {
		do(e.Trimmed())
	}
	for _, c := range e.Children {
		hrefsIn(c, do)
	}
}

// textOf is all text in an element, each piece on a line.
func textOf(e *davxml.Element) string {
	if e == nil {
		return ""
	}
	text := e.Text
	for _, c := range e.Children {
		text += "\n" + textOf(c)
	}
	return text
}

// zeroDepth is for reports that have Depth 0 and nothing else (RFC 3744 9).
func (r *request) zeroDepth() error {
	d, err := depth(r.Request, 0)
	if err == nil && d != 0 {
		err = badRequest("The Depth of this report is 0")
	}
	return err
}

// expansion is an expand-property while it is answered (RFC 3253 3.8).
type expansion struct {
	*request
	left  int       // resources
	begun time.Time // when the answer was
}

// value returns a property that is to be expanded. Each costs as much as one that is
// written, so an answer that has no end in time is cut off.
func (x *expansion) value(n *node, name davxml.Name) *davxml.Element {
	if time.Since(x.begun) > x.opt.MaxLook {
		x.opt.Log.Error("A report can't be finished", "protocol", "dav", "account", x.viewer.String(), "path", n.path(), "err", "it takes too long")
		panic(http.ErrAbortHandler)
	}
	return x.request.value(n, name)
}

// expandProperty answers expand-property: properties, with those of the resources that their
// hrefs lead to.
func expandProperty(r *request, n *node, e *davxml.Element) error {
	d, err := depth(r.Request, 0)
	if err != nil {
		return err
	}
	x := &expansion{request: r, left: maxExpanded, begun: time.Now()}
	a, err := x.asked(e)
	if err != nil {
		return err
	}
	if d < 0 {
		return badRequest("The Depth of this report is 0 or 1")
	}
	return r.walk(n, d, a)
}

// asked reads what is asked of a resource. The properties that have others in them are made
// for this request.
func (x *expansion) asked(e *davxml.Element) (*asked, error) {
	var names []davxml.Name
	own := make(map[davxml.Name]*property)
	for _, c := range e.All(davxml.D("property")) {
		name := davxml.Name{Space: davxml.DAV, Local: c.Attr("name")}
		if space, ok := c.Lookup("namespace"); ok {
			name.Space = space
		}
		if name.Local == "" || strings.ContainsAny(name.Local, "<>&\"' \t\r\n") || len(names) == maxProperties {
			return nil, badRequest("A property has no name, or there are too many")
		}
		names = append(names, name)
		if len(c.Children) == 0 {
			continue
		}
		inner, err := x.asked(c)
		if err != nil {
			return nil, err
		}
		own[name] = x.expanded(name, inner)
	}
	a := x.ask(askNames, names)
	a.own = own
	return a, nil
}

// expanded is a property whose hrefs are replaced by what they lead to.
func (x *expansion) expanded(name davxml.Name, inner *asked) *property {
	return &property{name: name, kinds: anything,
		has: func(r *request, n *node) bool { return x.value(n, name) != nil },
		write: func(r *request, n *node, w *davxml.Writer) {
			m := &multistatus{r: r, Writer: w}
			for _, c := range x.value(n, name).Children {
				if c.Name != nHref {
					w.Raw(c.Raw())
					continue
				}
				x.response(m, c.Trimmed(), inner)
			}
		},
	}
}

// response writes the resource of an href.
func (x *expansion) response(m *multistatus, href string, inner *asked) {
	if x.left--; x.left < 0 || m.Written() > maxAnswer {
		m.status(href, tooMany("There are more than fit into one answer"))
		return
	}
	n, err := x.hrefNode(href)
	if err != nil {
		m.status(href, failureOf(err))
		return
	}
	m.node(n, inner)
}

// hrefNode returns the node of an href of an answer or a body.
func (r *request) hrefNode(href string) (*node, error) {
	segments, err := r.parseHref(href)
	if err != nil {
		return nil, err
	}
	n, err := r.resolve(segments)
	if err == nil && n.absent {
		err = errNotFound
	}
	return n, err
}

// aclPrincipals answers acl-principal-prop-set (RFC 3744 9.2): the principals of DAV:acl.
func aclPrincipals(r *request, n *node, e *davxml.Element) error {
	if err := r.zeroDepth(); err != nil {
		return err
	}
	a, err := r.askedOrNone(e)
	if err != nil {
		return err
	}
	var list []string
	seen := make(map[string]bool)
	for _, ace := range r.value(n, davxml.D("acl")).All(davxml.D("ace")) {
		hrefsIn(ace.Child(davxml.D("principal")), func(href string) {
			if !seen[href] {
				seen[href] = true
				list = append(list, href)
			}
		})
	}
	m := r.multistatus()
	for _, href := range list {
		if p, err := r.hrefNode(href); err == nil && p.kind == principalNode {
			m.node(p, a)
		}
	}
	return m.finish()
}

// askedOrNone is parseAsked, where nothing asked for is no property.
func (r *request) askedOrNone(e *davxml.Element) (*asked, error) {
	a, err := r.parseAsked(e)
	if a == nil && err == nil {
		a = r.ask(askNames, nil)
	}
	return a, err
}

// principalMatch answers principal-match (RFC 3744 9.3): the principals in a folder that are
// the viewer or a group of his, or the resources that name him in a property.
func principalMatch(r *request, n *node, e *davxml.Element) error {
	if err := r.zeroDepth(); err != nil {
		return err
	}
	a, err := r.askedOrNone(e)
	if err != nil {
		return err
	}
	mine := map[string]bool{principalHref(r.viewer): true}
	for _, role := range r.opt.Directory().Shared(r.viewer) {
		mine[principalHref(role.Address)] = true
	}
	is := func(c *node) bool { return c.kind == principalNode && mine[c.path()] }
	if by := e.Child(davxml.D("principal-property")); by != nil && len(by.Children) == 1 {
		name := by.Children[0].Name
		is = func(c *node) (found bool) {
			hrefsIn(r.value(c, name), func(href string) { found = found || mine[href] })
			return found
		}
	} else if e.Child(davxml.D("self")) == nil {
		return badRequest("There is neither self nor a principal-property")
	}
	m := r.multistatus()
	add := func(c *node) error {
		if is(c) {
			m.node(c, a)
		}
		return m.Err()
	}
	switch n.kind {
	case rootNode:
		err = r.principals(add)
	case principalNode:
		err = add(n)
	default:
		err = r.children(n, add)
	}
	if err != nil {
		m.status(n.path(), failureOf(err))
	}
	return m.finish()
}

// searchable are the properties by which principals are found, with what people call them
// (RFC 3744 9.5).
var searchable = []struct {
	name davxml.Name
	text string
}{
	{davxml.D("displayname"), "Name"},
	{davxml.CS("email-address-set"), "Address"},
	{davxml.C("calendar-user-address-set"), "Calendar address"},
	{davxml.C("calendar-user-type"), "Kind"},
}

// searchProperties answers principal-search-property-set (RFC 3744 9.5).
func searchProperties(r *request, _ *node, _ *davxml.Element) error {
	if err := r.zeroDepth(); err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	r.w.WriteHeader(http.StatusOK)
	w := davxml.NewWriter(r.w)
	w.Begin(davxml.D("principal-search-property-set"))
	for _, p := range searchable {
		w.Begin(davxml.D("principal-search-property"))
		w.Begin(nProp)
		w.Empty(p.name)
		w.End()
		w.Begin(davxml.D("description"), davxml.Attr{Name: davxml.Name{Space: davxml.XML, Local: "lang"}, Value: "en"})
		w.Text(p.text)
		w.End()
		w.End()
	}
	w.End()
	w.Flush() // an error: the client is gone
	return nil
}

// principalSearch answers principal-property-search (RFC 3744 9.4), with test and match-type as
// Apple's programs send them.
func principalSearch(r *request, n *node, e *davxml.Element) error {
	if err := r.zeroDepth(); err != nil {
		return err
	}
	a, err := r.askedOrNone(e)
	if err != nil {
		return err
	}
	conditions, err := searchConditions(e)
	if err != nil {
		return err
	}
	// Without apply-to-principal-collection-set it is about what is below the node.
	here := n.kind&(principalsNode|rootNode) != 0 || e.Child(davxml.D("apply-to-principal-collection-set")) != nil
	anyOf := e.Attr("test") == "anyof"
	return r.search(n, a, maxPeople, func(p *node) bool {
		for _, met := range conditions {
			if met(r, p) == anyOf {
				return anyOf && here
			}
		}
		return !anyOf && here
	})
}

// searchConditions reads the elements property-search.
func searchConditions(e *davxml.Element) ([]func(*request, *node) bool, error) {
	var all []func(*request, *node) bool
	for _, c := range e.All(davxml.D("property-search")) {
		match := c.Child(davxml.D("match"))
		prop := c.Child(nProp)
		if match == nil || prop == nil || len(prop.Children) == 0 || len(all) == 20 {
			return nil, badRequest("A property-search has a prop and a match, and there are 20 of them at most")
		}
		want := contentline.Fold(match.Trimmed())
		meets := strings.Contains
		switch match.Attr("match-type") {
		case "starts-with":
			meets = strings.HasPrefix
		case "equals":
			meets = func(a, b string) bool { return a == b }
		}
		all = append(all, func(r *request, n *node) bool {
			for _, p := range prop.Children {
				if !r.finds(n, p.Name, want, meets) {
					return false
				}
			}
			return true
		})
	}
	if len(all) == 0 {
		return nil, badRequest("There is nothing to search for")
	}
	return all, nil
}

// finds says whether a value of a property of a principal meets a condition.
func (r *request) finds(n *node, name davxml.Name, want string, meets func(value, want string) bool) bool {
	searched := false
	for _, p := range searchable {
		searched = searched || p.name == name
	}
	if !searched { // RFC 3744 9.4: what can't be searched is not found
		return false
	}
	for _, line := range strings.Split(textOf(r.value(n, name)), "\n") {
		line = contentline.Fold(strings.TrimSpace(line))
		if line != "" && (meets(line, want) || meets(strings.TrimPrefix(line, "mailto:"), want)) {
			return true
		}
	}
	return false
}

// search writes the principals that are found.
func (r *request) search(n *node, a *asked, most int, found func(*node) bool) error {
	m := matches{asked: a, top: n, left: most}
	m.multistatus = r.multistatus()
	err := r.principals(func(p *node) error {
		if found(p) && m.room() {
			m.match(p)
		}
		return m.Err()
	})
	if err != nil {
		m.status(n.path(), failureOf(err))
	}
	return m.finish()
}

// peopleSearch answers calendarserver-principal-search, with which Apple's programs complete
// the names of attendees: each token begins a word of the name, or the address.
func peopleSearch(r *request, n *node, e *davxml.Element) error {
	if err := r.zeroDepth(); err != nil {
		return err
	}
	a, err := r.askedOrNone(e)
	if err != nil {
		return err
	}
	most := maxPeople
	if limit := e.Child(davxml.CS("limit")); limit != nil {
		if most, err = results(limit.Child(davxml.CS("nresults"))); err != nil {
			return err
		}
	}
	var tokens []string
	for _, t := range e.All(davxml.CS("search-token")) {
		if word := contentline.Fold(t.Trimmed()); word != "" && len(tokens) < 20 {
			tokens = append(tokens, word)
		}
	}
	return r.search(n, a, min(most, maxPeople), func(p *node) bool {
		return len(tokens) > 0 && beginsAll(r.wordsOf(p.owner), tokens)
	})
}

// wordsOf are the words by which people look for somebody.
func (r *request) wordsOf(a address.Address) []string {
	words := strings.Fields(contentline.Fold(r.nameOf(a)))
	for _, own := range r.addresses(a) {
		words = append(words, contentline.Fold(own.String()))
	}
	return words
}

// beginsAll says whether each token begins a word.
func beginsAll(words, tokens []string) bool {
	for _, t := range tokens {
		found := false
		for _, w := range words {
			found = found || strings.HasPrefix(w, t)
		}
		if !found {
			return false
		}
	}
	return true
}
