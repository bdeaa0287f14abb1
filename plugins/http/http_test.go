package http

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"facteur/plugins/lua"
	"facteur/plugins/plugintest"
)

// service starts a web service that scripts may reach.
func service(t *testing.T, h http.HandlerFunc) (m lua.Module, base string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, _ := url.Parse(server.URL)
	s := plugintest.Settings(t, nil)
	s.Hosts = []string{u.Host, "chat.example.net"}
	return plugintest.Open(t, Plugin, s), server.URL
}

func TestRequest(t *testing.T) {
	m, base := service(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/large":
			io.WriteString(w, strings.Repeat("x", maxBody+1))
		case "/away":
			http.Redirect(w, r, "http://198.51.100.1/", http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "x")
		case "/wait":
			<-r.Context().Done()
		default:
			w.Header().Set("X-Kind", "fine")
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL, r.Header.Get("X-Token"), r.UserAgent(), body)
		}
	})
	const show = `if not a then return log("problem", p) end log(a.status, a.headers["x-kind"], a.body)`
	for _, c := range []struct{ request, want string }{
		{`url = BASE .. "/hook?x=1"`, "202\tfine\tGET /hook?x=1  facteur "},
		{`url = BASE .. "/hook", method = "POST", body = "hello", headers = {["X-Token"] = "t"}`, "202\tfine\tPOST /hook t facteur hello"},
		{`url = BASE .. "/away"`, "302\tnil\t<a href=\"http://198.51.100.1/\">Found</a>.\n\n"},
		{`url = BASE .. "/large"`, "problem\tthe answer is larger than 262144 octets"},
		{`url = BASE .. "/cut"`, "problem\thttp: unexpected EOF"},
		{`url = BASE .. "/wait", timeout = 0.05`, "problem\thttp: context deadline exceeded"},
	} {
		got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), "local BASE = '"+base+"' local a, p = http.request {"+c.request+"} "+show)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.request, got, c.want)
		}
	}
	call := plugintest.Call(t, plugintest.Message)
	call.Services.Outside = false
	if got := plugintest.Run(t, m, call, "local a, p = http.request {url = '"+base+"'} "+show); got != "problem\tnothing outside is reached in a dry run" {
		t.Error(got)
	}
}

// Nothing is reached but the hosts of mail.toml.
func TestRefused(t *testing.T) {
	m, base := service(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	port := base[strings.LastIndex(base, ":")+1:]
	for request, want := range map[string]string{
		``:                                       "url must be one such as",
		`url = "chat.example.net/x"`:             "url must be one such as",
		`url = "ftp://chat.example.net/"`:        "url must begin with https:// or http://",
		`url = "https://example.com/"`:           "mail.toml does not let scripts reach example.com: it must be in http of [lua]",
		`url = "https://chat.example.net:8443/"`: "does not let scripts reach chat.example.net:8443",
		`url = "https://chat.example.net.evil.example/"`:            "does not let scripts reach",
		`url = "https://chat.example.net@evil.example/"`:            "must not hold a name or password",
		`url = "http://localhost:` + port + `/"`:                    "does not let scripts reach localhost",
		`url = "http://[::1]:` + port + `/"`:                        "does not let scripts reach",
		`url = "` + base + `", method = "CONNECT"`:                  "method must be one of GET, HEAD, POST",
		`url = "` + base + `", body = 3`:                            "body must be a string",
		`url = "` + base + `", body = ("x"):rep(300000)`:            "the body is larger than 262144 octets",
		`url = "` + base + `", headers = {["X-A"] = "b\r\nX-C: d"}`: "is no header field",
		`url = "` + base + `", headers = {["X A"] = "b"}`:           "is no header field",
		`url = "` + base + `", headers = {Host = "evil.example"}`:   "the host is that of the url",
		`url = "` + base + `", headers = "X-A: b"`:                  "headers must be a table",
		`url = "` + base + `", timeout = "long"`:                    "timeout must be a number of seconds",
		`url = "` + base + `", proxy = "http://evil.example"`:       `unknown option "proxy"`,
	} {
		out := plugintest.Try(t, m, plugintest.Call(t, plugintest.Message), "http.request {"+request+"}")
		if out.Err == nil || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("%s: %v, want %q", request, out.Err, want)
		}
	}
}

func TestAllowed(t *testing.T) {
	c := &caller{hosts: []string{"chat.example.net", "127.0.0.1:8080", "[::1]:80", "::2"}}
	for to, want := range map[string]bool{
		"https://chat.example.net/x": true, "http://Chat.Example.Net": true, "https://chat.example.net:443": true, "https://chat.example.net:444": false,
		"http://127.0.0.1:8080/": true, "http://127.0.0.1/": false, "https://127.0.0.1:8080/": true, "http://[::1]/": true, "https://[::1]/": false, "https://[::2]/": true,
		"https://x.chat.example.net/": false, "https://chat.example.net./": false,
	} {
		if _, err := c.target(to); (err == nil) != want {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestSettings(t *testing.T) {
	if got := plugintest.Problems(Plugin, plugintest.Settings(t, map[string]any{"hosts": "x"})); got != "hosts: unknown key: it has none" {
		t.Error(got)
	}
}

// A run makes so many requests and no more, and goes on.
func TestMany(t *testing.T) {
	var asked atomic.Int64
	m, base := service(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), `local problem
		for i = 1, 30 do local a, p = http.request {url = "`+base+`"} problem = p end log(problem)`)
	if want := "a run reaches other programs and hosts at most 20 times"; got != want || asked.Load() != 20 {
		t.Errorf("%q after %d requests", got, asked.Load())
	}
}
