package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/directory"
	"facteur/server/listen"
)

// behind serves on a real socket to which proxies of some networks connect, and returns its address.
func behind(t *testing.T, o Options, networks ...string) (*Server, string) {
	t.Helper()
	proxies := listen.Proxies{Optional: true}
	for _, n := range networks {
		proxies.Networks = append(proxies.Networks, netip.MustParsePrefix(n))
	}
	return behindThose(t, o, func(listen.Wanted) listen.Proxies { return proxies })
}

// behindThose is behind, with proxies that may change.
func behindThose(t *testing.T, o Options, proxies func(listen.Wanted) listen.Proxies) (*Server, string) {
	t.Helper()
	if o.Auth == nil {
		o.Auth = &doorman{}
	}
	o.PlaintextLogin = true
	o.Hostname = "mail.example.org"
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	dir := directory.New(directory.Options{Domains: []directory.Domain{{Key: "example.org", Name: address.Domain("example.org")}}})
	o.Directory = func() *directory.Directory { return dir }
	s := New(o)
	sockets := listen.New(listen.Options{
		Log: o.Log, Proxies: proxies,
		Serve: func(ln net.Listener, service string) {
			if err := s.Serve(ln, service); err != net.ErrClosed {
				t.Error(err)
			}
		},
	})
	plan, err := sockets.Plan([]listen.Wanted{{Service: HTTP, Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	plan.Commit()
	t.Cleanup(func() {
		sockets.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s, sockets.Bound()[0].Addr.String()
}

// exchange sends a text on a connection of its own, and reads the answer.
func exchange(t *testing.T, addr, text string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, text)
	return reply(t, c)
}

// TestProxied: whose a request is, and whether it has TLS, is what the trusted proxy says; what
// anybody else says of it is nothing.
func TestProxied(t *testing.T) {
	const here, elsewhere = "127.0.0.0/8", "192.0.2.0/24"
	const direct, v1 = "", "PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n"
	for _, c := range []struct {
		name    string
		proxies string
		before  string // the request
		header  string
		status  int
		client  string // that DAV's login has seen
		tls     string
	}{
		{"nothing said", elsewhere, direct, "", 200, "127.0.0.1", ""},
		// On this machine, where nobody is slowed.
		{"not trusted", elsewhere, direct, "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https", 403, "", ""},
		{"not trusted, RFC 7239", elsewhere, direct, "Forwarded: for=203.0.113.5", 403, "", ""},
		{"not trusted, nonsense", elsewhere, direct, "X-Forwarded-For: ;\r\nForwarded: =", 403, "", ""},
		{"not trusted, says not whose it is", elsewhere, direct, "X-Forwarded-Proto: https", 200, "127.0.0.1", ""},
		{"trusted", here, direct, "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https", 200, "203.0.113.5", "TLS"},
		{"trusted, RFC 7239", here, direct, "Forwarded: for=203.0.113.5;proto=https", 200, "203.0.113.5", "TLS"},
		{"trusted, without TLS", here, direct, "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: http", 308, "", ""},
		{"trusted, nothing said of TLS", here, direct, "X-Forwarded-For: 203.0.113.5", 403, "", ""},
		{"trusted, this machine", here, direct, "X-Forwarded-For: 127.0.0.1", 200, "127.0.0.1", ""},
		{"trusted, nobody named", here, direct, "", 403, "", ""},
		{"trusted, nobody named, with TLS", here, direct, "X-Forwarded-Proto: https", 403, "", ""},
		{"trusted, claimed by the client", here, direct, "X-Forwarded-For: 127.0.0.1, 203.0.113.5\r\nX-Forwarded-Proto: https", 200, "203.0.113.5", "TLS"},
		{"trusted, two tales", here, direct, "X-Forwarded-For: 203.0.113.5\r\nForwarded: for=127.0.0.1", 400, "", ""},
		{"trusted, hidden", here, direct, "Forwarded: for=_hidden;proto=https", 400, "", ""},
		{"the PROXY protocol", here, v1, "", 403, "", ""}, // there is no https to lead to
		{"the PROXY protocol, with the client's headers", here, v1, "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https", 403, "", ""},
		{"the PROXY protocol of this machine", here, "PROXY TCP4 127.0.0.9 127.0.0.1 4711 443\r\n", "X-Forwarded-For: 203.0.113.5", 200, "127.0.0.9", ""},
		{"the PROXY protocol of a stranger", elsewhere, v1, "", 400, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			door := &doorman{}
			_, addr := behind(t, Options{Auth: door, DAV: func(w http.ResponseWriter, r *http.Request, _ auth.Credential) {
				fmt.Fprint(w, r.TLS != nil)
			}}, c.proxies)
			var more []string
			if c.header != "" {
				more = append(more, c.header)
			}
			resp, body := exchange(t, addr, c.before+head("PROPFIND /dav/", more...))
			if resp.StatusCode != c.status {
				t.Fatalf("%d %s, want %d", resp.StatusCode, body, c.status)
			}
			if c.client == "" {
				if len(door.tries) > 0 {
					t.Errorf("a login of %v", door.tries[0].Remote)
				}
				return
			}
			got := door.tries[0]
			if got.Remote.String() != c.client || got.Session.Remote.Addr() != got.Remote || got.Session.TLSVersion != c.tls || got.Session.TLSCipher != "" {
				t.Errorf("a login of %v with %q %q", got.Remote, got.Session.TLSVersion, got.Session.TLSCipher)
			}
			if want := fmt.Sprint(c.tls != ""); body != want {
				t.Errorf("TLS for DAV: %s, want %s", body, want)
			}
		})
	}
}

// TestProxiedLogins: a login that one client has shown is no other's, though they share a connection.
func TestProxiedLogins(t *testing.T) {
	door := &doorman{}
	_, addr := behind(t, Options{Auth: door, DAV: func(http.ResponseWriter, *http.Request, auth.Credential) {}}, "127.0.0.0/8")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for i, want := range []struct {
		client string
		logins int
	}{{"203.0.113.5", 1}, {"203.0.113.5", 1}, {"203.0.113.6", 2}, {"203.0.113.5", 2}} {
		say(t, c, head("PROPFIND /dav/", "X-Forwarded-For: "+want.client, "X-Forwarded-Proto: https"))
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != 200 || door.logins != want.logins {
			t.Errorf("request %d: %d, %d logins, want %d", i, resp.StatusCode, door.logins, want.logins)
		}
	}
}

// TestProxyNoMore: who is trusted no more is believed no more, on the connection that it has as on
// others, and does not become a client of this machine.
func TestProxyNoMore(t *testing.T) {
	for name, next := range map[string]listen.Proxies{
		"others":              {Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Optional: true},
		"nobody":              {Optional: true},
		"no listener anymore": {Closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			var now atomic.Pointer[listen.Proxies]
			now.Store(&listen.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Optional: true})
			door := &doorman{}
			_, addr := behindThose(t, Options{Auth: door, DAV: func(http.ResponseWriter, *http.Request, auth.Credential) {}}, func(listen.Wanted) listen.Proxies { return *now.Load() })
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			answers := bufio.NewReader(c)
			for i, status := range []int{200, 400} {
				say(t, c, head("PROPFIND /dav/", fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i), "X-Forwarded-Proto: https"))
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != status || resp.Close != (status == 400) || len(door.tries) != 1 {
					t.Errorf("request %d: %d, closed %v, after %d logins", i, resp.StatusCode, resp.Close, len(door.tries))
				}
				now.Store(&next)
			}
		})
	}
}

