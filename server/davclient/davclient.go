// Package davclient reads calendars and address books from another server: discovery
// (RFC 6764 5, RFC 5397, RFC 4791 6.2.1, RFC 6352 7.1.1), lists of ETags, and objects by
// multiget (RFC 4791 7.9, RFC 6352 8.7), or one by one where a server has no multiget.
//
// The password goes to the server that was named, and to hosts of the same registered
// domain over TLS, as providers spread accounts over such; never over plain HTTP but to this
// computer. What fails for a while is tried again. Every answer is bounded.
//
// It logs in with Basic, or where a server takes that not, with Digest (RFC 7616, RFC 2617):
// Baikal wants it unless it is told otherwise. A Client is for one goroutine. It only reads.
package davclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"facteur/server/davxml"
)

// Options are those of a Client.
type Options struct {
	URL             string // of the server, an account, or a collection
	Login, Password string
	Transport       http.RoundTripper                          // nil: http.DefaultTransport
	Wait            func(context.Context, time.Duration) error // nil: by the clock
}

// Client reads from one account of a server.
type Client struct {
	opt  Options
	base *url.URL
	http http.Client
	// digest is what the server asked for last; nil: Basic is well.
	digest *challenge
}

// The bounds of answers, in octets, and how often and long something is tried.
const (
	maxAnswer   = 256 << 20
	maxElements = 4_000_000
	tries       = 5
	maxWait     = time.Minute
	timeout     = 5 * time.Minute
	redirects   = 5
)

// ErrLogin tells that the server does not take the login.
var ErrLogin = errors.New("the server does not take this login and password")

// StatusError is an answer with an error status.
type StatusError struct {
	Status     int
	Method     string
	URL        string
	retryAfter time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.URL, e.Status, http.StatusText(e.Status))
}

// New returns a Client.
func New(o Options) (*Client, error) {
	if !strings.Contains(o.URL, "://") {
		o.URL = "https://" + o.URL
	}
	base, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, errors.New("it is no URL")
	case base.Host == "" || base.Scheme != "https" && base.Scheme != "http":
		return nil, fmt.Errorf("%s is no URL of a web server", base.Redacted())
	case base.User != nil:
		return nil, errors.New("a URL with a password in it can be seen by others: leave it out")
	case base.Scheme == "http" && !loopback(base.Hostname()):
		return nil, errors.New("over http:// others could read the password: use https://")
	}
	if base.Path == "" {
		base.Path = "/"
	}
	base.Fragment, base.RawQuery = "", ""
	c := &Client{opt: o, base: base}
	c.http = http.Client{
		Transport: o.Transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o.Wait == nil {
		c.opt.Wait = wait
	}
	return c, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// trusted tells whether the password may go to a URL.
func (c *Client) trusted(to *url.URL) bool {
	if to.Scheme == c.base.Scheme && strings.EqualFold(to.Host, c.base.Host) {
		return true
	}
	if to.Scheme != "https" || net.ParseIP(to.Hostname()) != nil {
		return false
	}
	a, errA := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(to.Hostname()))
	b, errB := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(c.base.Hostname()))
	return errA == nil && errB == nil && a == b
}

// resolve reads an href of an answer to a request for at.
func (c *Client) resolve(at *url.URL, href string) (*url.URL, error) {
	to, err := at.Parse(strings.TrimSpace(href))
	if err != nil || to.Host == "" {
		return nil, fmt.Errorf("%s names %.100q, which is no address", at, href)
	}
	if !c.trusted(to) {
		return nil, fmt.Errorf("%s leads to %s://%s: name that with --from to send it the password", c.base.Host, to.Scheme, to.Host)
	}
	return to, nil
}

// ask sends a request, follows redirections, tries again what may pass, and returns where
// the answer is from.
func (c *Client) ask(ctx context.Context, method string, to *url.URL, depth string, body []byte) ([]byte, http.Header, *url.URL, error) {
	pause := time.Second
	challenged := false
	for try, hops := 1, 0; ; {
		data, header, err := c.once(ctx, method, to, depth, body)
		var status *StatusError
		switch {
		case err == nil:
			return data, header, to, nil
		case errors.As(err, &status) && status.Status/100 == 3 && header.Get("Location") != "" && hops < redirects:
			if to, err = c.resolve(to, header.Get("Location")); err != nil {
				return nil, nil, nil, err
			}
			hops++
			continue
		case status != nil && status.Status == http.StatusUnauthorized:
			if d := digestOf(header); d != nil && !challenged {
				c.digest, challenged = d, true
				continue
			}
			return nil, nil, nil, fmt.Errorf("%w (%s)", ErrLogin, to.Host)
		case try == tries || ctx.Err() != nil || !passing(err):
			return nil, nil, nil, err
		}
		d := pause
		if status != nil && status.retryAfter > 0 {
			d = min(status.retryAfter, maxWait)
		}
		if err := c.opt.Wait(ctx, d); err != nil {
			return nil, nil, nil, err
		}
		try, pause = try+1, pause*2
	}
}

