package davd

import (
	"iter"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/vcard"
)

// cardReport prepares addressbook-query and addressbook-multiget.
func (r *request) cardReport(n *node, e *davxml.Element) (*objectReport[*vcard.Card], error) {
	a := &objectReport[*vcard.Card]{kinds: cardNode, folders: bookNode, parse: vcard.ParseBytes}
	if data := e.Child(nProp).Child(davxml.CR("address-data")); data != nil {
		d, err := parseAddressData(data)
		if err != nil {
			return nil, err
		}
		a.data, a.attrs, a.asKept, a.apply = data.Name, d.attrs(), d.asKept, d.apply
	}
	return a, a.ask(r, n, e)
}

// cardQuery answers addressbook-query (RFC 6352 8.6).
func cardQuery(r *request, n *node, e *davxml.Element) error {
	f, err := cardFilter(e.Child(davxml.CR("filter")))
	if err != nil {
		return err
	}
	a, err := r.cardReport(n, e)
	if err != nil {
		return err
	}
	a.list = func(s *collection.Snapshot) iter.Seq[*collection.Entry] { return s.All() }
	a.judge = newCardJudge(f).judge
	a.mayFind = func(raw *contentline.Raw) bool { return cardMayHave(f, raw) }
	a.finds = func(c *vcard.Card) bool { return c.Match(f) }
	return a.query(r, n)
}

// cardMultiget answers addressbook-multiget (RFC 6352 8.7).
func cardMultiget(r *request, n *node, e *davxml.Element) error {
	a, err := r.cardReport(n, e)
	if err != nil {
		return err
	}
	return a.multiget(r, n, e)
}
