package httpd

import (
	"context"
	"net/http/httptest"
	"testing"
)

// A redirect leads to the name that was asked for, where the certificate is good for that.
func TestSecureURL(t *testing.T) {
	good := func(names ...string) func(string) bool {
		return func(name string) bool {
			for _, n := range names {
				if n == name {
					return true
				}
			}
			return false
		}
	}
	for _, c := range []struct {
		host      string
		certified func(string) bool
		port      int
		target    string
		want      string
	}{
		{"example.org", good("example.org", "mail.example.org"), 443, "/x?y", "https://example.org/x?y"},
		{"example.org:80", good("mail.example.org"), 443, "/", "https://mail.example.org/"},
		{"example.org", good(), 8443, "/", "https://example.org:8443/"}, // none is better
		{"EXAMPLE.org.", good("example.org"), 443, "/", "https://example.org/"},
		{"192.0.2.1", good("mail.example.org"), 443, "/", "https://192.0.2.1/"},
		{"[2001:db8::1]:80", good("mail.example.org"), 443, "/", "https://[2001:db8::1]/"},
		{"[2001:db8::1]", good("mail.example.org"), 8443, "/", "https://[2001:db8::1]:8443/"},
		{"", good(), 443, "/", "https://mail.example.org/"},
		{"a b", good(), 443, "/", "https://mail.example.org/"},
		{"evil.example/x", good(), 443, "/", "https://mail.example.org/"},
		{"example.org", good("example.org"), 443, "http://evil.example/", "https://example.org/"},
	} {
		o := Options{Hostname: "mail.example.org", Certified: c.certified}.withDefaults()
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), connKey{}, new(conn)), "GET", "/", nil)
		r.Host = c.host
		if got := o.secureURL(r, c.port, c.target); got != c.want {
			t.Errorf("%s %d %s: %s", c.host, c.port, c.target, got)
		}
	}
}

// What is published has a secret in its path, which the log does not show.
func TestShownPath(t *testing.T) {
	for path, want := range map[string]string{
		"/ics/0123456789abcdef.ics": "/ics/(secret)",
		"/dav/a%20b/":               "/dav/a%20b/",
	} {
		if got := shownPath(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
