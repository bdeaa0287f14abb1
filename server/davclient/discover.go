package davclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"facteur/server/davxml"
)

// Collection is a calendar or an address book of the other server.
type Collection struct {
	URL         *url.URL
	Name        string // the last segment
	AddressBook bool
	DisplayName string
	Color       string
	Components  []string // that it keeps; none: all, or the server does not tell
	// Shared: it is another's, or subscribed to; ReadOnly: the login may not write there. Both
	// often have a home elsewhere.
	Shared, ReadOnly bool
}

// Discover finds the collections of the account: the one at the URL, or those of the homes
// that the URL leads to. missed is why a part of the search failed, where another found
// something: calendars may be there without contacts.
func (c *Client) Discover(ctx context.Context) (found []Collection, missed, err error) {
	starts := []*url.URL{c.base}
	for _, service := range []string{"caldav", "carddav"} { // RFC 6764 5
		starts = append(starts, c.base.ResolveReference(&url.URL{Path: "/.well-known/" + service}))
	}
	var wrong, absent error
	for i, start := range starts {
		if i > 0 && c.base.Path != "/" && len(found) > 0 {
			break // the URL led somewhere
		}
		list, err := c.from(ctx, start)
		var status *StatusError
		switch {
		case err == nil:
		case errors.Is(err, ErrLogin), ctx.Err() != nil:
			return nil, nil, err
		case errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed):
			absent = errors.Join(absent, err) // there is no such service
		default:
			wrong = errors.Join(wrong, err)
		}
		for _, one := range list {
			if !slices.ContainsFunc(found, func(o Collection) bool { return samePath(o.URL, one.URL) }) {
				found = append(found, one)
			}
		}
	}
	switch {
	case len(found) > 0:
		return found, wrong, nil
	case wrong != nil || absent != nil:
		return nil, nil, errors.Join(wrong, absent)
	}
	return nil, nil, fmt.Errorf("%s has no calendars and address books for this login", c.base.Redacted())
}

// from finds the collections that a URL leads to.
func (c *Client) from(ctx context.Context, start *url.URL) ([]Collection, error) {
	all, err := c.propfind(ctx, start, "0", davxml.D("resourcetype"), davxml.D("current-user-principal"),
		davxml.C("calendar-home-set"), davxml.CR("addressbook-home-set"))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	at := all[0]
	if isCollection(at) {
		return c.list(ctx, at.url, "0")
	}
	homes, err := c.homesOf(at)
	if err != nil {
		return nil, err
	}
	principals, err := c.hrefs(at, davxml.D("current-user-principal"))
	if err != nil {
		return nil, err
	}
	if len(homes) == 0 && len(principals) > 0 {
		all, err := c.propfind(ctx, principals[0], "0", davxml.C("calendar-home-set"), davxml.CR("addressbook-home-set"))
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			more, err := c.homesOf(r)
			if err != nil {
				return nil, err
			}
			homes = append(homes, more...)
		}
	}
	if len(homes) == 0 {
		homes = []*url.URL{at.url}
	}
	var out []Collection
	for _, home := range homes {
		list, err := c.list(ctx, home, "1")
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			if !slices.ContainsFunc(out, func(o Collection) bool { return samePath(o.URL, one.URL) }) {
				out = append(out, one)
			}
		}
	}
	return out, nil
}

func (c *Client) homesOf(r response) (out []*url.URL, err error) {
	for _, n := range []davxml.Name{davxml.C("calendar-home-set"), davxml.CR("addressbook-home-set")} {
		list, err := c.hrefs(r, n)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			if !slices.ContainsFunc(out, func(o *url.URL) bool { return samePath(o, u) }) {
				out = append(out, u)
			}
		}
	}
	return out, nil
}

func isCollection(r response) bool {
	return r.prop(davxml.D("resourcetype"), davxml.C("calendar")) != nil || r.prop(davxml.D("resourcetype"), davxml.CR("addressbook")) != nil
}

