package mtasts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/dns"
	"facteur/server/safefile"
	"facteur/server/testkit"
)

const zone = `
_mta-sts.one.example. TXT "v=STSv1; id=1;"
mta-sts.one.example.  A 192.0.2.80
`

const enforce = "version: STSv1\nmode: enforce\nmx: mx.one.example\nmax_age: 1000000\n"

// world is a domain with a policy, and a Store.
type world struct {
	t     *testing.T
	dns   *testkit.DNS
	web   *testkit.Web
	ca    *testkit.Authority
	now   time.Time
	opts  Options
	store *Store
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dns: testkit.NewDNS(t, zone), ca: testkit.NewAuthority(t), now: time.Now()}
	w.web = testkit.NewPolicy(t, w.ca.Issue(t, "mta-sts.one.example"), enforce)
	network := new(testkit.Network)
	network.Host("192.0.2.80:443", w.web.Addr())
	w.opts = Options{
		Dir: filepath.Join(t.TempDir(), "mtasts"), FS: safefile.OS, Dial: network.DialContext, Roots: w.ca.Pool(),
		Now: func() time.Time { return w.now },
	}
	w.resolver()
	w.open()
	return w
}

// resolver forgets what the DNS said.
func (w *world) resolver() {
	w.t.Helper()
	r, err := dns.New(dns.Options{Servers: []string{w.dns.Addr()}, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.opts.Resolver = r
}

// open starts the Store anew.
func (w *world) open() {
	w.t.Helper()
	if w.store != nil {
		w.store.Close()
	}
	var err error
	if w.store, err = Open(w.opts); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.store.Close)
}

func (w *world) id(id string) { w.dns.Set(w.t, strings.Replace(zone, "id=1", "id="+id, 1)) }

// pass lets the DNS answers and the memory of failures run out, and d pass.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// check asks for the policy: want is its mode, "" for none; asked, how many fetches
// there were so far.
func (w *world) check(what, want string, is error, asked int) {
	w.t.Helper()
	p, err := w.store.Policy(w.t.Context(), "one.example")
	if string(p.Mode) != want || !errors.Is(err, is) || len(w.web.Asked()) != asked {
		w.t.Errorf("%s: %q, %v, %d fetches; want %q, %v, %d", what, p.Mode, err, len(w.web.Asked()), want, is, asked)
	}
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	w.check("first", "enforce", nil, 1)
	w.check("again", "enforce", nil, 1)
	w.open()
	w.check("after a restart", "enforce", nil, 1)
	w.web.Policy(strings.Replace(enforce, "enforce", "testing", 1))
	w.pass(10 * time.Minute)
	w.check("changed, the id not", "enforce", nil, 1)
	w.id("2")
	w.pass(10 * time.Minute)
	w.check("a new id", "testing", nil, 2)
	w.web.Set(http.NotFound)
	w.id("3")
	w.pass(10 * time.Minute)
	w.check("a new id, nothing behind it", "testing", nil, 3)
	w.check("no second try at once", "testing", nil, 3)
	w.pass(10 * time.Minute)
	w.check("a second try", "testing", nil, 4)
	w.dns.Set(t, "mta-sts.one.example. A 192.0.2.80")
	w.pass(10 * time.Minute)
	w.check("no record any more", "testing", nil, 4)
	w.dns.Fail("_mta-sts.one.example", true)
	w.pass(10 * time.Minute)
	w.check("no DNS", "testing", nil, 4)
	w.pass(1_000_000 * time.Second)
	w.check("over", "", nil, 4)
	w.dns.Fail("_mta-sts.one.example", false)
	w.id("3")
	w.pass(10 * time.Minute)
	w.check("over, and can't be had", "", ErrFetch, 5)
	w.web.Policy("version: STSv1\nmode: none\nmax_age: 0\n")
	w.pass(10 * time.Minute)
	w.check("given up", "none", nil, 6)
}

func TestCannotBeHad(t *testing.T) {
	w := newWorld(t)
	answer := func(kind, text string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			rw.Write([]byte(text))
		}
	}
	asked := 0
	for i, c := range []struct {
		name string
		h    http.HandlerFunc
		is   error
	}{
		{"404", http.NotFound, ErrFetch},
		{"redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://mta-sts.one.example/.well-known/mta-sts.txt?2", http.StatusFound)
		}, ErrFetch},
		{"media type", answer("text/html", enforce), ErrInvalid},
		{"no policy", answer("text/plain", "hello"), ErrInvalid},
		{"too large", answer("text/plain; charset=utf-8", enforce+strings.Repeat("x: y\n", maxPolicy)), ErrInvalid},
		{"breaks off", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain")
			rw.Header().Set("Content-Length", "10000")
			rw.Write([]byte(enforce))
			panic(http.ErrAbortHandler)
		}, ErrFetch},
	} {
		w.web.Set(c.h)
		w.id(fmt.Sprint(i + 10))
		w.pass(10 * time.Minute)
		asked++
		w.check(c.name, "", c.is, asked)
	}
	w.web.Policy(enforce)
	for i, cert := range []string{"other.one.example", ""} {
		w.web.Present(testkit.Certificate(t, "mta-sts.one.example"))
		if cert != "" {
			w.web.Present(w.ca.Issue(t, cert))
		}
		w.id(fmt.Sprint(i + 20))
		w.pass(10 * time.Minute)
		w.check("certificate for "+cert, "", ErrFetch, asked)
	}
	w.web.Present(w.ca.IssueUntil(t, time.Now().Add(-time.Hour), "mta-sts.one.example"))
	w.pass(10 * time.Minute)
	w.check("certificate too old", "", ErrFetch, asked)
	w.dns.Set(t, strings.Replace(zone, "192.0.2.80", "192.0.2.81", 1))
	w.pass(10 * time.Minute)
	w.check("nobody there", "", ErrFetch, asked)
	w.dns.Set(t, `_mta-sts.one.example. TXT "v=STSv1;"`)
	w.pass(10 * time.Minute)
	w.check("a record without id", "", nil, asked)
}

