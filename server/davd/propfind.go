package davd

import (
	"errors"
	"net/http"
	"strings"

	"facteur/server/davxml"
)

// maxProperties bounds how many properties a request may name.
const maxProperties = 500

// depth reads the header Depth (RFC 4918 10.2); -1 is infinity. missing is what it is when it
// is not there.
func depth(r *http.Request, missing int) (int, error) {
	switch v := strings.TrimSpace(r.Header.Get("Depth")); strings.ToLower(v) {
	case "":
		return missing, nil
	case "0":
		return 0, nil
	case "1":
		return 1, nil
	case "infinity":
		return -1, nil
	default:
		return 0, badRequest("Depth is 0, 1 or infinity, not %q", clip(v))
	}
}

// bodyFailure is the answer to a body that can't be read.
func bodyFailure(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &failure{status: http.StatusRequestEntityTooLarge, text: "The body is too large"}
	}
	if f := failureOf(err); f.status != http.StatusInternalServerError {
		return err
	}
	return &failure{status: http.StatusBadRequest, text: "The body could not be read", cause: err}
}

// smallBody bounds the bodies of all but REPORT.
var smallBody = davxml.Limits{Octets: 1 << 20, Elements: 5000}

// propfind answers PROPFIND (RFC 4918 9.1).
func propfind(r *request, n *node) error {
	d, err := depth(r.Request, -1)
	if err != nil {
		return err
	}
	e, err := r.body(smallBody)
	if err != nil {
		return err
	}
	a, err := r.parsePropfind(e)
	if err != nil {
		return err
	}
	if d < 0 && n.kind&folders != 0 && n.kind != folderNode { // RFC 4918 9.1.1
		return forbidden(davxml.D("propfind-finite-depth"), "Ask with Depth 0 or 1")
	}
	if err := n.need(mayReadPrivileges); err != nil {
		return err
	}
	return r.walk(n, d, a)
}

// walk writes a node and what is below it. An answer that can't be finished is cut off: with
// an end it would tell clients that what is missing had been removed.
func (r *request) walk(n *node, depth int, a *asked) error {
	if depth != 0 && n.kind&keptCollections != 0 {
		if err := n.load(loadSnapshot); err != nil {
			return err
		}
	}
	r.contentLocation(n)
	noRoot := depth != 0 && r.prefer.noRoot // RFC 8144 4
	if noRoot {
		r.w.Header().Set("Preference-Applied", "depth-noroot")
	}
	m := r.multistatus()
	if !noRoot {
		m.node(n, a)
	}
	if depth != 0 {
		if err := r.below(m, n, depth, a); err != nil && m.Err() == nil {
			r.opt.Log.Error("A folder can't be read", "protocol", "dav", "path", n.href, "err", err)
			m.Flush() // an error: the client is gone
			panic(http.ErrAbortHandler)
		}
	}
	return m.finish()
}

func (r *request) below(m *multistatus, n *node, depth int, a *asked) error {
	return r.children(n, func(child *node) error {
		m.node(child, a)
		if m.Written() > maxAnswer {
			return errors.New("the answer has no end")
		}
		if depth < 0 && child.kind&folders != 0 {
			if err := r.below(m, child, depth, a); err != nil {
				return err
			}
		}
		return m.Err()
	})
}

// contentLocation tells the href with a slash when it was asked for without (RFC 4918 5.2).
func (r *request) contentLocation(n *node) {
	if n.kind&folders != 0 && !strings.HasSuffix(r.URL.Path, "/") {
		r.w.Header().Set("Content-Location", n.href)
	}
}

// parsePropfind reads DAV:propfind (RFC 4918 14.20).
func (r *request) parsePropfind(e *davxml.Element) (*asked, error) {
	if e == nil {
		return r.ask(askAll, nil), nil
	}
	if e.Name != davxml.D("propfind") {
		return nil, badRequest("The body of PROPFIND is a %s", clip(e.Name.String()))
	}
	a, err := r.parseAsked(e)
	if err == nil && a == nil {
		err = badRequest("The propfind has no prop, allprop or propname")
	}
	return a, err
}

// parseAsked reads which properties an element asks for: DAV:prop, DAV:allprop with
// DAV:include, or DAV:propname; nil: there is none of them.
func (r *request) parseAsked(e *davxml.Element) (a *asked, err error) {
	for _, c := range e.Children {
		mode := askNames
		var list []*davxml.Element
		switch c.Name {
		case nProp:
			list = c.Children
		case davxml.D("allprop"):
			mode = askAll
			if include := e.Child(davxml.D("include")); include != nil {
				list = include.Children
			}
		case davxml.D("propname"):
			mode = askNothing
		default:
			continue
		}
		if a != nil {
			return nil, badRequest("Only one of prop, allprop and propname can be asked for")
		}
		if len(list) > maxProperties {
			return nil, badRequest("More than %d properties are asked for", maxProperties)
		}
		a = r.ask(mode, namesOf(list))
	}
	return a, nil
}

// namesOf are the names of elements, each once.
func namesOf(list []*davxml.Element) []davxml.Name {
	names := make([]davxml.Name, 0, len(list))
	seen := make(map[davxml.Name]bool, len(list))
	for _, e := range list {
		if !seen[e.Name] {
			seen[e.Name] = true
			names = append(names, e.Name)
		}
	}
	return names
}
