package davd

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/transfer"
	"facteur/server/vcard"
)

// export sends a whole collection as one file.
func (r *request) export(n *node) error {
	if err := n.load(loadProps | loadSnapshot); err != nil {
		return err
	}
	head := r.w.Header()
	media, extension := "text/calendar", ".ics"
	if n.kind == bookNode {
		media, extension = "text/vcard", ".vcf"
	}
	tag := collectionTag(n)
	if r.zones() == zonesByName { // another representation has another tag (RFC 9110 8.8.3)
		tag = strings.TrimSuffix(tag, `"`) + variantMark + `F"`
	}
	head.Set("ETag", tag)
	head.Set("Content-Type", media+"; charset=utf-8")
	head.Set("Content-Disposition", "attachment; filename*=UTF-8''"+string(appendSegment(nil, n.name))+extension)
	tags, star, err := parseTags(r.Header.Values("If-None-Match"), true)
	if err == nil && (star || slices.Contains(tags, collection.ETag(tag))) {
		r.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	r.w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	name := n.props.DisplayName
	if name == "" {
		name = n.name
	}
	if err := writeWhole(r.w, n, name, r.exporting(n)); err != nil {
		// The status is sent: only an answer that is cut off says that it is not all.
		r.opt.Log.Error("A collection could not be exported", "protocol", "dav", "path", n.href, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// exporting is how the objects of a collection are written. What another server publishes may name
// what the viewer does not see.
func (r *request) exporting(n *node) exporting {
	o := exporting{public: r.public, zones: r.zones()}
	if n.coll.Origin == homes.Kept {
		o.attachments = r.opt.Attachments
	}
	return o
}

// exporting is how objects are written.
type exporting struct {
	public bool       // without what is not for all
	zones  zoneChoice // a file is for all programs, so it has all of them unless a client says otherwise
	// attachments puts small ones into the objects, for who reads them has no login later; nil: none.
	attachments *attachments.Store
}

// writeWhole writes all objects of a collection as one calendar, or one vCard after the
// other.
func writeWhole(to io.Writer, n *node, name string, o exporting) error {
	if n.coll.Collection.Kind() == collection.AddressBook {
		return writeCards(to, n, o.public)
	}
	out := transfer.NewCalendarWriter(to, name)
	err := eachObject(n, func(data []byte) error {
		parsed, err := ical.ParseBytes(data)
		if err != nil || o.public && !makePublic(parsed) {
			return nil // what somebody's editor has just broken is left out, as what was broken before
		}
		switch {
		case o.public:
			parsed = attachments.Hidden(parsed)
		case o.attachments != nil:
			parsed, _ = o.attachments.Inlined(parsed)
		}
		parsed, _ = max(o.zones, zonesIncluded).of(parsed)
		return out.Write(parsed)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func writeCards(to io.Writer, n *node, public bool) error {
	w := bufio.NewWriterSize(to, 32<<10)
	err := eachObject(n, func(data []byte) error {
		if public {
			if card, err := vcard.ParseBytes(data); err != nil || !isPublic(card.Value("CLASS")) {
				return nil
			}
		}
		w.Write(data)
		if len(data) > 0 && data[len(data)-1] != '\n' {
			w.WriteString("\r\n")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// eachObject calls f with the octets of each object that is not broken.
func eachObject(n *node, f func(data []byte) error) error {
	for e := range n.snap.All() {
		if e.Broken {
			continue
		}
		body, _, err := n.coll.Collection.Get(e.Href)
		if gone(err) { // removed meanwhile
			continue
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(body)
			body.Close()
		}
		if err == nil {
			err = f(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Href, err)
		}
	}
	return nil
}
