package httpd

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/wire"
)

// handle is all requests.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "The server is shutting down.", http.StatusServiceUnavailable)
		return
	}
	defer s.requests.Done()
	opt := s.opt.Load()
	c := r.Context().Value(connKey{}).(*conn)
	begun := time.Now()
	a := newAnswer(w, opt.Part)
	r, err := resolveOrigin(r, c)
	from := originOf(r)
	if r.Body != nil && r.Body != http.NoBody {
		// A copy, for net/http looks at the body of its own: with Expect: 100-continue it must
		// not wait for a body that an early answer makes the client keep (RFC 9110 10.1.1).
		r = r.WithContext(r.Context())
		r.Body = newBody(w, r, opt.Part)
		r.Body = http.MaxBytesReader(a, r.Body, opt.Body)
	}
	h := a.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	if from.proxied { // it tells what the proxy said of this client, where it found us
		h.Set("Cache-Control", "private")
	}
	switch {
	case errors.Is(err, errUnnamedProxy):
		opt.Log.Warn("httpd.refused", "remote", c.RemoteAddr().String(), "listener", c.service, "text", err.Error())
		http.Error(a, "Who sends this can't be told: "+err.Error()+".", http.StatusForbidden)
	case err != nil:
		h.Set("Connection", "close")
		opt.Log.Info("httpd.refused", "remote", c.RemoteAddr().String(), "listener", c.service, "text", err.Error())
		http.Error(a, "The proxy does not tell whose this request is: "+err.Error()+".", http.StatusBadRequest)
	case from.proxied && opt.HoldFor(from.remote()):
		s.routeCounted(a, r, from)
	default:
		s.route(a, r, from)
	}
	readRest(r)
	opt.Log.Log(r.Context(), wire.LevelTrace, "httpd.request", "id", c.id, "remote", from.remote(), "method", r.Method, "path", shownPath(r), "status", a.status,
		"octets", a.octets, "took", time.Since(begun))
}

// routeCounted is route, when the client has not too many requests already.
func (s *Server) routeCounted(w http.ResponseWriter, r *http.Request, from *origin) {
	if !s.crowd.enter(from.remote(), s.opt.Load().PerClient) {
		w.Header().Set("Retry-After", strconv.Itoa(throttled))
		http.Error(w, "Too many requests at once from your address.", http.StatusServiceUnavailable)
		return
	}
	defer s.crowd.leave(from.remote())
	s.route(w, r, from)
}

// maxRest is how much of a body that nobody wanted is read.
const maxRest = 64 << 10

// readRest reads what is left of a small body. Else net/http resets the stream of HTTP/2 after
// the answer (RFC 9113 8.1), and some clients take that for an error, as curl 7.88 does: a
// PROPFIND of /.well-known/caldav would fail. Who waits for leave to send it gets none.
func readRest(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxRest) // an error: there is no more
}

// shownPath is the path of a request for the log. What is published has a secret in it.
func shownPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, publishedPath) {
		return publishedPath + "(secret)"
	}
	return r.URL.EscapedPath()
}

// publishedPath is below what everybody may read who knows a secret.
const publishedPath = "/ics/"

// route gives a request to whom it is for.
func (s *Server) route(w http.ResponseWriter, r *http.Request, from *origin) {
	opt := s.opt.Load()
	path := r.URL.Path
	secure := opt.mayLogIn(r, from)
	switch {
	case isWellKnown(path):
		target := "/dav/"
		if port := opt.securePort(r); r.TLS == nil && !secure && port != 0 {
			target = opt.secureURL(r, port, target)
		}
		redirect(w, r, target, http.StatusMovedPermanently)
	case isAutoconfig(path): // over http too: it has no secrets
		s.autoconfig(w, r)
	case from.nameless && (path != "/" || isDAV(r)): // a proxy that looks whether we are there may ask for that
		http.Error(w, "The proxy at "+from.remote().String()+" does not tell whose this request is: it must set X-Forwarded-For.", http.StatusForbidden)
	case !secure && !from.nameless:
		s.leadAway(w, r)
	case opt.DAV != nil && isDAV(r):
		s.dav(w, r, from)
	case path == "/.well-known/mta-sts.txt":
		s.policy(w, r)
	case isAutodiscover(path):
		s.autodiscover(w, r)
	case path == profilePath:
		s.profile(w, r)
	case opt.Published != nil && strings.HasPrefix(path, "/ics/"):
		opt.Published(w, r)
	case path == "/":
		s.page(w, r)
	default:
		http.NotFound(w, r)
	}
}

