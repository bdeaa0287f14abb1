package dns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/testkit"
)

const secureZone = `
signed.example.            MX 10 mx.signed.example.
mx.signed.example.         A 192.0.2.1
mx.signed.example.         AAAA 2001:db8::1
_25._tcp.mx.signed.example. TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_25._tcp.mx.signed.example. TLSA 2 0 0 3003
inner.signed.example.      CNAME mx.signed.example.
outer.signed.example.      CNAME mx.plain.example.
mx.plain.example.          A 192.0.2.2
back.plain.example.        CNAME mx.signed.example.
half.signed.example.       AAAA 2001:db8::2
`

// TestAuthentic: what may be believed, and that all on the way counts.
func TestAuthentic(t *testing.T) {
	for _, plain := range []bool{false, true} { // who follows the CNAMEs
		d := testkit.NewDNS(t, secureZone)
		d.Secure("signed.example")
		d.Plain(plain)
		r := newResolver(t, d, Options{})
		for range 2 { // from the server, and from the cache
			if a, err := r.SecureMX(t.Context(), "Signed.example"); err != nil || !a.Authentic || a.Name != "signed.example" {
				t.Error(a, err)
			}
			for host, want := range map[string]string{
				"mx.signed.example":    "mx.signed.example true [2001:db8::1 192.0.2.1]",
				"inner.signed.example": "mx.signed.example true [2001:db8::1 192.0.2.1]",
				"half.signed.example":  "half.signed.example true [2001:db8::2]",
				"outer.signed.example": "mx.plain.example false [192.0.2.2]",
				"mx.plain.example":     "mx.plain.example false [192.0.2.2]",
				"back.plain.example":   "mx.signed.example false [2001:db8::1 192.0.2.1]",
			} {
				a, err := r.SecureAddrs(t.Context(), host)
				if got := fmt.Sprint(a.Name, " ", a.Authentic, " ", a.Records); err != nil || got != want {
					t.Errorf("%s: %s, %v; want %s", host, got, err, want)
				}
			}
		}
		if a, err := r.Alias(t.Context(), "outer.signed.example"); err != nil || !a.Authentic || a.Records[0] != "mx.plain.example" {
			t.Error(a, err)
		}
		if _, err := r.Alias(t.Context(), "mx.signed.example"); !errors.Is(err, ErrNoData) {
			t.Error(err)
		}
		a, err := r.TLSA(t.Context(), "_25._tcp.mx.signed.example")
		want := "[3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 2 0 0 3003]"
		if err != nil || !a.Authentic || fmt.Sprint(a.Records) != want {
			t.Error(a, err)
		}
	}
}

// TestProvenAbsence: it matters whether "there is none" is proven.
func TestProvenAbsence(t *testing.T) {
	d := testkit.NewDNS(t, secureZone)
	d.Secure("signed.example")
	r := newResolver(t, d, Options{})
	for name, want := range map[string]bool{
		"mx.signed.example": true, "nowhere.signed.example": true, "inner.signed.example": true,
		"nowhere.plain.example": false, "outer.signed.example": false,
	} {
		for range 2 {
			_, err := r.TLSA(t.Context(), name)
			var e *Error
			if !errors.As(err, &e) || !Missing(err) || e.Authentic != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestBogus: what is proven to be forged is a failure for the moment, and no other
// server is asked, who might not look so closely.
func TestBogus(t *testing.T) {
	validating, careless := testkit.NewDNS(t, secureZone), testkit.NewDNS(t, secureZone)
	validating.Bogus("mx.signed.example", true)
	validating.Fail("mx.plain.example", true)
	r := newResolver(t, careless, Options{Servers: []string{validating.Addr()}})
	if _, err := r.A(t.Context(), "mx.signed.example"); !errors.Is(err, ErrBogus) || !errors.Is(err, ErrServer) || Missing(err) {
		t.Error(err)
	}
	if _, err := r.A(t.Context(), "mx.plain.example"); err != nil {
		t.Error(err)
	}
	careless.Fail("mx.plain.example", true)
	if _, err := r.AAAA(t.Context(), "mx.plain.example"); errors.Is(err, ErrBogus) || !errors.Is(err, ErrServer) {
		t.Error(err)
	}
}

// TestBelieved: the AD bit of a server that nobody named is believed on this machine
// only, and not asked for elsewhere.
func TestBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readResolvConf(path)
	if want := "[{127.0.0.1:53 true} {[::1]:53 true} {192.0.2.1:53 false}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v", got, err)
	}
	d := testkit.NewDNS(t, secureZone)
	d.Secure(".")
	r := newResolver(t, d, Options{})
	r.servers.fixed[0].believed = false
	if a, err := r.SecureMX(t.Context(), "signed.example"); err != nil || a.Authentic {
		t.Error(a, err)
	}
}

func TestApply(t *testing.T) {
	one, two := testkit.NewDNS(t, secureZone), testkit.NewDNS(t, strings.ReplaceAll(secureZone, "192.0.2.1", "192.0.2.7"))
	r := newResolver(t, one, Options{Timeout: time.Second})
	ask := func(want string) {
		t.Helper()
		if a, err := r.A(t.Context(), "mx.signed.example"); err != nil || a[0].String() != want {
			t.Error(a, err)
		}
	}
	ask("192.0.2.1")
	if err := r.Apply([]string{one.Addr()}); err != nil {
		t.Fatal(err)
	}
	ask("192.0.2.1")
	if n := len(one.Queries()); n != 1 {
		t.Errorf("asked %d times: the cache did not survive", n)
	}
	if err := r.Apply([]string{"nonsense"}); err == nil {
		t.Error("nonsense taken as a server")
	}
	if err := r.Apply([]string{two.Addr()}); err != nil {
		t.Fatal(err)
	}
	ask("192.0.2.7")
}
