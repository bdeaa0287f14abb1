package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/testkit"
)

const zone = `
example.org.        MX 10 mx1.example.org.
example.org.        MX 20 MX2.Example.Org.
example.org.        TXT "v=spf1 " "-all"
example.org.        TXT "caf\195\169 \"x\" \\"
mx1.example.org.    A 192.0.2.1
mx1.example.org.    AAAA 2001:db8::1
mx2.example.org.    A 192.0.2.2
null.example.       MX 0 .
alias.example.      CNAME chain.example.
chain.example.      CNAME example.org.
lost.example.       CNAME nowhere.example.
loop.example.       CNAME loop2.example.
loop2.example.      CNAME loop.example.
self.example.       CNAME self.example.
short.example. 1    A 192.0.2.9
zero.example.  0    A 192.0.2.9
1.2.0.192.in-addr.arpa. PTR mx1.example.org.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mx1.example.org.
`

func newResolver(t *testing.T, d *testkit.DNS, o Options) *Resolver {
	t.Helper()
	o.Servers = append(o.Servers, d.Addr())
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLookups(t *testing.T) {
	d := testkit.NewDNS(t, zone)
	for _, plain := range []bool{false, true} {
		d.Plain(plain)
		r := newResolver(t, d, Options{})
		ctx := t.Context()
		check := func(what string, got any, err error, want string) {
			t.Helper()
			if s := fmt.Sprint(got); err != nil || s != want {
				t.Errorf("%s: %s, %v; want %s", what, s, err, want)
			}
		}
		mx, err := r.MX(ctx, "Example.ORG")
		check("MX", mx, err, "[{10 mx1.example.org} {20 mx2.example.org}]")
		mx, err = r.MX(ctx, "alias.example")
		check("MX of an alias", mx, err, "[{10 mx1.example.org} {20 mx2.example.org}]")
		mx, err = r.MX(ctx, "null.example.")
		check("null MX", mx, err, "[{0 }]")
		ips, err := r.Addrs(ctx, "mx1.example.org")
		check("both", ips, err, "[2001:db8::1 192.0.2.1]")
		ips, err = r.Addrs(ctx, "mx2.example.org")
		check("IPv4 only", ips, err, "[192.0.2.2]")
		txt, err := r.TXT(ctx, "example.org")
		slices.Sort(txt)
		check("TXT", strings.Join(txt, "|"), err, `café "x" \|v=spf1 -all`)
		for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"} {
			names, err := r.PTR(ctx, netip.MustParseAddr(ip))
			check("PTR", names, err, "[mx1.example.org]")
		}
	}
}

func TestErrors(t *testing.T) {
	d := testkit.NewDNS(t, zone)
	d.Fail("broken.example", true)
	r := newResolver(t, d, Options{Timeout: time.Second})
	for _, c := range []struct {
		name    string
		is      error
		missing bool
	}{
		{"nowhere.example", ErrNoName, true},
		{"lost.example", ErrNoName, true},
		{"mx1.example.org", ErrNoData, true},
		{"broken.example", nil, false},
		{"loop.example", nil, false},
		{"self.example", nil, true},
		{strings.Repeat("x", 64) + ".example", ErrNoName, true},
		{"a..example", ErrNoName, true},
	} {
		_, err := r.MX(t.Context(), c.name)
		var e *Error
		if err == nil || Missing(err) != c.missing || c.is != nil && !errors.Is(err, c.is) || !errors.As(err, &e) || e.Type != "MX" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := r.PTR(t.Context(), netip.Addr{}); !Missing(err) {
		t.Error(err)
	}
	if _, err := r.Addrs(t.Context(), "broken.example"); err == nil || Missing(err) {
		t.Error(err)
	}
	if _, err := r.Addrs(t.Context(), "example.org"); !errors.Is(err, ErrNoData) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.MX(ctx, "other.example"); !errors.Is(err, context.Canceled) || Missing(err) {
		t.Error(err)
	}
}

func TestTruncatedAndOldServers(t *testing.T) {
	var big strings.Builder
	for i := range 200 {
		fmt.Fprintf(&big, "big.example. A 192.0.2.%d\n", i)
	}
	d := testkit.NewDNS(t, big.String())
	for _, noEDNS := range []bool{false, true} {
		d.NoEDNS(noEDNS)
		r := newResolver(t, d, Options{})
		ips, err := r.A(t.Context(), "big.example")
		if err != nil || len(ips) != maxRecords {
			t.Errorf("%d, %v", len(ips), err)
		}
	}
	if q := d.Queries(); !slices.Contains(q, "A big.example. tcp") {
		t.Error(q)
	}
}

// TestNextServer: the first server is silent.
func TestNextServer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := testkit.NewDNS(t, zone)
	r := newResolver(t, d, Options{Servers: []string{silent.LocalAddr().String()}, Timeout: 50 * time.Millisecond})
	if mx, err := r.MX(t.Context(), "example.org"); err != nil || len(mx) != 2 {
		t.Error(mx, err)
	}
}

