package davd

import (
	"facteur/server/davxml"
)

// carddav is RFC 6352 6 and 7.
func carddav() part {
	return part{
		classes: []string{"addressbook"},
		properties: []property{
			text(davxml.CR("addressbook-description"), bookNode, maxText),
			{name: davxml.CR("supported-address-data"), kinds: bookNode, write: func(_ *request, _ *node, w *davxml.Writer) {
				for _, version := range []string{"3.0", "4.0"} {
					w.Empty(davxml.CR("address-data-type"), davxml.Attribute("content-type", "text/vcard"), davxml.Attribute("version", version))
				}
			}},
			{name: davxml.CR("supported-collation-set"), kinds: bookNode, write: writeCollations(davxml.CR("supported-collation"))},
			{name: davxml.CR("max-resource-size"), kinds: bookNode, write: writeMaxSize},
		},
	}
}

// quota is RFC 4331, of the mailbox whose home it is: mail counts too.
func quota() part {
	kinds := homeNode | collectionNodes | folderNode
	value := func(available bool) func(*request, *node, *davxml.Writer) {
		return func(r *request, n *node, w *davxml.Writer) {
			used, most, err := r.opt.Usage(n.owner)
			if err != nil {
				r.opt.Log.Error("The quota is not known", "protocol", "dav", "account", n.owner.String(), "err", err)
			}
			if available {
				used = max(most-used, 0)
			}
			r.number(w, used)
		}
	}
	return part{properties: []property{
		{name: davxml.D("quota-used-bytes"), kinds: kinds, write: value(false)},
		{name: davxml.D("quota-available-bytes"), kinds: kinds, write: value(true), has: func(r *request, n *node) bool {
			_, most, err := r.opt.Usage(n.owner)
			return err == nil && most > 0
		}},
	}}
}
