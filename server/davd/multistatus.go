package davd

import (
	"net/http"
	"slices"

	"facteur/server/davxml"
)

// The elements of each response.
var (
	nResponse = davxml.D("response")
	nHref     = davxml.D("href")
	nPropstat = davxml.D("propstat")
	nProp     = davxml.D("prop")
	nStatus   = davxml.D("status")
)

// multistatus is an answer of status 207 (RFC 4918 13), written as it comes.
type multistatus struct {
	r *request
	*davxml.Writer
	missing []int // of the node being written
	refused []int
}

// multistatus begins one. What fails from here on can't change the status any more.
func (r *request) multistatus() *multistatus {
	head := r.w.Header()
	head.Set("Content-Type", "application/xml; charset=utf-8")
	if r.prefer.minimal {
		head.Add("Preference-Applied", "return=minimal") // RFC 7240 3
	}
	r.w.WriteHeader(http.StatusMultiStatus)
	m := &multistatus{r: r, Writer: davxml.NewWriter(r.w)}
	m.Begin(davxml.D("multistatus"))
	return m
}

// finish ends it.
func (m *multistatus) finish() error {
	m.End()
	m.Flush() // an error: the client is gone
	return nil
}

// href writes the href of a node, without making a string of it.
func (m *multistatus) href(n *node) {
	m.Begin(nHref)
	m.Text(n.href)
	if n.segment != "" {
		m.Text(n.segment)
	}
	m.End()
}

// status writes a response that is a status and no properties.
func (m *multistatus) status(href string, f *failure) {
	m.Begin(nResponse)
	m.Element(nHref, href)
	m.Element(nStatus, statusLine(f.status))
	if f.condition.Local != "" {
		m.Begin(davxml.D("error"))
		(&failure{condition: f.condition, href: f.href, inside: f.inside}).write(m.Writer)
		m.End()
	}
	if f.text != "" {
		m.Element(davxml.D("responsedescription"), f.text)
	}
	m.End()
}

// node writes the response with the properties of a node.
func (m *multistatus) node(n *node, a *asked) {
	p := a.of(n.kind)
	if err := n.load(p.loads); err != nil {
		m.r.opt.Log.Error("Properties can't be read", "protocol", "dav", "path", n.path(), "err", err)
		m.status(n.path(), failureOf(err))
		return
	}
	m.Begin(nResponse)
	m.href(n)
	m.propstats(n, a, p)
	m.End()
}

// propstats writes the properties of a node by their status. p.loads are loaded.
func (m *multistatus) propstats(n *node, a *asked, p *plan) {
	m.missing, m.refused = m.missing[:0], m.refused[:0]
	open := false
	begin := func() {
		if !open {
			m.Begin(nPropstat)
			m.Begin(nProp)
			open = true
		}
	}
	for i, q := range p.live {
		switch {
		case q == nil && !n.shows(nil):
			m.refused = append(m.refused, i)
		case q == nil:
			if value, ok := n.other(a.keys[i]); ok && isElement(value) {
				begin()
				m.RawString(value)
			} else {
				m.missing = append(m.missing, i)
			}
		case q.has != nil && !q.has(m.r, n):
			m.missing = append(m.missing, i)
		case !n.shows(q):
			m.refused = append(m.refused, i)
		default:
			begin()
			m.property(n, q)
		}
	}
	if a.mode != askNames {
		begin()
		m.extra(n, a, p)
	}
	if open || m.r.prefer.minimal && len(m.refused) == 0 || len(p.live) == 0 {
		begin() // a response has one propstat at least
		m.endPropstat(http.StatusOK)
	}
	if len(m.missing) > 0 && !m.r.prefer.minimal { // RFC 8144 2.1
		m.names(a, m.missing, http.StatusNotFound)
	}
	if len(m.refused) > 0 {
		m.names(a, m.refused, http.StatusForbidden)
	}
}

// extra writes the properties that were not asked for by name.
func (m *multistatus) extra(n *node, a *asked, p *plan) {
	for _, q := range p.extra {
		switch {
		case q.has != nil && !q.has(m.r, n), !n.shows(q):
		case a.mode == askNothing:
			m.Empty(q.name)
		default:
			m.property(n, q)
		}
	}
	if !n.shows(nil) {
		return
	}
	for _, key := range m.r.dead(n) {
		if a.mode == askNothing {
			name, _ := davxml.ParseName(key)
			m.Empty(name)
		} else {
			m.RawString(n.props.Other[key])
		}
	}
}

func (m *multistatus) property(n *node, q *property) {
	if q.write == nil {
		m.Empty(q.name)
		return
	}
	attrs := q.attrs
	if q.lang != nil {
		if lang := q.lang(n); lang != "" {
			attrs = append(slices.Clip(attrs), davxml.Attr{Name: davxml.Name{Space: davxml.XML, Local: "lang"}, Value: lang})
		}
	}
	m.Begin(q.name, attrs...)
	q.write(m.r, n, m.Writer)
	m.End()
}

// names writes a propstat of names.
func (m *multistatus) names(a *asked, list []int, status int) {
	m.Begin(nPropstat)
	m.Begin(nProp)
	for _, i := range list {
		m.Empty(a.names[i])
	}
	m.endPropstat(status)
}

func (m *multistatus) endPropstat(status int) {
	m.End()
	m.Element(nStatus, statusLine(status))
	m.End()
}
