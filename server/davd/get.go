package davd

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"facteur/server/davxml"
	"facteur/server/scheduling"
)

// get answers GET and HEAD: the octets of an object; of all else a page for people (RFC 4918
// 9.4), or with ?export the whole calendar or address book.
func get(r *request, n *node) error {
	switch {
	case n.kind&keptObjects != 0:
		return r.represent(n, http.StatusOK)
	case n.kind&collectionNodes != 0 && r.URL.Query().Has("export"):
		return r.export(n)
	}
	return r.page(n)
}

// represent sends the octets of an object, as the request wants them. With 200,
// the conditions and ranges of the request count (RFC 9110 13 and 14).
func (r *request) represent(n *node, status int) error {
	body, e, err := n.coll.Get(n.name)
	if err != nil {
		return err
	}
	defer body.Close()
	n.entry = e
	tag, size, content := e.ETag, e.Size, io.Reader(body)
	if r.varies(n) {
		kept, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		octets, changed := r.variant(n, kept)
		if changed {
			tag = variantTag(tag, octets)
		}
		content, size = bytes.NewReader(octets), int64(len(octets))
	}
	head := r.w.Header()
	head.Set("ETag", string(tag))
	if tag := scheduling.Tag(e); tag != "" && n.kind == eventNode && r.opt.Scheduling != nil { // RFC 6638 8.2
		head.Set("Schedule-Tag", tag)
	}
	head.Set("Content-Type", contentType(n))
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	seeker, ok := content.(io.ReadSeeker)
	if status == http.StatusOK && (r.Method == http.MethodGet || r.Method == http.MethodHead) && ok {
		http.ServeContent(r.w, r.Request, "", e.Modified, seeker)
		return nil
	}
	head.Set("Last-Modified", e.Modified.UTC().Format(http.TimeFormat))
	head.Set("Content-Length", strconv.FormatInt(size, 10))
	r.w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.Copy(r.w, content) // an error: the client is gone
	}
	return nil
}

// maxListed bounds the objects that a page lists.
const maxListed = 2000

// page sends a page for people who look with a browser.
func (r *request) page(n *node) error {
	var b bytes.Buffer
	title := n.name
	if n.load(loadProps) == nil && n.props != nil && n.props.DisplayName != "" {
		title = n.props.DisplayName
	}
	if title == "" {
		title = "facteur"
	}
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%[1]s</title></head>\n<body>\n<h1>%[1]s</h1>\n", html.EscapeString(title))
	if n.kind&collectionNodes != 0 {
		b.WriteString("<p>Add this address to a calendar or contacts program, or <a href=\"?export\">download all of it</a>.</p>\n")
	}
	b.WriteString("<ul>\n")
	listed := 0
	err := r.children(n, func(c *node) error {
		if listed++; listed > maxListed {
			return errEnough
		}
		fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a></li>\n", html.EscapeString(c.path()), html.EscapeString(strings.ToValidUTF8(c.name, "\uFFFD")))
		return nil
	})
	if err != nil && err != errEnough {
		return err
	}
	b.WriteString("</ul>\n")
	if err == errEnough {
		fmt.Fprintf(&b, "<p>There are more than these %d.</p>\n", maxListed)
	}
	b.WriteString("</body>\n</html>\n")
	head := r.w.Header()
	if tag := r.etag(n); tag != "" {
		head.Set("ETag", tag)
	}
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", "default-src 'none'")
	http.ServeContent(r.w, r.Request, "", time.Time{}, bytes.NewReader(b.Bytes()))
	return nil
}

// errEnough ends a list early.
var errEnough = &failure{status: http.StatusOK, condition: davxml.D("number-of-matches-within-limits"), text: "There are more"}