// passing tells whether an error may pass.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Status == http.StatusTooManyRequests || status.Status >= 500 && status.Status != http.StatusNotImplemented
	}
	var dns *net.DNSError
	return !errors.Is(err, errTooLarge) && !(errors.As(err, &dns) && dns.IsNotFound)
}

var errTooLarge = fmt.Errorf("the answer has more than %d octets", maxAnswer)

func (c *Client) once(ctx context.Context, method string, to *url.URL, depth string, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.SetBasicAuth(c.opt.Login, c.opt.Password)
	if c.digest != nil {
		req.Header.Set("Authorization", c.digest.answer(req, c.opt.Login, c.opt.Password))
	}
	req.Header.Set("User-Agent", "facteur")
	if depth != "" {
		req.Header.Set("Depth", depth)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, resp.Header, &StatusError{resp.StatusCode, method, to.Redacted(), time.Duration(seconds) * time.Second}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = errTooLarge
	}
	return data, resp.Header, err
}

// response is one of a multistatus.
type response struct {
	url    *url.URL
	status int // 0: of the properties
	props  *davxml.Element
}

func (r response) prop(names ...davxml.Name) *davxml.Element {
	e := r.props
	for _, n := range names {
		if e != nil {
			e = e.Child(n)
		}
	}
	return e
}

func (r response) text(n davxml.Name) string {
	if e := r.prop(n); e != nil {
		return e.Trimmed()
	}
	return ""
}

// report sends a request with a body and reads the multistatus.
func (c *Client) report(ctx context.Context, method string, to *url.URL, depth string, write func(*davxml.Writer)) ([]response, error) {
	var body bytes.Buffer
	w := davxml.NewWriter(&body)
	write(w)
	if err := w.Flush(); err != nil {
		return nil, err
	}
	data, _, at, err := c.ask(ctx, method, to, depth, body.Bytes())
	if err != nil {
		return nil, err
	}
	root, err := davxml.Parse(bytes.NewReader(data), davxml.Limits{Octets: maxAnswer, Elements: maxElements})
	if err != nil || root.Name != davxml.D("multistatus") {
		return nil, fmt.Errorf("%s %s: the answer is no multistatus: is it a CalDAV or CardDAV server?", method, to.Redacted())
	}
	var out []response
	for _, e := range root.All(davxml.D("response")) {
		href := e.Child(davxml.D("href"))
		if href == nil {
			continue
		}
		r := response{props: &davxml.Element{Name: davxml.D("prop")}}
		if r.url, err = c.resolve(at, href.Text); err != nil {
			return nil, err
		}
		if s := e.Child(davxml.D("status")); s != nil {
			r.status = statusOf(s.Trimmed())
		}
		for _, ps := range e.All(davxml.D("propstat")) {
			s, p := ps.Child(davxml.D("status")), ps.Child(davxml.D("prop"))
			if p != nil && (s == nil || statusOf(s.Trimmed()) == http.StatusOK) {
				r.props.Children = append(r.props.Children, p.Children...)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// statusOf reads "HTTP/1.1 200 OK".
func statusOf(line string) int {
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(words[1])
	return n
}

// propfind asks for properties.
func (c *Client) propfind(ctx context.Context, to *url.URL, depth string, names ...davxml.Name) ([]response, error) {
	return c.report(ctx, "PROPFIND", to, depth, func(w *davxml.Writer) {
		w.Begin(davxml.D("propfind"))
		w.Begin(davxml.D("prop"))
		for _, n := range names {
			w.Empty(n)
		}
		w.End()
		w.End()
	})
}

// samePath tells whether two URLs are of the same resource.
func samePath(a, b *url.URL) bool {
	return strings.EqualFold(a.Host, b.Host) && strings.TrimSuffix(a.Path, "/") == strings.TrimSuffix(b.Path, "/")
}

// hrefs returns those that a property has.
func (c *Client) hrefs(r response, n davxml.Name) (out []*url.URL, err error) {
	e := r.prop(n)
	if e == nil {
		return nil, nil
	}
	for _, h := range e.All(davxml.D("href")) {
		u, err := c.resolve(r.url, h.Text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o *url.URL) bool { return samePath(o, u) }) {
			out = append(out, u)
		}
	}
	return out, nil
}
