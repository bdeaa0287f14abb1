package davd

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/ical"
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
	if err := writeWhole(r.w, n, name, exporting{public: r.public, wanted: r.zones()}); err != nil {
		// The status is sent: only an answer that is cut off says that it is not all.
		r.opt.Log.Error("A collection could not be exported", "protocol", "dav", "path", n.href, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// writeWhole writes all objects of a collection as one calendar, or one vCard after the
// other. Of time zones with one name the first is taken.
func writeWhole(to io.Writer, n *node, name string, o exporting) error {
	c := n.coll.Collection
	w := bufio.NewWriterSize(to, 32<<10)
	calendar := c.Kind() == collection.Calendar
	if calendar {
		w.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//facteur//facteur//EN\r\n")
		w.Write(contentline.AppendFolded(nil, "X-WR-CALNAME:"+contentline.EscapeText(name)))
	}
	o.calendar, o.zones = calendar, make(map[string]bool)
	for e := range n.snap.All() {
		if e.Broken {
			continue
		}
		err := writeOne(w, c, e.Href, o)
		if err != nil && !gone(err) { // removed meanwhile
			return fmt.Errorf("%s: %w", e.Href, err)
		}
	}
	if calendar {
		w.WriteString("END:VCALENDAR\r\n")
	}
	return w.Flush()
}

// exporting is how objects are written.
type exporting struct {
	calendar bool
	public   bool            // without what is not for all
	wanted   zoneChoice      // a file is for all programs, so it has all of them unless a client says otherwise
	zones    map[string]bool // those that are written
}

func writeOne(w *bufio.Writer, c *collection.Collection, href string, o exporting) error {
	body, _, err := c.Get(href)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if !o.calendar && o.public {
		if card, err := vcard.ParseBytes(data); err != nil || !isPublic(card.Value("CLASS")) {
			return nil
		}
	}
	if !o.calendar {
		w.Write(data)
		if len(data) > 0 && data[len(data)-1] != '\n' {
			w.WriteString("\r\n")
		}
		return nil
	}
	parsed, err := ical.ParseBytes(data)
	if err != nil || o.public && !makePublic(parsed) {
		return nil // what somebody's editor has just broken is left out, as what was broken before
	}
	parsed, _ = max(o.wanted, zonesIncluded).of(parsed)
	for _, child := range parsed.Children {
		if id := child.Value("TZID"); child.Name == "VTIMEZONE" {
			if o.zones[id] {
				continue
			}
			o.zones[id] = true
		}
		if err := child.Write(w); err != nil {
			return err
		}
	}
	return nil
}
