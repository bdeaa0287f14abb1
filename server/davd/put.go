package davd

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"facteur/server/buffer"
	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/safefile"
)

// put answers PUT of an object (RFC 4918 9.7, RFC 4791 5.3.2, RFC 6352 6.3.2).
func put(r *request, n *node) error {
	cond, err := r.conditionFor(n)
	if err != nil {
		return err
	}
	if err := r.checkMedia(n); err != nil {
		return err
	}
	body, err := r.object(n)
	if err != nil {
		return err
	}
	defer body.Close() // an error: it was read, or is not wanted
	done, err := r.inTurn(int(body.Size()), func() (s stored, err error) {
		data := make([]byte, body.Size())
		if _, err := body.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
			return s, fault.Wrap(fault.Unavailable, "", err)
		}
		if n.kind == eventNode {
			if err := n.parent.keeps(componentOf(data)); err != nil {
				return s, err
			}
		}
		return r.store(n, data, cond)
	})
	if err != nil {
		if errors.Is(err, collection.ErrCondition) {
			return r.unmet(n)
		}
		return dataFailure(n, err)
	}
	head := r.w.Header()
	if !done.changed {
		head.Set("ETag", string(done.entry.ETag)) // RFC 4791 5.3.4: only when the octets are those
	}
	status := http.StatusNoContent
	if done.created {
		status = http.StatusCreated
	}
	if r.prefer.representation { // RFC 8144 3
		n.absent = false
		n.become(done.entry)
		n.segment = ""
		head.Set("Preference-Applied", "return=representation")
		head.Set("Content-Location", n.href)
		if !done.created {
			status = http.StatusOK
		}
		return r.represent(n, status)
	}
	if status == http.StatusCreated {
		head.Set("Content-Length", "0")
	}
	r.w.WriteHeader(status)
	return nil
}

// Of objects with more octets than largeObject, maxLarge are put at once: by all accounts.
const (
	largeObject = 1 << 20
	maxLarge    = 2
)

// stored is what came of a PUT.
type stored struct {
	entry   *collection.Entry
	created bool
	changed bool // what is kept differs from what was sent
}

// inTurn calls put for an object, a large one when there is room to work on it.
func (r *request) inTurn(size int, put func() (stored, error)) (s stored, err error) {
	if size > largeObject {
		select {
		case r.large <- struct{}{}:
			defer func() { <-r.large }()
		case <-r.Context().Done():
			return s, r.Context().Err()
		}
	}
	return put()
}

// putObject puts an object as it is.
func (r *request) putObject(n *node, data []byte, cond collection.Condition) (s stored, err error) {
	if r.opt.Scheduling != nil && n.kind == eventNode {
		return r.scheduled(n, data, cond)
	}
	s.entry, s.created, err = n.coll.Put(n.name, data, cond)
	return s, err
}

// unstore removes an object.
func (r *request) unstore(n *node, cond collection.Condition) error {
	if r.opt.Scheduling != nil && n.kind == eventNode {
		return r.unscheduled(n, cond)
	}
	return n.coll.Remove(n.name, cond)
}