// isWellKnown tells whether a path is where clients begin that know a name only (RFC 6764 5).
// Some add a slash.
func isWellKnown(path string) bool {
	path = strings.TrimSuffix(path, "/")
	return path == "/.well-known/caldav" || path == "/.well-known/carddav"
}

// isDAV tells whether a request is DAV's.
func isDAV(r *http.Request) bool {
	if r.URL.Path == "/dav" || strings.HasPrefix(r.URL.Path, "/dav/") {
		return true
	}
	switch r.Method {
	case "PROPFIND", "PROPPATCH", "REPORT": // as OPTIONS tells of it
		return r.URL.Path == "/"
	case http.MethodOptions:
		return r.URL.Path == "/" || r.URL.Path == "*"
	}
	return false
}

// dav is a request below /dav/.
func (s *Server) dav(w http.ResponseWriter, r *http.Request, from *origin) {
	cred, ok := s.login(w, r, from)
	if !ok {
		return
	}
	if forged(r) {
		http.Error(w, "Another site's page may not do that.", http.StatusForbidden)
		return
	}
	done, ok := s.turns.take(r.Context(), cred.Account.Key(), isLarge(r))
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(throttled))
		http.Error(w, "Too many requests at once.", http.StatusServiceUnavailable)
		return
	}
	s.inTurn(w, r, cred, done)
	readRefused(r)
}

// inTurn has DAV answer, and gives the turn back.
func (s *Server) inTurn(w http.ResponseWriter, r *http.Request, cred auth.Credential, done func()) {
	defer done()
	s.opt.Load().DAV(w, r, cred)
}

// maxRefused is how much is read of a body that was refused, of somebody who has logged in.
const maxRefused = 32 << 20

// readRefused reads a body that DAV did not want, so that the client, which most often sends
// all of it before it reads, learns why: else the connection is reset while it sends, and it
// tries again and again what exceeds the quota.
func readRefused(r *http.Request) {
	if r.ContentLength > maxRest && r.ContentLength <= maxRefused && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxRefused) // an error: there is no more
	}
}

// forged tells whether a page of another site may have made a browser that knows the
// password send this: such a page can POST texts and forms; for all else the browser asks
// us first, and gets no leave.
func forged(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data":
		return http.NewCrossOriginProtection().Check(r) != nil
	}
	return false
}

// leadAway sends a client of the service http to https.
func (s *Server) leadAway(w http.ResponseWriter, r *http.Request) {
	opt := s.opt.Load()
	port := opt.securePort(r)
	switch {
	case port == 0 && originOf(r).proxied:
		http.Error(w, "This needs https. The proxy does not tell whether it was asked so: it must set X-Forwarded-Proto.", http.StatusForbidden)
		return
	case port == 0:
		http.Error(w, "This needs https, which this server does not have.", http.StatusForbidden)
		return
	}
	status := http.StatusPermanentRedirect // the method stays (RFC 9110 15.4.9)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	redirect(w, r, opt.secureURL(r, port, r.URL.RequestURI()), status)
}

// redirect answers with a Location, whatever the method.
func redirect(w http.ResponseWriter, r *http.Request, target string, status int) {
	w.Header().Set("Location", target)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// secureURL is the place of target under https: at the name that was asked for, or the
// server's when the certificate is only good for that.
func (o *Options) secureURL(r *http.Request, port int, target string) string {
	host := hostOf(r)
	ours := !originOf(r).proxied // the certificate: else it is the proxy's
	if host == "" || ours && net.ParseIP(host) == nil && !o.Certified(host) && o.Certified(o.Hostname) {
		host = o.Hostname
	}
	host = hostPort(host, port)
	if !strings.HasPrefix(target, "/") {
		target = "/"
	}
	return "https://" + host + target
}

// hostOf is the name or address for which a client asks, "" when it is none.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return ip.String()
	}
	d, err := address.ParseDomain(strings.TrimSuffix(host, "."))
	if err != nil {
		return ""
	}
	return string(d)
}