// list returns the collections at a URL and, with depth 1, right below.
func (c *Client) list(ctx context.Context, at *url.URL, depth string) ([]Collection, error) {
	all, err := c.propfind(ctx, at, depth, davxml.D("resourcetype"), davxml.D("displayname"), davxml.A("calendar-color"),
		davxml.C("supported-calendar-component-set"), davxml.D("current-user-privilege-set"), davxml.CS("source"))
	if err != nil {
		return nil, err
	}
	var out []Collection
	for _, r := range all {
		kinds := r.prop(davxml.D("resourcetype"))
		if !isCollection(r) || kinds.Child(davxml.C("schedule-inbox")) != nil || kinds.Child(davxml.C("schedule-outbox")) != nil {
			continue
		}
		one := Collection{
			URL: r.url, Name: path.Base(r.url.Path), AddressBook: kinds.Child(davxml.CR("addressbook")) != nil,
			DisplayName: r.text(davxml.D("displayname")), Color: r.text(davxml.A("calendar-color")),
			Shared: kinds.Child(davxml.CS("shared")) != nil || kinds.Child(davxml.CS("subscribed")) != nil || r.prop(davxml.CS("source")) != nil,
		}
		if !strings.HasSuffix(one.URL.Path, "/") {
			one.URL = one.URL.JoinPath("/")
		}
		if set := r.prop(davxml.C("supported-calendar-component-set")); set != nil {
			for _, e := range set.All(davxml.C("comp")) {
				one.Components = append(one.Components, strings.ToUpper(e.Attr("name")))
			}
		}
		one.ReadOnly = readOnly(r.prop(davxml.D("current-user-privilege-set")))
		out = append(out, one)
	}
	return out, nil
}

// readOnly tells whether privileges are known (RFC 3744 5.4), and none of writing is among
// them.
func readOnly(set *davxml.Element) bool {
	if set == nil || len(set.Children) == 0 {
		return false
	}
	for _, p := range set.All(davxml.D("privilege")) {
		for _, may := range []string{"all", "write", "write-content", "bind"} {
			if p.Child(davxml.D(may)) != nil {
				return false
			}
		}
	}
	return true
}

// Object is an object of the other server.
type Object struct {
	Path string // percent-encoded
	ETag string
	Data []byte
	Err  error // the server does not give this one
}

// List returns the objects of a collection, without their data.
func (c *Client) List(ctx context.Context, from Collection) ([]Object, error) {
	all, err := c.propfind(ctx, from.URL, "1", davxml.D("getetag"), davxml.D("resourcetype"))
	if err != nil {
		return nil, err
	}
	var out []Object
	for _, r := range all {
		folder := r.prop(davxml.D("resourcetype"), davxml.D("collection")) != nil
		if folder || samePath(r.url, from.URL) || r.status/100 > 2 {
			continue
		}
		out = append(out, Object{Path: r.url.EscapedPath(), ETag: r.text(davxml.D("getetag"))})
	}
	return out, nil
}

// Get fetches objects that List told of. One that is gone has no Data; one that the server
// refuses, though others come, has an Err.
func (c *Client) Get(ctx context.Context, from Collection, wanted []Object) ([]Object, error) {
	report, data := davxml.C("calendar-multiget"), davxml.C("calendar-data")
	if from.AddressBook {
		report, data = davxml.CR("addressbook-multiget"), davxml.CR("address-data")
	}
	all, err := c.report(ctx, "REPORT", from.URL, "1", func(w *davxml.Writer) {
		w.Begin(report)
		w.Begin(davxml.D("prop"))
		w.Empty(davxml.D("getetag"))
		w.Empty(data)
		w.End()
		for _, o := range wanted {
			w.Element(davxml.D("href"), o.Path)
		}
		w.End()
	})
	var status *StatusError
	if errors.As(err, &status) && refusing(status.Status) || errors.Is(err, errTooLarge) {
		all, err = nil, nil // each by itself
	}
	if err != nil {
		return nil, err
	}
	got := make(map[string]response)
	for _, r := range all {
		got[r.url.Path] = r
	}
	out := slices.Clone(wanted)
	for i := range out {
		to, err := c.resolve(from.URL, out[i].Path)
		if err != nil {
			return nil, err
		}
		if r, ok := got[to.Path]; ok && r.prop(data) != nil {
			out[i].Data = []byte(r.prop(data).Text)
			if tag := r.text(davxml.D("getetag")); tag != "" {
				out[i].ETag = tag
			}
		} else if err := c.get(ctx, to, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// get fetches one object.
func (c *Client) get(ctx context.Context, to *url.URL, o *Object) error {
	data, header, _, err := c.ask(ctx, http.MethodGet, to, "", nil)
	var status *StatusError
	switch {
	case errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusGone):
		return nil
	case status != nil && refusing(status.Status), errors.Is(err, errTooLarge):
		o.Err = err
		return nil
	}
	o.Data = data
	if tag := header.Get("ETag"); tag != "" {
		o.ETag = tag
	}
	return err
}

// refusing tells whether a status is about what was asked for, and not about the server as
// a whole. A server that stumbles over one object answers with 500.
func refusing(status int) bool {
	return status/100 == 4 && status != http.StatusTooManyRequests || status == http.StatusInternalServerError || status == http.StatusNotImplemented
}
