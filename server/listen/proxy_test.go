package listen

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const clientV4 = "PROXY TCP4 203.0.113.5 10.0.0.1 8080 25\r\n"

// told starts a set whose service says who it takes the client for, whether its requests may name
// others, and the first line that it reads.
func told(t *testing.T, proxies func(Wanted) Proxies, patience time.Duration) *Set {
	t.Helper()
	s := New(Options{Log: slog.New(slog.DiscardHandler), Proxies: proxies, HeaderTime: patience, Serve: func(ln net.Listener, service string) {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b := make([]byte, 512)
				n, _ := conn.Read(b)
				client := AddrPort(conn.RemoteAddr()).Addr().String()
				fmt.Fprintf(conn, "%s %v %q", client, Forwards(conn) != nil, b[:n])
			}()
		}
	}})
	t.Cleanup(s.Close)
	return s
}

// talk sends a text and returns all that comes back, "closed" when that is nothing.
func talk(t *testing.T, addr net.Addr, text string) string {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, text)
	answer, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%q: %v", text, err)
	}
	if len(answer) == 0 {
		return "closed"
	}
	return string(answer)
}

// networks reads a list.
func networks(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// TestProxies: who is trusted is believed, nobody else.
func TestProxies(t *testing.T) {
	here, elsewhere := networks("127.0.0.0/8"), networks("192.0.2.0/24")
	for _, c := range []struct {
		name    string
		proxies Proxies
		in      string
		want    string
	}{
		{"trusted", Proxies{Networks: here}, clientV4 + "EHLO a\r\n", `203.0.113.5 false "EHLO a\r\n"`},
		{"version 2", Proxies{Networks: here}, binaryHeader(0x21, 0x11, v4Ends) + "EHLO a\r\n", `203.0.113.5 false "EHLO a\r\n"`},
		{"of a proxy, to another proxy of the list", Proxies{Networks: append(here, netip.MustParsePrefix("203.0.113.5/32"))}, clientV4 + clientV4, `203.0.113.5 false "` + strings.TrimSpace(clientV4) + `\r\n"`},
		{"local", Proxies{Networks: here}, binaryHeader(0x20, 0, "") + "EHLO a\r\n", `127.0.0.1 false "EHLO a\r\n"`},
		{"unknown", Proxies{Networks: here}, "PROXY UNKNOWN\r\nEHLO a\r\n", `127.0.0.1 false "EHLO a\r\n"`},
		{"this machine", Proxies{Networks: here}, "PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\nEHLO a\r\n", `127.0.0.9 false "EHLO a\r\n"`},
		{"mapped", Proxies{Networks: here}, "PROXY TCP6 ::ffff:203.0.113.5 ::1 1 2\r\nEHLO a\r\n", `203.0.113.5 false "EHLO a\r\n"`},
		{"no header", Proxies{Networks: here}, "EHLO a\r\n", "closed"},
		{"no client", Proxies{Networks: here}, "PROXY TCP4 0.0.0.0 127.0.0.1 1 2\r\nEHLO a\r\n", "closed"},
		{"a group as client", Proxies{Networks: here}, "PROXY TCP4 224.0.0.1 127.0.0.1 1 2\r\nEHLO a\r\n", "closed"},
		{"a broken header", Proxies{Networks: here}, "PROXY TCP4 203.0.113.5\r\nEHLO a\r\n", "closed"},
		{"not trusted", Proxies{Networks: elsewhere}, clientV4, `127.0.0.1 false "` + strings.TrimSpace(clientV4) + `\r\n"`},
		{"not trusted, optional", Proxies{Networks: elsewhere, Optional: true}, clientV4, `127.0.0.1 false "` + strings.TrimSpace(clientV4) + `\r\n"`},
		{"no listener any more", Proxies{Networks: here, Closed: true}, clientV4 + "EHLO a\r\n", "closed"},
		{"no listener any more, nobody trusted", Proxies{Closed: true}, "EHLO a\r\n", "closed"},
		{"nobody trusted", Proxies{}, clientV4, `127.0.0.1 false "` + strings.TrimSpace(clientV4) + `\r\n"`},
		{"HTTP", Proxies{Networks: here, Optional: true}, "PROPFIND / HTTP/1.1\r\n", `127.0.0.1 true "PROPFIND / HTTP/1.1\r\n"`},
		{"HTTP/2", Proxies{Networks: here, Optional: true}, "PRI * HTTP/2.0\r\n", `127.0.0.1 true "PRI * HTTP/2.0\r\n"`},
		{"HTTP with a header", Proxies{Networks: here, Optional: true}, clientV4 + "GET / HTTP/1.1\r\n", `203.0.113.5 false "GET / HTTP/1.1\r\n"`},
		{"HTTP with a local header", Proxies{Networks: here, Optional: true}, binaryHeader(0x20, 0, "") + "GET / HTTP/1.1\r\n", `127.0.0.1 false "GET / HTTP/1.1\r\n"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := told(t, func(Wanted) Proxies { return c.proxies }, time.Minute)
			if got := talk(t, apply(t, s, Wanted{"smtp", "127.0.0.1:0"})[0].Addr, c.in); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestProxySocket: who connects to a Unix socket is on this machine.
func TestProxySocket(t *testing.T) {
	for network, want := range map[string]string{
		"127.0.0.1/32": `203.0.113.5 false "EHLO a\r\n"`,
		"::1/128":      `203.0.113.5 false "EHLO a\r\n"`,
		"192.0.2.0/24": `invalid IP false "` + strings.TrimSpace(clientV4) + `\r\nEHLO a\r\n"`,
	} {
		s := told(t, func(Wanted) Proxies { return Proxies{Networks: networks(network)} }, time.Minute)
		if got := talk(t, apply(t, s, Wanted{"lmtp", "unix:" + t.TempDir() + "/sock"})[0].Addr, clientV4+"EHLO a\r\n"); got != want {
			t.Errorf("%s: %s, want %s", network, got, want)
		}
	}
}

// TestProxySilent: a proxy that says nothing, or half of it, does not wait for ever.
func TestProxySilent(t *testing.T) {
	s := told(t, func(w Wanted) Proxies {
		return Proxies{Networks: networks("127.0.0.0/8"), Optional: w.Service == "http"}
	}, 50*time.Millisecond)
	bound := apply(t, s, Wanted{"smtp", "127.0.0.1:0"}, Wanted{"http", "127.0.0.1:0"})
	for _, text := range []string{"", "PROX", "PROXY TCP4 203.0", binarySignature} {
		if got := talk(t, bound[0].Addr, text); got != "closed" {
			t.Errorf("smtp, %q: %s", text, got)
		}
	}
	if got := talk(t, bound[1].Addr, "PROXY TCP4 203.0"); got != "closed" {
		t.Errorf("http: %s", got)
	}
}

// TestProxySilentHTTP: one that may name its clients otherwise is for its service to look at.
func TestProxySilentHTTP(t *testing.T) {
	handed := make(chan net.Conn, 1)
	s := New(Options{
		Log: slog.New(slog.DiscardHandler), HeaderTime: 50 * time.Millisecond,
		Proxies: func(Wanted) Proxies { return Proxies{Networks: networks("127.0.0.0/8"), Optional: true} },
		Serve: func(ln net.Listener, _ string) {
			if conn, err := ln.Accept(); err == nil {
				handed <- conn
			}
		},
	})
	t.Cleanup(s.Close)
	client, err := net.Dial("tcp", apply(t, s, Wanted{"http", "127.0.0.1:0"})[0].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn := <-handed // it has said nothing
	defer conn.Close()
	io.WriteString(client, clientV4)
	client.Close()
	if got, err := io.ReadAll(conn); string(got) != clientV4 || err != nil || Forwards(conn) == nil {
		t.Errorf("%q, %v: a header that came too late is an octet like others", got, err)
	}
}

// TestProxyWaits: one that is silent holds up neither others nor the end.
func TestProxyWaits(t *testing.T) {
	s := told(t, func(Wanted) Proxies { return Proxies{Networks: networks("127.0.0.0/8")} }, time.Hour)
	addr := apply(t, s, Wanted{"smtp", "127.0.0.1:0"})[0].Addr
	silent, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if got := talk(t, addr, clientV4+"a"); !strings.HasPrefix(got, "203.0.113.5") {
		t.Error(got)
	}
	s.Close()
	silent.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestProxiesChange: who is trusted is asked for each connection, whatever the service.
func TestProxiesChange(t *testing.T) {
	var trusted atomic.Pointer[Proxies]
	trusted.Store(&Proxies{Networks: networks("127.0.0.0/8")})
	s := told(t, func(w Wanted) Proxies {
		if w.Service == "imap" {
			return Proxies{}
		}
		return *trusted.Load()
	}, time.Minute)
	address := freeAddress(t)
	addr := apply(t, s, Wanted{"smtp", address})[0].Addr
	if got := talk(t, addr, clientV4+"a"); !strings.HasPrefix(got, "203.0.113.5") {
		t.Error(got)
	}
	trusted.Store(&Proxies{})
	if got := talk(t, addr, clientV4); !strings.HasPrefix(got, "127.0.0.1") {
		t.Error(got)
	}
	trusted.Store(&Proxies{Networks: networks("127.0.0.0/8")})
	apply(t, s, Wanted{"imap", address})
	if got := talk(t, addr, clientV4); !strings.HasPrefix(got, "127.0.0.1") {
		t.Error(got)
	}
}

func TestClient(t *testing.T) {
	for _, c := range []struct{ proxy, client, want string }{
		{"127.0.0.1", "203.0.113.5", "203.0.113.5"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1"},
		{"::1", "127.0.0.1", "127.0.0.1"},
		{"10.0.0.1", "127.0.0.1", "10.0.0.1"}, // its own machine is not this one
		{"10.0.0.1", "::1", "10.0.0.1"},
		{"10.0.0.1", "::ffff:127.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "fe80::1%eth0", "fe80::1"},
	} {
		if got := Client(netip.MustParseAddr(c.proxy), netip.MustParseAddr(c.client)).String(); got != c.want {
			t.Errorf("%s says %s: %s, want %s", c.proxy, c.client, got, c.want)
		}
	}
	if got := Client(netip.Addr{}, netip.MustParseAddr("127.0.0.1")).String(); got != "127.0.0.1" {
		t.Errorf("over a Unix socket: %s", got)
	}
}
