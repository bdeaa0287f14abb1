package davd

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/ical"
	"facteur/server/safefile"
	"facteur/server/vcard"
)

// failure is an error with its answer.
type failure struct {
	status    int
	condition davxml.Name // the precondition that is not met (RFC 4918 16); zero: none
	text      string      // for people
	href      string      // the resource that is in the way, "": none
	inside    func(*davxml.Writer)
	cause     error // for the log
}

func (f *failure) Error() string {
	if f.condition.Local != "" {
		return fmt.Sprintf("%d %s %s", f.status, f.condition.Local, f.text)
	}
	return fmt.Sprintf("%d %s", f.status, f.text)
}

func (f *failure) Unwrap() error { return f.cause }

// forbidden is the answer to a precondition that is not met.
func forbidden(condition davxml.Name, format string, args ...any) *failure {
	return &failure{status: http.StatusForbidden, condition: condition, text: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

var errNotFound = &failure{status: http.StatusNotFound, text: "There is nothing here"}

// errAnswered ends a request that has been answered.
var errAnswered = errors.New("it has been answered")

// errConflict is for a path whose parent is not there: 409 for what would make it (RFC 4918
// 9.3.1, 9.7.1), 404 for all else.
func errConflict(method string) error {
	switch method {
	case "PUT", "MKCOL", "MKCALENDAR", "LOCK":
		return &failure{status: http.StatusConflict, text: "The collection that this would be in is not there"}
	}
	return errNotFound
}

// clip makes a part of the request fit for an answer.
func clip(s string) string { return contentline.Clip(s) }

// failureOf gives any error its answer.
func failureOf(err error) *failure {
	var f *failure
	var conflict *collection.UIDConflict
	var syntax *davxml.SyntaxError
	var line *contentline.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, collection.ErrCondition):
		return &failure{status: http.StatusPreconditionFailed, text: "It is not as If-Match, If-None-Match or If say"}
	case errors.As(err, &syntax):
		if errors.Is(err, davxml.ErrDocumentType) {
			return forbidden(davxml.D("no-external-entities"), "%v", err)
		}
		return badRequest("%v", syntax)
	case errors.As(err, &conflict):
		return &failure{status: http.StatusConflict, text: conflict.Error(), href: conflict.Href, cause: err}
	case errors.As(err, &line):
		return badRequest("%v", line)
	}
	return faultFailure(fault.As(err))
}

// faultFailure answers a fault.
func faultFailure(f *fault.Fault) *failure {
	out := &failure{text: f.Text, cause: f}
	switch f.Kind {
	case fault.NotFound, fault.NoSuchAddress:
		out.status = http.StatusNotFound
	case fault.OverQuota: // RFC 4331 6
		out.status, out.condition = http.StatusInsufficientStorage, davxml.D("quota-not-exceeded")
	case fault.TooLarge:
		out.status = http.StatusRequestEntityTooLarge
	case fault.Exists:
		out.status = http.StatusConflict
	case fault.Malformed:
		out.status = http.StatusBadRequest
	case fault.NotPossible, fault.Policy, fault.BadSender, fault.Unsupported, fault.NotLocal:
		out.status = http.StatusForbidden
	case fault.TryLater, fault.TooMany:
		out.status = http.StatusServiceUnavailable
	case fault.Unavailable:
		out.status = http.StatusServiceUnavailable
		if safefile.NoRoom(f) { // RFC 4331 6
			out.status, out.condition = http.StatusInsufficientStorage, davxml.D("sufficient-disk-space")
		}
	default:
		out.status = http.StatusInternalServerError
	}
	return out
}

// fail answers an error.
func (r *request) fail(err error) {
	f := failureOf(err)
	if f.status >= 500 && f.status != http.StatusInsufficientStorage && f.status != http.StatusBadGateway {
		r.opt.Log.Error("A request failed", "protocol", "dav", "account", r.viewer.String(), "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if f.status == http.StatusServiceUnavailable {
		r.w.Header().Set("Retry-After", "30")
	}
	r.w.Header().Del("ETag")
	r.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	r.w.WriteHeader(f.status)
	if r.Method == http.MethodHead {
		return
	}
	w := davxml.NewWriter(r.w)
	w.Begin(davxml.D("error"))
	f.write(w)
	w.End()
	w.Flush() // an error: the client is gone
}

// write writes what stands in DAV:error (RFC 4918 14.5), with a text for people.
func (f *failure) write(w *davxml.Writer) {
	if f.condition.Local != "" {
		w.Begin(f.condition)
		if f.href != "" {
			w.Element(davxml.D("href"), f.href)
		}
		if f.inside != nil {
			f.inside(w)
		}
		w.End()
	}
	if f.text != "" {
		w.Element(davxml.D("responsedescription"), f.text)
	}
}

// dataFailure gives the error of a PUT, a COPY or a MOVE into a collection its answer: which
// precondition is not met (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1).
func dataFailure(n *node, err error) error {
	name := davxml.C
	if n.kind&(bookNode|cardNode) != 0 {
		name = davxml.CR
	}
	var conflict *collection.UIDConflict
	var line *contentline.Error
	switch {
	case errors.As(err, &conflict):
		f := failureOf(err)
		f.condition, f.href = name("no-uid-conflict"), n.parent.href+string(appendSegment(nil, conflict.Href))
		return f
	case fault.Is(err, fault.TooLarge):
		return forbidden(name("max-resource-size"), "%s", fault.As(err).Text)
	case !errors.As(err, &line):
		return err
	}
	condition := name("valid-calendar-data")
	switch {
	case errors.Is(err, ical.ErrKind):
		condition = name("supported-calendar-component")
	case errors.Is(err, ical.ErrResource):
		condition = name("valid-calendar-object-resource")
	case errors.Is(err, ical.ErrRScale):
		condition = name("supported-rscale")
	case errors.Is(err, vcard.ErrVersion):
		condition = name("supported-address-data")
	case n.kind&(bookNode|cardNode) != 0:
		condition = name("valid-address-data")
	}
	return forbidden(condition, "%v", line)
}

// statusLine is the text of DAV:status.
func statusLine(code int) string {
	switch code {
	case http.StatusOK:
		return "HTTP/1.1 200 OK"
	case http.StatusNotFound:
		return "HTTP/1.1 404 Not Found"
	}
	return "HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code)
}