// TestProxiedCrowd: what a client may have at once is counted for each, not for the proxy.
func TestProxiedCrowd(t *testing.T) {
	held, let := make(chan struct{}, 2), make(chan struct{})
	s, addr := behind(t, Options{
		Limits: connection.Limits{PerClient: 2},
		DAV: func(http.ResponseWriter, *http.Request, auth.Credential) {
			held <- struct{}{}
			<-let
		},
	}, "127.0.0.0/8")
	ask := func(client string) string {
		return head("PROPFIND /dav/", "X-Forwarded-For: "+client, "X-Forwarded-Proto: https")
	}
	done := make(chan int)
	for range 2 {
		go func() {
			resp, _ := exchange(t, addr, ask("203.0.113.5"))
			done <- resp.StatusCode
		}()
	}
	<-held
	<-held
	if resp, _ := exchange(t, addr, ask("203.0.113.5")); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", resp.StatusCode)
	}
	go func() {
		resp, _ := exchange(t, addr, ask("203.0.113.6"))
		done <- resp.StatusCode
	}()
	<-held
	close(let)
	for range 3 {
		if status := <-done; status != 200 {
			t.Errorf("%d", status)
		}
	}
	if resp, _ := exchange(t, addr, ask("203.0.113.5")); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
	if len(s.crowd.of) != 0 {
		t.Errorf("%d clients", len(s.crowd.of))
	}
}

