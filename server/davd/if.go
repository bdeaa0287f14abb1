package davd

import (
	"net/http"
	"strings"
)

// maxLists bounds the lists of a header If.
const maxLists = 100

// ifList is a List of the header If (RFC 4918 10.4.2): all of its conditions have to hold.
type ifList struct {
	tag        string // the resource it is about; "": that of the request
	conditions []ifCondition
}

type ifCondition struct {
	not   bool
	token string // a state token
	etag  string // an entity tag with its quotes
}

// checkIf looks at the header If (RFC 4918 10.4): one of its lists has to hold.
func (r *request) checkIf(n *node) error {
	header := strings.Join(r.Header.Values("If"), " ")
	if header == "" {
		return nil
	}
	lists, err := parseIf(header)
	if err != nil {
		return err
	}
	for _, l := range lists {
		if r.holds(n, l) {
			return nil
		}
	}
	return &failure{status: http.StatusPreconditionFailed, text: "It is not as the header If says"}
}

// holds says whether all conditions of a list do.
func (r *request) holds(n *node, l ifList) bool {
	if l.tag != "" {
		segments, err := r.parseHref(l.tag)
		if err == nil {
			n, err = r.resolve(segments)
		}
		if err != nil {
			n = &node{absent: true} // it has no state
		}
	}
	for _, c := range l.conditions {
		if r.is(n, c) == c.not {
			return false
		}
	}
	return true
}

// is says whether a node has an entity tag or a state token.
func (r *request) is(n *node, c ifCondition) bool {
	if n.absent {
		return false
	}
	if c.etag != "" {
		return keptTag(c.etag) == r.etag(n)
	}
	for _, has := range r.states {
		if has(r, n, c.token) {
			return true
		}
	}
	return false
}

// etag returns the entity tag of a node, "" when it has none.
func (r *request) etag(n *node) string {
	if n.kind&keptObjects != 0 {
		return string(n.entry.ETag)
	}
	if n.plain != nil {
		return string(n.plain.info.ETag)
	}
	if n.kind&keptCollections != 0 && n.load(loadSnapshot) == nil {
		return collectionTag(n)
	}
	return ""
}

// isSyncToken says whether a token is the sync-token of a collection (RFC 6578 5).
func isSyncToken(_ *request, n *node, token string) bool {
	return n.kind&keptCollections != 0 && n.load(loadSnapshot) == nil && token == tokenPrefix+string(n.snap.Token())
}

var errIf = badRequest("The header If can't be read")

// parseIf reads the header If (RFC 4918 10.4.2).
func parseIf(s string) (lists []ifList, err error) {
	tag := ""
	for {
		s = strings.TrimLeft(s, " \t,")
		switch {
		case s == "":
			if len(lists) == 0 {
				return nil, errIf
			}
			return lists, nil
		case s[0] == '<':
			var ok bool
			if tag, s, ok = strings.Cut(s[1:], ">"); !ok || tag == "" {
				return nil, errIf
			}
		case s[0] == '(':
			l := ifList{tag: tag}
			if l.conditions, s, err = parseIfList(s[1:]); err != nil {
				return nil, err
			}
			if lists = append(lists, l); len(lists) > maxLists {
				return nil, badRequest("The header If has more than %d lists", maxLists)
			}
		default:
			return nil, errIf
		}
	}
}

// parseIfList reads the conditions up to the closing parenthesis.
func parseIfList(s string) (list []ifCondition, rest string, err error) {
	for {
		s = strings.TrimLeft(s, " \t")
		var c ifCondition
		if len(s) > 3 && strings.EqualFold(s[:3], "not") {
			c.not, s = true, strings.TrimLeft(s[3:], " \t")
		}
		ok := false
		switch {
		case s == "":
			return nil, "", errIf
		case s[0] == ')' && !c.not && len(list) > 0:
			return list, s[1:], nil
		case s[0] == '<':
			c.token, s, ok = strings.Cut(s[1:], ">")
		case s[0] == '[':
			c.etag, s, ok = strings.Cut(s[1:], "]")
		}
		if !ok || c.token == "" && c.etag == "" {
			return nil, "", errIf
		}
		if list = append(list, c); len(list) > maxLists {
			return nil, "", badRequest("The header If has more than %d conditions in a list", maxLists)
		}
	}
}