func TestCache(t *testing.T) {
	d := testkit.NewDNS(t, zone)
	now := time.Unix(1e9, 0)
	r := newResolver(t, d, Options{Entries: 4, Now: func() time.Time { return now }})
	asked := func(f func()) int {
		before := len(d.Queries())
		f()
		return len(d.Queries()) - before
	}
	a := func(name string) func() {
		return func() { r.A(t.Context(), name) } // the answer does not matter here
	}
	for _, c := range []struct {
		name string
		life time.Duration
	}{{"mx1.example.org", 300 * time.Second}, {"short.example", time.Second}, {"nowhere.example", 60 * time.Second}, {"example.org", 60 * time.Second}} {
		if n := asked(a(c.name)); n != 1 {
			t.Errorf("%s: asked %d times at first", c.name, n)
		}
		now = now.Add(c.life - 1)
		if n := asked(a(c.name)); n != 0 {
			t.Errorf("%s: asked again before its time", c.name)
		}
		now = now.Add(1)
		if n := asked(a(c.name)); n != 1 {
			t.Errorf("%s: not asked again after its time", c.name)
		}
	}
	if asked(a("zero.example"))+asked(a("zero.example")) != 2 {
		t.Error("TTL 0 was kept")
	}
	d.Fail("broken.example", true)
	a("broken.example")()
	d.Fail("broken.example", false)
	if _, err := r.A(t.Context(), "broken.example"); !errors.Is(err, ErrNoName) {
		t.Error("a failure was kept:", err)
	}
	for i := range 20 {
		a(fmt.Sprintf("n%d.example", i))()
		if len(r.cache.entries) > 4 {
			t.Fatal("the cache grows")
		}
	}
}

func TestServers(t *testing.T) {
	got, err := checkServers([]string{"192.0.2.1", "[2001:db8::1]", "2001:db8::1", "127.0.0.1:5353", "[::1]:54"})
	want := "[192.0.2.1:53 [2001:db8::1]:53 [2001:db8::1]:53 127.0.0.1:5353 [::1]:54]"
	if addrs(got) != want || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "dns.example", "192.0.2.1:0", "192.0.2.1:x", ":53"} {
		if _, err := New(Options{Servers: []string{bad}}); err == nil {
			t.Errorf("%q taken as a server", bad)
		}
	}
}

func TestResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	now := time.Unix(1e9, 0)
	s := servers{path: path, now: func() time.Time { return now }}
	if _, err := s.list(); err == nil {
		t.Error("no file, no error")
	}
	write := func(text string, mtime time.Time) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		if got, err := s.list(); addrs(got) != want || err != nil {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	}
	write("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", now)
	check("[192.0.2.1:53 [2001:db8::1]:53]")
	write("# none\n", now.Add(time.Second))
	check("[192.0.2.1:53 [2001:db8::1]:53]") // not looked at again yet
	now = now.Add(lookAgain)
	check("[127.0.0.1:53]")
	os.Remove(path)
	now = now.Add(lookAgain)
	check("[127.0.0.1:53]")
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a`: "a", `\"`: `"`, `\\`: `\`, `\195\169`: "é", `\`: `\`, `\12`: "12"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func addrs(list []server) string {
	var all []string
	for _, s := range list {
		all = append(all, s.addr)
	}
	return fmt.Sprint(all)
}
