package davd

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/homes"
)

// sharing is Apple's way to share a calendar with accounts of this server and to publish it
// (calendarserver-sharing: the documents caldav-sharing and caldav-pubsubdiscovery of
// CalendarServer). An address book is shared the same way.
//
// Nobody has to accept: what is shared stands in the other's home at once, and whoever does
// not want it deletes it there. So there are no notifications but a mail (homes.Options.Shared).
func sharing() part {
	return part{
		classes: []string{"calendarserver-sharing"},
		methods: map[string]method{"POST": {kinds: collectionNodes, needs: mayWriteACL, run: answerPost}},
		posts:   []post{{kinds: collectionNodes, takes: isXML, run: share}},
		properties: []property{
			{name: davxml.CS("invite"), kinds: collectionNodes, has: isShared, needs: mayReadACL, write: writeInvite},
			{name: davxml.CS("allowed-sharing-modes"), kinds: collectionNodes, has: mayBeShared, write: func(_ *request, _ *node, w *davxml.Writer) {
				w.Empty(davxml.CS("can-be-shared"))
				w.Empty(davxml.CS("can-be-published"))
			}},
			{name: davxml.CS("publish-url"), kinds: collectionNodes, has: isPublished, write: writePublishURL},
			{name: davxml.CS("shared-url"), kinds: collectionNodes, has: func(_ *request, n *node) bool { return n.coll != nil && n.coll.Mounted },
				write: func(_ *request, n *node, w *davxml.Writer) {
					w.Element(davxml.D("href"), href(true, n.owner.String(), strings.TrimPrefix(n.coll.Segment, string(n.owner.Key())+"~")))
				}},
			{name: davxml.CS("source"), kinds: calendarNode, has: isSubscribed, write: writeSource, set: setSource},
		},
	}
}

// isXML says whether the body of a POST is XML.
func isXML(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (media == "application/xml" || media == "text/xml")
}

// mayBeShared says whether the viewer may share a collection.
func mayBeShared(_ *request, n *node) bool {
	return n.coll != nil && n.rights.Has(homes.Administer) && (n.coll.Origin == homes.Kept || n.coll.Origin == homes.Subscribed)
}

// isShared says whether somebody may use a collection by itself.
func isShared(_ *request, n *node) bool { return n.coll != nil && n.coll.Shared() }

// writeSharingTypes adds to the resourcetype who shares a collection.
func writeSharingTypes(n *node, w *davxml.Writer) {
	switch {
	case n.coll == nil:
	case n.coll.Mounted:
		w.Empty(davxml.CS("shared"))
	case n.rights.Has(homes.Administer) && n.coll.Shared():
		w.Empty(davxml.CS("shared-owner"))
	}
}

// share answers a POST that shares or publishes a collection.
func share(r *request, n *node) error {
	e, err := r.body(smallBody)
	if err != nil {
		return err
	}
	if e == nil {
		return badRequest("The body is empty")
	}
	status := http.StatusOK
	switch e.Name {
	case davxml.CS("share"):
		return r.shareWith(n, e)
	case davxml.CS("publish-calendar"):
		_, err = n.coll.Publish()
		status = http.StatusAccepted
	case davxml.CS("unpublish-calendar"):
		err = unpublish(n.coll)
	default:
		return badRequest("There is no POST of a %s", clip(e.Name.String()))
	}
	if err == nil {
		r.w.Header().Set("Content-Length", "0")
		r.w.WriteHeader(status)
	}
	return err
}

// unpublish ends the link that a client made. That of mail.toml goes on, and who asks is told so.
func unpublish(c *homes.Collection) error {
	if err := c.Unpublish(); err != nil {
		return err
	}
	fixed, _, err := c.Secrets()
	if err == nil && fixed != "" {
		err = fault.New(fault.Policy, "mail.toml publishes it: the link ends when published is taken out of its table in [sharing]")
	}
	return err
}

// shareWith carries out CS:share: whom the collection is shared with, and whom it is taken
// away from. Each is done by itself; the answer tells which could not.
func (r *request) shareWith(n *node, e *davxml.Element) error {
	failed := make(map[string]*failure)
	var order []string
	for _, c := range e.Children {
		set := c.Name == davxml.CS("set")
		if h := c.Child(nHref); set && h != nil || c.Name == davxml.CS("remove") && h != nil {
			href := h.Trimmed()
			order = append(order, href)
			if err := r.shareOne(n, href, set, c.Child(davxml.CS("read-write")) != nil); err != nil {
				failed[href] = failureOf(err)
			}
		}
	}
	if len(order) == 0 {
		return badRequest("The share names nobody")
	}
	if len(failed) == 0 {
		r.w.Header().Set("Content-Length", "0")
		r.w.WriteHeader(http.StatusOK)
		return nil
	}
	m := r.multistatus()
	for _, href := range order {
		f := failed[href]
		if f == nil {
			f = &failure{status: http.StatusOK}
		}
		m.status(href, f)
	}
	return m.finish()
}

func (r *request) shareOne(n *node, href string, set, write bool) error {
	a, err := r.personOf(href)
	if err != nil {
		return forbidden(davxml.D("recognized-principal"), "%s is no address", clip(href))
	}
	if !set {
		if err := n.coll.Unshare(a); err != nil {
			return err
		}
		return r.notFixed(n, a, false)
	}
	if !write {
		if err := r.notFixed(n, a, true); err != nil {
			return err
		}
	}
	err = n.coll.Share(a, write)
	if fault.Is(err, fault.NotFound) {
		return forbidden(davxml.D("recognized-principal"), "%s", fault.As(err).Text)
	}
	return err
}

