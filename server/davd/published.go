package davd

import (
	"net/http"
	"slices"
	"strings"

	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
)

// publishedRoot is where links lie that need no login.
const publishedRoot = "/ics/"

func publishedExtension(k collection.Kind) string {
	if k == collection.AddressBook {
		return ".vcf"
	}
	return ".ics"
}

// Published answers a request below /ics/, without a login: the whole of a calendar or
// address book that is published under the secret in the path, but for what is
// private or confidential (RFC 5545 3.8.1.3, RFC 2426 3.7.1), attendees and alarms. Nothing there can be changed.
func (h *Handler) Published(w http.ResponseWriter, hr *http.Request) {
	r := &request{Handler: h, w: w, Request: hr, public: true}
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Robots-Tag", "noindex")
	head.Set("Cache-Control", "no-cache")
	head.Set("Referrer-Policy", "no-referrer")
	if err := r.published(); err != nil {
		f := failureOf(err)
		if f.status >= 500 {
			h.opt.Log.Error("A published collection can't be read", "protocol", "dav", "err", err) // the path is a secret
		}
		http.Error(w, f.text, f.status)
	}
}

func (r *request) published() error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.w.Header().Set("Allow", "GET, HEAD")
		return &failure{status: http.StatusMethodNotAllowed, text: "It can only be read"}
	}
	name := strings.TrimPrefix(r.URL.Path, publishedRoot)
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return errNotFound
	}
	c, err := r.opt.Homes.Published(name[:dot])
	if fault.Is(err, fault.NotFound) || err == nil && name[dot:] != publishedExtension(c.Kind()) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	n := &node{kind: homeNode}
	n = n.collection(c)
	n.rights = homes.ReaderRights
	return r.export(n)
}

// makePublic takes out of an object what is not for everybody: who comes, and when the owner is
// reminded. It is false for one that is not for everybody at all; one exception of that kind
// is enough, for it tells of the rest.
func makePublic(c *ical.Calendar) bool {
	for _, child := range c.Children {
		if !isPublic(child.Value("CLASS")) {
			return false
		}
		child.Props = slices.DeleteFunc(child.Props, func(p ical.Prop) bool { return p.Name == "ATTENDEE" || p.Name == "ORGANIZER" })
		child.Children = slices.DeleteFunc(child.Children, func(c *ical.Component) bool { return c.Name == "VALARM" })
	}
	return true
}

// isPublic says whether what is of a CLASS may be shown to everybody. One that is not known
// means the same as PRIVATE (RFC 5545 3.8.1.3).
func isPublic(class string) bool {
	class = strings.TrimSpace(class)
	return class == "" || strings.EqualFold(class, "PUBLIC")
}
