package server

import (
	"strings"
	"testing"
)

// TestTextOf: what a listener is for, also behind a proxy that has the TLS.
func TestTextOf(t *testing.T) {
	for _, c := range []struct {
		service string
		proxied bool
		want    string
	}{
		{"http", false, "leads to https"},
		{"http", true, "calendars and contacts, through a proxy"},
		{"imaps", true, "reading mail, TLS"},
	} {
		if got := textOf(c.service, c.proxied); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, proxied %v: %s", c.service, c.proxied, got)
		}
	}
}
