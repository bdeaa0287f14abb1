package httpd

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/fault"
)

// webClient starts a server with TLS, and returns a client and the URL of the server.
func webClient(t testing.TB, o Options) (*http.Client, string) {
	t.Helper()
	if o.Auth == nil {
		o.Auth = &doorman{}
	}
	o.TLS = certificate(t)
	s := New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln, HTTPS) }()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		ln.Close()
		<-done
		client.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client, "https://" + ln.Addr().String()
}

// web starts a server with TLS, and returns a function that asks it.
func web(t *testing.T, o Options) func(method, path, login string, fields ...string) *http.Response {
	t.Helper()
	client, base := webClient(t, o)
	return func(method, path, login string, fields ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, base+path, strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		if login != "" {
			req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
		}
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			if req.Header.Set(name, value); name == "Host" {
				req.Host = value
			}
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		return resp
	}
}

func whoami(w http.ResponseWriter, r *http.Request, who auth.Credential) {
	fmt.Fprint(w, who.Account, " ", r.Proto)
}

func TestLogin(t *testing.T) {
	d := &doorman{}
	ask := web(t, Options{Auth: d, DAV: whoami})
	check := func(what string, resp *http.Response, status int, logins int) {
		t.Helper()
		if resp.StatusCode != status || d.logins != logins {
			t.Errorf("%s: %s, %d logins", what, resp.Status, d.logins)
		}
	}
	resp := ask("PROPFIND", "/dav/", "")
	check("nobody", resp, 401, 0)
	if got := resp.Header.Get("WWW-Authenticate"); got != `Basic realm="facteur", charset="UTF-8"` {
		t.Error(got)
	}
	check("another scheme", ask("GET", "/dav/", "", "Authorization: Bearer x"), 401, 0)
	check("wrong", ask("GET", "/dav/", "alice@example.org:wrong"), 401, 1)
	for range 3 {
		check("right", ask("PROPFIND", "/", "alice@example.org:demo"), 200, 2)
	}
	check("wrong again", ask("GET", "/dav/", "alice@example.org:wrong"), 401, 3)
	check("in UTF-8", ask("GET", "/dav/", "alice@example.org:dém:o"), 200, 4)
	check("in Latin-1", ask("GET", "/dav/", "alice@example.org:d\xe9m:o"), 200, 5)
	if try := d.tries[1]; try.Protocol != "https" || try.Session.Mechanism != "BASIC" || try.Session.TLSVersion != "TLS1.3" || !try.Remote.IsLoopback() {
		t.Errorf("%+v", try)
	}

	d.gone = true
	check("a login that is gone", ask("GET", "/dav/", "alice@example.org:demo"), 401, 6)
	d.refusal = fault.New(fault.TryLater, "")
	resp = ask("GET", "/dav/", "alice@example.org:demo")
	check("too many failures", resp, 429, 7)
	if resp.Header.Get("Retry-After") == "" || resp.Header.Get("WWW-Authenticate") != "" {
		t.Error(resp.Header)
	}
	d.refusal = fault.New(fault.Unavailable, "")
	check("not now", ask("GET", "/dav/", "alice@example.org:demo"), 503, 8)
}

func TestRoutes(t *testing.T) {
	ask := web(t, Options{DAV: whoami})
	for _, c := range []struct {
		method, path string
		status       int
		location     string
	}{
		{"GET", "/dav/x", 200, ""},
		{"PROPFIND", "/dav", 200, ""},
		{"OPTIONS", "/", 200, ""},
		{"REPORT", "/", 200, ""},
		{"PROPPATCH", "/", 200, ""},
		{"PUT", "/", 405, ""},
		{"GET", "/davx", 404, ""},
		{"GET", "/nothing", 404, ""},
		{"PROPFIND", "/.well-known/caldav", 301, "/dav/"},
		{"GET", "/.well-known/carddav", 301, "/dav/"},
		{"PROPFIND", "/.well-known/caldav/", 301, "/dav/"},
		{"GET", "/.well-known/caldavs", 404, ""},
	} {
		resp := ask(c.method, c.path, "alice@example.org:demo")
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location || resp.ProtoMajor != 2 {
			t.Errorf("%s %s: %s, %q", c.method, c.path, resp.Status, resp.Header.Get("Location"))
		}
	}
}

// A page of another site can't use the password that a browser knows.
func TestForged(t *testing.T) {
	ask := web(t, Options{DAV: whoami})
	for _, c := range []struct {
		name   string
		fields []string
		status int
	}{
		{"a client", []string{"Content-Type: text/calendar"}, 200},
		{"a client with a text", []string{"Content-Type: text/plain"}, 200},
		{"a form", []string{"Content-Type: text/plain", "Sec-Fetch-Site: cross-site"}, 403},
		{"an old browser", []string{"Content-Type: multipart/form-data; boundary=x", "Origin: https://other.example"}, 403},
		{"a blob", []string{"Content-Type: ", "Origin: null"}, 403},
		{"what a browser would ask about", []string{"Content-Type: application/xml", "Origin: https://other.example"}, 200},
	} {
		if resp := ask("POST", "/dav/x", "alice@example.org:demo", c.fields...); resp.StatusCode != c.status {
			t.Errorf("%s: %s", c.name, resp.Status)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	s, ln := serve(t, Options{Limits: connection.Limits{Connections: 1, LimitTrusted: true}})
	first := ln.dial()
	defer first.Close()
	say(t, first, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
	reply(t, first)
	second := ln.dial()
	text, err := io.ReadAll(second)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503 ") || s.sessions.Open() != 1 {
		t.Errorf("%q, %v", text, err)
	}
}