// TestProxiedPlaces: where programs are sent is where the proxy is found.
func TestProxiedPlaces(t *testing.T) {
	dav := func(w http.ResponseWriter, r *http.Request, _ auth.Credential) { fmt.Fprint(w, r.Host) }
	_, addr := behind(t, Options{DAV: dav, Services: func(here bool) []Service {
		if here {
			return []Service{{"imaps", 10993}}
		}
		return []Service{{"imaps", 993}, {"submissions", 465}}
	}, Policy: func(address.Domain) string { return "version: STSv1" }, Certified: func(name string) bool { return name == "mail.example.org" }}, "127.0.0.0/8")
	for _, c := range []struct{ name, line, header, want string }{
		{"autoconfig", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: dav.example.org", "https://dav.example.org/dav/"},
		{"autoconfig, mail", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: dav.example.org", "<port>993</port>"},
		{"autoconfig, of another port", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: dav.example.org:8443", "https://dav.example.org:8443/dav/"},
		{"autoconfig, of a port that is none", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: dav.example.org:99999", "https://dav.example.org/dav/"},
		{"the host that the proxy tells", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: 127.0.0.1:1081\r\nX-Forwarded-Host: dav.example.org", "https://dav.example.org/dav/"},
		{"a host that is none", "GET /mail/config-v1.1.xml?emailaddress=a@example.org", "Host: dav.example.org\r\nX-Forwarded-Host: ../x", "https://dav.example.org/dav/"},
		{"profile", "GET /apple.mobileconfig?address=a@example.org", "Host: dav.example.org", "<key>CalDAVHostName</key><string>dav.example.org</string>"},
		{"profile, mail", "GET /apple.mobileconfig?address=a@example.org", "Host: dav.example.org", "<key>IncomingMailServerHostName</key><string>mail.example.org</string>"},
		{"DAV", "GET /dav/x", "Host: 127.0.0.1:1081\r\nX-Forwarded-Host: dav.example.org", "dav.example.org"},
		{"policy", "GET /.well-known/mta-sts.txt", "Host: mta-sts.example.org", "version: STSv1"},
		{"page", "GET /", "Host: dav.example.org", "https://dav.example.org/dav/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := exchange(t, addr, c.line+" HTTP/1.1\r\nX-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\nAuthorization: Basic YWxpY2VAZXhhbXBsZS5vcmc6ZGVtbw==\r\n"+c.header+"\r\n\r\n")
			if resp.StatusCode != 200 || !strings.Contains(body, c.want) {
				t.Errorf("%d %s\nwant %s", resp.StatusCode, body, c.want)
			}
		})
	}
	for name, want := range map[string]struct{ line, header, location string }{
		"with TLS":    {"PROPFIND /.well-known/caldav", "X-Forwarded-Proto: https", "/dav/"},
		"without TLS": {"PROPFIND /.well-known/caldav", "X-Forwarded-Proto: http", "https://dav.example.org/dav/"},
		"led away":    {"GET /x?y", "X-Forwarded-Proto: http", "https://dav.example.org/x?y"},
	} {
		resp, body := exchange(t, addr, want.line+" HTTP/1.1\r\nHost: dav.example.org\r\nX-Forwarded-For: 203.0.113.5\r\n"+want.header+"\r\n\r\n")
		if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != want.location {
			t.Errorf("%s: %d %s %s, want %s", name, resp.StatusCode, got, body, want.location)
		}
		if got := resp.Header.Get("Cache-Control"); got != "private" { // the host may be of the client's making
			t.Errorf("%s: a cache may tell others: %q", name, got)
		}
	}
	// A proxy that looks whether we are there is not told to log in.
	if resp, body := exchange(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != 200 || strings.Contains(body, "10993") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := exchange(t, addr, "PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}
}