// notFixed returns an error where mail.toml lets somebody read, or read and write what is asked
// to be for reading, so that a program does not show what is not so.
func (r *request) notFixed(n *node, with address.Address, read bool) error {
	if account, ok := r.opt.Directory().Account(with); ok {
		with = account.Address
	}
	all, err := n.coll.Invitees()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Fixed && !i.Busy && i.Account.Key() == with.Key() && (!read || i.Write) {
			return fault.Newf(fault.Policy, "mail.toml shares it with %s: that ends when the address is taken out of [sharing]", i.Account)
		}
	}
	return nil
}

// personOf reads whom an href means: mailto: with an address, or a principal.
func (r *request) personOf(href string) (a address.Address, err error) {
	if len(href) > len("mailto:") && strings.EqualFold(href[:len("mailto:")], "mailto:") {
		s, err := url.PathUnescape(href[len("mailto:"):])
		if err != nil {
			return a, err
		}
		return address.Parse(s)
	}
	segments, err := r.parseHref(href)
	if err != nil {
		return a, err
	}
	if len(segments) != 2 || segments[0] != "principals" {
		return a, errNotFound
	}
	return address.Parse(segments[1])
}

// writeInvite tells with whom a collection is shared.
func writeInvite(r *request, n *node, w *davxml.Writer) {
	all, err := n.coll.Invitees()
	if err != nil {
		r.opt.Log.Error("Who may use a collection can't be read", "protocol", "dav", "path", n.path(), "err", err)
		return
	}
	w.Begin(davxml.CS("organizer"))
	w.Element(nHref, "mailto:"+n.owner.String())
	w.Element(davxml.CS("common-name"), r.nameOf(n.owner))
	w.End()
	for _, i := range all {
		if i.Busy { // Apple's programs have no such access: RFC 3744 tells of it
			continue
		}
		w.Begin(davxml.CS("user"))
		w.Element(nHref, "mailto:"+i.Account.String())
		if i.Name != "" {
			w.Element(davxml.CS("common-name"), i.Name)
		}
		if i.Declined {
			w.Empty(davxml.CS("invite-declined"))
		} else {
			w.Empty(davxml.CS("invite-accepted"))
		}
		w.Begin(davxml.CS("access"))
		if i.Write {
			w.Empty(davxml.CS("read-write"))
		} else {
			w.Empty(davxml.CS("read"))
		}
		w.End()
		w.End()
	}
}

// secretOf is that of the link to a collection that its owner is shown.
func secretOf(n *node) string {
	fixed, own, err := n.coll.Secrets()
	if err != nil || own == "" {
		return fixed
	}
	return own
}

func isPublished(r *request, n *node) bool { return mayBeShared(r, n) && secretOf(n) != "" }

func writePublishURL(r *request, n *node, w *davxml.Writer) {
	link := url.URL{Scheme: "https", Host: r.Host, Path: publishedRoot + secretOf(n) + publishedExtension(n.coll.Kind())}
	if r.TLS == nil {
		link.Scheme = "http" // on this machine
	}
	w.Element(nHref, link.String())
}

// sourceKey is where setSource puts the address of what a new calendar is subscribed to.
const sourceKey = "{http://calendarserver.org/ns/}source"

func isSubscribed(_ *request, n *node) bool {
	return n.coll != nil && n.coll.Origin == homes.Subscribed
}

func writeSource(r *request, n *node, w *davxml.Writer) {
	source, err := n.coll.Source()
	if err != nil {
		r.opt.Log.Error("What a calendar is subscribed to can't be read", "protocol", "dav", "path", n.path(), "err", err)
	}
	w.Element(nHref, source)
}

// setSource is for a calendar that is being made: later it is protected.
func setSource(_ *request, n *node, kept *collection.Props, e *davxml.Element) error {
	if !n.absent {
		return forbidden(davxml.D("cannot-modify-protected-property"), "")
	}
	delete(kept.Other, sourceKey)
	if e == nil {
		return nil
	}
	h := e.Child(nHref)
	if h == nil || h.Trimmed() == "" {
		return &failure{status: http.StatusForbidden, text: "The source has no href"}
	}
	kept.Other[sourceKey] = h.Trimmed()
	return nil
}

// subscribe makes a calendar that is subscribed to what another server publishes.
func (r *request) subscribe(n *node, kept collection.Props) error {
	source := kept.Other[sourceKey]
	delete(kept.Other, sourceKey)
	_, err := n.home.Subscribe(n.name, source, kept)
	return err
}

// invited is who may use a collection by itself, beside those who may use the whole home.
func (r *request) invited(n *node) (out []actor, protected map[address.Key]bool) {
	protected = make(map[address.Key]bool)
	if n.coll == nil || !n.coll.Shared() {
		return nil, protected
	}
	all, err := n.coll.Invitees()
	if err != nil {
		return nil, protected
	}
	for _, i := range all {
		rights := homes.ReaderRights
		switch {
		case i.Write:
			rights = homes.WriterRights
		case i.Busy:
			rights = homes.Busy
		}
		if r.opt.Directory().Rights(i.Account, n.owner) == "" && !i.Declined {
			out = append(out, actor{i.Account, rights})
			protected[i.Account.Key()] = i.Fixed
		}
	}
	return out, protected
}