// TestRenew: what is used is fetched anew each day, and what is not runs out.
func TestRenew(t *testing.T) {
	w := newWorld(t)
	w.check("first", "enforce", nil, 1)
	w.pass(12 * time.Hour)
	w.store.renewAll(t.Context())
	w.check("not due", "enforce", nil, 1)
	for day := range 3 {
		w.pass(25 * time.Hour)
		w.store.renewAll(t.Context())
		w.check("due", "enforce", nil, day+2)
	}
	w.web.Set(http.NotFound)
	w.pass(25 * time.Hour)
	w.store.renewAll(t.Context())
	w.check("can't be had", "enforce", nil, 5)
	w.web.Policy(strings.Replace(enforce, "1000000", "31557600", 1))
	w.pass(time.Hour)
	w.store.renewAll(t.Context())
	w.check("can be had", "enforce", nil, 6)
	for range 40 {
		w.pass(24 * time.Hour)
		w.store.renewAll(t.Context())
	}
	if n := len(w.web.Asked()); n < 30 || n > 37 {
		t.Errorf("an unused policy was fetched %d times", n)
	}
	w.pass(366 * 24 * time.Hour)
	w.store.renewAll(t.Context())
	if entries, err := os.ReadDir(w.opts.Dir); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
}

// TestOnce: many who want a policy at once share a fetch.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if p, err := w.store.Policy(t.Context(), "one.example"); err != nil || p.Mode != Enforce {
				t.Error(p, err)
			}
		})
	}
	all.Wait()
	w.check("after", "enforce", nil, 1)
}

// TestDamaged: what is not a policy on disk is as if it were not there, and a disk
// that takes nothing costs no mail.
func TestDamaged(t *testing.T) {
	w := newWorld(t)
	w.check("first", "enforce", nil, 1)
	path := filepath.Join(w.opts.Dir, "one.example.json")
	for i, text := range []string{"", "{", `{"ID":"1","Text":"x"}`, strings.Repeat(" ", 9*maxPolicy)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.open()
		w.check(text, "enforce", nil, i+2)
	}
	w.opts.FS = &safefile.Faulty{FS: safefile.OS, Fail: func(op safefile.Op) error {
		if op.Kind == "mkdir" {
			return nil
		}
		return errors.New("no space")
	}}
	w.open()
	w.id("9")
	w.pass(time.Hour)
	w.check("no space", "enforce", nil, 6)
	w.check("no space, again", "enforce", nil, 6)
}

// TestBound: old ones make room.
func TestBound(t *testing.T) {
	w := newWorld(t)
	for i := range maxDomains {
		w.store.kept[fmt.Sprintf("d%d.example", i)] = kept{Policy: Policy{Mode: None, MaxAge: time.Duration(i+1) * time.Hour}, fetched: w.now}
	}
	w.check("one more", "enforce", nil, 1)
	if _, there := w.store.kept["d0.example"]; there || len(w.store.kept) != maxDomains {
		t.Error(len(w.store.kept))
	}
}

// TestWithin: nobody has us connect to our own machine or network by the DNS.
func TestWithin(t *testing.T) {
	w := newWorld(t)
	dialled := 0
	w.opts.Dial = func(context.Context, string, string) (net.Conn, error) {
		dialled++
		return nil, errors.New("refused")
	}
	w.dns.Set(t, `
_mta-sts.one.example. TXT "v=STSv1; id=2;"
mta-sts.one.example.  A 127.0.0.1
mta-sts.one.example.  A 10.0.0.1
mta-sts.one.example.  AAAA fe80::1
mta-sts.one.example.  AAAA ::1
`)
	w.open()
	if _, err := w.store.Policy(t.Context(), "one.example"); !errors.Is(err, ErrFetch) || !errors.Is(err, errNotPublic) || dialled != 0 {
		t.Errorf("%v after %d connections", err, dialled)
	}
	for ip, want := range map[string]bool{
		"192.168.1.1": true, "172.16.0.1": true, "::ffff:127.0.0.1": true, "fd00::1": true, "0.0.0.0": true, "169.254.169.254": true,
		"192.0.2.80": false, "2001:db8::1": false,
	} {
		if within(netip.MustParseAddr(ip)) != want {
			t.Error(ip)
		}
	}
}