// remove answers DELETE of objects and collections (RFC 4918 9.6).
func remove(r *request, n *node) error {
	if n.kind&collectionNodes != 0 {
		d, err := depth(r.Request, -1)
		if err != nil {
			return err
		}
		if d >= 0 { // RFC 4918 9.6.1
			return badRequest("A collection is deleted with all that is in it: Depth is infinity")
		}
		attached := n.attachedIn()
		if err := n.parent.home.Delete(n.name); err != nil {
			return err
		}
		r.unnamed(n, attached)
	} else {
		cond, err := r.conditionFor(n)
		if err != nil {
			return err
		}
		if err := r.unstore(n, cond); err != nil {
			return err
		}
		r.unnamed(n, n.attachedIn())
	}
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// conditionFor reads the condition of a request, and looks at once whether it holds, before a
// body is read. The store looks again.
func (r *request) conditionFor(n *node) (collection.Condition, error) {
	cond, err := condition(r.Header)
	if err != nil {
		return cond, err
	}
	if len(cond.Match) == 0 && !cond.Exists && n.entry != nil { // RFC 9110 13.1.4
		since, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
		if err == nil && n.entry.Modified.Truncate(time.Second).After(since) {
			return cond, collection.ErrCondition
		}
	}
	var tag collection.ETag
	if n.entry != nil {
		tag = n.entry.ETag
	}
	if !holds(cond, tag, n.entry != nil) {
		return cond, r.unmet(n)
	}
	return cond, nil
}

// unmet is the error of a condition that does not hold; it answers with what is there, for who prefers that (RFC
// 8144 3.2).
func (r *request) unmet(n *node) error {
	if !r.prefer.representation || r.Method != http.MethodPut || n.need(mayRead) != nil {
		return collection.ErrCondition
	}
	e, err := n.coll.Entry(n.name)
	if err != nil {
		return collection.ErrCondition
	}
	n.absent = false
	n.become(e)
	n.segment = ""
	r.w.Header().Set("Preference-Applied", "return=representation")
	r.w.Header().Set("Content-Location", n.href)
	if err := r.represent(n, http.StatusPreconditionFailed); err != nil {
		return collection.ErrCondition
	}
	return errAnswered
}

// checkMedia refuses a body of another type than the collection keeps: supported-calendar-data
// (RFC 4791 5.3.2.1), supported-address-data (RFC 6352 6.3.2.1).
func (r *request) checkMedia(n *node) error {
	if r.Header.Get("Content-Range") != "" { // RFC 9110 14.4
		return badRequest("An object can't be put in parts")
	}
	if err := r.checkEncoding(); err != nil {
		return err
	}
	t := r.Header.Get("Content-Type")
	if t == "" {
		return nil
	}
	media, params, err := mime.ParseMediaType(t)
	if err != nil && media == "" {
		return badRequest("The Content-Type can't be read")
	}
	supported, want := davxml.C("supported-calendar-data"), []string{"text/calendar"}
	if n.kind == cardNode {
		supported, want = davxml.CR("supported-address-data"), []string{"text/vcard", "text/x-vcard", "text/directory"}
	}
	if !slices.Contains(append(want, "application/octet-stream"), media) {
		return forbidden(supported, "Only %s is kept here, not %s", want[0], clip(media))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return forbidden(supported, "Only UTF-8 is kept here, not %s", clip(charset))
	}
	return nil
}

// object keeps the body of a PUT until all of it is there, however slowly it comes.
func (r *request) object(n *node) (*buffer.Buffer, error) {
	name := davxml.C("max-resource-size")
	if n.kind == cardNode {
		name = davxml.CR("max-resource-size")
	}
	large := forbidden(name, "The object has more than %d octets", r.opt.MaxObject)
	if r.ContentLength > r.opt.MaxObject {
		return nil, large
	}
	b, err := r.arrived(r.opt.MaxObject)
	var tooMany *http.MaxBytesError
	switch {
	case errors.As(err, &tooMany), fault.Is(err, fault.TooLarge):
		return nil, large
	case safefile.NoRoom(err):
		return nil, err
	case err != nil:
		return nil, &failure{status: http.StatusBadRequest, text: "The body could not be read", cause: err}
	}
	return b, nil
}

// keeps says whether a calendar keeps a component: supported-calendar-component (RFC 4791
// 5.3.2.1). "" is none that is known, about which the store says more.
func (n *node) keeps(component string) error {
	if component == "" {
		return nil
	}
	if err := n.load(loadProps); err != nil {
		return err
	}
	if list := componentsOf(n.props); !slices.Contains(list, component) && slices.Contains(componentNames, component) {
		return forbidden(davxml.C("supported-calendar-component"), "This calendar keeps %s, not %s", strings.Join(list, " and "), component)
	}
	return nil
}

// componentOf returns the name of the first component of a calendar that is no time zone, as
// far as a look at its lines tells.
func componentOf(data []byte) string {
	for {
		i := bytes.Index(data, []byte("BEGIN:"))
		if i < 0 {
			return ""
		}
		first := i == 0 || data[i-1] == '\n' || data[i-1] == '\r'
		data = data[i+len("BEGIN:"):]
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 || !first {
			continue
		}
		switch name := strings.ToUpper(string(bytes.TrimSpace(data[:min(end, 32)]))); name {
		case "VCALENDAR", "VTIMEZONE", "STANDARD", "DAYLIGHT":
		default:
			return name
		}
	}
}

// gone says whether an error is that something is not there.
func gone(err error) bool { return fault.Is(err, fault.NotFound) || errors.Is(err, errNotFound) }
