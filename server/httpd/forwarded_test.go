package httpd

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// header reads lines as a header.
func header(lines string) http.Header {
	h := make(http.Header)
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

func TestReadForwarded(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8:1::/48")}
	for _, c := range []struct{ name, proxy, in, want string }{
		{"nothing", "127.0.0.1", "", "invalid IP  "},
		{"one", "127.0.0.1", "X-Forwarded-For: 203.0.113.5", "203.0.113.5  "},
		{"all", "127.0.0.1", "X-Forwarded-For: 203.0.113.5\nX-Forwarded-Proto: https\nX-Forwarded-Host: dav.example.org", "203.0.113.5 https dav.example.org"},
		{"claimed by the client", "127.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.9, 203.0.113.5", "203.0.113.5  "},
		{"claimed by the client, in a line of its own", "127.0.0.1", "X-Forwarded-For: 127.0.0.1\nX-Forwarded-For: 203.0.113.5", "203.0.113.5  "},
		{"claimed by the client, malformed", "127.0.0.1", "X-Forwarded-For: ;'--, 203.0.113.5", "203.0.113.5  "},
		{"a proxy before the proxy", "127.0.0.1", "X-Forwarded-For: 192.0.2.9, 203.0.113.5, 10.0.0.7", "203.0.113.5  "},
		{"this machine", "127.0.0.1", "X-Forwarded-For: 127.0.0.1", "127.0.0.1  "},
		{"this machine, claimed elsewhere", "10.0.0.7", "X-Forwarded-For: 127.0.0.2", "10.0.0.7  "},
		{"a socket of this machine", "", "X-Forwarded-For: 127.0.0.2", "127.0.0.2  "},
		{"only proxies", "127.0.0.1", "X-Forwarded-For: 10.0.0.8, 10.0.0.7", "10.0.0.8  "},
		{"with a port", "127.0.0.1", "X-Forwarded-For: 203.0.113.5:4711", "203.0.113.5  "},
		{"IPv6", "127.0.0.1", "X-Forwarded-For: 2001:db8::5", "2001:db8::5  "},
		{"IPv6 with a port", "127.0.0.1", "X-Forwarded-For: [2001:db8::5]:4711", "2001:db8::5  "},
		{"mapped", "127.0.0.1", "X-Forwarded-For: ::ffff:203.0.113.5", "203.0.113.5  "},
		{"mapped loopback of another machine", "10.0.0.7", "X-Forwarded-For: ::ffff:127.0.0.2", "10.0.0.7  "},
		{"empty", "127.0.0.1", "X-Forwarded-For: , ,", "invalid IP  "},
		{"unknown", "127.0.0.1", "X-Forwarded-For: unknown", "refused"},
		{"hidden behind a proxy", "127.0.0.1", "X-Forwarded-For: unknown, 10.0.0.7", "refused"},
		{"a name", "127.0.0.1", "X-Forwarded-For: localhost", "refused"},
		{"a zone", "127.0.0.1", "X-Forwarded-For: fe80::1%lo", "refused"},
		{"no host", "127.0.0.1", "X-Forwarded-For: 0.0.0.0", "refused"},
		{"a bracket", "127.0.0.1", "X-Forwarded-For: [::1", "refused"},
		{"the last scheme counts", "127.0.0.1", "X-Forwarded-For: 203.0.113.5\nX-Forwarded-Proto: https, http", "203.0.113.5 http "},

		{"standard", "127.0.0.1", `Forwarded: for=203.0.113.5;proto=https;host="dav.example.org:8443";by=10.0.0.1`, "203.0.113.5 https dav.example.org:8443"},
		{"standard, IPv6", "127.0.0.1", `Forwarded: For="[2001:db8::5]:4711"; Proto=HTTPS`, "2001:db8::5 https "},
		{"standard, not quoted", "127.0.0.1", `Forwarded: for=203.0.113.5:80`, "203.0.113.5  "},
		{"standard, claimed by the client", "127.0.0.1", `Forwarded: for=127.0.0.1;proto=https, for=203.0.113.5;proto=http`, "203.0.113.5 http "},
		{"standard, of the client's hop", "127.0.0.1", `Forwarded: for=203.0.113.5;proto=https, for=10.0.0.7;proto=http`, "203.0.113.5 https "},
		{"standard, a comma in quotes", "127.0.0.1", `Forwarded: for=203.0.113.5;x="a, for=127.0.0.1;\""`, "203.0.113.5  "},
		{"standard, hidden", "127.0.0.1", "Forwarded: for=_hidden", "refused"},
		{"standard, unknown", "127.0.0.1", "Forwarded: for=unknown", "refused"},
		{"standard, nobody", "127.0.0.1", "Forwarded: proto=https", "refused"},
		{"standard, twice", "127.0.0.1", "Forwarded: for=203.0.113.5;for=127.0.0.1", "refused"},
		{"standard, open quotes", "127.0.0.1", `Forwarded: for="203.0.113.5`, "refused"},
		{"standard, no value", "127.0.0.1", "Forwarded: for", "refused"},
		{"standard, two words", "127.0.0.1", "Forwarded: for=203.0.113.5 for=127.0.0.1", "refused"},

		{"both, the same", "127.0.0.1", "X-Forwarded-For: 203.0.113.5\nForwarded: for=203.0.113.5", "203.0.113.5  "},
		{"one is the client's", "127.0.0.1", "X-Forwarded-For: 203.0.113.5\nForwarded: for=127.0.0.1", "refused"},
		{"the other is the client's", "127.0.0.1", "X-Forwarded-For: 127.0.0.1\nForwarded: for=203.0.113.5", "refused"},
		{"the scheme is the client's", "127.0.0.1", "X-Forwarded-Proto: https\nForwarded: for=203.0.113.5;proto=http", "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy, _ := netip.ParseAddr(c.proxy)
			f, err := readForwarded(header(c.in), proxy, proxies)
			got := f.client.String() + " " + f.scheme + " " + f.host
			if err != nil {
				got = "refused"
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// FuzzForwarded: what a client claims before the proxy adds the truth changes nothing, or the
// request is refused.
func FuzzForwarded(f *testing.F) {
	f.Add("127.0.0.1", `for="[::1]:80";proto=https`, "203.0.113.5")
	f.Add("unknown", `for=_x;by="\"";host=a`, "2001:db8::5")
	f.Add("10.0.0.1, ,", `;;,for=1.2.3.4`, "10.0.0.9")
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	proxy := netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, old, standard, truth string) {
		ip, err := netip.ParseAddr(truth)
		if err != nil || ip.Zone() != "" || ip.Is4In6() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() {
			return
		}
		h := http.Header{"X-Forwarded-For": {old, ip.String()}}
		if got, err := readForwarded(h, proxy, proxies); err != nil || got.client != ip {
			t.Errorf("%q: %v, %v, want %v", h, got.client, err, ip)
		}
		h.Set("Forwarded", standard)
		if got, err := readForwarded(h, proxy, proxies); err == nil && got.client != ip {
			t.Errorf("%q: %v, want %v", h, got.client, ip)
		}
		h = http.Header{"Forwarded": {standard, `for="` + ip.String() + `"`}}
		if ip.Is6() {
			h["Forwarded"][1] = `for="[` + ip.String() + `]"`
		}
		if got, err := readForwarded(h, proxy, proxies); err == nil && got.client != ip {
			t.Errorf("%q: %v, want %v", h, got.client, ip)
		}
	})
}
