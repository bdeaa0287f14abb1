// Package http lets scripts call web services: http.request, to the hosts that
// mail.toml names and no other. Its manual page is README.md.
//
// It follows no redirect, uses no proxy, and keeps no cookies.
package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"facteur/plugins/lua"
)

// Plugin is http. It is there always, and reaches nothing until http of [lua] names
// hosts.
var Plugin = lua.Plugin{Name: "http", New: open, Always: true}

// Bounds of a request.
const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = 9 * time.Second
	maxBody        = 256 << 10 // octets, of a request and of an answer
	maxHeaders     = 50
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

type caller struct {
	hosts  []string
	client *http.Client
}

// open makes the module.
func open(s *lua.Settings) lua.Module {
	c := &caller{hosts: s.Hosts, client: &http.Client{
		Transport: &http.Transport{
			Proxy: nil, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: maxTimeout,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return lua.Module{Name: "http", Functions: map[string]lua.Func{"request": c.call}}
}

// call is http.request{url=, method=, headers=, body=, timeout=}.
func (c *caller) call(a *lua.Args) (any, error) {
	req, timeout, err := c.request(a)
	if err != nil {
		return nil, err
	}
	if err := a.Outside(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(a.Context(), timeout)
	defer cancel()
	return c.do(req.WithContext(ctx))
}

// request reads the arguments.
func (c *caller) request(a *lua.Args) (*http.Request, time.Duration, error) {
	o := a.Table(1)
	text := func(key, otherwise string) (string, error) {
		switch v := o[key].(type) {
		case nil:
			return otherwise, nil
		case string:
			return v, nil
		}
		return "", a.Errorf(1, "%s must be a string", key)
	}
	for key := range o {
		if !slices.Contains([]string{"url", "method", "headers", "body", "timeout"}, key) {
			return nil, 0, a.Errorf(1, "unknown option %q", key)
		}
	}
	to, err := text("url", "")
	if err != nil {
		return nil, 0, err
	}
	u, err := c.target(to)
	if err != nil {
		return nil, 0, a.Errorf(1, "%s", err.Error())
	}
	body, err := text("body", "")
	if err != nil {
		return nil, 0, err
	}
	method, err := text("method", "GET")
	if err != nil {
		return nil, 0, err
	}
	switch {
	case len(body) > maxBody:
		return nil, 0, a.Errorf(1, "the body is larger than %d octets", maxBody)
	case !slices.Contains(methods, method):
		return nil, 0, a.Errorf(1, "method must be one of %s", strings.Join(methods, ", "))
	}
	req, err := http.NewRequest(method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, 0, a.Errorf(1, "%s", err.Error())
	}
	req.Header.Set("User-Agent", "facteur")
	if err := headers(a, o["headers"], req); err != nil {
		return nil, 0, err
	}
	timeout := defaultTimeout
	if v, ok := o["timeout"].(float64); ok && v > 0 {
		timeout = min(time.Duration(min(v, maxTimeout.Seconds())*float64(time.Second)), maxTimeout)
	} else if o["timeout"] != nil {
		return nil, 0, a.Errorf(1, "timeout must be a number of seconds")
	}
	return req, timeout, nil
}

// headers reads the table of header fields.
func headers(a *lua.Args, given any, req *http.Request) error {
	if given == nil {
		return nil
	}
	fields, ok := given.(map[string]any)
	if !ok || len(fields) > maxHeaders {
		return a.Errorf(1, "headers must be a table of at most %d names and values", maxHeaders)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, ok := fields[name].(string)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return a.Errorf(1, "%q is no header field with a text", name)
		}
		if strings.EqualFold(name, "Host") {
			return a.Errorf(1, "the host is that of the url")
		}
		req.Header.Set(name, value)
	}
	return nil
}

// target checks a URL against the hosts that may be reached.
func (c *caller) target(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New(`url must be one such as "https://chat.example.net/hook"`)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("url must begin with https:// or http://")
	case u.User != nil:
		return nil, errors.New("url must not hold a name or password: use the header field Authorization")
	}
	if !c.allowed(u) {
		return nil, fmt.Errorf("mail.toml does not let scripts reach %s: it must be in http of [lua]", u.Host)
	}
	return u, nil
}

// allowed tells whether a host stands in mail.toml: with its port, or without where the
// port is that of the scheme.
func (c *caller) allowed(u *url.URL) bool {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	usual := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if port == "" {
		port = usual
	}
	return slices.Contains(c.hosts, net.JoinHostPort(host, port)) || port == usual && slices.Contains(c.hosts, host)
}

// do sends a request and reads the answer.
func (c *caller) do(req *http.Request) (any, error) {
	res, err := c.client.Do(req)
	if err != nil {
		return nil, plainError(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, plainError(err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("the answer is larger than %d octets", maxBody)
	}
	fields := make(map[string]any)
	for name, values := range res.Header {
		if len(fields) < maxHeaders {
			fields[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return map[string]any{"status": res.StatusCode, "headers": fields, "body": string(body)}, nil
}

// plainError leaves the URL out of an error: it may hold a secret.
func plainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("http: %w", u.Err)
	}
	return fmt.Errorf("http: %w", err)
}
